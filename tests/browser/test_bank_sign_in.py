"""Through the sign-in of the third bank: a server of its own, on an origin of its own."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from app.sign_in import Cause
from tests.browser.visit import Visit
from tests.support.expected_pages import HEADINGS

SIGN_IN_AT_BANK = "/oauth2/authorize?"


@pytest.fixture
def visit(either_visit: Visit) -> Visit:
    """With JavaScript and without."""
    return either_visit


def press_at_bank(visit: Visit, name: str) -> None:
    assert visit.page.url.startswith(visit.demo.bank + SIGN_IN_AT_BANK), visit.page.url
    with visit.page.expect_navigation():
        visit.page.get_by_role("button", name=name, exact=True).click()


def test_the_whole_way_through_the_bank_and_back(visit: Visit, lang: str) -> None:
    visit.connect(provider_id="3000", lang=lang)
    press_at_bank(visit, "Alex Tremblay")
    visit.show_boxes()
    assert visit.heading.startswith(HEADINGS["form"][lang])
    assert visit.lang == f"{lang}-CA"
    expect(visit.page.locator(".signed-in")).to_contain_text("Alex Tremblay")
    visit.check("INVESTMENTS")
    visit.approve()
    assert visit.is_at_recipient
    assert visit.granted == ["ACCOUNT_BASIC", "INVESTMENTS"]


def test_the_recipients_form_may_lead_to_the_bank(visit: Visit) -> None:
    """A form's policy holds for every redirect that follows it: to Accord, and from there to the bank."""
    visit.go_to_recipient("/")
    visit.page.check("[name=provider_id][value='3000']")
    visit.press("#connect-button")
    press_at_bank(visit, "Sam Nguyen")
    expect(visit.page.locator(".signed-in")).to_contain_text("Sam Nguyen")


def test_not_you_leads_to_the_bank_again_by_a_link_that_no_policy_stops(visit: Visit, lang: str) -> None:
    visit.connect(provider_id="3000", lang=lang)
    press_at_bank(visit, "Alex Tremblay")
    request_id = visit.request_id
    visit.press(".signed-in button")
    assert visit.heading.startswith(HEADINGS["sign_in"][lang].rstrip())
    assert visit.request_id == request_id
    visit.press("#to-bank")
    assert "prompt=login" in visit.page.url
    press_at_bank(visit, "Sam Nguyen")
    assert visit.request_id == request_id
    expect(visit.page.locator(".signed-in")).to_contain_text("Sam Nguyen")
    visit.show_boxes()
    visit.approve()
    assert visit.granted == ["ACCOUNT_BASIC"]


def test_the_banks_page_is_in_the_language_of_the_request_and_fits_a_phone(visit: Visit, lang: str) -> None:
    visit.page.set_viewport_size({"width": 320, "height": 568})
    visit.connect(provider_id="3000", lang=lang)
    assert visit.lang == lang
    assert visit.heading == HEADINGS["sign_in"][lang]
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 320
    visit.press("[hreflang]")
    assert visit.lang == {"en": "fr", "fr": "en"}[lang]


def test_turning_back_at_the_bank_leads_to_the_recipient(visit: Visit, lang: str) -> None:
    visit.watch.excuse("/sign-in/callback/3000")
    visit.connect(provider_id="3000", lang=lang)
    press_at_bank(visit, {"en": "Cancel", "fr": "Annuler"}[lang])
    assert visit.heading == HEADINGS["not_signed_in"][lang]
    visit.press("#way-back")
    assert visit.is_at_recipient
    assert visit.error == "access_denied"


def test_not_you_can_leave_without_sharing(visit: Visit) -> None:
    visit.connect(provider_id="3000")
    press_at_bank(visit, "Alex Tremblay")
    visit.press(".signed-in button")
    visit.press("#way-back")
    assert visit.is_at_recipient
    assert visit.error == "access_denied"


def test_back_to_the_bank_and_in_again_ends_at_the_same_form(visit: Visit) -> None:
    visit.connect(provider_id="3000")
    press_at_bank(visit, "Alex Tremblay")
    request_id = visit.request_id
    visit.page.go_back()
    press_at_bank(visit, "Alex Tremblay")
    assert visit.heading == HEADINGS["sign_in_used"]["en"]
    visit.press("#try-again")
    assert visit.request_id == request_id
    visit.show_boxes()
    visit.approve()
    assert visit.granted == ["ACCOUNT_BASIC"]


def test_without_a_request_signing_in_shows_what_is_shared(visit: Visit, lang: str) -> None:
    visit.go(f"/connections/sign-in/3000?lang={lang}")
    press_at_bank(visit, "Alex Tremblay")
    assert visit.path == "/connections"
    assert visit.lang == f"{lang}-CA"


def test_no_address_of_ours_leaves_for_the_bank(visit: Visit) -> None:
    visit.connect(provider_id="3000")
    press_at_bank(visit, "Alex Tremblay")
    to_bank = [request for request in visit.watch.requests if request.url.startswith(visit.demo.bank)]
    referrers = [request.all_headers().get("referer", "") for request in to_bank]
    assert not [referrer for referrer in referrers if referrer.startswith(visit.demo.issuer)]


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages_around_it(
    open_visit: Callable[..., Visit], lang: str, colour_scheme: str
) -> None:
    visit = open_visit(color_scheme=colour_scheme)
    visit.watch.excuse("?failed=")
    visit.connect(provider_id="3000", lang=lang)
    found = Axe().run(visit.page)
    assert found.violations_count == 0, found.generate_report()
    press_at_bank(visit, "Alex Tremblay")
    request_id = visit.request_id
    visit.press(".signed-in button")
    failed = [f"/sign-in/{request_id}?failed={cause}" for cause in Cause]
    for address in (f"/sign-in/{request_id}", f"/sign-in/callback/3000?lang={lang}", *failed):
        visit.go(address)
        found = Axe().run(visit.page)
        assert found.violations_count == 0, found.generate_report()
