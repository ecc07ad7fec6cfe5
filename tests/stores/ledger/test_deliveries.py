"""Notices are claimed by one process at a time, and each is settled once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.domain.history import Actor
from app.domain.notice_registration import NoticeType
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.deliveries import (
    PAUSED_AFTER,
    Became,
    Delivered,
    DeliveryStore,
    GaveUp,
    Lease,
    Postponed,
    Refused,
    TryAgain,
)
from app.stores.ledger.ledger import Ledger
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def deliveries(ledger: Ledger) -> DeliveryStore:
    return DeliveryStore(ledger.database)


def ids_of(leases: list[Lease]) -> set[str]:
    return {lease.notice.notice_id for lease in leases}


def states(database: LedgerTables) -> dict[str, str]:
    return {row["notice_id"]: row["state"] for row in database["notices"]}


def test_what_a_stop_wrote_is_claimed_and_delivered_once(
    ledger: Ledger, deliveries: DeliveryStore, database: LedgerTables
) -> None:
    ledger.record_decision(a_decision(), a_grant())
    ConnectionStore(ledger.database).withdraw("consent-1", None, actor=Actor.CUSTOMER, now=NOON)
    (lease,) = deliveries.claim({"dc-budget": 5}, now=NOON)
    assert (lease.attempts, lease.until) == (1, NOON + MINUTE)
    notice = lease.notice
    assert (notice.receiver, notice.provider_id, notice.consent_id) == ("dc-budget", "1000", "consent-1")
    assert (notice.type, notice.happened_at) == (NoticeType.CONSENT_REVOKED, NOON)
    assert deliveries.settle(lease, Delivered(), now=NOON + SECOND)
    assert not deliveries.settle(lease, Delivered(), now=NOON + SECOND)
    (row,) = database["notices"]
    assert (row["state"], row["attempts"], row["settled_at"]) == ("delivered", 1, NOON + SECOND)
    events = database.rows("events", kind="notified")
    assert [(one["consent_id"], one["actor"], one["detail"], one["correlation_id"]) for one in events] == [
        ("consent-1", "accord", "push CONSENT_REVOKED", "correlation-1")
    ]
    assert events[0]["happened_at"] == NOON + SECOND
    assert deliveries.claim({"dc-budget": 5}, now=NOON + DAY) == []


def test_nothing_is_claimed_twice_before_its_lease_is_over(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b")
    (first,) = deliveries.claim({"dc-budget": 1}, now=NOON)
    assert ids_of([first]) == {"a"}
    assert ids_of(deliveries.claim({"dc-budget": 5}, now=NOON + SECOND)) == {"b"}
    assert deliveries.claim({"dc-budget": 5}, now=first.until - timedelta.resolution) == []
    (again,) = deliveries.claim({"dc-budget": 1}, now=first.until)
    assert (ids_of([again]), again.attempts) == ({"a"}, 2)
    assert not deliveries.settle(first, TryAgain("late", NOON + DAY), now=again.until), (
        "it is another's by now"
    )
    assert deliveries.settle(again, Delivered(), now=again.until)


def test_only_what_is_due_of_the_clients_that_are_named_is_claimed(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a1", "a2", "a3", client_id="a")
    put_notices(database, "b1", "b2", client_id="b")
    put_notices(database, "b3", client_id="b", happened_at=NOON + DAY)
    put_notices(database, "c1", client_id="c")
    assert deliveries.claim({}, now=NOON + SECOND) == []
    assert deliveries.claim({"c": 0, "nobody": 3}, now=NOON + SECOND) == []
    claimed = deliveries.claim({"b": 9, "a": 2}, now=NOON + SECOND)
    assert ids_of(claimed) == {"a1", "a2", "b1", "b2"}
    deliveries.release(claimed)
    assert ids_of(deliveries.claim({"a": 9, "b": 9}, now=NOON + SECOND, limit=4)) == {"a1", "a2", "a3", "b1"}


def test_what_is_released_is_due_at_once_and_was_not_tried(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b")
    claimed = deliveries.claim({"dc-budget": 5}, now=NOON + SECOND)
    deliveries.release(claimed)
    again = deliveries.claim({"dc-budget": 5}, now=NOON + SECOND)
    assert [lease.attempts for lease in again] == [1, 1]
    deliveries.settle(again[0], Delivered(), now=NOON + SECOND)
    deliveries.release(again)
    assert sorted(row["attempts"] for row in database["notices"]) == [0, 1]


@pytest.mark.parametrize(
    ("became", "state", "outcome", "is_settled"),
    [
        (Delivered(), "delivered", "2xx", True),
        (Refused("invalid_audience"), "dead", "invalid_audience", True),
        (TryAgain("timeout", NOON + DAY), "waiting", "timeout", False),
        (GaveUp("503"), "dead", "503", False),
        (TryAgain("x" * 99, NOON + DAY), "waiting", "x" * 64, False),
        (Postponed("no_slot", NOON + DAY), "waiting", "no_slot", False),
    ],
    ids=["delivered", "refused", "try again", "gave up", "a long outcome", "postponed"],
)
def test_what_became_of_a_try_is_on_record(
    deliveries: DeliveryStore,
    database: LedgerTables,
    became: Became,
    state: str,
    outcome: str,
    is_settled: bool,
) -> None:
    put_notices(database, "a")
    (lease,) = deliveries.claim({"dc-budget": 1}, now=NOON)
    assert deliveries.settle(lease, became, now=NOON + SECOND)
    (row,) = database["notices"]
    assert (row["state"], row["last_outcome"], row["settled_at"] is not None) == (state, outcome, is_settled)
    assert len(database.rows("events", kind="notified")) == (1 if isinstance(became, Delivered) else 0)
    assert deliveries.claim({"dc-budget": 1}, now=NOON + DAY - SECOND) == []
    due = deliveries.claim({"dc-budget": 1}, now=NOON + DAY)
    attempts = 1 if isinstance(became, Postponed) else 2
    assert [lease.attempts for lease in due] == ([attempts] if state == "waiting" else [])


def test_what_was_overtaken_while_it_was_sent_is_not_settled(
    ledger: Ledger, deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a")
    (lease,) = deliveries.claim({"dc-budget": 1}, now=NOON)
    database.change("notices", state="overtaken", settled_at=NOON)
    assert not deliveries.settle(lease, Delivered(), now=NOON + SECOND)
    assert states(database) == {"a": "overtaken"}
    assert database["events"] == []


def fail(deliveries: DeliveryStore, times: int) -> list[int]:
    return [deliveries.endpoint_failed("dc-budget", now=NOON, pause=MINUTE) for _ in range(times)]


def test_a_client_that_fails_ten_times_running_is_paused_and_then_tried_with_one(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b", "c")
    put_notices(database, "other", client_id="other")
    assert fail(deliveries, PAUSED_AFTER - 1) == list(range(1, PAUSED_AFTER))
    assert len(deliveries.claim({"dc-budget": 1}, now=NOON)) == 1, "not yet"
    assert fail(deliveries, 1) == [PAUSED_AFTER]
    capacity = {"dc-budget": 5, "other": 5}
    assert ids_of(deliveries.claim(capacity, now=NOON + MINUTE - SECOND)) == {"other"}
    (probe,) = deliveries.claim(capacity, now=NOON + MINUTE)
    assert deliveries.claim(capacity, now=NOON + MINUTE + SECOND) == [], "one probe, whoever asks"
    assert deliveries.settle(probe, TryAgain("timeout", NOON + DAY), now=NOON + MINUTE)
    assert fail(deliveries, 1) == [PAUSED_AFTER + 1]
    (probe,) = deliveries.claim({"dc-budget": 5}, now=NOON + 3 * MINUTE)
    assert deliveries.settle(probe, Delivered(), now=NOON + 3 * MINUTE)
    assert database["notice_endpoints"] == []
    assert fail(deliveries, 1) == [1]


def test_who_has_asked_for_time_is_sent_nothing_until_then_however_often_it_has_failed(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b")
    waits = {"pause": MINUTE, "wait": 10 * MINUTE}
    assert fail(deliveries, 1) == [1]
    assert deliveries.endpoint_failed("dc-budget", now=NOON, **waits) == 2
    assert fail(deliveries, 1) == [3], "at the same time"
    assert deliveries.endpoint_failed("dc-budget", now=NOON, pause=MINUTE, wait=5 * MINUTE) == 4
    assert deliveries.claim({"dc-budget": 5}, now=NOON + 10 * MINUTE - SECOND) == []
    (probe,) = deliveries.claim({"dc-budget": 5}, now=NOON + 10 * MINUTE)
    assert deliveries.settle(probe, Delivered(), now=NOON + 10 * MINUTE)
    assert database["notice_endpoints"] == []


def test_a_notice_that_is_taken_at_the_same_time_ends_no_pause_that_was_asked_for(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b", "c")
    refused_for_now, taken = deliveries.claim({"dc-budget": 2}, now=NOON + SECOND)
    later = NOON + 10 * MINUTE
    assert deliveries.settle(refused_for_now, TryAgain("429", later), now=NOON + SECOND)
    assert deliveries.endpoint_failed("dc-budget", now=NOON, pause=MINUTE, wait=10 * MINUTE) == 1
    assert deliveries.settle(taken, Delivered(), now=NOON + 2 * SECOND)
    assert deliveries.claim({"dc-budget": 5}, now=later - SECOND) == []
    assert len(deliveries.claim({"dc-budget": 5}, now=later)) == 1


def test_a_failure_without_such_a_wish_pauses_nobody(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b")
    deliveries.endpoint_failed("dc-budget", now=NOON, pause=MINUTE, wait=MINUTE)
    deliveries.endpoint_failed("dc-budget", now=NOON + MINUTE, pause=MINUTE)
    assert [row["paused_until"] for row in database["notice_endpoints"]] == [None]
    assert len(deliveries.claim({"dc-budget": 5}, now=NOON + MINUTE)) == 2


def test_what_is_old_is_given_up_of_the_receiver_that_is_named(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "old", "older", happened_at=NOON - DAY)
    put_notices(database, "settled", happened_at=NOON - DAY, state="delivered", settled_at=NOON)
    put_notices(database, "leased", happened_at=NOON - DAY, leased_until=NOON + SECOND)
    put_notices(database, "new")
    put_notices(database, "other", client_id="other", happened_at=NOON - DAY)
    given_up = deliveries.give_up_older("dc-budget", NOON - SECOND, "x" * 99, now=NOON)
    assert {notice.notice_id for notice in given_up} == {"old", "older"}
    assert {row["notice_id"] for row in database.rows("notices", state="dead")} == {"old", "older"}
    assert {(row["last_outcome"], row["settled_at"]) for row in database.rows("notices", state="dead")} == {
        ("x" * 64, None)
    }
    assert deliveries.give_up_older("dc-budget", NOON - SECOND, "timeout", now=NOON) == []


def test_a_pause_that_is_over_ends_with_the_first_notice_that_is_due(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    """Whoever asked for a probe before there was one has cost nothing."""
    put_notices(database, "a", next_try_at=NOON + 5 * MINUTE)
    fail(deliveries, PAUSED_AFTER)
    assert deliveries.claim({"dc-budget": 5}, now=NOON + 5 * MINUTE - SECOND) == []
    assert ids_of(deliveries.claim({"dc-budget": 5}, now=NOON + 5 * MINUTE)) == {"a"}


def test_a_client_is_paused_again_after_a_probe_whose_process_died(
    deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b")
    fail(deliveries, PAUSED_AFTER)
    (probe,) = deliveries.claim({"dc-budget": 5}, now=NOON + MINUTE)
    assert len(deliveries.claim({"dc-budget": 5}, now=probe.until)) == 1


def test_a_client_that_is_disabled_gets_nothing_until_it_is_enabled(
    ledger: Ledger, deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a")
    (lease,) = deliveries.claim({"dc-budget": 1}, now=NOON)
    deliveries.disable_endpoint("dc-budget", "410", now=NOON)
    deliveries.release([lease])
    fail(deliveries, 1)
    assert deliveries.claim({"dc-budget": 5}, now=NOON + DAY) == []
    (row,) = database["notice_endpoints"]
    assert (row["disabled_at"], row["disabled_why"], row["failures"]) == (NOON, "410", 1)


def test_of_many_claims_at_once_each_notice_is_settled_by_one(ledger: Ledger, database: LedgerTables) -> None:
    """Four threads, ten thousand notices of five clients."""
    clients = [f"client-{number}" for number in range(5)]
    for client_id in clients:
        put_notices(database, *(f"{client_id}-{number}" for number in range(2000)), client_id=client_id)

    def work(place: int) -> list[str]:
        store, done = DeliveryStore(ledger.database), []
        order = clients[place:] + clients[:place]
        while leases := store.claim(dict.fromkeys(order, 250), now=NOON + SECOND, limit=1000):
            done += [lease.notice.notice_id for lease in leases]
            assert store.settle(leases[0], Delivered(), now=NOON + SECOND)
            assert not store.settle(leases[0], Delivered(), now=NOON + SECOND)
        return done

    with ThreadPoolExecutor(4) as pool:
        claimed = [notice_id for done in pool.map(work, range(4)) for notice_id in done]
    assert len(claimed) == len(set(claimed)) == 10_000
