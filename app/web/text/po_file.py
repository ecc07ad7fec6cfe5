"""Reads, checks and compiles a translator's `.po` file, and reports its faults by line.

Pages, `make i18n`, `make check` and the start of a server all use this module, so that they accept the same
files. The library polib parses the entries. It accepts some files that gettext's own tools refuse, such as
those with an unclosed quotation mark or with a msgid without its msgstr. For this reason the module checks
each line and the order of the keywords first.
"""

import re
from collections.abc import Iterable, Iterator
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Final, cast

import polib

from app.domain.display_text import first_invisible

FIELD = re.compile(r"%\((\w+)\)s")

Place = tuple[int, str]
Key = tuple[str | None, str, str]

_UTF_8: Final = "text/plain; charset=UTF-8"
_NEWLINE = re.compile(r"\r\n|\r|\n")
_TEXT = re.compile(
    r"""(?:\#~\s*)?(?:(?P<keyword>msgctxt|msgid|msgid_plural|msgstr|msgstr\[[0-9]\])\s*)?"""
    r'''"(?:[^"\\]|\\[\\"nrtvbf])*"'''
)
_COMMENT = re.compile(r"#~\||#(?!~)")
_COMMENT_WITHOUT_SPACE = re.compile(r"(#[.:,|]|#(?![.:,|~]))(?=\S)")
_MARKS: Final = {"msgctxt": "c", "msgid": "i", "msgid_plural": "p", "msgstr": "s"}
_ENTRIES = re.compile(r"(?:c?i(?:s|p[0-9]+))*")
_LINE_OF_POLIB = re.compile(r"\(line (\d+)\)(?:: (.*))?")
_PLURAL_FORMS = re.compile(r"nplurals=(\d); *plural=([^;]+);?")
# The numbers with which a plural rule is tried. The rules of gettext's languages use all of their forms below
# a hundred; the rules of CLDR have some forms only from a million on.
_TRIED_NUMBERS: Final = (*range(1001), 1_000_000, 2_000_000)


class UnusablePo(Exception):
    """The file cannot be used. `faults` has one line of text for each reason."""

    def __init__(self, path: Path, places: Iterable[Place]) -> None:
        name = "/".join(path.parts[-4:] if path.suffix == ".po" else path.parts[-2:])
        self.faults = [f"{name}:{line}: {reason}" if line else f"{name}: {reason}" for line, reason in places]
        super().__init__("\n".join(self.faults))


