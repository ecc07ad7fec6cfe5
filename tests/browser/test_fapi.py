"""The recipient as FAPI 2.0 has it: a pushed request, the consent, the bank's data with a proof, and the end."""

import json

from playwright.sync_api import expect

from examples.recipient.wording import wording
from tests.browser.test_bank_data import SHOWN
from tests.browser.test_bank_sign_in import press_at_bank
from tests.browser.test_connections import look
from tests.browser.visit import Visit


def members(visit: Visit, table: str) -> dict[str, str]:
    """What a table in the developers' part of the recipient's page says."""
    rows = visit.page.locator(f"#{table} tr").all()
    return {
        str(row.get_attribute("data-member")): str(row.locator("td").text_content()).strip() for row in rows
    }


def begin(visit: Visit, *, lang: str, provider_id: str = "1000") -> None:
    """A developer leaves the recipient's start page for the bank the way of FAPI 2.0."""
    visit.go_to_recipient(f"/?lang={lang}")
    visit.page.check(f"[name=provider_id][value='{provider_id}']")
    visit.page.click("#developers > summary")
    visit.page.select_option("#profile", "fapi2")
    visit.press("#connect-button")


def test_a_pushed_request_leads_to_the_banks_data_and_the_page_shows_how(visit: Visit, lang: str) -> None:
    begin(visit, lang=lang)
    visit.sign_in()
    name = {"en": "Aurora Mortgages", "fr": "Hypothèques Aurore"}[lang]
    expect(visit.page.locator("h1")).to_contain_text(name)
    visit.check(*SHOWN)
    visit.approve()
    expect(visit.page.locator("#accounts td").first).to_contain_text("$")
    visit.page.click("#developers > summary")
    look(visit)

    pushed, carried = members(visit, "pushed"), members(visit, "carried")
    assert pushed["client_id"] == carried["client_id"] == "dc-fapi"
    assert pushed["code_challenge_method"] == "S256"
    assert carried["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    header, claims = members(visit, "proof-header"), members(visit, "proof-claims")
    assert header["typ"] == "dpop+jwt"
    assert set(json.loads(header["jwk"])) >= {"kty", "crv", "x", "y"}
    assert "d" not in json.loads(header["jwk"])
    assert claims["htm"] == "GET"
    assert claims["htu"].startswith(visit.demo.bank_api)
    assert {"jti", "iat", "ath"} <= set(claims)
    expect(visit.page.locator("#claims [data-claim=cnf]")).to_contain_text("jkt")

    for action, outcome in (("refresh", "refreshed"), ("record", "read"), ("revoke", "revoked")):
        visit.press_as_a_developer(f"#{action}")
        expect(visit.page.locator("#outcome")).to_have_attribute("data-outcome", outcome)
    expect(visit.page.locator("#connection")).to_have_attribute("data-ended", "true")


def test_it_works_at_a_bank_with_a_sign_in_of_its_own(visit: Visit, lang: str) -> None:
    begin(visit, lang=lang, provider_id="3000")
    press_at_bank(visit, "Sam Nguyen")
    visit.check(*SHOWN)
    visit.approve()
    expect(visit.page.locator("#accounts td").first).to_contain_text("$")
    assert members(visit, "pushed")["provider_id"] == "3000"


def test_a_push_that_accord_refuses_says_why(visit: Visit, lang: str) -> None:
    """The recipient is registered with two of the three banks."""
    begin(visit, lang=lang, provider_id="2000")
    expect(visit.page.locator("h1")).to_have_text(wording(lang, "problem.other.title"))
    assert visit.page.locator("#error-description").text_content()


def test_a_customer_who_declines_comes_back_with_nothing(visit: Visit, lang: str) -> None:
    begin(visit, lang=lang)
    visit.sign_in()
    visit.deny()
    expect(visit.page.locator("#error")).to_have_attribute("data-error", "access_denied")
