"""Whatever a recipient calls itself: it changes neither the sentence around its name nor what else the page says."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.accessibility import check_accessible
from tests.support.screens import LANGUAGES
from tools.gallery import file_of, write_gallery

# Whether all of a text stands where it should: to the right of what comes before it, or on a later line. Within a
# name, words have the order of their own script. The boxes of two lines overlap where a font is higher than its
# lines are apart, so that a later line is one that begins below the middle of the one before.
READS_ON = """(element) => {
  const isBelow = (part, before) => part.top >= (before.top + before.bottom) / 2;
  const text = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), parts = [];
  while (text.nextNode()) {
    const name = text.currentNode.parentElement.closest("bdi");
    for (const word of text.currentNode.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(text.currentNode, word.index);
      range.setEnd(text.currentNode, word.index + word[0].length);
      for (const {left, right, top, bottom} of range.getClientRects()) {
        const before = parts.at(-1);
        if (name && before?.name === name && !isBelow({top}, before)) {
          before.left = Math.min(left, before.left);
          before.right = Math.max(right, before.right);
        } else {
          parts.push({name, left, right, top, bottom});
        }
      }
    }
  }
  return parts.length > 0 && parts.every((part, at) => at === 0
    || part.left >= parts[at - 1].right - 1 || isBelow(part, parts[at - 1]));
}"""
TURN_ROUND = """(element) => {
  for (const name of element.querySelectorAll("bdi")) name.textContent = "\\u202eevil\\u200b dlrow";
}"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    write_gallery(folder)
    return folder


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One tab for all screens. Motion is off: colours in transition have no contrast to measure."""
    page = browser.new_page(reduced_motion="reduce")
    yield page
    page.close()


def show(page: Page, copy: Path, name: str, lang: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto((copy / file_of(name, lang)).as_uri())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_names_in_another_script_do_not_rearrange_the_sentence(page: Page, copy: Path, lang: str) -> None:
    show(page, copy, "form-hostile", lang)
    agent = page.locator(".who-more").first
    assert agent.evaluate("(element) => /\\p{Script=Arabic}|\\p{Script=Hebrew}/u.test(element.textContent)")
    assert agent.evaluate(READS_ON)


@pytest.mark.parametrize("name", ["form", "connections-one", "connection", "stop", "error-expired"])
def test_an_override_in_a_name_ends_with_the_name(page: Page, copy: Path, name: str) -> None:
    """A registration loses such characters when it is read; should one come through, it changes nothing else."""
    show(page, copy, name, "en")
    sentences = page.locator("main :is(p, h1, li):has(bdi)").element_handles()
    assert len(sentences) > 1
    for sentence in sentences:
        sentence.evaluate(TURN_ROUND)
        assert sentence.evaluate(READS_ON), sentence.inner_text()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_sentence_of_the_history_stands_whole_beside_its_moment(page: Page, copy: Path, lang: str) -> None:
    show(page, copy, "connection", lang)
    entries = page.locator(".history li").all()
    assert len(entries) > 2
    for entry in entries:
        assert entry.evaluate(
            """(entry) => {
              const moment = entry.querySelector(".when"), sentence = document.createRange();
              sentence.setStartAfter(moment);
              sentence.setEndAfter(entry.lastChild);
              const boxes = [...sentence.getClientRects()].filter((box) => box.width > 1);
              return boxes.length > 0 && boxes.every((box) => box.left >= moment.getBoundingClientRect().right);
            }"""
        ), entry.inner_text()


def test_the_checker_sees_a_sentence_that_an_override_has_turned_round(page: Page) -> None:
    for text, is_right in (
        ("\u202eevil sends you", False),
        ("<bdi>\u202eevil</bdi> sends you", True),
        ("<bdi>مؤسسة الميزانية</bdi> sends you", True),
        ("<span>مؤسسة الميزانية</span> sends you", False),
    ):
        page.set_content(f"<p>{text}</p>")
        assert page.locator("p").evaluate(READS_ON) is is_right


# Lines that are nearer to each other than the boxes of any font are high, as those of a heading are with some fonts.
CLOSE_LINES = "p { width: 9em; line-height: .8; font-size: 2rem; }"


def test_the_checker_measures_the_order_and_not_the_font(page: Page) -> None:
    for text, is_right in (
        ("Share your data with <bdi>\u202eevil\u200b dlrow and some more</bdi>?", True),
        ("Share your data with \u202eevil\u200b dlrow and some more?", False),
    ):
        page.set_content(f"<style>{CLOSE_LINES}</style><p>{text}</p>")
        boxes = page.locator("p").evaluate(
            """(element) => {
              const range = document.createRange();
              range.selectNodeContents(element);
              return [...range.getClientRects()].map(({top, bottom}) => [top, bottom]);
            }"""
        )
        assert any(top < before for (_, before), (top, _) in pairwise(boxes)), "lines overlap"
        assert page.locator("p").evaluate(READS_ON) is is_right


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_host_stays_legible_beside_hostile_names(page: Page, copy: Path, lang: str) -> None:
    show(page, copy, "form-hostile", lang)
    host = page.locator("strong bdi", has_text="xn--bdget-kva.")
    assert host.is_visible()
    box = host.bounding_box()
    assert box is not None
    assert box["width"] > 100
    assert host.evaluate("(element) => getComputedStyle(element).direction") == "ltr"


def test_a_logo_that_does_not_come_leaves_the_name(page: Page, copy: Path) -> None:
    page.route("**/logos/*", lambda route: route.abort())
    try:
        show(page, copy, "form", "en")
        names = page.locator(".brand, .who-name")
        assert names.all_inner_texts() == ["Maple Credit Union", "Budget Compass"]
        check_accessible(page)
    finally:
        page.unroute("**/logos/*")
