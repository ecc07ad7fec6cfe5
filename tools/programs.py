"""Finds the programs that tests use. As a command, with their names, it installs missing ones."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is searched on the PATH by `names`, and then in `places`, patterns below `/`.

    Of several that one pattern finds, it is the last by name, which is the newest where names have versions.
    """

    title: str
    names: tuple[str, ...]
    places: tuple[str, ...]
    packages: tuple[str, ...]

    def find(self) -> str | None:
        on_path = (shutil.which(name) for name in self.names)
        elsewhere = (
            str(path) for place in self.places for path in sorted(Path("/").glob(place), reverse=True)
        )
        return next((path for path in chain(on_path, elsewhere) if path), None)

    @property
    def executable(self) -> str:
        """Its path. Raises FileNotFoundError, which says what to install."""
        if path := self.find():
            return path
        raise FileNotFoundError(self.advice)

    @property
    def advice(self) -> str:
        return f"The tests need {self.title}: install the package {self.packages[0]}."


CHROMIUM: Final = Program(
    "Chromium or Google Chrome",
    ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    (
        "Applications/Chromium.app/Contents/MacOS/Chromium",
        "Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ),
    # The browser, its sandbox, and fonts.
    ("chromium", "chromium-sandbox", "fonts-liberation"),
)
FIREFOX: Final = Program(
    "Firefox",
    ("firefox-esr", "firefox"),
    ("Applications/Firefox.app/Contents/MacOS/firefox",),
    ("firefox-esr", "fonts-liberation"),
)
WEBKIT: Final = Program("WebKit's driver", ("WebKitWebDriver",), (), ("webkit2gtk-driver",))
MINI_BROWSER: Final = Program(
    "WebKit's MiniBrowser",
    (),
    ("usr/lib/*/webkit2gtk-4.*/MiniBrowser", "usr/libexec/webkit2gtk-4.*/MiniBrowser"),
    ("webkit2gtk-driver", "fonts-liberation"),
)
# What an Android phone has: the pages name it after the system's own, which no two machines have alike.
ROBOTO: Final = Program(
    "Roboto, for the pictures",
    (),
    ("usr/share/fonts/truetype/roboto/**/Roboto-Regular.ttf", "Library/Fonts/Roboto-Regular.ttf"),
    ("fonts-roboto-unhinted",),
)
SCREEN: Final = Program("Xvfb", ("Xvfb",), (), ("xvfb",))

# Folders that are often not on a user's PATH.
NGINX: Final = Program(
    "nginx", ("nginx",), ("usr/sbin/nginx", "usr/local/sbin/nginx", "opt/homebrew/bin/nginx"), ("nginx",)
)
PGBOUNCER: Final = Program("PgBouncer", ("pgbouncer",), ("usr/sbin/pgbouncer",), ("pgbouncer",))

SYSTEMD_NSPAWN: Final = Program(
    "systemd-nspawn", ("systemd-nspawn",), (), ("systemd-container", "dbus", "libpam-systemd")
)

NEEDED: Final = {
    "pgbouncer": (PGBOUNCER,),
    "nginx": (NGINX,),
    "chromium": (CHROMIUM,),
    "firefox": (FIREFOX,),
    "roboto": (ROBOTO,),
    "systemd": (SYSTEMD_NSPAWN,),
    "webkit": (WEBKIT, MINI_BROWSER, SCREEN),
}


def missing(names: Iterable[str]) -> list[Program]:
    return [program for name in names for program in NEEDED[name] if program.find() is None]


def install(programs: Iterable[Program]) -> None:
    """Installs packages of the system with apt-get. Raises CalledProcessError."""
    packages = dict.fromkeys(package for program in programs for package in program.packages)
    become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        subprocess.run([*apt, *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def main(names: list[str]) -> int:
    absent = missing(names)
    if absent and Path("/usr/bin/apt-get").exists() and (os.geteuid() == 0 or shutil.which("sudo")):
        titles = ", ".join(program.title for program in absent)
        print(f"Installing {titles} for the tests …", file=sys.stderr, flush=True)
        try:
            install(absent)
        except (OSError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
        absent = missing(names)
    for program in absent:
        print(program.advice, file=sys.stderr)
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
