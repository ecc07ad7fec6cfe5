"""A provider's colours for links and actions, made from its registered colour, for light and dark pages."""

from typing import Final

from app.registration.contrast import LEAST_CONTRAST, contrast

# The grounds that text stands on, as in static/accord.css: --sheet and --ground.
_LIGHT: Final = ("#ffffff", "#eef1f0")
_DARK: Final = ("#192329", "#0f161a")
_STEPS: Final = 20  # each a twentieth of the way to black or white, where every colour is readable


def theme_css(colour: str) -> str:
    """The style sheet of pages of the provider whose registered colour is `colour` (`#rrggbb`).

    Links, buttons and checked boxes have that colour, darker on light grounds and lighter on dark ones by as
    little as gives them the contrast of text on every ground that they stand on (WCAG 2.2, 1.4.3).
    """
    light, dark = _rules(colour, _LIGHT, "#000000", tint=0.05), _rules(colour, _DARK, "#ffffff", tint=0.15)
    return (
        f"@media screen {{\n  :root {{ {light} }}\n}}\n"
        f"@media screen and (prefers-color-scheme: dark) {{\n  :root {{ {dark} }}\n}}\n"
    )


def _rules(colour: str, grounds: tuple[str, ...], towards: str, *, tint: float) -> str:
    tinted = _mix(grounds[0], colour, tint)
    text = _readable(colour, (*grounds, tinted), towards)
    hover = _mix(text, towards, 0.3)
    return f"--action: {text}; --action-hover: {hover}; --link: {text}; --tint: {tinted};"


def _readable(colour: str, grounds: tuple[str, ...], towards: str) -> str:
    """`colour`, moved so far `towards` another one that it can be read on each of `grounds`."""
    moved = (_mix(colour, towards, step / _STEPS) for step in range(_STEPS + 1))
    return next(found for found in moved if all(contrast(found, on) >= LEAST_CONTRAST for on in grounds))


def _mix(colour: str, other: str, share: float) -> str:
    """`colour` with `share` (0 to 1) of each part of it replaced by that of `other`."""
    parts = [(int(colour[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(one + (another - one) * share):02x}" for one, another in parts)
