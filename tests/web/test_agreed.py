"""What was agreed is read from the record: a registration that changes afterwards changes nothing of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, update

from app.stores.ledger.schema import decisions
from tests.support import texts
from tests.support.applications import Clock
from tests.support.customer import BrowserCustomer
from tests.support.machine_requests import admin_token, connect, record
from tests.support.page_contract import ContractClient, parse_page
from tests.support.registrations import DEMO_REGISTRY

Register = Callable[..., ContractClient]

EDITS = (
    ('name = { en = "Budget Compass", fr = "Boussole Budget" }', 'name = { en = "Pilot", fr = "Pilote" }'),
    ("Budget Compass Technologies Inc.", "Pilot Inc."),
    ("Technologies Boussole Budget inc.", "Pilote inc."),
    ("history_months = 24", "history_months = 84"),
    ('"To show all your accounts in one place', '"To sell all your data. To show your accounts'),
    ('en = "Maple Credit Union"', 'en = "Mega Bank"'),
)
ON_HOLD = texts.ON_HOLD.of(recipient=texts.BUDGET_COMPASS)
NOW_CALLED = texts.NOW_CALLED.of(recipient=texts.BUDGET_COMPASS, new_name={"en": "Pilot", "fr": "Pilote"})


def receipt(client: ContractClient, consent_id: str) -> Any:
    return client.get(f"/connections/{consent_id}/receipt.json").get_json()


def without_recipient() -> tuple[str, str]:
    """The edit that takes the recipient out of the demo's registration."""
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    start = text.rindex("[[recipients]]", 0, text.index('client_id = "dc-budget"'))
    return text[start : text.index("[[recipients]]", start + 1)], ""


def test_a_receipt_and_a_record_say_what_was_agreed(customer: BrowserCustomer, register: Register) -> None:
    consent_id = connect(customer, "TRANSACTIONS")["consent_id"]
    before = receipt(customer.client, consent_id)
    told = record(customer.client, consent_id, admin_token(customer.client)).get_json()
    calendar = customer.client.get(f"/connections/{consent_id}/end-date.ics").text
    later = register(*EDITS, browser=customer.client)
    assert receipt(later, consent_id) == before
    assert record(later, consent_id, admin_token(later)).get_json() == told
    assert later.get(f"/connections/{consent_id}/end-date.ics").text == calendar
    assert (before["en"]["recipient"], before["en"]["history_months"]) == ("Budget Compass", 24)
    assert told["lookbackPeriod"] == 730


def test_pages_use_the_name_of_then_and_say_the_new_one(
    customer: BrowserCustomer, register: Register, lang: str
) -> None:
    connect(customer, "TRANSACTIONS", lang=lang)
    later = BrowserCustomer(register(*EDITS, browser=customer.client))
    [consent_id] = later.connections()
    for address in ("/connections", f"/connections/{consent_id}"):
        text = parse_page(later.client.get(address).text).text
        assert NOW_CALLED[lang] in text
        assert "sell all your data" not in text
    assert NOW_CALLED[lang] not in parse_page(customer.client.get("/connections").text).text


def test_a_recipient_that_is_gone_keeps_its_name_and_its_purpose(
    customer: BrowserCustomer, register: Register, lang: str
) -> None:
    consent_id = connect(customer, "TRANSACTIONS", lang=lang)["consent_id"]
    before = receipt(customer.client, consent_id)
    later = register(without_recipient(), browser=customer.client)
    assert receipt(later, consent_id) == before
    page = parse_page(later.get(f"/connections/{consent_id}").text)
    assert ON_HOLD[lang] in page.text
    assert "dc-budget" not in page.text


@pytest.mark.parametrize("how", ["everywhere", "at this bank"])
def test_a_recipient_that_is_suspended_is_not_said_to_get_data(
    customer: BrowserCustomer, register: Register, how: str, lang: str
) -> None:
    connect(customer, lang=lang)
    [consent_id] = customer.connections()
    edit = {
        "everywhere": ('client_id = "dc-budget"', 'client_id = "dc-budget"\nsuspended = true'),
        "at this bank": ('"1000" = "ACTIVE"', '"1000" = "SUSPENDED"'),
    }[how]
    later = BrowserCustomer(register(edit, browser=customer.client))
    gets_data = texts.CAN_GET_YOUR_DATA.of(
        recipient=texts.BUDGET_COMPASS, provider=texts.MAPLE, end_date=texts.IN_A_YEAR
    )
    for address in ("/connections", f"/connections/{consent_id}"):
        text = parse_page(later.client.get(address).text).text
        assert ON_HOLD[lang] in text
        assert gets_data[lang] not in text
        assert ON_HOLD[lang] not in parse_page(customer.client.get(address).text).text
    assert gets_data[lang] in parse_page(customer.client.get(f"/connections/{consent_id}").text).text
    assert later.stop(consent_id).status_code == 303


def test_what_was_approved_before_this_was_recorded_reads_as_registered_today(
    customer: BrowserCustomer, register: Register, ledger_url: str, clock: Clock
) -> None:
    consent_id = connect(customer, "TRANSACTIONS")["consent_id"]
    with create_engine(ledger_url, poolclass=NullPool).begin() as connection:
        connection.execute(update(decisions).values(agreement_hash=None))
    clock.advance(timedelta(minutes=1))
    later = register(*EDITS, browser=customer.client)
    assert (receipt(later, consent_id)["en"]["recipient"], receipt(later, consent_id)["fr"]["recipient"]) == (
        "Pilot",
        "Pilote",
    )
    gone = register(without_recipient(), browser=customer.client)
    assert "dc-budget" in receipt(gone, consent_id)["en"]["recipient"]
