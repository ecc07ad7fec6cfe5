"""What axe-core and a narrow window say about a page."""

import json
from itertools import product
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tools.checkers import CHECKERS

_AXE = Axe()
# WCAG 2.2 asks for targets of 24 pixels; axe has the rule, but turned off.
_OPTIONS = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
_RUN = f"axe.run({json.dumps(_OPTIONS)}).then((results) => results.violations)"

_CODESNIFFER = CHECKERS / "node_modules" / "html_codesniffer" / "build" / "HTMLCS.js"
_SNIFF = """() => new Promise((resolve, reject) => {
  HTMLCS.process("WCAG2AA", document, () => resolve(
    HTMLCS.getMessages()
      .filter((message) => message.type === HTMLCS.ERROR)
      .map((message) => `${message.code}: ${message.msg} ${message.element.outerHTML?.slice(0, 200)}`),
  ), reject);
})"""

NARROW, WIDE = 320, 1280
_HEIGHT = 900
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def check_accessible(page: Page) -> None:
    """Nothing is found in a narrow window or a wide one, light or dark; the narrow one is wide enough."""
    page.evaluate(_AXE.axe_script)
    for width, scheme in product((NARROW, WIDE), _SCHEMES):
        page.set_viewport_size({"width": width, "height": _HEIGHT})
        page.emulate_media(color_scheme=scheme)
        found = [_in_short(violation) for violation in page.evaluate(_RUN)]
        assert found == [], f"at {width} pixels, {scheme}: {page.url}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{page.url} scrolls sideways"


def _in_short(violation: dict[str, Any]) -> str:
    places = [f"{node['html']} {node['failureSummary']}" for node in violation["nodes"]]
    return f"{violation['id']}: {'; '.join(places)}"


def second_opinion(page: Page) -> list[str]:
    """The errors that HTML_CodeSniffer finds by WCAG 2 AA. What it only warns of, a person has to judge."""
    page.evaluate(_CODESNIFFER.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(_SNIFF)
    return found
