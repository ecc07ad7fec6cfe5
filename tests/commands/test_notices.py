"""Operators see what recipients have not been told, and have it sent again."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from app.clock import utc_now
from app.commands.notices import notices
from app.stores.ledger.deliveries import PAUSED_AFTER, DeliveryStore
from app.stores.ledger.ledger import Ledger
from tests.commands.consents import Operate
from tests.support.builders import NOON
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices


@pytest.fixture
def operate(ledger_url: str) -> Operate:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(notices, arguments, env={"ACCORD_LEDGER_URL": ledger_url})

    return run


@pytest.fixture
def deliveries(ledger: Ledger) -> DeliveryStore:
    return DeliveryStore(ledger.database)


def test_a_list_says_of_each_recipient_what_it_has_and_what_is_wrong(
    operate: Operate, deliveries: DeliveryStore, recorded: LedgerTables
) -> None:
    assert operate("list").stdout == "0 receivers have notices\n"
    put_notices(recorded, "a", "b")
    put_notices(recorded, "c", client_id="dc-loans", state="delivered", settled_at=NOON)
    for _ in range(PAUSED_AFTER):
        deliveries.endpoint_failed("dc-budget", now=NOON, pause=timedelta(minutes=1))
    deliveries.endpoint_failed("dc-shop", now=NOON, pause=timedelta(minutes=1))
    deliveries.disable_endpoint("dc-gone", "410 Gone", now=NOON)
    budget = (
        "dc-budget: 2 waiting; the oldest that it has not taken is of 2026-11-24T12:00:00+00:00; "
        "paused until 2026-11-24T12:01:00+00:00 after 10 failures"
    )
    assert operate("list").stdout.splitlines() == [
        budget,
        "dc-gone: no notices; disabled since 2026-11-24T12:00:00+00:00 (410 Gone)",
        "dc-loans: 1 delivered",
        "dc-shop: no notices; 1 failures running",
        "4 receivers have notices",
    ]
    assert operate("list", "dc-budget").stdout.splitlines() == [budget]
    assert operate("list", "nobody").stdout == "nobody: no notices\n"


def test_what_was_given_up_is_due_again_and_the_journal_says_so(
    operate: Operate, deliveries: DeliveryStore, recorded: LedgerTables
) -> None:
    put_notices(recorded, "a", "b", state="dead", attempts=9)
    said = operate("retry", "dc-budget")
    assert said.stdout == "2 notices to dc-budget are due now\n"
    line = json.loads(said.stderr)
    assert (line["event"], line["client_id"], line["notices"]) == ("notices_retried", "dc-budget", 2)
    assert {(row["state"], row["attempts"]) for row in recorded["notices"]} == {("waiting", 0)}


def test_a_retry_says_where_nothing_is_sent_yet(
    operate: Operate, deliveries: DeliveryStore, recorded: LedgerTables
) -> None:
    put_notices(recorded, "a", state="dead")
    for _ in range(PAUSED_AFTER):
        deliveries.endpoint_failed("dc-budget", now=NOON, pause=timedelta(minutes=1))
    assert operate("retry", "dc-budget").stdout == "1 notices to dc-budget are due now\n", "the pause is over"
    now = utc_now().replace(microsecond=0)
    deliveries.endpoint_failed("dc-budget", now=now, pause=timedelta(minutes=30))
    assert operate("retry", "dc-budget").stdout.splitlines()[1] == (
        f"not sent yet, since it is paused until {(now + timedelta(minutes=30)).isoformat()} after 11 failures; "
        "flask notices enable dc-budget"
    )
    deliveries.disable_endpoint("dc-budget", "410 Gone", now=NOON)
    assert operate("retry", "dc-budget").stdout.splitlines()[1] == (
        "not sent yet, since it is disabled since 2026-11-24T12:00:00+00:00 (410 Gone); "
        "flask notices enable dc-budget"
    )


def test_a_recipient_that_is_back_is_enabled_once(
    operate: Operate, deliveries: DeliveryStore, recorded: LedgerTables
) -> None:
    deliveries.disable_endpoint("dc-budget", "410 Gone", now=NOON)
    said = operate("enable", "dc-budget")
    assert said.stdout == "dc-budget is sent notices again\n"
    assert json.loads(said.stderr)["event"] == "notices_enabled"
    assert recorded["notice_endpoints"] == []
    again = operate("enable", "dc-budget")
    assert (again.exit_code, again.stderr) == (1, "Error: dc-budget: nothing has failed there\n")


def test_a_bank_is_named_as_no_recipient_can_be(
    operate: Operate, deliveries: DeliveryStore, recorded: LedgerTables
) -> None:
    put_notices(recorded, "a", client_id="provider:1000", state="dead")
    put_notices(recorded, "b", client_id="1000", state="dead")
    deliveries.disable_endpoint("provider:1000", "410 Gone", now=NOON)
    listed = operate("list").stdout.splitlines()
    assert [line.partition(": ")[0] for line in listed] == [
        "1000",
        "provider:1000",
        "2 receivers have notices",
    ]
    retried, enabled = operate("retry", "provider:1000"), operate("enable", "provider:1000")
    assert (retried.stdout.splitlines()[0], enabled.stdout) == (
        "1 notices to provider:1000 are due now",
        "provider:1000 is sent notices again\n",
    )
    for said in (retried, enabled):
        line = json.loads(said.stderr)
        assert (line["provider_id"], "client_id" in line) == ("1000", False)
    assert {row["notice_id"]: row["state"] for row in recorded["notices"]} == {"a": "waiting", "b": "dead"}
