"""Two minutes before the time to answer runs out, the page offers more, and loses nothing (WCAG 2.2.1)."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import check_accessible
from tests.browser.visit import APPROVE, DENY, Visit
from tests.support import texts
from tests.support.running_demo import RunningDemo

OFFER = "#time-offer button"
BESIDE_THE_TIME = ".clock button[name=extend]"


@pytest.fixture(scope="module")
def slow_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One whose requests are in their last two minutes five seconds after they begin."""
    instance = tmp_path_factory.mktemp("slow_demo") / "instance"
    with RunningDemo(instance, ACCORD_REQUEST_LIFETIME="125") as running:
        yield running


def scrolled(visit: Visit) -> float:
    return float(visit.page.evaluate("scrollY"))


def press_until(visit: Visit, selector: str, *, most: int) -> None:
    """Presses the Tab key, `most` times at most, until `selector` has the focus."""
    for _ in range(most):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(visit.page.evaluate("document.activeElement.outerHTML"))


def test_the_offer_comes_in_time_and_a_click_keeps_boxes_and_place(
    open_visit: Callable[..., Visit], slow_demo: RunningDemo, lang: str
) -> None:
    visit = open_visit(slow_demo)
    visit.open_form(lang=lang)
    visit.check("TRANSACTIONS")
    expect(visit.page.locator(OFFER)).to_have_count(0)
    expect(visit.page.locator(OFFER)).to_be_visible()
    visit.page.evaluate("scrollTo(0, 300)")
    place, address = scrolled(visit), visit.page.url
    visit.page.click(OFFER)
    expect(visit.page.locator(OFFER)).to_have_count(0)
    expect(visit.page.locator("#status")).to_contain_text(texts.YOU_HAVE_UNTIL.beginning[lang])
    assert (scrolled(visit), visit.page.url, visit.checked) == (place, address, ["TRANSACTIONS"])
    visit.approve()
    assert visit.granted == ["ACCOUNT_BASIC", "TRANSACTIONS"]


def test_the_offer_is_accessible_and_covers_nothing_that_has_the_focus(
    open_visit: Callable[..., Visit], slow_demo: RunningDemo
) -> None:
    visit = open_visit(slow_demo, viewport={"width": 320, "height": 640})
    visit.open_form()
    expect(visit.page.locator(OFFER)).to_be_visible()
    check_accessible(visit.page)
    visit.page.set_viewport_size({"width": 320, "height": 640})
    visit.page.evaluate("scrollTo(0, 0)")
    reached = 0
    for _ in range(60):
        visit.page.keyboard.press("Tab")
        is_covered = visit.page.evaluate("""() => {
            const element = document.activeElement;
            if (element === document.body || element.closest("#time-offer")) return null;
            const box = element.getBoundingClientRect();
            const seen = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, 10));
            return !seen || seen.closest("#time-offer") !== null;
        }""")
        if is_covered is not None:
            assert not is_covered, visit.page.evaluate("document.activeElement.outerHTML")
            reached += 1
    assert reached > 10


def test_without_javascript_a_button_beside_the_time_does_the_same(
    open_visit: Callable[..., Visit], slow_demo: RunningDemo
) -> None:
    visit = open_visit(slow_demo, java_script_enabled=False)
    visit.open_form()
    visit.check("STATEMENTS")
    visit.press(BESIDE_THE_TIME)
    assert visit.page.url.endswith("#time-left")
    assert visit.checked == ["STATEMENTS"]


def test_a_click_when_the_network_is_down_is_made_after_all(
    open_visit: Callable[..., Visit], slow_demo: RunningDemo
) -> None:
    visit = open_visit(slow_demo)
    visit.open_form()
    visit.check("STATEMENTS")
    visit.page.evaluate("() => { window.fetch = () => Promise.reject(new Error('no network')); }")
    visit.press(BESIDE_THE_TIME)
    assert visit.page.url.endswith("#time-left")
    assert visit.checked == ["STATEMENTS"]


def test_when_the_time_has_run_out_the_page_says_so_and_leads_back(
    open_visit: Callable[..., Visit], hasty_demo: RunningDemo
) -> None:
    visit = open_visit(hasty_demo)
    visit.open_form()
    expect(visit.page.locator(APPROVE)).to_be_visible()
    said = visit.page.get_by_role("alert")
    expect(said).to_contain_text(texts.TIME_IS_OVER["en"])
    for gone in (APPROVE, DENY, BESIDE_THE_TIME, "#time-left"):
        expect(visit.page.locator(gone)).to_be_hidden()
    visit.press(OFFER)
    assert visit.heading == texts.REQUEST_EXPIRED["en"]
    visit.press("#way-back")
    assert visit.error == "access_denied"


@pytest.mark.parametrize(
    "focused", ["#scope-TRANSACTIONS", ".signed-in button", DENY, "[data-cluster=ACCOUNT_BASIC] summary"]
)
def test_the_tab_key_reaches_the_offer_next_wherever_the_focus_is_and_goes_back_there(
    open_visit: Callable[..., Visit], slow_demo: RunningDemo, focused: str
) -> None:
    visit = open_visit(slow_demo)
    visit.open_form()
    visit.page.focus(focused)
    expect(visit.page.locator(OFFER)).to_be_visible()
    expect(visit.page.locator(focused)).to_be_focused()
    press_until(visit, OFFER, most=3)
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator(OFFER)).to_have_count(0)
    expect(visit.page.locator(focused)).to_be_focused()


def test_who_has_not_begun_to_read_reaches_the_offer_at_once(
    open_visit: Callable[..., Visit], slow_demo: RunningDemo
) -> None:
    visit = open_visit(slow_demo)
    visit.open_form()
    expect(visit.page.locator(OFFER)).to_be_visible()
    press_until(visit, OFFER, most=2)


def test_whoever_is_at_the_offer_when_the_time_runs_out_is_at_the_way_on(
    open_visit: Callable[..., Visit], slow_demo: RunningDemo
) -> None:
    visit = open_visit(slow_demo)
    visit.open_form()
    visit.page.focus(OFFER)
    visit.page.evaluate("() => { ends = Date.now(); }")
    expect(visit.page.locator(OFFER)).to_have_text(texts.START_AGAIN["en"])
    expect(visit.page.locator(OFFER)).to_be_focused()
