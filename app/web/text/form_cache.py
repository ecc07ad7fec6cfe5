"""Pages that are rendered once for everybody who sees the same, with holes for what differs.

Rendering the consent form costs more than all the rest of a consent. Its text is the same for every customer
of a bank who gets the same question on the same day; what is not, stands in a hole.
"""

import re
import secrets
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from threading import Lock
from typing import Final

from markupsafe import Markup, escape

from app.domain.evidence import Screen

# Nobody who registers a name can guess it, so that no registered text is taken for a hole.
_MARK: Final = f"hole{secrets.token_hex(8)}"
_HOLE: Final = re.compile(rf"{_MARK}_([a-z_]+)_{_MARK}")
_MOST_KEPT = 256


def hole(name: str) -> Markup:
    """What stands in a template's context in the place of the value `name`."""
    return Markup(f"{_MARK}_{name}_{_MARK}")  # noqa: S704  # letters and digits


class PreparedPage:
    """A rendered page and the screen that it shows."""

    __slots__ = ("_names", "_pieces", "screen")

    def __init__(self, html: str, screen: Screen) -> None:
        parts = _HOLE.split(html)
        self._pieces, self._names = parts[::2], parts[1::2]
        self.screen = screen

    def fill(self, values: Mapping[str, str]) -> str:
        """The page with each hole filled, everything escaped. Raises KeyError for a hole without a value."""
        escaped = {name: str(escape(value)) for name, value in values.items()}
        filled = [self._pieces[0]]
        for name, piece in zip(self._names, self._pieces[1:], strict=True):
            filled += (escaped[name], piece)
        return "".join(filled)


class PreparedPages:
    """The pages that were wanted last, by what decides their text."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, PreparedPage] = OrderedDict()
        self._lock = Lock()

    def find(self, key: Hashable) -> PreparedPage | None:
        with self._lock:
            page = self._pages.get(key)
            if page is not None:
                self._pages.move_to_end(key)
            return page

    def keep(self, key: Hashable, page: PreparedPage) -> None:
        with self._lock:
            self._pages[key] = page
            if len(self._pages) > _MOST_KEPT:
                self._pages.popitem(last=False)
