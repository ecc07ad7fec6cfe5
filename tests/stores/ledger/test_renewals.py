"""A recipient that asks for it is told once of each consent that ends soon, and nobody takes that for more."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from app.domain.history import Actor
from app.domain.notice_registration import NoticeType
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.deliveries import Delivered, DeliveryStore, GaveUp
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.notices import NoticeStore
from app.stores.ledger.renewals import RenewalStore
from app.stores.unavailable import StoreUnavailable
from tests.stores.ledger.test_notifying import PART, approve, everything, said, without_table
from tests.stores.work import counting_steps
from tests.support.builders import NOON, YEAR
from tests.support.ledger_tables import LedgerTables
from tests.support.parallel import all_at_once

DAY = timedelta(days=1)
INSTANT = timedelta.resolution
BEFORE = 14 * DAY
SOON = NOON + YEAR - BEFORE
"""When what was approved at noon ends soon."""


@pytest.fixture
def renewals(ledger: Ledger) -> RenewalStore:
    return RenewalStore(ledger.database, everything)


def connect(ledger: Ledger, number: int = 1, **changes: Any) -> None:
    """A connection of a customer of its own, whose code is redeemed."""
    approve(ledger, number, **{"subject": f"customer-{number}", **changes})
    now = changes.get("decided_at", NOON)
    ledger.redeem(f"request-{number}", "dc-budget", token_hash=f"token-{number}", now=now)


def remind(renewals: RenewalStore, at: datetime = SOON, **changes: Any) -> int:
    return renewals.record_due(**{"client_id": "dc-budget", "now": at, "before": BEFORE, **changes})


def reminded_of(database: LedgerTables) -> list[str]:
    """The consents, of which each has its event and its notice."""
    events = [row["consent_id"] for row in database.rows("events", kind="renewal_due")]
    notices = [row["consent_id"] for row in database["notices"] if row["type"] == "RENEWAL_DUE"]
    grants = [row["consent_id"] for row in database["grants"] if row["reminded_at"] is not None]
    assert sorted(events) == sorted(notices) == sorted(grants)
    return sorted(events)


def test_what_ends_soon_is_told_once_with_its_event(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables
) -> None:
    connect(ledger)
    assert remind(renewals) == 1
    assert [remind(renewals, SOON + days * DAY) for days in range(15)] == [0] * 15
    (notice,) = database["notices"]
    assert said(notice) == ("RENEWAL_DUE", "ACTIVE", "BUSINESS_RULE", "DATA_PROVIDER")
    assert (notice["client_id"], notice["provider_id"], notice["consent_id"], notice["correlation_id"]) == (
        "dc-budget",
        "1000",
        "consent-1",
        "correlation-1",
    )
    assert (notice["state"], notice["happened_at"], notice["next_try_at"]) == ("waiting", SOON, SOON)
    (event,) = database.rows("events", kind="renewal_due")
    assert (event["consent_id"], event["actor"], event["reason"], event["happened_at"]) == (
        "consent-1",
        "accord",
        "BUSINESS_RULE",
        SOON,
    )
    assert reminded_of(database) == ["consent-1"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [(SOON - INSTANT, 0), (SOON, 1), (NOON + YEAR - INSTANT, 1), (NOON + YEAR, 0), (NOON + 2 * YEAR, 0)],
)
def test_soon_is_so_long_before_the_end_and_not_after_it(
    ledger: Ledger, renewals: RenewalStore, at: datetime, expected: int
) -> None:
    connect(ledger)
    assert remind(renewals, at) == expected


def test_it_is_not_said_of_what_was_approved_as_lately(ledger: Ledger, renewals: RenewalStore) -> None:
    """A consent that lasts no longer than that is over before anything could be said."""
    connect(ledger)
    half = YEAR / 2 + DAY
    assert remind(renewals, NOON + half - INSTANT, before=half) == 0
    assert remind(renewals, NOON + half, before=half) == 1
    connect(ledger, 2)
    assert [remind(renewals, NOON + days * DAY, before=YEAR) for days in range(0, 400, 20)] == [0] * 20


def end(consent_id: str, actor: Actor = Actor.CUSTOMER) -> Callable[[Ledger], object]:
    return lambda ledger: ConnectionStore(ledger.database).withdraw(
        consent_id, None, actor=actor, now=SOON + DAY
    )


def renew(ledger: Ledger) -> None:
    approve(ledger, 2, subject="customer-1", decided_at=SOON + DAY)


def expire(ledger: Ledger) -> None:
    ConnectionStore(ledger.database).record_expired(now=NOON + YEAR)


ENDS: dict[str, Callable[[Ledger], object]] = {
    "stopped": end("consent-1"),
    "revoked": end("consent-1", Actor.CLIENT),
    "renewed": renew,
    "ran out": expire,
}


@pytest.mark.parametrize("how", ENDS)
def test_what_has_ended_or_was_renewed_is_not_told(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables, how: str
) -> None:
    connect(ledger)
    ENDS[how](ledger)
    assert [remind(renewals, SOON + days * DAY) for days in (2, 13)] == [0, 0]
    assert reminded_of(database) == []


@pytest.mark.parametrize("how", ENDS)
def test_the_end_overtakes_a_reminder_that_waits(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables, how: str
) -> None:
    connect(ledger)
    connect(ledger, 9)
    assert remind(renewals) == 2
    ENDS[how](ledger)
    states = {row["consent_id"]: row["state"] for row in database["notices"] if row["type"] == "RENEWAL_DUE"}
    assert states == {"consent-1": "overtaken", "consent-9": "overtaken" if how == "ran out" else "waiting"}


def test_what_was_not_redeemed_is_not_told(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables
) -> None:
    """The recipient does not know of it, and nothing is shared."""
    approve(ledger)
    assert remind(renewals) == 0
    assert reminded_of(database) == []


def test_who_has_not_asked_is_not_told(ledger: Ledger, database: LedgerTables) -> None:
    connect(ledger)
    assert (
        remind(
            RenewalStore(ledger.database, lambda client_id: frozenset(NoticeType) - {NoticeType.RENEWAL_DUE})
        )
        == 0
    )
    assert reminded_of(database) == []
    assert remind(RenewalStore(ledger.database, everything), client_id="dc-loans") == 0
    assert reminded_of(database) == []


def test_it_is_told_in_portions_what_ends_first_before_the_rest(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables
) -> None:
    for number in range(5):
        connect(ledger, number, decided_at=NOON - number * DAY)
    assert remind(renewals, most=2) == 2
    assert reminded_of(database) == ["consent-3", "consent-4"]
    assert [remind(renewals, most=2) for _ in range(3)] == [2, 1, 0]


def test_of_many_at_once_each_is_told_once(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables
) -> None:
    numbers = range(12)
    for number in numbers:
        connect(ledger, number)
    counts = all_at_once(*[partial(remind, renewals, most=5) for _ in range(6)])
    while count := remind(renewals):
        counts.append(count)
    assert sum(counts) == len(numbers)
    assert reminded_of(database) == sorted(f"consent-{number}" for number in numbers)


def test_of_a_reminder_and_an_end_at_once_none_is_left_waiting(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables
) -> None:
    numbers = range(8)
    for number in numbers:
        connect(ledger, number)
    stops = [partial(end(f"consent-{number}"), ledger) for number in numbers[::2]]
    newer = [
        partial(approve, ledger, 100 + number, subject=f"customer-{number}", decided_at=SOON + DAY)
        for number in numbers[1::2]
    ]
    all_at_once(partial(remind, renewals), *stops, *newer)
    reminders = [row["state"] for row in database["notices"] if row["type"] == "RENEWAL_DUE"]
    assert reminders == ["overtaken"] * len(reminded_of(database))


@pytest.mark.parametrize("missing", ["notices", "events"])
def test_without_its_notice_or_its_event_nobody_is_reminded(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables, missing: str
) -> None:
    connect(ledger)
    before = {table: database[table] for table in ("grants", "events", "notices")}
    with without_table(database.url, missing), pytest.raises(StoreUnavailable):
        remind(renewals)
    assert {table: database[table] for table in before} == before
    assert remind(renewals) == 1


REMINDED_OF = """
INSERT INTO grants (consent_id, request_id, client_id, provider_id, subject, granted_scope, correlation_id,
                    approved_at, expires_at, redeemed_at, reminded_at)
WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < 3000)
SELECT 'c-' || number, 'r-' || number, 'dc-budget', '1000', 's-' || number, 'ACCOUNT_BASIC', 'correlation',
       approved_at, expires_at, redeemed_at, redeemed_at FROM n JOIN grants
"""


def test_sqlite_takes_few_steps_however_many_were_reminded_of(ledger_url: str) -> None:
    """PostgreSQL's rows are counted in test_large_ledger.py."""
    second = timedelta(seconds=1)
    with closing(Ledger(ledger_url, timeout=second)) as ledger:
        connect(ledger)
    with create_engine(ledger_url, poolclass=NullPool).begin() as connection:
        connection.execute(text(REMINDED_OF))
    with counting_steps() as steps, closing(Ledger(ledger_url, timeout=second)) as ledger:
        assert remind(RenewalStore(ledger.database, everything)) == 1
    assert steps[0] < 3000, "one for each would be more"


# What is on record


def test_a_reminder_that_has_arrived_is_settled_and_no_evidence(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables
) -> None:
    for number in (1, 2):
        connect(ledger, number)
    remind(renewals)
    deliveries, polls = DeliveryStore(ledger.database), NoticeStore(ledger.database)
    (lease,) = deliveries.claim({"dc-budget": 1}, now=SOON)
    assert deliveries.settle(lease, Delivered(), now=SOON)
    (other,) = polls.unsettled_of("dc-budget", most=9)
    assert other.type is NoticeType.RENEWAL_DUE
    taken, _ = polls.settle("dc-budget", taken=[other.notice_id], refused={}, now=SOON)
    assert taken == [other]
    assert {row["state"] for row in database["notices"]} == {"delivered", "acknowledged"}
    assert database.rows("events", kind="notified") == []