def read_po(path: Path) -> polib.POFile:
    """The entries of a `.po` or `.pot` file, complete or not. Raises UnusablePo for a malformed file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusablePo(path, [(0, error.strerror or "cannot be read")]) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusablePo(path, [(line, "is not in UTF-8")]) from error
    lines = [line.strip() for line in _NEWLINE.split(text)]
    if faults := list(_line_faults(lines)) or list(_order_faults(lines)):
        raise UnusablePo(path, faults)
    try:
        return polib.pofile("\n".join(map(_readable, lines)), encoding="utf-8", wrapwidth=0)
    except OSError as error:
        found = _LINE_OF_POLIB.search(str(error))
        place = (int(found[1]), found[2] or "cannot be read") if found else (0, str(error))
        raise UnusablePo(path, [place]) from error


def compile_po(path: Path, template: polib.POFile | None = None) -> bytes:
    """The file in the binary format of gettext (`.mo`), without fuzzy and missing translations.

    Equal texts give equal bytes, whatever else is in the file. Raises UnusablePo for the same faults as
    `msgfmt --check`, and, with a `template`, for a text of the template that is not translated.
    """
    texts = read_po(path)
    if faults := [*text_faults(texts), *_missing(texts, template or polib.POFile())]:
        raise UnusablePo(path, faults)
    texts.metadata = {"Content-Type": _UTF_8, "Plural-Forms": texts.metadata["Plural-Forms"]}
    return texts.to_binary()


def _readable(line: str) -> str:
    """Rewrites a comment so that polib reads it: on one line, with a space after its mark, without `#~|`."""
    if not _COMMENT.match(line):
        return line
    return "" if line.startswith("#~|") else _COMMENT_WITHOUT_SPACE.sub(r"\1 ", " ".join(line.splitlines()))


def _line_faults(lines: list[str]) -> Iterator[Place]:
    for number, line in enumerate(lines, 1):
        if not line or _COMMENT.match(line):
            continue
        if character := first_invisible(line.replace("\t", " ")):
            yield number, f"has a character that cannot be seen: U+{ord(character):04X}"
        elif not _TEXT.fullmatch(line):
            yield number, f"is neither a comment nor a keyword with a text in quotation marks: {line}"


def _order_faults(lines: list[str]) -> Iterator[Place]:
    """The first line that breaks the order of keywords in an entry."""
    places, marks = [], ""
    for number, line in enumerate(lines, 1):
        found = _TEXT.fullmatch(line)
        if found is None or (marks and not found["keyword"]):
            continue
        keyword = found["keyword"] or "nothing before this text"
        mark = _MARKS.get(keyword, keyword[-2])
        if mark.isdigit() and int(mark) != (int(marks[-1]) + 1 if marks[-1:].isdigit() else 0):
            yield number, "lacks a plural form before it"
            return
        marks += mark
        places.append(number)
    whole = _ENTRIES.match(marks)
    if whole is not None and whole.end() < len(marks):
        yield places[whole.end()], "begins no whole entry: a msgid and its msgstr, in this order"


def text_faults(texts: polib.POFile) -> Iterator[Place]:
    """The faults in well-formed entries, by line."""
    faults, rule = _header_faults(texts)
    yield from faults
    seen = set()
    for entry in texts:
        if entry.obsolete:
            continue
        if not entry.msgid:
            yield _line(entry), "is a second header"
            continue
        if (key := (entry.msgctxt or None, entry.msgid)) in seen:
            yield _line(entry), f"is there twice: {entry.msgid}"
        seen.add(key)
        # Fuzzy translations are not shown, so that faults in them do not matter.
        if not entry.fuzzy:
            yield from ((_line(entry), fault) for fault in _faults_in_entry(entry, rule))


def _header_faults(texts: polib.POFile) -> tuple[list[Place], "PluralRule | None"]:
    """The faults in the header, and the plural rule in it."""
    if not texts.metadata:
        return [
            (1, "has no header, which says the encoding and the rule for plurals: `make i18n` writes one")
        ], None
    faults: list[Place] = []
    if texts.metadata_is_fuzzy and "fuzzy" in cast("list[str]", texts.metadata_is_fuzzy):
        faults.append((1, "its header is fuzzy: `make i18n` takes that mark away"))
    if not re.search(r"charset=utf-?8\b", texts.metadata.get("Content-Type", ""), re.IGNORECASE):
        faults.append((1, "its header does not say charset=UTF-8"))
    rule = None
    try:
        rule = PluralRule(texts.metadata.get("Plural-Forms", ""))
    except ValueError as error:
        faults.append((1, f"Plural-Forms in its header {error}"))
    return faults, rule


class PluralRule:
    """The header `Plural-Forms`: the number of forms, and which of them belongs to a number."""

    def __init__(self, header: str) -> None:
        """Raises ValueError where gettext cannot evaluate the rule, or the rule has no form for a number."""
        found = _PLURAL_FORMS.fullmatch(header)
        if found is None:
            raise ValueError(f"is not “nplurals=…; plural=…;”: {header}")
        self.forms = int(found[1])
        numbers = polib.POFile()
        numbers.metadata = {"Content-Type": _UTF_8, "Plural-Forms": header}
        forms = {form: str(form) for form in range(self.forms)}
        numbers.append(polib.POEntry(msgid="one", msgid_plural="many", msgstr_plural=forms))
        try:
            choose = GNUTranslations(BytesIO(numbers.to_binary())).ngettext
            chosen = [choose("one", "many", number) for number in _TRIED_NUMBERS]
        except (ValueError, LookupError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"cannot be computed: {header}") from error
        for number, form in zip(_TRIED_NUMBERS, chosen, strict=True):
            if not form.isdigit():
                raise ValueError(f"names no form for {number}: {header}")
        # A form for one number only, such as the dual of Inuktitut, need not contain the number.
        self.forms_of_one_number = {form for form in range(self.forms) if chosen.count(str(form)) == 1}


def _faults_in_entry(entry: polib.POEntry, rule: PluralRule | None) -> Iterator[str]:
    if not entry.msgid_plural:
        yield from _faults_in_text(entry.msgstr, set(FIELD.findall(entry.msgid)))
        return
    filled = [form for form, text in sorted(entry.msgstr_plural.items()) if text]
    if filled and rule and filled != list(range(rule.forms)):
        yield f"has {len(filled)} plural forms where the header promises {rule.forms}: {entry.msgid}"
    fields = set(FIELD.findall(entry.msgid_plural))
    for form in filled:
        text = entry.msgstr_plural[form]
        is_for_one = rule is not None and form in rule.forms_of_one_number
        yield from _faults_in_text(text, fields - {"num"} if is_for_one and "%(num)s" not in text else fields)


def _faults_in_text(text: str, fields: set[str]) -> Iterator[str]:
    if text and (fault := fault_in_fields(text, fields)):
        yield fault
    if character := first_invisible(text.replace("\n", "")):
        yield f"has a character that cannot be seen: U+{ord(character):04X}"


def fault_in_fields(text: str, fields: set[str]) -> str | None:
    """The reason why `text` cannot be a translation of a sentence with `fields`; None where it can."""
    has = set(FIELD.findall(text))
    if strange := has - fields:
        return f"has a field that its sentence has not: %({strange.pop()})s"
    if lost := fields - has:
        return f"has lost a field of its sentence: %({lost.pop()})s"
    if "%" in FIELD.sub("", text).replace("%%", ""):
        return "has a % that belongs to no field: write %% for a per cent sign"
    return None


def _line(entry: polib.POEntry) -> int:
    return entry.linenum or 0


def key_of(entry: polib.POEntry) -> Key:
    """The identity of an entry: the context, the sentence, and its plural."""
    return entry.msgctxt or None, entry.msgid, entry.msgid_plural


def _missing(texts: polib.POFile, template: polib.POFile) -> Iterator[Place]:
    """The texts of `template` that have no translation in `texts` and would appear in English."""
    found = {key_of(entry): entry for entry in texts if not entry.obsolete}
    for wanted in template:
        entry = found.get(key_of(wanted))
        if entry is None:
            yield 0, f"lacks a text of the code: {wanted.msgid}"
        elif entry.fuzzy:
            yield _line(entry), f"is fuzzy: {entry.msgid}"
        elif not entry.translated():
            yield _line(entry), f"is not translated: {entry.msgid}"
