"""The README is true: its settings are the code's, and its commands and links exist."""

import re
from datetime import timedelta

from app.settings import Settings, variable_name
from tests.support.repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")

_SETTING = re.compile(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`|(required|none|from threads)) \|", re.MULTILINE)


def _documented() -> dict[str, str]:
    return {name: default or word for name, default, word in _SETTING.findall(README)}


def _default_in_words(field: str) -> str:
    info = Settings.model_fields[field]
    if info.is_required():
        return "required"
    if info.default_factory is not None:
        return "from threads"
    match info.default:
        case timedelta() as span:
            return str(span.total_seconds()).removesuffix(".0")
        case () | None:
            return "none"
        case other:
            return str(other)


def test_every_setting_is_in_the_table_with_its_default_and_no_other_is() -> None:
    in_code = {variable_name(field): _default_in_words(field) for field in Settings.model_fields}
    assert _documented() == in_code


def test_every_command_of_make_that_is_named_exists() -> None:
    targets = set(
        re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    documents = [README, *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))]
    named = {
        target for text in documents for target in re.findall(r"`make ([a-z0-9-]+)`|^make ([a-z0-9-]+)", text)
    }
    assert {first or second for first, second in named} <= targets


def test_every_file_that_is_linked_exists() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"
