"""Finds the line of a fault in the registration file, so that an operator can correct it."""

import functools
import re
from collections.abc import Iterator
from typing import Any

_IDENTIFIERS = ("client_id", "provider_id", "server_id", "user_name", "account_id")

Location = tuple[str | int, ...]
"""The keys and the indices that lead from the document to a value, such as `("providers", 0, "name")`."""

Fault = tuple[Location, str]
"""The location of a fault, and the reason."""


def entries_in(document: dict[str, Any], location: Location) -> Iterator[tuple[Location, dict[str, Any]]]:
    """The tables in the list at `location`, each with its own location; none where there is no such list."""
    entries: Any = functools.reduce(_step, location, document)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield (*location, index), entry


def describe_location(location: Location, document: dict[str, Any]) -> str:
    """`location` as text, in which an entry has its identifier, where it has one, or else its index."""
    words = ""
    node: Any = document
    for part in location:
        node = _step(node, part)
        if isinstance(part, int):
            entry: dict[str, Any] = node if isinstance(node, dict) else {}
            words += f"[{next((entry[name] for name in _IDENTIFIERS if entry.get(name)), part)}]"
        else:
            words += f".{part}" if words else part
    return words.encode("unicode_escape").decode("ascii")  # a fault is one line, whatever a name contains


def line_of(text: str, location: Location) -> int:
    """The number of the line with the key at `location`, or else of the line that begins its entry."""
    lines = text.splitlines()
    match location:
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
