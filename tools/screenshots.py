"""Takes the README's screenshots of the consent form, in both languages, from the real demo."""

import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import launch
from tests.running_demo import RunningDemo

DOCS = Path(__file__).resolve().parent.parent / "docs"
_WIDTH, _HEIGHT = 640, 1280


def main() -> None:
    """Writes docs/consent-en.png and docs/consent-fr.png."""
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningDemo(Path(folder)) as demo,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        for language in ("en", "fr"):
            context = browser.new_context(viewport={"width": _WIDTH, "height": _HEIGHT})
            page = context.new_page()
            _open_form(page, f"{demo.recipient}/connect?lang={language}")
            page.screenshot(path=DOCS / f"consent-{language}.png")
            context.close()
        browser.close()


def _open_form(page: Page, start: str) -> None:
    page.goto(start)
    page.fill("#user_name", "alex")
    page.fill("#password", "maple-syrup")
    page.keyboard.press("Enter")
    page.wait_for_url("**/consent/*")


if __name__ == "__main__":
    main()
