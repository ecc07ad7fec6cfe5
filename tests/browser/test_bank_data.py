"""From a consent at the bank to a transaction on the recipient's page, and to the end of it."""

import pytest
from playwright.sync_api import expect

from examples.recipient.wording import wording
from tests.browser.test_bank_sign_in import press_at_bank
from tests.browser.test_connections import STOP_ALL, look, open_newest
from tests.browser.visit import CONTINUE, Visit
from tests.support.waiting import wait_until

SHOWN = ("ACCOUNT_DETAILED", "TRANSACTIONS")


def connect(visit: Visit, *boxes: str, lang: str, provider_id: str = "1000") -> None:
    """Shares what is checked with the recipient, and looks at its page."""
    visit.open_form("ACCOUNT_BASIC", *SHOWN, provider_id=provider_id, lang=lang)
    visit.check(*boxes)
    visit.approve()
    visit.go_to_recipient(f"/connection?lang={lang}")


def await_notice(visit: Visit, kind: str, *, lang: str) -> None:
    """Opens the recipient's page until it says that the bank has told it of this."""
    wait_until(lambda: notice_on(visit, lang) == kind)


def notice_on(visit: Visit, lang: str) -> str | None:
    visit.go_to_recipient(f"/connection?lang={lang}")
    notice = visit.page.locator("#notice")
    return notice.get_attribute("data-type") if notice.count() else None


@pytest.mark.parametrize("provider_id", ["1000", "2000"])
def test_a_customer_sees_what_they_share_until_they_stop_at_the_bank(
    visit: Visit, lang: str, provider_id: str
) -> None:
    connect(visit, *SHOWN, lang=lang, provider_id=provider_id)
    data = visit.page.locator("#data")
    expect(data).to_contain_text("Everyday chequing")
    expect(data.locator("#accounts td").first).to_contain_text("$")
    look(visit)
    first = data.locator("#transactions tbody tr").first
    nothing = data.get_by_text(wording(lang, "data.nothing"))
    expect(first.or_(nothing).first).to_be_visible()  # a month may have just begun

    open_newest(visit)
    visit.press(STOP_ALL)
    visit.press("button[value=all]")
    await_notice(visit, "CONSENT_REVOKED", lang=lang)
    bank = wording(lang, f"provider.{provider_id}")
    expect(visit.page.locator("#told")).to_have_text(wording(lang, "connection.told.ended", bank=bank))
    expect(data).to_have_count(0)
    look(visit)


def test_only_the_accounts_that_were_chosen_are_there(visit: Visit, lang: str) -> None:
    visit.connect("ACCOUNT_BASIC", *SHOWN, lang=lang)
    visit.try_to_sign_in({"en": "riley", "fr": "taylor"}[lang])  # who share nothing yet
    visit.page.get_by_role("checkbox", name="Savings").first.check()
    visit.press(CONTINUE)
    visit.check(*SHOWN)
    visit.approve()
    visit.go_to_recipient(f"/connection?lang={lang}")
    rows = visit.page.locator("#accounts tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Savings")
    expect(rows.locator("td")).to_contain_text("$")


def test_a_bank_with_a_sign_in_of_its_own_gives_data_too(visit: Visit, lang: str) -> None:
    visit.connect("ACCOUNT_BASIC", *SHOWN, "INVESTMENTS", provider_id="3000", lang=lang)
    press_at_bank(visit, "Sam Nguyen")
    visit.check(*SHOWN, "INVESTMENTS")
    visit.approve()
    visit.go_to_recipient(f"/connection?lang={lang}")
    rows = visit.page.locator("#accounts tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.filter(has_text="RRSP").locator("td")).to_contain_text("$")
    expect(rows.filter(has_text="Mortgage").locator("td")).to_contain_text(wording(lang, "data.owed"))


def test_what_a_customer_does_not_share_is_said_and_is_not_there(visit: Visit, lang: str) -> None:
    connect(visit, lang=lang)
    data = visit.page.locator("#data")
    expect(data).to_contain_text("Everyday chequing")
    expect(data.locator("#accounts td").first).to_have_text(wording(lang, "data.not_shared"))
    expect(data.locator("#no-transactions")).to_have_text(wording(lang, "data.transactions_not_shared"))
    expect(data).not_to_contain_text("$")
    look(visit)
