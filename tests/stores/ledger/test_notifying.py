"""Who ends or narrows a consent writes a notice in the same transaction: of each event the one that belongs to it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from app.domain.clusters import DataCluster
from app.domain.consent import Answer
from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from app.domain.notice_registration import FOR_RECIPIENTS, NoticeType, bank_of
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.notices import NoticeStore
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import BASIC, NOON, YEAR, a_decision, a_grant
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices
from tests.support.waiting import wait_until

HOUR = timedelta(hours=1)
BOTH = BASIC | {DataCluster.TRANSACTIONS}
PART = Withdrawn(frozenset({DataCluster.TRANSACTIONS}))
BY = {"operator": "operator-7", "note": "asked by telephone"}


def everything(receiver: str) -> frozenset[NoticeType]:
    """What recipients can ask for; no bank asks."""
    return FOR_RECIPIENTS if bank_of(receiver) is None else frozenset()


def approve(ledger: Ledger, number: int = 1, **changes: Any) -> None:
    ids = {"consent_id": f"consent-{number}", "request_id": f"request-{number}"}
    scope = {"granted_scope": BOTH, "correlation_id": f"correlation-{number}"}
    decision = a_decision(**ids, **scope, **{"decided_at": NOON, **changes})
    ledger.record_decision(
        decision,
        a_grant(
            **ids,
            **scope,
            subject=decision.subject,
            approved_at=decision.decided_at,
            expires_at=decision.decided_at + YEAR,
        ),
    )


def replay(ledger: Ledger) -> None:
    for token_hash in ("first", "second"):
        ledger.redeem("request-1", "dc-budget", token_hash=token_hash, now=NOON + HOUR)


def withdraw(actor: Actor, part: Withdrawn | None = None) -> Callable[[Ledger], object]:
    return lambda ledger: ConnectionStore(ledger.database).withdraw(
        "consent-1", part, actor=actor, now=NOON + HOUR
    )


ENDS: dict[str, tuple[Callable[[Ledger], object], tuple[str, ...]]] = {
    "withdrawn by the customer": (
        withdraw(Actor.CUSTOMER),
        ("CONSENT_REVOKED", "REVOKED", "USER_ACTION", "INDIVIDUAL"),
    ),
    "narrowed by the customer": (
        withdraw(Actor.CUSTOMER, PART),
        ("CONSENT_UPDATED", "ACTIVE", "USER_ACTION", "INDIVIDUAL"),
    ),
    "withdrawn by an operator": (
        lambda ledger: ConnectionStore(ledger.database).end_all(["consent-1"], **BY, now=NOON + HOUR),
        ("CONSENT_REVOKED", "REVOKED", "BUSINESS_RULE", "DATA_PROVIDER"),
    ),
    "narrowed by an operator": (
        withdraw(Actor.OPERATOR, PART),
        ("CONSENT_UPDATED", "ACTIVE", "BUSINESS_RULE", "DATA_PROVIDER"),
    ),
    "replayed": (replay, ("CONSENT_REVOKED", "REVOKED", "SECURITY_EVENT", "DATA_PROVIDER")),
    "superseded": (
        lambda ledger: approve(ledger, 2, decided_at=NOON + HOUR),
        ("CONSENT_REVOKED", "REVOKED", "OTHER", "INDIVIDUAL"),
    ),
}
RUN_OUT: dict[str, Callable[[ConnectionStore], object]] = {
    "recorded": lambda store: store.record_expired(now=NOON + YEAR),
    "withdrawn too late": lambda store: store.withdraw(
        "consent-1", None, actor=Actor.CUSTOMER, now=NOON + YEAR
    ),
    "narrowed too late": lambda store: store.withdraw(
        "consent-1", PART, actor=Actor.CUSTOMER, now=NOON + YEAR
    ),
    "ended too late": lambda store: store.end_all(["consent-1"], **BY, now=NOON + YEAR),
}


def said(notice: dict[str, Any]) -> tuple[str, ...]:
    return tuple(notice[name] for name in ("type", "status", "reason", "initiator"))


@pytest.mark.parametrize("end", ENDS)
def test_an_end_and_a_narrowing_have_their_notice(ledger: Ledger, database: LedgerTables, end: str) -> None:
    approve(ledger)
    assert database["notices"] == []
    happens, expected = ENDS[end]
    happens(ledger)
    (notice,) = database["notices"]
    assert said(notice) == expected
    assert (notice["client_id"], notice["provider_id"], notice["consent_id"], notice["correlation_id"]) == (
        "dc-budget",
        "1000",
        "consent-1",
        "correlation-1",
    )
    assert notice["happened_at"] == notice["next_try_at"] == NOON + HOUR
    assert (notice["state"], notice["attempts"], notice["settled_at"]) == ("waiting", 0, None)
    happens(ledger)
    assert len([row for row in database["notices"] if row["consent_id"] == "consent-1"]) == 1, "once"


@pytest.mark.parametrize("end", RUN_OUT)
def test_that_a_consent_ran_out_is_said_where_it_was_asked_for(
    ledger: Ledger, database: LedgerTables, end: str
) -> None:
    approve(ledger)
    RUN_OUT[end](ConnectionStore(ledger.database, asked=everything))
    (notice,) = database["notices"]
    assert said(notice) == ("CONSENT_EXPIRED", "EXPIRED", "BUSINESS_RULE", "DATA_PROVIDER")
    assert notice["happened_at"] == NOON + YEAR


@pytest.mark.parametrize("end", RUN_OUT)
def test_that_a_consent_ran_out_is_not_said_to_others(
    ledger: Ledger, database: LedgerTables, end: str
) -> None:
    approve(ledger)
    RUN_OUT[end](ConnectionStore(ledger.database))
    assert database.events()[-1] == ("consent-1", "expired")
    assert database["notices"] == []


def test_a_new_approval_after_the_end_says_that_the_one_before_ran_out(database: LedgerTables) -> None:
    ledger = Ledger(database.url, timeout=timedelta(seconds=2), asked=everything)
    approve(ledger)
    approve(ledger, 2, decided_at=NOON + 2 * YEAR)
    ledger.close()
    assert [(row["consent_id"], row["type"]) for row in database["notices"]] == [
        ("consent-1", "CONSENT_EXPIRED")
    ]


def test_the_recipient_is_not_told_of_what_it_did_or_learns_otherwise(
    ledger: Ledger, database: LedgerTables
) -> None:
    approve(ledger)
    denial = {
        "consent_id": "consent-9",
        "request_id": "request-9",
        "answer": Answer.DENY,
        "granted_scope": frozenset(),
    }
    ledger.record_decision(a_decision(**denial), None)
    ledger.redeem("request-1", "dc-budget", token_hash="first", now=NOON)
    ledger.record_refresh("first", "consent-1", now=NOON + HOUR)
    withdraw(Actor.CLIENT)(ledger)
    assert database.events()[-1] == ("consent-1", "revoked")
    assert database["notices"] == []


def test_an_event_that_a_recipient_has_not_asked_for_has_no_notice(
    ledger: Ledger, database: LedgerTables
) -> None:
    approve(ledger)
    store = ConnectionStore(
        ledger.database, asked=lambda receiver: everything(receiver) & {NoticeType.CONSENT_REVOKED}
    )
    store.withdraw("consent-1", PART, actor=Actor.CUSTOMER, now=NOON)
    assert database["notices"] == []
    store.withdraw("consent-1", None, actor=Actor.CUSTOMER, now=NOON)
    assert [row["type"] for row in database["notices"]] == ["CONSENT_REVOKED"]


@pytest.mark.parametrize("actor", [Actor.CUSTOMER, Actor.CLIENT])
def test_the_end_overtakes_what_was_still_to_be_said(
    ledger: Ledger, database: LedgerTables, actor: Actor
) -> None:
    """Whoever ends it. What is said of other consents stays."""
    approve(ledger)
    approve(ledger, 2, subject="another")
    store = ConnectionStore(ledger.database)
    for consent_id in ("consent-1", "consent-2"):
        store.withdraw(consent_id, PART, actor=Actor.CUSTOMER, now=NOON)
    store.withdraw("consent-1", None, actor=actor, now=NOON + HOUR)
    states = {(row["consent_id"], row["type"]): row["state"] for row in database["notices"]}
    assert states.pop(("consent-1", "CONSENT_UPDATED")) == "overtaken"
    assert states.pop(("consent-2", "CONSENT_UPDATED")) == "waiting"
    assert states == ({("consent-1", "CONSENT_REVOKED"): "waiting"} if actor is Actor.CUSTOMER else {})


def test_a_refused_update_is_not_sent_again_once_the_consent_has_ended(
    ledger: Ledger, database: LedgerTables
) -> None:
    """Whoever took it then would be on record as told, after the end, and would not know of the end."""
    store = NoticeStore(ledger.database)

    def refuse() -> list[str]:
        refused = {notice.notice_id: "jwtAud" for notice in store.unsettled_of("dc-budget", most=9)}
        _, rejected = store.settle("dc-budget", taken=(), refused=refused, now=NOON + HOUR)
        return [notice.type for notice in rejected]

    approve(ledger)
    withdraw(Actor.CUSTOMER, PART)(ledger)
    assert refuse() == ["CONSENT_UPDATED"]
    assert store.retry("dc-budget", now=NOON + HOUR) == 1, "while the consent stands"
    assert refuse() == ["CONSENT_UPDATED"]
    withdraw(Actor.CUSTOMER)(ledger)
    assert store.retry("dc-budget", now=NOON + HOUR) == 0
    assert refuse() == ["CONSENT_REVOKED"]
    assert store.retry("dc-budget", now=NOON + HOUR) == 1, "the end itself is news"
    assert refuse() == ["CONSENT_REVOKED"]


def test_a_stop_and_a_poll_that_settles_updates_of_the_same_consent_do_not_wait_for_each_other(
    postgres_ledger: LedgerTables,
) -> None:
    """Both lock several notices. They come one after the other, whatever a third holds meanwhile."""
    postgres_ledger.clear()
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    engine = create_engine(postgres_ledger.url, poolclass=NullPool)
    with (
        closing(Ledger(postgres_ledger.url, timeout=timedelta(seconds=10))) as ledger,
        ThreadPoolExecutor(2) as pool,
        engine.execution_options(isolation_level="AUTOCOMMIT").connect() as watching,
    ):
        approve(ledger)
        update: dict[str, Any] = {"type": "CONSENT_UPDATED", "status": "ACTIVE", "consent_id": "consent-1"}
        put_notices(postgres_ledger, "a", "b", **update)

        def wait_for(many: int) -> None:
            wait_until(lambda: watching.execute(waiting).scalar() == many)

        with engine.begin() as third:
            third.execute(text("SELECT 1 FROM notices WHERE notice_id = 'a' FOR UPDATE"))
            stop = pool.submit(withdraw(Actor.CUSTOMER), ledger)
            wait_for(1)
            settle = NoticeStore(ledger.database).settle
            poll = pool.submit(settle, "dc-budget", taken=["b"], refused={"a": "jwtAud"}, now=NOON)
            wait_for(2)
        assert stop.result() is not None
        assert poll.result() == ([], []), "the end has overtaken both"


@pytest.mark.parametrize("missing", ["notices", "events"])
@pytest.mark.parametrize("end", ENDS)
def test_without_its_notice_or_its_event_nothing_happens(
    ledger: Ledger, database: LedgerTables, end: str, missing: str
) -> None:
    """All of it is one transaction."""
    approve(ledger)
    if end == "replayed":
        ledger.redeem("request-1", "dc-budget", token_hash="zeroth", now=NOON)
    before = {
        table: database[table] for table in ("decisions", "grants", "events", "notices", "refresh_tokens")
    }
    with without_table(database.url, missing), pytest.raises(StoreUnavailable):
        ENDS[end][0](ledger)
    assert {table: database[table] for table in before} == before


@contextmanager
def without_table(url: str, table: str) -> Iterator[None]:
    rename(url, table, "put_away")
    try:
        yield
    finally:
        rename(url, "put_away", table)


def rename(url: str, table: str, name: str) -> None:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))


def test_many_ends_of_one_operator_have_a_notice_each(ledger: Ledger, database: LedgerTables) -> None:
    numbers = range(1, 121)
    for number in numbers:
        approve(ledger, number, subject=f"customer-{number}")
    store = ConnectionStore(ledger.database)
    store.withdraw("consent-7", PART, actor=Actor.CUSTOMER, now=NOON)
    ended = store.end_all([f"consent-{number}" for number in numbers], **BY, now=NOON + HOUR)
    assert len(ended) == len(numbers)
    waiting = [row for row in database["notices"] if row["state"] == "waiting"]
    assert {row["consent_id"] for row in waiting} == {f"consent-{number}" for number in numbers}
    assert len(waiting) == len({row["notice_id"] for row in waiting}) == len(numbers)
    assert [kind for _, kind in database.events()].count("withdrawn") == len(numbers)
    assert [row["consent_id"] for row in database["notices"] if row["state"] == "overtaken"] == ["consent-7"]
