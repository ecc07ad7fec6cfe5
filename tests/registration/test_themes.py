"""The colours that are made from a registered one: whatever it is, everything in them can be read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.registration.branding import readable_colour
from app.registration.contrast import LEAST_CONTRAST, contrast
from app.registration.themes import theme_css
from tests.support.repository import ROOT

STYLE = (ROOT / "static" / "accord.css").read_text()


def schemes(css: str) -> list[dict[str, str]]:
    """The custom properties of the first two `:root` in `css`: light, then dark."""
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", block)) for block in blocks]


def whole(colour: str) -> str:
    return colour if len(colour) == 7 else "#" + "".join(part * 2 for part in colour[1:])


def check_readable(colour: str) -> None:
    for own, themed in zip(schemes(STYLE), schemes(theme_css(colour)), strict=True):
        page = {name: whole(value) for name, value in {**own, **themed}.items()}
        for text, grounds in {
            "link": ("sheet", "ground", "tint"),
            "action": ("sheet", "tint"),
            "action-hover": ("sheet", "tint"),
            "on-action": ("action", "action-hover"),
            "ink": ("tint",),
            "soft": ("tint",),
        }.items():
            for ground in grounds:
                assert contrast(page[text], page[ground]) >= LEAST_CONTRAST, (text, ground, page)
        assert contrast(page["edge"], page["tint"]) >= 3


@pytest.mark.parametrize(
    "colour", ["#8c1d2f", "#0b4f6c", "#3d4a8a", "#000000", "#767676", "#d40000", "#0000ff"]
)
def test_everything_in_a_banks_colours_can_be_read(colour: str) -> None:
    check_readable(readable_colour(colour))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_so_it_is_in_every_colour_that_may_be_registered(parts: tuple[int, int, int]) -> None:
    colour = "#{:02x}{:02x}{:02x}".format(*parts)
    if contrast(colour, "#ffffff") >= LEAST_CONTRAST:
        check_readable(colour)


def test_a_colour_that_can_be_read_as_it_is_stays_what_it_is() -> None:
    light, dark = schemes(theme_css("#8c1d2f"))
    assert light["link"] == light["action"] == "#8c1d2f"
    assert dark["link"] != "#8c1d2f"
