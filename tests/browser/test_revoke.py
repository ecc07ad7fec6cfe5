"""Stopping at the recipient: the consent is over at the bank, and its record says who ended it."""

from tests.browser.visit import Visit

OVER = {"en": "Ended early", "fr": "Terminé avant l’échéance"}


def outcome(visit: Visit) -> str | None:
    return visit.page.locator("#outcome").get_attribute("data-outcome")


def test_a_customer_who_stops_at_the_recipient_has_stopped_at_the_bank(visit: Visit, lang: str) -> None:
    visit.open_form(lang=lang)
    visit.check("TRANSACTIONS")
    visit.approve()
    visit.go_to_recipient(f"/connection?lang={lang}")
    visit.press_as_a_developer("#record")
    record = visit.page.locator("#consent-record")
    assert record.get_attribute("data-status") == "ACTIVE"
    assert "TRANSACTIONS" in record.inner_text()
    visit.press("#revoke")
    assert outcome(visit) == "revoked"
    visit.press("#record")
    assert record.get_attribute("data-status") == "REVOKED"
    assert OVER[lang] in record.inner_text()
    visit.press("#refresh")
    assert outcome(visit) == "invalid_grant"
