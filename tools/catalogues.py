"""The catalogues of texts: `update` extracts and updates them for translators, `check` finds what is amiss.

A catalogue changes only where a text changes: no line numbers, dates, wrapping or guessed translations.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "translations"
TEMPLATE = TRANSLATIONS / "messages.pot"
LANGUAGES = {"en": "English", "fr": "French (Canada)"}

KEYWORDS = ("_l", "lazy_gettext", "lazy_ngettext:1,2", "lazy_pgettext:1c,2")
KEPT_METADATA = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Language", "Plural-Forms")


def catalogue(language: str) -> Path:
    return TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"


def pybabel(command: str, *arguments: str) -> None:
    babel = [sys.executable, "-m", "babel.messages.frontend", "--quiet"]
    subprocess.run([*babel, command, *arguments], cwd=ROOT, check=True)


def extract(into: Path) -> None:
    pybabel(
        "extract",
        "--mapping-file=babel.cfg",
        f"--output-file={into}",
        *(f"--keyword={keyword}" for keyword in KEYWORDS),
        "--add-comments=Translators:",
        "--add-location=file",
        "--sort-by-file",
        "--no-wrap",
        ".",
    )


def update() -> None:
    extract(TEMPLATE)
    tidy(TEMPLATE, "The texts of Accord, to be translated")
    for language, name in LANGUAGES.items():
        pybabel(
            "update",
            f"--input-file={TEMPLATE}",
            f"--output-dir={TRANSLATIONS}",
            f"--locale={language}",
            "--init-missing",
            "--no-fuzzy-matching",
            "--ignore-obsolete",
            "--no-wrap",
        )
        tidy(catalogue(language), f"The texts of Accord in {name}")
    fill_english(catalogue("en"))


def tidy(path: Path, title: str) -> None:
    """A header without the dates and names that change with every run."""
    texts = polib.pofile(str(path), wrapwidth=0)
    texts.header = title
    kept = {key: texts.metadata[key] for key in KEPT_METADATA if key in texts.metadata}
    texts.metadata = {"Project-Id-Version": "Accord"} | kept
    texts.metadata_is_fuzzy = False
    texts.save()


def fill_english(path: Path) -> None:
    """The texts in the code are the English ones."""
    texts = polib.pofile(str(path), wrapwidth=0)
    for entry in texts.untranslated_entries():
        if entry.msgid_plural:
            entry.msgstr_plural = {0: entry.msgid, 1: entry.msgid_plural}
        else:
            entry.msgstr = entry.msgid
    texts.save()


def keys(path: Path) -> set[tuple[str | None, str]]:
    return {(entry.msgctxt, entry.msgid) for entry in polib.pofile(str(path)) if not entry.obsolete}


def faults() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        extracted = Path(directory) / "messages.pot"
        extract(extracted)
        in_code = keys(extracted)
    for path in (TEMPLATE, *map(catalogue, LANGUAGES)):
        place = path.relative_to(ROOT)
        if keys(path) != in_code:
            yield f"{place} does not have the texts of the code: run `make i18n` and translate"
    for path in map(catalogue, LANGUAGES):
        place = path.relative_to(ROOT)
        texts = polib.pofile(str(path))
        yield from (f"{place}:{entry.linenum} is not translated" for entry in texts.untranslated_entries())
        yield from (f"{place}:{entry.linenum} is fuzzy" for entry in texts.fuzzy_entries())


def main(command: str) -> int:
    if command == "update":
        update()
        return 0
    found = list(faults())
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
