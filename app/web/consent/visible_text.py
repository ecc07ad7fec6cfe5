"""Extracts the text of a rendered page, as the evidence of what a customer saw (docs/adr/0010).

Elements with `data-varies` are left out: the customer's name, the time left, a summary of problems. Collapsed
details are included, and a checkbox becomes `[ ]`.
"""

import re
from html.parser import HTMLParser

_UNSEEN = {"head", "script", "style", "template", "noscript"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_INLINE = {
    "a",
    "abbr",
    "b",
    "bdi",
    "em",
    "i",
    "img",
    "input",
    "label",
    "small",
    "span",
    "strong",
    "time",
    "wbr",
}
_BOX = "[ ] "
_SPACES = re.compile(r"[ \t\r\f]+")


def visible_text(html: str) -> str:
    """The text of `html` from top to bottom, with one line for each block. No-break spaces are kept."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (_SPACES.sub(" ", line).strip(" ") for line in "".join(reader.parts).split("\n"))
    return "\n".join(line for line in lines if line) + "\n"


class _Reader(HTMLParser):
    """Collects the text in `parts`. `_unseen` has the open elements within one that is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag not in _VOID and (self._unseen or tag in _UNSEEN or "data-varies" in attributes):
            self._unseen.append(tag)
        if self._unseen or "data-varies" in attributes:
            return
        if attributes.get("type") == "checkbox":
            self.parts.append(_BOX)
        elif tag not in _INLINE and not self._follows_a_box():
            self.parts.append("\n")

    def _follows_a_box(self) -> bool:
        """Whether nothing stands between here and a box, whose name is on the same line as the box."""
        return next((part for part in reversed(self.parts) if part.strip()), "") == _BOX

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """`<br/>` is the same as `<br>`. Others, such as `<rect/>` in an SVG picture, have no text."""
        if tag in _VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            self._unseen.pop()
        elif tag not in _INLINE:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data.replace("\n", " "))
