"""A translator's `.po` file, compiled in memory; or everything that is wrong with it, by line.

Babel's parser lets an unclosed quotation mark pass and drops a letter instead, so each line is looked at
first.
"""

import re
from collections.abc import Iterator, Sequence
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

FIELD = re.compile(r"%\((\w+)\)s")

_LINE = re.compile(r'(#.*|((msgctxt|msgid|msgid_plural|msgstr(\[\d\])?) )?"([^"\\]|\\.)*")?')


class UnusablePo(Exception):
    """A file that cannot stand for the texts of a language. `faults` has a line of text for each reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def compile_po(path: Path) -> bytes:
    """What `msgfmt` would make of the file: fuzzy and missing translations left out. Raises UnusablePo."""
    name = "/".join(path.parts[-4:])
    try:
        catalog = _parse(path.read_bytes())
        _refuse(catalog_faults(catalog))
        compiled = BytesIO()
        write_mo(compiled, catalog)
        GNUTranslations(BytesIO(compiled.getvalue()))  # the rule for plurals is read here
    except _Fault as fault:
        raise UnusablePo([f"{name}:{line}: {reason}" for line, reason in fault.places]) from fault
    except (OSError, ValueError) as error:
        raise UnusablePo([f"{name}: {error}"]) from error
    return compiled.getvalue()


class _Fault(Exception):
    def __init__(self, places: list[tuple[int, str]]) -> None:
        super().__init__(places)
        self.places = places


def _refuse(places: Iterator[tuple[int, str]]) -> None:
    if found := list(places):
        raise _Fault(found)


def _parse(content: bytes) -> Catalog:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Fault([(content.count(b"\n", 0, error.start) + 1, "is not in UTF-8")]) from error
    lines = text.splitlines()
    _refuse(_line_faults(lines))
    try:
        return read_po(lines, abort_invalid=True)
    except PoFileError as error:
        raise _Fault([(error.lineno + 1, error.args[0].rpartition(" on ")[0])]) from error


def _line_faults(lines: list[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        if _LINE.fullmatch(line.strip()) is None:
            yield number, f"is neither a comment nor a keyword with a text in quotation marks: {line.strip()}"


def catalog_faults(catalog: Catalog) -> Iterator[tuple[int, str]]:
    """The lines of translations that cannot be filled in as their sentence is, with the reason."""
    for message in catalog:
        if not message.id or message.fuzzy:
            continue
        fields = set(FIELD.findall(_forms(message.id)[-1]))
        for text in _forms(message.string or ""):
            if text and (fault := fault_in_fields(text, fields)):
                yield message.lineno or 0, fault


def _forms(text: str | Sequence[str]) -> Sequence[str]:
    """One form, or singular and plural."""
    return (text,) if isinstance(text, str) else text


def fault_in_fields(text: str, fields: set[str]) -> str | None:
    """Why `text` cannot stand for a sentence that has `fields`, or None when it can."""
    has = set(FIELD.findall(text))
    if strange := has - fields:
        return f"has a field that its sentence has not: %({strange.pop()})s"
    if lost := fields - has:
        return f"has lost a field of its sentence: %({lost.pop()})s"
    if "%" in FIELD.sub("", text).replace("%%", ""):
        return "has a % that belongs to no field: write %% for a per cent sign"
    return None
