"""The two answers, from the recipient's link to the recipient's page, in both languages and at both banks."""

import pytest
from playwright.sync_api import expect

from app.domain.clusters import DataCluster
from tests.browser.visit import APPROVE, DENY, Visit
from tests.browser.watch import origin_of
from tests.support import texts
from tests.support.customer import LOANS_CALLBACK, LOANS_REQUEST, carried_params

BANKS = {
    "1000": texts.MAPLE,
    "2000": texts.NORTHERN,
}
CONNECTED = {"en": "{} is connected", "fr": "Votre lien avec {} est établi"}
UNAVAILABLE = texts.NOT_AVAILABLE.of(cluster=texts.INVESTMENTS, provider=texts.NORTHERN)

at_both_banks = pytest.mark.parametrize("provider_id", BANKS)


@at_both_banks
def test_approving_shares_what_was_checked_and_what_is_needed(
    visit: Visit, lang: str, provider_id: str
) -> None:
    visit.open_form(provider_id=provider_id, lang=lang)
    assert visit.lang == f"{lang}-CA"
    visit.check("TRANSACTIONS", "CUSTOMER_CONTACT")
    visit.approve()
    assert visit.is_at_recipient
    assert visit.heading == CONNECTED[lang].format(BANKS[provider_id][lang])
    assert visit.granted == ["ACCOUNT_BASIC", "TRANSACTIONS", "CUSTOMER_CONTACT"]
    assert visit.page.locator("#expires-in").get_attribute("data-seconds") == "300"


@at_both_banks
def test_denying_shares_nothing(visit: Visit, lang: str, provider_id: str) -> None:
    visit.open_form(provider_id=provider_id, lang=lang)
    visit.check("TRANSACTIONS")
    visit.deny()
    assert visit.is_at_recipient
    assert visit.error == "access_denied"
    assert visit.page.locator("#error-description").text_content() == "The user denied the access"
    assert visit.watch.codes() == []


def test_the_two_answers_are_alike_and_side_by_side(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    for width, is_wide_enough in ((320, False), (390, True), (1280, True)):
        visit.page.set_viewport_size({"width": width, "height": 900})
        deny, approve = (visit.page.locator(button).bounding_box() for button in (DENY, APPROVE))
        assert deny is not None
        assert approve is not None
        assert (deny["width"], deny["height"]) == (approve["width"], approve["height"])
        if is_wide_enough:
            assert deny["y"] == approve["y"]
            assert deny["x"] + deny["width"] <= approve["x"]
        else:
            assert deny["x"] == approve["x"]
            assert deny["y"] + deny["height"] <= approve["y"]


def test_no_box_is_checked_in_advance_and_what_is_needed_has_none(visit: Visit) -> None:
    visit.open_form()
    assert set(visit.boxes) == set(DataCluster) - {DataCluster.ACCOUNT_BASIC}
    assert visit.checked == []


def test_what_the_bank_does_not_serve_is_named_and_cannot_be_chosen(visit: Visit, lang: str) -> None:
    visit.open_form(provider_id="2000", lang=lang)
    expect(visit.page.locator(".unavailable")).to_have_text(UNAVAILABLE[lang])
    assert "INVESTMENTS" not in visit.boxes


def test_the_start_page_leads_to_a_connection_that_can_be_refreshed_until_its_code_is_replayed(
    visit: Visit,
) -> None:
    visit.go("/")
    visit.press("#start")
    visit.press("#connect-button")
    visit.sign_in()
    visit.approve()
    assert visit.granted == ["ACCOUNT_BASIC"]
    for action, outcome in (
        ("refresh", "refreshed"),
        ("replay", "invalid_grant"),
        ("refresh", "invalid_grant"),
    ):
        visit.press_as_a_developer(f"#{action}")
        assert visit.page.locator("#outcome").get_attribute("data-outcome") == outcome


def test_the_recipients_own_form_asks_for_what_is_chosen_there(visit: Visit) -> None:
    visit.go_to_recipient("/")
    visit.page.check("[name=provider_id][value='2000']")
    visit.page.click("#developers > summary")
    visit.page.check("[value=ACCOUNT_PAYMENTS]")
    visit.page.select_option("#lang", "fr")
    visit.press("#connect-button")
    assert visit.heading == texts.SIGN_IN["fr"]
    visit.sign_in()
    assert visit.boxes == ["ACCOUNT_DETAILED", "TRANSACTIONS", "ACCOUNT_PAYMENTS"]


def test_nothing_of_an_address_leaves_with_the_browser(visit: Visit) -> None:
    visit.go("/")
    visit.press("#start")
    visit.press("#connect-button")
    visit.sign_in()
    visit.approve()
    [callback] = visit.watch.callbacks()
    assert not any(visit.demo.issuer in value for value in callback.all_headers().values())
    for request in visit.watch.requests:
        referrer = request.all_headers().get("referer")
        assert referrer is None or origin_of(referrer) == origin_of(request.url)


def test_the_answer_may_leave_for_any_https_callback(visit: Visit) -> None:
    visit.watch.excuse(LOANS_CALLBACK)  # there is no such host
    visit.ask(**LOANS_REQUEST)
    visit.sign_in()
    visit.check("ACCOUNT_DETAILED")
    with visit.page.expect_request(f"{LOANS_CALLBACK}&*") as leaving:
        visit.page.click("[name=decision][value=approve]")
    assert set(carried_params(leaving.value.url, LOANS_CALLBACK)) == {"code", "state", "iss"}
