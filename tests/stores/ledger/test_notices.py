"""What a recipient asks for it gets until it has said that it has it, and nothing of anybody else's."""

from datetime import timedelta

import pytest

from app.domain.consent import GrantStatus
from app.domain.notice_registration import NoticeType
from app.domain.notices import News
from app.stores.ledger.deliveries import Delivered, DeliveryStore, GaveUp, Refused, TryAgain
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.notices import NoticeStore, Waiting
from tests.support.builders import NOON
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def store(ledger: Ledger) -> NoticeStore:
    return NoticeStore(ledger.database)


@pytest.fixture
def deliveries(ledger: Ledger) -> DeliveryStore:
    return DeliveryStore(ledger.database)


def ids_of(store: NoticeStore, client_id: str = "dc-budget", most: int = 100) -> list[str]:
    return [notice.notice_id for notice in store.unsettled_of(client_id, most=most)]


def take(store: NoticeStore, *ids: str, client_id: str = "dc-budget") -> list[str]:
    taken, _ = store.settle(client_id, taken=ids, refused={}, now=NOON + SECOND)
    return sorted(notice.notice_id for notice in taken)


def test_what_is_asked_for_comes_in_the_order_in_which_it_happened(
    store: NoticeStore, database: LedgerTables
) -> None:
    put_notices(database, "late", happened_at=NOON + DAY)
    put_notices(database, "b", "a")
    assert ids_of(store) == ["b", "a", "late"]
    assert ids_of(store, most=1) == ["b"]
    assert ids_of(store, most=0) == []
    (notice,) = store.unsettled_of("dc-budget", most=1)
    assert notice.news == News(NoticeType.CONSENT_REVOKED, GrantStatus.REVOKED, "USER_ACTION", "INDIVIDUAL")
    assert (notice.provider_id, notice.consent_id) == ("1000", "consent-of-b")
    assert (notice.correlation_id, notice.happened_at) == ("correlation-of-b", NOON)


