"""Checks a registered logo and colour, so that pages stay readable. The checks raise ValueError."""

from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from app.registration.contrast import LEAST_CONTRAST, contrast

LOGOS: Final = Path(__file__).resolve().parents[2] / "static" / "logos"
ON_COLOUR: Final = "#ffffff"
"""The colour of text on a provider's colour, the same as `--on-band` in static/accord.css."""

_SVG: Final = "{http://www.w3.org/2000/svg}"
_SIGNATURES: Final = {".png": b"\x89PNG\r\n\x1a\n", ".webp": b"RIFF"}


def readable_logo(name: str, beside: Path | None = None) -> str:
    """Checks that `name` is a picture in the folder `beside` or in static/logos, and returns `name`."""
    folders = [LOGOS] if beside is None else [beside, LOGOS]
    path = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if path is None:
        raise ValueError("is a file neither under static/logos nor under logos beside this file")
    content = path.read_bytes()
    if path.suffix == ".svg":
        _check_svg(content)
    elif not content.startswith(_SIGNATURES[path.suffix]):
        raise ValueError(f"is no picture of the kind {path.suffix}")
    return name


def readable_colour(colour: str) -> str:
    """Checks that white text is readable on `colour` (WCAG 2.2, 1.4.3), and returns `colour`.

    Light and dark pages have the same band with the bank's name.
    """
    found = contrast(colour, ON_COLOUR)
    if found < LEAST_CONTRAST:
        raise ValueError(
            f"has a contrast of {found:.2f}:1 with the white text on it, in light and dark; "
            f"{LEAST_CONTRAST}:1 is the least (WCAG 1.4.3)"
        )
    return colour


def _check_svg(content: bytes) -> None:
    try:
        elements = list(ElementTree.fromstring(content).iter())  # noqa: S314  # the operator's own file
    except ElementTree.ParseError as error:
        raise ValueError("is no SVG picture") from error
    if elements[0].tag != f"{_SVG}svg":
        raise ValueError("is no SVG picture")
    if any(element.tag == f"{_SVG}script" for element in elements):
        raise ValueError("has a script in it")
