"""WCAG 2.2, 1.4.3: the definitions of relative luminance and contrast ratio."""

import pytest

from app.registration.contrast import contrast


@pytest.mark.parametrize(
    ("colour", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#767676", "#ffffff", 4.54),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.00),
        ("#0000ff", "#ffffff", 8.59),
        ("#00ff00", "#000000", 15.30),
        ("#0a0a0a", "#000000", 1.06),
    ],
)
def test_the_ratio_is_that_of_the_guidelines_whichever_comes_first(
    colour: str, other: str, ratio: float
) -> None:
    assert round(contrast(colour, other), 2) == ratio
    assert contrast(other, colour) == contrast(colour, other)
