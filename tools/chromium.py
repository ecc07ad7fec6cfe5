"""Finds the Chromium that the browser tests drive, and nginx; run as a program, installs what is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# The browser, what lets it be sandboxed, and letters to show; and what stands in front of a server.
PACKAGES = ("chromium", "chromium-sandbox", "fonts-liberation", "nginx")
NGINX_PATH = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin"


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome."""
    return next((path for name in (*NAMES, *MAC_APPLICATIONS) if (path := shutil.which(name))), None)


def find_nginx() -> str | None:
    """The path of nginx, which is seldom on a user's own PATH."""
    return shutil.which("nginx", path=NGINX_PATH)


def install_chromium() -> None:
    """From the system's packages. Raises CalledProcessError."""
    become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        subprocess.run([*apt, *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def main() -> int:
    if find_chromium() and find_nginx():
        return 0
    if Path("/usr/bin/apt-get").exists() and (os.geteuid() == 0 or shutil.which("sudo")):
        print("Installing Chromium and nginx for the tests …", file=sys.stderr, flush=True)
        try:
            install_chromium()
        except (OSError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
    if find_chromium() and find_nginx():
        return 0
    print("The tests need Chromium (or Google Chrome) and nginx: install these packages.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
