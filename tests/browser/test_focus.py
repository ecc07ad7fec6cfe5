"""Where the focus is, on every page: it can be seen, nothing covers it, and it is large enough to hit.

WCAG 2.2: 1.4.11, 2.4.7, 2.4.11, 2.5.8. The order in which the Tab key goes is another test's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.development.screens.gallery import SCREENS
from app.registration.contrast import contrast

# A window of 1280 × 1024 pixels at 400 %.
ZOOMED: ViewportSize = {"width": 320, "height": 256}
LEAST_OF_AN_EDGE = 3
SMALLEST_TARGET = 24

_LOOKS: dict[str, dict[str, Any]] = {
    "light, at 400 %": {"viewport": ZOOMED},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"forced_colors": "active"},
    "forced colours, dark": {"forced_colors": "active", "color_scheme": "dark"},
}
# What is drawn behind a point is found by asking what lies there, from top to bottom; a provider's colour is an SVG.
# A link of a very long name may be higher than a small window: then what of it is in the window counts.
_FOCUS_EACH = """() => {
  const hex = (colour) => {
    const [red, green, blue, opacity = 1] = colour.match(/[\\d.]+/g).map(Number);
    return opacity && "#" + [red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("");
  };
  const groundAt = (x, y) => {
    for (const element of document.elementsFromPoint(x, y)) {
      const style = getComputedStyle(element);
      const colour = hex(element.matches("rect") ? style.fill : style.backgroundColor);
      if (colour) return colour;
    }
  };
  document.querySelectorAll("details").forEach((details) => (details.open = true));
  const controls = [...document.querySelectorAll("a, button, input:not([type=hidden]), summary")];
  const canBeReached = (control) => control.tabIndex >= 0 && control.checkVisibility();
  return controls.filter(canBeReached).map((control) => {
    control.focus({ focusVisible: true });
    const style = getComputedStyle(control);
    const box = control.getBoundingClientRect();
    const reach = parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth);
    const isTooHigh = box.height + 2 * reach > innerHeight;
    const points = [.1, .5, .9]
      .flatMap((x) => [.1, .5, .9].map((y) => [box.left + x * box.width, box.top + y * box.height]))
      .filter(([, y]) => y > 0 && y < innerHeight);
    return {
      name: control.outerHTML.slice(0, 200),
      hasFocus: document.activeElement === control,
      isMarked: style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2,
      outline: hex(style.outlineColor),
      edge: control.matches("button:not(.plain, .language), .button, .field input") ? hex(style.borderTopColor) : null,
      ground: groundAt(Math.max(0, box.left - reach - 1), points[0][1]),
      isInView: box.left >= reach && box.right <= innerWidth - reach
        && (isTooHigh || (box.top >= reach && box.bottom <= innerHeight - reach)),
      isCovered: points.some(([x, y]) => !control.contains(document.elementFromPoint(x, y))),
      size: Math.min(box.width, box.height),
    };
  });
}"""


@pytest.fixture(scope="module", params=_LOOKS)
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """One tab for all screens. Motion is off: colours in transition have no contrast to measure."""
    page = browser.new_page(reduced_motion="reduce", **_LOOKS[request.param])
    yield page
    page.close()


def faults(page: Page) -> list[str]:
    """What is wrong with the controls of a page while each of them has the focus."""
    return [
        f"{fault}: {focus}"
        for focus in page.evaluate(_FOCUS_EACH)
        for fault, is_so in (
            ("does not take the focus", not focus["hasFocus"]),
            ("does not show that it has the focus", not focus["isMarked"]),
            ("shows it faintly", contrast(focus["outline"], focus["ground"]) < LEAST_OF_AN_EDGE),
            (
                "has a faint edge",
                focus["edge"] and contrast(focus["edge"], focus["ground"]) < LEAST_OF_AN_EDGE,
            ),
            ("is not in view", not focus["isInView"]),
            ("is covered", focus["isCovered"]),
            ("is too small", focus["size"] < SMALLEST_TARGET),
        )
        if is_so
    ]


def test_whatever_has_the_focus_shows_it_uncovered_and_is_large_enough(gallery: Path, page: Page) -> None:
    for name in SCREENS:
        page.goto((gallery / f"{name}.fr.html").as_uri())
        assert faults(page) == [], name


def test_the_offer_of_more_time_covers_nothing_that_has_the_focus(gallery: Path, page: Page) -> None:
    page.goto((gallery / "form-running-out.fr.html").as_uri())
    expect(page.locator("#time-offer button")).to_be_in_viewport()
    assert faults(page) == []


@pytest.mark.parametrize(
    ("style", "fault"),
    [
        (":focus-visible { outline: none }", "does not show that it has the focus"),
        (":focus-visible { outline-color: silver }", "shows it faintly"),
        ("header { position: fixed !important; inset: 0 0 auto; height: 8rem }", "is covered"),
        ("a { position: relative; left: -1rem }", "is not in view"),
        ("[type=checkbox] { width: 1rem; height: 1rem }", "is too small"),
        (".answers button { border-color: #999; background: #fff }", "has a faint edge"),
    ],
)
def test_a_page_that_hides_the_focus_is_found_out(
    gallery: Path, browser: Browser, style: str, fault: str
) -> None:
    page = browser.new_page(viewport=ZOOMED, reduced_motion="reduce")
    page.goto((gallery / "form.en.html").as_uri())
    page.add_style_tag(content=style)
    assert fault in {found.partition(":")[0] for found in faults(page)}
    page.close()
