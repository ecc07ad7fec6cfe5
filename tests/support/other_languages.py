"""Accord in four languages: a copy to which somebody has added two, as docs/translating.md says.

Arabic is written from right to left, and has six plural forms. Cree has no dates of its own in CLDR: it borrows
those of Canadian English.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import polib

from tests.support.repository import ROOT

COPIED = ("app", "static", "translations", "registry", "tools", "tests", "babel.cfg")
ADDED = """\
    AR = "ar", "ar-EG", "العربية"
    CR = "cr", "cr-CA", "ᓀᐦᐃᔭᐍᐏᐣ", "en-CA"
"""


def add_two_languages(folder: Path) -> None:
    """A copy under `folder` whose languages are en, fr, ar and cr, the last two without any translation."""
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    listed = folder / "app" / "domain" / "language.py"
    before, french, after = listed.read_text(encoding="utf-8").partition(
        '    FR = "fr", "fr-CA", "Français"\n'
    )
    assert french
    listed.write_text(before + french + ADDED + after, encoding="utf-8")
    run(folder, "tools.catalogues", "update")


def run(folder: Path, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A module of the copy, in a process of its own."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)


def translate(path: Path, mark: str) -> None:
    """Every text of the file, into the `mark` of its language and the English words."""
    texts = polib.pofile(str(path), wrapwidth=0)
    for entry in texts:
        entry.msgstr = f"{mark} {entry.msgid}" if not entry.msgid_plural else ""
        entry.msgstr_plural = dict.fromkeys(entry.msgstr_plural, f"{mark} {entry.msgid_plural}")
    texts.save()
