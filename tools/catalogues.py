"""The catalogues of texts: `update` extracts and updates them for translators, `check` finds what is amiss.

A catalogue changes only where a text changes: no line numbers, dates or wrapping. No translation is thrown
away: that of a sentence that changed stays as fuzzy, with the sentence that it was of.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polib
from babel.messages.catalog import Catalog

from app.domain.language import Language
from app.web.edge.language import LOCALES
from app.web.text.catalogues import TEMPLATE as TEMPLATE_NAME
from app.web.text.catalogues import file_of
from app.web.text.po_file import Key, UnusablePo, compile_po, key_of, read_po
from tools.reading_level import is_sentence, too_hard
from tools.text_rules import setting_faults

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "translations"
TEMPLATE = TRANSLATIONS / TEMPLATE_NAME
REGISTRY = ROOT / "registry" / "demo.toml"

KEYWORDS = ("_l", "lazy_gettext", "lazy_ngettext:1,2", "lazy_pgettext:1c,2")
KEPT_METADATA = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Language", "Plural-Forms")
_ALIKE = (
    0.6  # the similarity (difflib) from which on a sentence counts as a changed one: difflib's own default
)


def extract(into: Path) -> None:
    babel = [sys.executable, "-m", "babel.messages.frontend", "--quiet"]
    keywords = [f"--keyword={keyword}" for keyword in KEYWORDS]
    as_it_changes = ["--add-location=file", "--sort-by-file", "--no-wrap"]
    comments = ["--add-comments=Translators:", "--strip-comments"]
    options = ["--mapping-file=babel.cfg", *keywords, *comments, *as_it_changes, f"--output-file={into}"]
    subprocess.run([*babel, "extract", *options, "."], cwd=ROOT, check=True)


def update(translations: Path = TRANSLATIONS, *, prunes: bool = False) -> None:
    """Updates all catalogues with the texts of the code. Raises UnusablePo for one that it cannot read."""
    paths = {spoken: file_of(translations, spoken) for spoken in Language}
    old = {spoken: read_po(path) for spoken, path in paths.items() if path.exists()}
    pot = translations / TEMPLATE_NAME
    extract(pot)
    template = read_po(pot)
    save(template, pot, "The texts of Accord, to be translated")
    for spoken, path in paths.items():
        made = merged(old.get(spoken, polib.POFile()), template, spoken)
        if prunes or spoken is Language.EN:
            made[:] = [entry for entry in made if not entry.obsolete]
        if spoken is Language.EN:
            fill_english(made)
        path.parent.mkdir(parents=True, exist_ok=True)
        save(made, path, f"The texts of Accord in {name_in_english(spoken)}")


def name_in_english(spoken: Language) -> str:
    knows = LOCALES[spoken].language == spoken
    return LOCALES[spoken].get_display_name("en") or spoken.own_name if knows else spoken.own_name


def save(texts: polib.POFile, path: Path, title: str) -> None:
    """Writes a header without dates and names, which would change with every run."""
    texts.header = title
    kept = {key: texts.metadata[key] for key in KEPT_METADATA if key in texts.metadata}
    texts.metadata = {"Project-Id-Version": "Accord"} | kept
    texts.metadata_is_fuzzy = False
    texts.save(str(path), newline="\n")


def merged(old: polib.POFile, template: polib.POFile, spoken: Language) -> polib.POFile:
    """The texts of the template with their translations from `old`, none of which is lost.

    One whose sentence has changed stays as fuzzy; one whose sentence has gone, as obsolete.
    """
    made = polib.POFile(wrapwidth=0, encoding="utf-8")
    made.metadata = _header(old, template, spoken)
    known: dict[Key, polib.POEntry] = {}
    for entry in sorted(old, key=lambda entry: bool(entry.obsolete)):
        known.setdefault(key_of(entry), entry)
    wanted_keys = set(map(key_of, template))
    unused = [entry for entry in old if known[key_of(entry)] is not entry or key_of(entry) not in wanted_keys]
    forms = int(made.metadata["Plural-Forms"].removeprefix("nplurals=").partition(";")[0])
    for wanted in template:
        entry = _copy(wanted, forms)
        if (exact := known.get(key_of(wanted))) is not None:
            _translate(entry, exact)
        elif (alike := _alike(wanted, unused)) is not None:
            _translate(entry, alike)
            entry.previous_msgctxt, entry.previous_msgid = alike.msgctxt, alike.msgid
            entry.previous_msgid_plural = alike.msgid_plural or None
            entry.flags = ["fuzzy", *(flag for flag in entry.flags if flag != "fuzzy")]
        made.append(entry)
    for entry in unused:
        if entry.msgstr or any(entry.msgstr_plural.values()):
            entry.obsolete = True
            entry.comment, entry.occurrences = "", []
            made.append(entry)
    return made


def _header(old: polib.POFile, template: polib.POFile, spoken: Language) -> dict[str, str]:
    """That of `old`, which a translator may have corrected, with what it lacks."""
    rule = Catalog(locale=spoken.value).plural_forms
    kept = {key: value for key, value in old.metadata.items() if value}
    if not re.match(r"nplurals=\d;", kept.get("Plural-Forms", "")):
        kept["Plural-Forms"] = rule
    return kept | template.metadata | {"Language": spoken.value}


def _copy(wanted: polib.POEntry, forms: int) -> polib.POEntry:
    entry = polib.POEntry(
        msgctxt=wanted.msgctxt,
        msgid=wanted.msgid,
        msgid_plural=wanted.msgid_plural,
        comment=wanted.comment,
        occurrences=wanted.occurrences,
        flags=list(wanted.flags),
    )
    entry.msgstr_plural = dict.fromkeys(range(forms), "") if wanted.msgid_plural else {}
    return entry


def _translate(entry: polib.POEntry, old: polib.POEntry) -> None:
    """With what `old` says, and what translators wrote beside it."""
    entry.tcomment = old.tcomment
    said = old.msgstr_plural or {0: old.msgstr}
    if entry.msgid_plural:
        entry.msgstr_plural |= {
            form: text for form, text in said.items() if form in entry.msgstr_plural or text
        }
    else:
        entry.msgstr = said.get(0, "")
    if old.fuzzy:
        entry.flags = ["fuzzy", *entry.flags]
        entry.previous_msgctxt, entry.previous_msgid = old.previous_msgctxt, old.previous_msgid
        entry.previous_msgid_plural = old.previous_msgid_plural


def _alike(wanted: polib.POEntry, unused: list[polib.POEntry]) -> polib.POEntry | None:
    """The old entry that is most similar to `wanted`. Each old entry is used once."""
    sentences = [entry.msgid for entry in unused]
    for sentence in get_close_matches(wanted.msgid, sentences, 1, _ALIKE):
        return unused.pop(sentences.index(sentence))
    return None


def fill_english(texts: polib.POFile) -> None:
    """Fills the English catalogue with the texts in the code."""
    for entry in texts:
        entry.flags = [flag for flag in entry.flags if flag != "fuzzy"]
        entry.previous_msgctxt = entry.previous_msgid = entry.previous_msgid_plural = None
        if entry.msgid_plural:
            entry.msgstr_plural = {0: entry.msgid, 1: entry.msgid_plural}
        else:
            entry.msgstr = entry.msgid


Keys = set[Key]


def keys_in_code() -> Keys:
    with tempfile.TemporaryDirectory() as directory:
        extracted = Path(directory) / TEMPLATE_NAME
        extract(extracted)
        return set(map(key_of, read_po(extracted)))


def faults(in_code: Keys, translations: Path = TRANSLATIONS, registry: Path = REGISTRY) -> Iterator[str]:
    """All faults for which the texts cannot be published, one line each."""
    template = translations / TEMPLATE_NAME
    for spoken, path in ((None, template), *((spoken, file_of(translations, spoken)) for spoken in Language)):
        place = "/".join(path.parts[-2:] if spoken is None else path.parts[-4:])
        try:
            texts = read_po(path)
            if spoken is not None:
                compile_po(path)
        except UnusablePo as unusable:
            yield from unusable.faults
            continue
        yield from _strange_keys(texts, in_code, place)
        if spoken is not None:
            yield from _faults_in_catalogue(texts, place, spoken)
        else:
            yield from _faults_in_template(texts)
    yield from _faults_in_registry(registry)


def _strange_keys(texts: polib.POFile, in_code: Keys, place: str) -> Iterator[str]:
    """The texts that are only in the file, or only in the code."""
    found = {key_of(entry): entry for entry in texts if not entry.obsolete}
    for key, entry in found.items():
        if key not in in_code:
            yield f"{place}:{entry.linenum} is no text of the code: {_name(key)}"
    for key in sorted(in_code - set(found), key=str):
        yield f"{place} does not have this text of the code: {_name(key)}; run `make i18n` and translate"


def _name(key: Key) -> str:
    context, sentence, _plural = key
    return f"“{sentence}”" if context is None else f"“{sentence}” ({context})"


def _faults_in_template(texts: polib.POFile) -> Iterator[str]:
    for entry in texts:
        if not (entry.comment or entry.msgctxt or " " in entry.msgid):
            yield f"{TEMPLATE_NAME}:{entry.linenum} is a word alone, without a context or a comment"
    yield from too_hard(_english_by_place(texts))


def _faults_in_catalogue(texts: polib.POFile, place: str, language: Language) -> Iterator[str]:
    labels = {entry.msgid: entry.msgstr for entry in texts}
    for entry in texts:
        at = f"{place}:{entry.linenum}"
        if entry.obsolete:
            yield f"{at} is in the code no more: `make i18n PRUNE=1` takes it out"
            continue
        if entry.fuzzy:
            yield f"{at} is fuzzy"
        elif not entry.translated():
            yield f"{at} is not translated"
            continue
        for text in texts_of(entry):
            yield from (f"{at} has {fault}: {text}" for fault in setting_faults(text, language))
        if language is Language.EN and texts_of(entry) != sentences_of(entry):
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
    """The texts of a registration file by language, without addresses."""
    if isinstance(document, dict):
        for language in Language:
            text = document.get(language)
            if isinstance(text, str) and not text.startswith("https:"):
                yield language, text
        document = list(document.values())
    if isinstance(document, list):
        for part in document:
            yield from _registered_texts(part)


def main(command: str, *options: str) -> int:
    if command == "update":
        try:
            update(prunes="--prune" in options)
        except UnusablePo as unusable:
            print(unusable, file=sys.stderr)
            return 1
        return 0
    found = list(faults(keys_in_code()))
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