@pytest.mark.parametrize("what", ["a reminder", "a narrowing"])
def test_what_was_given_up_cannot_be_taken_after_the_end_as_if_that_had_been_told(
    ledger: Ledger, renewals: RenewalStore, database: LedgerTables, what: str
) -> None:
    """It is not sent any more, but could be asked for: the end overtakes that, too."""
    connect(ledger)
    if what == "a reminder":
        remind(renewals)
    else:
        ConnectionStore(ledger.database).withdraw("consent-1", PART, actor=Actor.CUSTOMER, now=SOON)
    deliveries, polls = DeliveryStore(ledger.database), NoticeStore(ledger.database)
    (lease,) = deliveries.claim({"dc-budget": 1}, now=SOON)
    assert deliveries.settle(lease, GaveUp("timeout"), now=SOON)
    end("consent-1", Actor.CLIENT)(ledger)
    assert polls.unsettled_of("dc-budget", most=9) == []
    assert polls.settle("dc-budget", taken=[lease.notice.notice_id], refused={}, now=SOON + DAY) == ([], [])
    assert polls.retry("dc-budget", now=SOON + DAY) == 0
    assert [row["state"] for row in database["notices"]] == ["overtaken"]
    assert database.rows("events", kind="notified") == []


def test_it_says_when_the_database_does_not_answer(
    open_ledger: Callable[[str], Ledger], tmp_path: Any
) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path}/no-such-folder/x")
    with pytest.raises(StoreUnavailable):
        remind(RenewalStore(ledger.database, everything))
