"""Text of somebody else's making, as it may stand in a page: on one line, without what cannot be seen."""

import re

# Characters that change how the text around them reads, or that cannot be seen: controls, bidi controls and
# whatever else Unicode lets a page leave out (Default_Ignorable_Code_Point), and the blank of Braille.
_INVISIBLE = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

# A translator's text may have these, since a language may need them. A registered name may not.
_MARKS_OF_DIRECTION = "\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}"


def first_invisible(text: str) -> str | None:
    """The first character of `text` that no translator may write, line breaks included; None without any."""
    for found in _INVISIBLE.finditer(text):
        if found[0] not in _MARKS_OF_DIRECTION:
            return found[0]
    return None


def printable_line(text: str) -> str:
    """`text` on one line, without what cannot be seen; empty when nothing is left."""
    return " ".join(_INVISIBLE.sub("", " ".join(text.split())).split())
