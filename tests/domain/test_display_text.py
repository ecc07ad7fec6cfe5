"""Text of somebody else's making, before it stands in a page."""

import pytest

from app.domain.display_text import printable_line


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Alex Tremblay", "Alex Tremblay"),
        ("  Alex \t\r\n Tremblay ", "Alex Tremblay"),
        ("Alex\u202eTremblay\u2069", "AlexTremblay"),
        ("A\u200bl\u200dex\ufeff", "Alex"),
        ("Alex \u2800 Tremblay", "Alex Tremblay"),
        ("\x00\x1b[31mAlex", "[31mAlex"),
        ("L’Étoile 🍁", "L’Étoile 🍁"),
        ("\u2066\u200b", ""),
        ("", ""),
    ],
)
def test_only_what_can_be_seen_is_left_on_one_line(text: str, seen: str) -> None:
    assert printable_line(text) == seen
