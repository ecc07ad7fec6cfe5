"""The contrast ratio of two colours (WCAG 2.2, 1.4.3)."""

LEAST_CONTRAST = 4.5
"""The minimum for text (WCAG 2.2, 1.4.3, level AA)."""


def contrast(colour: str, other: str) -> float:
    """The contrast ratio of two colours, each `#rrggbb`: from 1 for equal ones to 21 for black and white."""
    lighter, darker = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.2, from 0 to 1."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
