"""The demo's banks: they end what a test customer shares for whom that goes wrong, and nothing else."""

from datetime import timedelta
from pathlib import Path

from app.development.demo_bank import ENDED_AFTER, DemoBanks
from app.stores.ledger.ledger import Ledger
from tests.support.applications import Clock
from tests.support.customer import BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import admin_token, connect, record
from tests.support.registrations import DEMO_REGISTRY, with_bank_told


def as_customer(customer: BrowserCustomer, user_name: str) -> dict[str, str]:
    """Signs somebody in, who approves."""
    customer.client.post("/sign-out")
    customer.sign_in(customer.begin(), user_name=user_name)
    return connect(customer)


def test_a_bank_ends_what_its_customer_shared_ten_seconds_ago(
    customer: BrowserCustomer, ledger: Ledger, recorded: LedgerTables, clock: Clock
) -> None:
    banks = DemoBanks(DEMO_REGISTRY, ledger.database)
    ended = as_customer(customer, "ended")
    clock.advance(ENDED_AFTER - timedelta(seconds=1))
    banks.end_connections(now=clock.now)
    assert customer.refresh(ended["refresh_token"]).status_code == 200
    clock.advance(timedelta(seconds=1))
    for _ in range(2):
        banks.end_connections(now=clock.now)
    assert customer.refresh(ended["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert [event["kind"] for event in recorded["events"]].count("withdrawn") == 1
    found = record(customer.client, ended["consent_id"], admin_token(customer.client)).get_json()
    assert (found["status"], found["revocation"]["initiator"]) == ("REVOKED", "DATA_PROVIDER")


def test_nobody_elses_connection_is_ended(customer: BrowserCustomer, ledger: Ledger, clock: Clock) -> None:
    banks = DemoBanks(DEMO_REGISTRY, ledger.database)
    tokens = as_customer(customer, "alex")
    clock.advance(timedelta(minutes=1))
    banks.end_connections(now=clock.now)
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


def test_whoever_is_told_in_the_registration_is_told_of_it(
    customer: BrowserCustomer, ledger: Ledger, recorded: LedgerTables, clock: Clock, tmp_path: Path
) -> None:
    registry = tmp_path / "registry.toml"
    registry.write_text(with_bank_told(), encoding="utf-8")
    as_customer(customer, "ended")
    clock.advance(ENDED_AFTER)
    DemoBanks(registry, ledger.database).end_connections(now=clock.now)
    assert {row["client_id"] for row in recorded["notices"]} == {"dc-budget", "provider:1000"}
