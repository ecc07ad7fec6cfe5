"""A cache of rendered consent forms, with placeholders for what differs between the customers who see one.

Rendering the consent form costs more than all the rest of a consent. Its text is the same for every customer
of a bank who gets the same question on the same day; each value that is not is filled in at a placeholder.
"""

import re
import secrets
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from threading import Lock
from typing import Final

from markupsafe import Markup, escape

from app.domain.evidence import Screen

# Nobody who registers a name can guess it, so that no registered text is taken for a placeholder.
_MARK: Final = f"placeholder{secrets.token_hex(8)}"
_PLACEHOLDER: Final = re.compile(rf"{_MARK}_([a-z_]+)_{_MARK}")
_MOST_KEPT = 256  # about 40 kB each: 10 MB in a process, for all recipients and banks of a day


def placeholder(name: str) -> Markup:
    """What stands in a template's context in the place of the value `name`."""
    return Markup(f"{_MARK}_{name}_{_MARK}")  # noqa: S704  # letters and digits


class CachedForm:
    """A rendered page and the screen that it shows."""

    __slots__ = ("_names", "_pieces", "screen")

    def __init__(self, html: str, screen: Screen) -> None:
        parts = _PLACEHOLDER.split(html)
        self._pieces, self._names = parts[::2], parts[1::2]
        self.screen = screen

    def fill(self, values: Mapping[str, str]) -> str:
        """The page with each placeholder filled, all escaped. Raises KeyError where a value is missing."""
        escaped = {name: str(escape(value)) for name, value in values.items()}
        filled = [self._pieces[0]]
        for name, piece in zip(self._names, self._pieces[1:], strict=True):
            filled += (escaped[name], piece)
        return "".join(filled)


class FormCache:
    """The pages that were wanted last, by what decides their text."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, CachedForm] = OrderedDict()
        self._lock = Lock()

    def find(self, key: Hashable) -> CachedForm | None:
        with self._lock:
            page = self._pages.get(key)
            if page is not None:
                self._pages.move_to_end(key)
            return page

    def keep(self, key: Hashable, page: CachedForm) -> None:
        with self._lock:
            self._pages[key] = page
            if len(self._pages) > _MOST_KEPT:
                self._pages.popitem(last=False)
