"""Makes text from outside safe to display: on one line, without invisible and bidirectional controls."""

import re

# Characters that are invisible or that change how the text around them reads: controls, bidi controls,
# everything that Unicode calls Default_Ignorable_Code_Point, and the blank Braille pattern.
_INVISIBLE = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

# A translation may contain these two, since some languages need them. A registered name may not.
_MARKS_OF_DIRECTION = "\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}"


def first_invisible(text: str) -> str | None:
    """The first character of `text` that a translation must not contain, line breaks included; else None."""
    for found in _INVISIBLE.finditer(text):
        if found[0] not in _MARKS_OF_DIRECTION:
            return found[0]
    return None


def printable_line(text: str) -> str:
    """`text` on one line, without invisible characters. It is empty where it had no other characters."""
    return " ".join(_INVISIBLE.sub("", " ".join(text.split())).split())
