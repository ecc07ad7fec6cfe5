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
_OF_COLOUR = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
_RUN = "axe.run({}).then((results) => results.violations)"
# Going dark changes colours, and nothing else.
_LOOKS: dict[Literal["light", "dark"], str] = {
    "light": _RUN.format(json.dumps(_OPTIONS)),
    "dark": _RUN.format(json.dumps(_OF_COLOUR)),
}
# Without its marks, a list is none to VoiceOver, unless it says that it is one.
_SILENT_LISTS = """() => [...document.querySelectorAll("ul, ol")].filter((list) =>
  getComputedStyle(list).listStyleType === "none" && list.getAttribute("role") !== "list"
).map((list) => list.outerHTML.slice(0, 200))"""
# What is drawn left of the window cannot even be scrolled to.
_OUTSIDE = """() => [...document.body.querySelectorAll("*")].filter((element) => {
  const box = element.getBoundingClientRect();
  return box.width > 1 && (box.left < 0 || box.right > innerWidth);
}).map((element) => element.outerHTML.slice(0, 200))"""
# A word is broken that stands on two lines, unless it is an address, a number, or has a hyphen to break at.
_BROKEN_WORDS = """() => {
  const broken = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    if (!text.parentElement.checkVisibility()) continue;
    for (const word of text.data.matchAll(/[^\\s\\u00a0]+/gu)) {
      if (/[-./]/.test(word[0].slice(0, -1))) continue;
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((line) => Math.round(line.top)));
      if (tops.size > 1) broken.push(word[0]);
    }
  }
  return broken;
}"""

_CODESNIFFER = CHECKERS / "node_modules" / "html_codesniffer" / "build" / "HTMLCS.js"
# An empty `lang` is right where nobody knows the language (HTML 3.2.6.2); HTML_CodeSniffer knows no such thing.
_SNIFF = """() => new Promise((resolve, reject) => {
  HTMLCS.process("WCAG2AA", document, () => resolve(
    HTMLCS.getMessages()
      .filter((message) => message.type === HTMLCS.ERROR)
      .filter((message) => !(message.code.includes("H58") && message.element.getAttribute("lang") === ""))
      .map((message) => `${message.code}: ${message.msg} ${message.element.outerHTML?.slice(0, 200)}`),
  ), reject);
})"""

NARROW, WIDE = 320, 1280
_HEIGHT = 900


def broken_words(page: Page) -> list[str]:
    """The words that begin on one line and end on another."""
    broken: list[str] = page.evaluate(_BROKEN_WORDS)
    return broken


def check_accessible(page: Page) -> None:
    """Nothing is found in a narrow window or a wide one, light or dark; the narrow one is wide enough."""
    page.evaluate(_AXE.axe_script)
    for width, (scheme, run) in product((NARROW, WIDE), _LOOKS.items()):
        page.set_viewport_size({"width": width, "height": _HEIGHT})
        page.emulate_media(color_scheme=scheme)
        found = [_in_short(violation) for violation in page.evaluate(run)]
        assert found == [], f"at {width} pixels, {scheme}: {page.url}"
        check_fits(page, width)
    silent = page.evaluate(_SILENT_LISTS)
    assert silent == [], f"lists without marks or a role: {silent}"


def check_fits(page: Page, width: int) -> None:
    """Everything on the page is within a window of that width."""
    page.set_viewport_size({"width": width, "height": _HEIGHT})
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{page.url} scrolls sideways"
    assert page.evaluate(_OUTSIDE) == [], f"at {width} pixels: {page.url}"


def _in_short(violation: dict[str, Any]) -> str:
    places = [f"{node['html']} {node['failureSummary']}" for node in violation["nodes"]]
    return f"{violation['id']}: {'; '.join(places)}"


def second_opinion(page: Page) -> list[str]:
    """The errors that HTML_CodeSniffer finds by WCAG 2 AA. What it only warns of, a person has to judge."""
    page.evaluate(_CODESNIFFER.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(_SNIFF)
    return found
