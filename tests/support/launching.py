"""Starts the system's Chromium for a test, closed off from everything but this machine."""

from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Playwright

from tools.programs import CHROMIUM

# Playwright itself turns off what a browser does by its own; these see to it that nothing gets through.
_ARGUMENTS = [
    "--disable-gpu",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1",
]


def launch_chromium(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM.executable, args=_ARGUMENTS)


def launch_chromium_with_profile(playwright: Playwright, profile: Path) -> BrowserContext:
    """A browser with the preferences that somebody has set in `profile`."""
    return playwright.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM.executable, args=_ARGUMENTS
    )
