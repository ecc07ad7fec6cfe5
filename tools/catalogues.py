"""The catalogues of texts: `update` extracts and updates them for translators, `check` finds what is amiss.

A catalogue changes only where a text changes: no line numbers, dates, wrapping or guessed translations.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polib

from app.web.language import LOCALES
from app.web.po_file import UnusablePo, compile_po
from tools.reading_level import is_sentence, too_hard
from tools.text_rules import setting_faults

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "translations"
TEMPLATE = TRANSLATIONS / "messages.pot"
REGISTRY = ROOT / "registry" / "demo.toml"
LANGUAGES = {language.value: locale.get_display_name("en") for language, locale in LOCALES.items()}

KEYWORDS = ("_l", "lazy_gettext", "lazy_ngettext:1,2", "lazy_pgettext:1c,2")
KEPT_METADATA = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Language", "Plural-Forms")


def catalogue(language: str, translations: Path = TRANSLATIONS) -> Path:
    return translations / language / "LC_MESSAGES" / "messages.po"


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
        "--strip-comments",
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


Keys = set[tuple[str | None, str]]


def keys(path: Path) -> Keys:
    return {(entry.msgctxt, entry.msgid) for entry in polib.pofile(str(path)) if not entry.obsolete}


def keys_in_code() -> Keys:
    with tempfile.TemporaryDirectory() as directory:
        extracted = Path(directory) / "messages.pot"
        extract(extracted)
        return keys(extracted)


def faults(in_code: Keys, translations: Path = TRANSLATIONS, registry: Path = REGISTRY) -> Iterator[str]:
    """Everything that keeps the texts from being published, a line each."""
    template = translations / TEMPLATE.name
    for path in (template, *(catalogue(language, translations) for language in LANGUAGES)):
        place = "/".join(path.parts[-4:]) if path != template else "/".join(path.parts[-2:])
        try:
            compile_po(path)
        except UnusablePo as unusable:
            yield from unusable.faults
            continue
        if keys(path) != in_code:
            yield f"{place} does not have the texts of the code: run `make i18n` and translate"
        if path != template:
            texts = polib.pofile(str(path))
            yield from _faults_in_catalogue(texts, place, path.parts[-3])
    for entry in polib.pofile(str(template)):
        if not (entry.comment or entry.msgctxt or " " in entry.msgid):
            yield f"{TEMPLATE.name}:{entry.linenum} is a word alone, without a context or a comment"
    yield from too_hard(_english_by_place(polib.pofile(str(template))))
    yield from _faults_in_registry(registry)


def _faults_in_catalogue(texts: polib.POFile, place: str, language: str) -> Iterator[str]:
    labels = {entry.msgid: entry.msgstr for entry in texts}
    seen = set()
    for entry in texts:
        at = f"{place}:{entry.linenum}"
        if entry.obsolete:
            yield f"{at} is in the code no more"
            continue
        if (key := (entry.msgctxt, entry.msgid)) in seen:
            yield f"{at} is there twice"
        seen.add(key)
        if entry.fuzzy:
            yield f"{at} is fuzzy"
        elif not entry.translated():
            yield f"{at} is not translated"
            continue
        for text in texts_of(entry):
            yield from (f"{at} has {fault}: {text}" for fault in setting_faults(text, language))
        if language == "en" and texts_of(entry) != sentences_of(entry):
            yield f"{at} says something else than the code: change it there"
        for label in re.findall("“(.+?)”", entry.msgid):
            if labels.get(label, label) not in entry.msgstr:
                yield f"{at} does not quote “{label}” as it is on the page: {labels.get(label)}"


def texts_of(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def sentences_of(entry: polib.POEntry) -> list[str]:
    return [entry.msgid, entry.msgid_plural] if entry.msgid_plural else [entry.msgid]


def _english_by_place(texts: polib.POFile) -> dict[str, list[str]]:
    """The sentences of each page, or part of one: its file is the nearest to what is read together."""
    by_place: dict[str, list[str]] = {}
    for entry in texts:
        for place, _ in entry.occurrences:
            by_place.setdefault(place, []).extend(filter(is_sentence, sentences_of(entry)))
    return by_place


def _faults_in_registry(registry: Path) -> Iterator[str]:
    for language, text in _registered_texts(tomllib.loads(registry.read_text(encoding="utf-8"))):
        yield from (f"{registry.name} has {fault}: {text}" for fault in setting_faults(text, language))
        if language == "en" and is_sentence(text):
            yield from too_hard({registry.name: [text]})


def _registered_texts(document: Any) -> Iterator[tuple[str, str]]:
    """What a registration file says in each language, addresses left out."""
    if isinstance(document, dict):
        for language in LANGUAGES:
            text = document.get(language)
            if isinstance(text, str) and not text.startswith("https:"):
                yield language, text
        document = list(document.values())
    if isinstance(document, list):
        for part in document:
            yield from _registered_texts(part)


def main(command: str) -> int:
    if command == "update":
        update()
        return 0
    found = list(faults(keys_in_code()))
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
