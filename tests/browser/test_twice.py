"""The same answer twice, and an answer after the answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from playwright.sync_api import Route, expect

from tests.browser.visit import APPROVE, DENY, Visit
from tests.support.expected_pages import HEADINGS
from tests.support.running_demo import RunningDemo

ANSWERED = HEADINGS["answered"]

Place = tuple[float, float]

# To the console: the page itself cannot be asked while the browser is on its way to the next one.
_REPEAT_THE_STATUS = """
addEventListener("DOMContentLoaded", () => {
  const status = document.querySelector("#status");
  const repeat = () => console.info(status.textContent);
  if (status) new MutationObserver(repeat).observe(status, { childList: true });
});
"""


@contextmanager
def recipient_held_up(demo: RunningDemo) -> Iterator[None]:
    """Answers that reach the recipient wait there until the block is over."""
    listening = [process for process in demo.children() if _listens_on(process, demo.recipient_port)]
    assert listening
    for process in listening:
        process.suspend()
    try:
        yield
    finally:
        for process in listening:
            process.resume()


def _listens_on(process: psutil.Process, port: int) -> bool:
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        for connection in process.net_connections("inet")
    )


def click_until_it_leaves(visit: Visit, place: Place) -> None:
    """Clicks, and returns when the browser asks for the callback, without waiting for what that answers."""
    with visit.page.expect_request(f"{visit.demo.recipient}/callback?*"):
        visit.page.mouse.click(*place)


def place_of(visit: Visit, selector: str) -> Place:
    """Where to click: while a page is on its way, Playwright would first wait for it."""
    button = visit.page.locator(selector)
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def check_connected(visit: Visit) -> None:
    expect(visit.page).to_have_url(f"{visit.demo.recipient}/connection")
    assert visit.granted == ["ACCOUNT_BASIC", "TRANSACTIONS"]


def test_the_second_of_two_quick_clicks_is_passed_over(visit: Visit) -> None:
    visit.open_form()
    visit.check("TRANSACTIONS")
    before = len(visit.watch.posts("/consent/"))
    place = place_of(visit, APPROVE)
    with recipient_held_up(visit.demo), visit.page.expect_request(f"{visit.demo.recipient}/callback?*"):
        visit.page.mouse.dblclick(*place)
    check_connected(visit)
    assert len(visit.watch.posts("/consent/")) == before + 1


def test_the_page_says_that_the_browser_is_leaving(visit: Visit) -> None:
    visit.page.add_init_script(_REPEAT_THE_STATUS)
    visit.open_form()
    said = "One moment. We are sending you back to Budget Compass."
    with visit.page.expect_console_message(lambda message: message.text == said):
        visit.deny()


def test_without_javascript_two_clicks_bring_one_code_and_a_connection(
    open_visit: Callable[..., Visit],
) -> None:
    visit = open_visit(java_script_enabled=False)
    visit.open_form()
    visit.check("TRANSACTIONS")
    before = len(visit.watch.posts("/consent/"))
    with recipient_held_up(visit.demo):
        place = place_of(visit, APPROVE)
        click_until_it_leaves(visit, place)
        click_until_it_leaves(visit, place)
    check_connected(visit)
    assert len(visit.watch.posts("/consent/")) == before + 2
    assert len(set(visit.watch.codes())) == 1


def test_two_tabs_that_approve_at_the_same_moment_get_one_code_and_both_connect(
    open_visit: Callable[..., Visit],
) -> None:
    first = open_visit(java_script_enabled=False)
    first.open_form()
    second = first.another_tab()
    second.page.goto(first.page.url)
    _let_two_posts_go_together(first)
    with recipient_held_up(first.demo):
        for tab in (first, second):
            tab.check("TRANSACTIONS")
            tab.page.click(APPROVE, no_wait_after=True)
        while len(first.watch.callbacks()) < 2:
            first.context.wait_for_event("request")
    for tab in (first, second):
        check_connected(tab)
    assert len(first.watch.codes()) == 2
    assert len(set(first.watch.codes())) == 1


def _let_two_posts_go_together(visit: Visit) -> None:
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        waiting.append(route)
        if len(waiting) == 2:
            for held in waiting:
                held.continue_()

    visit.context.route("**/consent/*", hold)


@pytest.mark.parametrize("answer", [APPROVE, DENY], ids=["approved", "denied"])
def test_back_after_answering_shows_the_answer(either_visit: Visit, answer: str) -> None:
    visit = either_visit
    visit.open_form()
    visit.check("TRANSACTIONS")
    visit.press(answer)
    visit.page.go_back()
    assert visit.path.startswith("/consent/")
    assert visit.heading == ANSWERED["en"]
    assert visit.page.locator("[name=decision]").count() == 0
    assert len(visit.watch.callbacks()) == 1


@pytest.mark.parametrize(
    ("first_answer", "second_answer", "lead"),
    [
        (APPROVE, DENY, "You chose to share data with Budget Compass on "),
        (APPROVE, APPROVE, "You chose to share data with Budget Compass on "),
        (DENY, APPROVE, "You chose not to share your data with Budget Compass on "),
    ],
    ids=["denied after approval", "approved again", "approved after denial"],
)
def test_a_copy_of_the_form_that_was_left_open_changes_nothing(
    visit: Visit, first_answer: str, second_answer: str, lead: str
) -> None:
    visit.open_form()
    old_copy = visit.another_tab()
    old_copy.page.goto(visit.page.url)
    visit.check("STATEMENTS")
    visit.press(first_answer)
    old_copy.check("TRANSACTIONS")
    old_copy.press(second_answer)
    assert old_copy.heading == ANSWERED["en"]
    assert old_copy.page.locator("main .lead").inner_text().startswith(lead)
    assert len(visit.watch.callbacks()) == 1
    if first_answer == APPROVE:
        visit.press_as_a_developer("#refresh")
        assert visit.page.locator("#outcome").get_attribute("data-outcome") == "refreshed"
