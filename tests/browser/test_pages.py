"""Every page that a customer can get to, in both languages: axe-core finds nothing, the switch works."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.browser.accessibility import check_accessible
from tests.browser.visit import APPROVE, DENY, Visit
from tests.support.customer import LOANS_APP_REQUEST, LOANS_REQUEST
from tests.support.running_demo import RunningDemo

Way = Callable[[Visit, str], None]


def start(visit: Visit, lang: str) -> None:
    visit.go(f"/?lang={lang}")


def sign_in(visit: Visit, lang: str) -> None:
    visit.connect(lang=lang)


def sign_in_that_failed(visit: Visit, lang: str) -> None:
    visit.connect(lang=lang)
    visit.try_to_sign_in(f"charlie-{lang}")


def sign_in_that_is_slowed(visit: Visit, lang: str) -> None:
    visit.connect(lang=lang)
    while visit.page.locator(".problem").count() == 0 or "5 minutes" not in visit.page.inner_text(".problem"):
        visit.try_to_sign_in("frankie")


def form(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)


def form_at_the_other_bank(visit: Visit, lang: str) -> None:
    visit.open_form(provider_id="2000", lang=lang)


def form_with_everything_open_and_checked(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.check(*visit.boxes)
    for summary in visit.page.locator("summary").all():
        summary.click()


def form_without_an_answer(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.check("INVESTMENTS")
    with visit.page.expect_navigation():
        visit.page.press("[value=INVESTMENTS]", "Enter")


def form_of_another_recipient(visit: Visit, lang: str) -> None:
    visit.ask(**LOANS_REQUEST, lang=lang)
    visit.sign_in()


def approved_already(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.check("CUSTOMER_PERSONAL", "STATEMENTS")
    visit.approve()
    visit.page.go_back()


def denied_already(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.deny()
    visit.page.go_back()


def approved_for_an_app(visit: Visit, lang: str) -> None:
    visit.ask(**LOANS_APP_REQUEST, lang=lang)
    visit.sign_in()
    visit.press(APPROVE)


def denied_for_an_app(visit: Visit, lang: str) -> None:
    visit.ask(**LOANS_APP_REQUEST, lang=lang)
    visit.sign_in()
    visit.press(DENY)


def signed_out(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.go(f"/connections?lang={lang}")
    visit.press(".signed-in button")


def unknown_recipient(visit: Visit, lang: str) -> None:
    visit.ask(client_id="nobody", lang=lang)


def unknown_callback(visit: Visit, lang: str) -> None:
    visit.ask(redirect_uri="https://elsewhere.example/", lang=lang)


def unreadable_request(visit: Visit, lang: str) -> None:
    visit.go(f"/api/v1/authorize?{'x=y&' * 200}lang={lang}")


def nothing_there(visit: Visit, lang: str) -> None:
    visit.go(f"/nothing/there?lang={lang}")


def not_to_be_opened(visit: Visit, lang: str) -> None:
    visit.go(f"/sign-out?lang={lang}")


def refused_form(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.page.evaluate("document.querySelector('#decision [name=csrf_token]').value = 'another'")
    visit.approve()


def lost_request(visit: Visit, lang: str) -> None:
    visit.connect(lang=lang)
    visit.go(f"/consent/another?lang={lang}")


def without_a_cookie(visit: Visit, lang: str) -> None:
    visit.go(f"/consent/any?lang={lang}")


def recipients_start(visit: Visit, lang: str) -> None:
    visit.go_to_recipient(f"/?lang={lang}")


def recipients_connection(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.check("TRANSACTIONS")
    visit.approve()


def recipients_ended_connection(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.approve()
    visit.press_as_a_developer("#replay")


def recipients_start_when_connected(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.approve()
    visit.go_to_recipient("/")


def recipients_denial(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.deny()


def recipients_problem(visit: Visit, lang: str) -> None:
    visit.go_to_recipient(f"/callback?state=another&lang={lang}")


def recipients_nothing_there(visit: Visit, lang: str) -> None:
    visit.go_to_recipient(f"/nothing?lang={lang}")


WAYS: tuple[Way, ...] = (
    start,
    sign_in,
    sign_in_that_failed,
    sign_in_that_is_slowed,
    form,
    form_at_the_other_bank,
    form_with_everything_open_and_checked,
    form_without_an_answer,
    form_of_another_recipient,
    approved_already,
    denied_already,
    approved_for_an_app,
    denied_for_an_app,
    signed_out,
    unknown_recipient,
    unknown_callback,
    unreadable_request,
    nothing_there,
    not_to_be_opened,
    refused_form,
    lost_request,
    without_a_cookie,
    recipients_start,
    recipients_connection,
    recipients_ended_connection,
    recipients_start_when_connected,
    recipients_denial,
    recipients_problem,
    recipients_nothing_there,
)


# What only a form can lead to has a switch that leads on, to the page where one would go next.
SHOWN_ONCE = (signed_out, refused_form)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.replace("_", " "))
def test_a_page_is_accessible_in_both_languages_and_has_a_switch_that_works(visit: Visit, way: Way) -> None:
    headings = {}
    for lang in ("en", "fr"):
        way(visit, lang)
        headings[lang] = visit.heading
        assert (visit.lang or "").startswith(lang)
        check_accessible(visit.page)
    for lang in ("en", "fr"):
        visit.switch_language()
        assert (visit.lang or "").startswith(lang)
        assert visit.heading == headings[lang] or way in SHOWN_ONCE


def test_so_is_the_page_of_an_expired_request(
    open_visit: Callable[..., Visit], hasty_demo: RunningDemo
) -> None:
    visit = open_visit(hasty_demo)
    visit.connect()
    visit.try_to_sign_in()
    visit.wait_until_expired()
    visit.page.reload()
    check_both_languages(visit)


def test_so_is_the_page_that_says_that_nothing_works(
    open_visit: Callable[..., Visit], hasty_demo: RunningDemo
) -> None:
    visit = open_visit(hasty_demo)
    visit.watch.excuse("503 (SERVICE UNAVAILABLE)")
    visit.connect()
    with store_held_up(hasty_demo):
        visit.page.reload()
        check_both_languages(visit)


def check_both_languages(visit: Visit) -> None:
    headings = [visit.heading]
    check_accessible(visit.page)
    visit.switch_language()
    headings.append(visit.heading)
    check_accessible(visit.page)
    assert headings[0] != headings[1]


@contextmanager
def store_held_up(demo: RunningDemo) -> Iterator[None]:
    """Redis accepts connections and says nothing."""
    [valkey] = [process for process in demo.children() if process.name() == "valkey-server"]
    valkey.suspend()
    try:
        yield
    finally:
        valkey.resume()


def test_every_way_is_walked() -> None:
    """A way that is written down here and forgotten in the list would never be looked at."""
    annotations = {"visit": Visit, "lang": str, "return": None}
    written = {
        name for name, value in globals().items() if getattr(value, "__annotations__", {}) == annotations
    }
    assert written == {way.__name__ for way in WAYS}
