"""Where something stands in the registration file: for whoever has to mend it."""

import functools
import re
from collections.abc import Iterator
from typing import Any

_IDENTIFIERS = ("client_id", "provider_id", "server_id", "user_name")


Place = tuple[str | int, ...]


Fault = tuple[Place, str]


def entries_in(document: dict[str, Any], place: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The tables in the list at `place`, with their own places; nothing where there is no such list."""
    entries: Any = functools.reduce(_step, place, document)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield (*place, index), entry


def named(place: Place, document: dict[str, Any]) -> str:
    """`place` in words, entries by their identifiers where they have one."""
    words = ""
    node: Any = document
    for part in place:
        node = _step(node, part)
        if isinstance(part, int):
            entry: dict[str, Any] = node if isinstance(node, dict) else {}
            words += f"[{next((entry[name] for name in _IDENTIFIERS if entry.get(name)), part)}]"
        else:
            words += f".{part}" if words else part
    return words.encode("unicode_escape").decode("ascii")  # a fault is one line, whatever a name contains


def line_of(text: str, place: Place) -> int:
    """The line that `place` is at: that of its key, or else of the entry it belongs to."""
    lines = text.splitlines()
    match place:
        case (str() as table, int() as index, *rest):
            headers = [number for number, line in enumerate(lines) if line.strip().startswith(f"[[{table}]]")]
            if index >= len(headers):
                return 1
            start = headers[index]
            key = re.compile(rf'\s*(\[{table}\.)?"?{re.escape(str(rest[0]))}"?\s*[\]=.]' if rest else r"(?!)")
            for number in range(start + 1, len(lines)):
                if lines[number].lstrip().startswith("[["):
                    break
                if key.match(lines[number]):
                    return number + 1
            return start + 1
        case (str() as name, *_):
            key = re.compile(rf'\s*\[{{0,2}}"?{re.escape(name)}"?\s*[\]=.]')
            return next((number for number, line in enumerate(lines, 1) if key.match(line)), 1)
    return 1


def _step(node: Any, part: Any) -> Any:
    try:
        return node[part]
    except (KeyError, IndexError, TypeError):
        return None