def test_what_is_acknowledged_is_settled_once_and_an_event_of_its_consent(
    store: NoticeStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b", "c")
    assert take(store, "a", "b", "unknown") == ["a", "b"]
    assert take(store, "a", "b", "a\0b") == []
    assert ids_of(store) == ["c"]
    told = database.rows("events", kind="notified")
    assert sorted((row["consent_id"], row["actor"], row["detail"]) for row in told) == [
        ("consent-of-a", "accord", "poll CONSENT_REVOKED"),
        ("consent-of-b", "accord", "poll CONSENT_REVOKED"),
    ]
    assert {row["happened_at"] for row in told} == {NOON + SECOND}


def test_nobody_sees_or_settles_what_is_another_recipients(
    store: NoticeStore, database: LedgerTables
) -> None:
    put_notices(database, "a", client_id="dc-loans")
    assert ids_of(store) == []
    assert take(store, "a") == []
    assert store.settle("dc-budget", taken=(), refused={"a": "invalid_key"}, now=NOON) == ([], [])
    assert ids_of(store, "dc-loans") == ["a"]
    assert database["events"] == []


def test_what_is_refused_is_dead_and_neither_given_nor_sent_again(
    store: NoticeStore, deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b")
    taken, refused = store.settle("dc-budget", taken=["b"], refused={"a": "invalid_key", "x": "y"}, now=NOON)
    assert [notice.notice_id for notice in taken] == ["b"]
    assert [notice.notice_id for notice in refused] == ["a"]
    assert database["notices"][0]["last_outcome"] == "invalid_key"
    assert ids_of(store) == []
    assert deliveries.claim({"dc-budget": 9}, now=NOON + DAY) == []


def test_what_was_sent_need_not_be_asked_for_and_the_other_way_round(
    store: NoticeStore, deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "pushed", "polled", "refused", "given up")
    leases = {
        lease.notice.notice_id: lease for lease in deliveries.claim({"dc-budget": 9}, now=NOON + SECOND)
    }
    assert len(ids_of(store)) == 4, "also while it is sent"
    assert deliveries.settle(leases["pushed"], Delivered(), now=NOON + SECOND)
    assert deliveries.settle(leases["refused"], Refused("jwtAud"), now=NOON + SECOND)
    assert deliveries.settle(leases["given up"], GaveUp("timeout"), now=NOON + SECOND)
    assert ids_of(store) == ["polled", "given up"]
    assert take(store, "pushed", "polled", "given up") == ["given up", "polled"]
    assert not deliveries.settle(leases["polled"], Delivered(), now=NOON + SECOND)
    methods = sorted(row["detail"].partition(" ")[0] for row in database["events"])
    assert methods == ["poll", "poll", "push"]


def test_what_waits_is_counted_of_those_that_are_sent_it(store: NoticeStore, database: LedgerTables) -> None:
    put_notices(database, "a", "b", happened_at=NOON + DAY)
    put_notices(database, "c", client_id="dc-loans", happened_at=NOON + 2 * DAY)
    put_notices(database, "d", client_id="polls")
    take(store, "b")
    assert store.waiting(["dc-budget", "dc-loans", "nobody"]) == Waiting(2, NOON + DAY)
    assert store.waiting([]) == Waiting(0, None)


def test_an_operator_sees_what_there_is_and_what_is_wrong(
    store: NoticeStore, deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b")
    take(store, "a")
    deliveries.disable_endpoint("dc-loans", "410", now=NOON)
    assert store.receivers() == ["dc-budget", "dc-loans"]
    counts = store.counts_of("dc-budget")
    assert counts.by_state == {"acknowledged": 1, "waiting": 1}
    assert counts.oldest_unsettled_at == NOON + timedelta.resolution
    assert counts.endpoint is None
    disabled = store.counts_of("dc-loans")
    assert (disabled.by_state, disabled.oldest_unsettled_at) == ({}, None)
    assert disabled.endpoint is not None
    assert (disabled.endpoint.disabled_at, disabled.endpoint.disabled_why) == (NOON, "410")


def test_a_retry_makes_due_what_was_not_taken_and_an_enabled_recipient_gets_it(
    store: NoticeStore, deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "due", "later", "refused", "given up", "delivered", "in flight", "foreign")
    capacity = {"dc-budget": 9}
    leases = {lease.notice.notice_id: lease for lease in deliveries.claim(capacity, now=NOON + SECOND)}
    deliveries.release([leases["due"]])
    deliveries.settle(leases["refused"], Refused("jwtAud"), now=NOON + SECOND)
    deliveries.settle(leases["given up"], GaveUp("timeout"), now=NOON + SECOND)
    deliveries.settle(leases["delivered"], Delivered(), now=NOON + SECOND)
    deliveries.disable_endpoint("dc-budget", "410", now=NOON)
    deliveries.release([leases["later"], leases["foreign"]])
    assert store.retry("dc-loans", now=NOON + 2 * SECOND) == 0
    assert store.retry("dc-budget", now=NOON + 2 * SECOND) == 2
    assert deliveries.claim(capacity, now=NOON + 2 * SECOND) == []
    assert store.enable("dc-budget", now=NOON + 2 * SECOND)
    assert not store.enable("dc-budget", now=NOON + 2 * SECOND)
    claimed = deliveries.claim(capacity, now=NOON + 2 * SECOND)
    assert {lease.notice.notice_id for lease in claimed} == {"due", "later", "foreign", "refused", "given up"}
    assert {lease.attempts for lease in claimed} == {1}


def test_who_is_enabled_gets_what_its_failures_have_put_off(
    store: NoticeStore, deliveries: DeliveryStore, database: LedgerTables
) -> None:
    put_notices(database, "gone", "in flight", "given up")
    put_notices(database, "other", client_id="other", next_try_at=NOON + DAY)
    capacity = {"dc-budget": 9, "other": 9}
    leases = {lease.notice.notice_id: lease for lease in deliveries.claim(capacity, now=NOON + SECOND)}
    deliveries.settle(leases["gone"], TryAgain("410", NOON + DAY), now=NOON + SECOND)
    deliveries.settle(leases["given up"], GaveUp("410"), now=NOON + SECOND)
    assert not store.enable("dc-budget", now=NOON + 2 * SECOND), "it has not failed"
    deliveries.disable_endpoint("dc-budget", "410", now=NOON)
    assert store.enable("dc-budget", now=NOON + 2 * SECOND)
    (again,) = deliveries.claim(capacity, now=NOON + 2 * SECOND)
    assert (again.notice.notice_id, again.attempts) == ("gone", 2)
    assert deliveries.settle(leases["in flight"], Delivered(), now=NOON + 2 * SECOND)


def test_old_notices_go_and_what_they_left_on_record_stays(
    store: NoticeStore, database: LedgerTables
) -> None:
    put_notices(database, "a", "b", happened_at=NOON - DAY)
    put_notices(database, "c")
    take(store, "a", "c")
    assert store.count_older(NOON) == 2
    assert store.forget_older(NOON) == 2
    assert store.forget_older(NOON) == store.count_older(NOON) == 0
    assert [row["notice_id"] for row in database["notices"]] == ["c"]
    assert len(database["events"]) == 2
