"""A cache of rendered consent forms, with placeholders for the values that differ between customers.

Rendering the consent form takes longer than everything else in a consent. Its text is the same for all
customers of a bank who get the same question on the same day. The values that differ, such as the customer's
name, are filled in at the placeholders on each visit.
"""

import re
import secrets
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from threading import Lock
from typing import Final

from markupsafe import Markup, escape

from app.domain.evidence import Screen

# It is random, so that no registered text can contain a placeholder.
_MARK: Final = f"placeholder{secrets.token_hex(8)}"
_PLACEHOLDER: Final = re.compile(rf"{_MARK}_([a-z_]+)_{_MARK}")
_MOST_KEPT = 256  # forms of about 40 kB, so 10 MB in a process: a judgement, enough for most deployments


def placeholder(name: str) -> Markup:
    """The placeholder that a template is rendered with instead of the value `name`."""
    return Markup(f"{_MARK}_{name}_{_MARK}")  # noqa: S704  # letters and digits


class CachedForm:
    """A rendered form with placeholders, and the text that it shows."""

    __slots__ = ("_names", "_pieces", "screen")

    def __init__(self, html: str, screen: Screen) -> None:
        parts = _PLACEHOLDER.split(html)
        self._pieces, self._names = parts[::2], parts[1::2]
        self.screen = screen

    def fill(self, values: Mapping[str, str]) -> str:
        """The page with the escaped `values` at the placeholders. Raises KeyError for a missing value."""
        escaped = {name: str(escape(value)) for name, value in values.items()}
        filled = [self._pieces[0]]
        for name, piece in zip(self._names, self._pieces[1:], strict=True):
            filled += (escaped[name], piece)
        return "".join(filled)


class FormCache:
    """The forms that were used last (LRU). The key has everything that decides the text of a form."""

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
