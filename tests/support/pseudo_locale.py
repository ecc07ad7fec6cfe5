"""Finds what a page in the pseudo-locale (`lang=x`) says that no translator can translate.

There, every letter of a translated text has an accent, and what comes from no catalogue (registered names,
dates, what somebody typed) stands between two isolates. A plain letter elsewhere is a text of the code.
"""

import re
from html.parser import HTMLParser

_DATA = re.compile("\N{FIRST STRONG ISOLATE}[^\N{POP DIRECTIONAL ISOLATE}]*\N{POP DIRECTIONAL ISOLATE}")
_SPOKEN = (
    "aria-label",
    "aria-description",
    "aria-roledescription",
    "aria-valuetext",
    "alt",
    "title",
    "placeholder",
)
_BUTTONS = ("submit", "reset", "button")


def untranslated(html: str) -> list[str]:
    """Every text of `html` that a reader sees or hears and that is neither translated nor marked as data."""
    reader = _Texts()
    reader.feed(html)
    reader.close()
    return [text.strip() for text in reader.texts if re.search("[A-Za-z]", _DATA.sub("", text))]


class _Texts(HTMLParser):
    """Collects the texts of elements and of the attributes that are read aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._is_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_code = tag in ("script", "style")
        attributes = dict(attrs)
        spoken = [*_SPOKEN]
        if tag == "input" and attributes.get("type") in _BUTTONS:
            spoken.append("value")
        if tag == "meta" and attributes.get("name") == "description":
            spoken.append("content")
        if tag in ("option", "optgroup", "track"):
            spoken.append("label")
        self.texts += [attributes[name] or "" for name in spoken if name in attributes]

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False

    def handle_data(self, data: str) -> None:
        if not self._is_code:
            self.texts.append(data)
