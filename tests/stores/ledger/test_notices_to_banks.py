"""A bank that asks for it is told what becomes of its customers' consents, in the same transaction, and apart from
what recipients are told.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from app.domain.agreement import make_agreement
from app.domain.clusters import DataCluster
from app.domain.consent import Answer, ShownConsent
from app.domain.evidence import Screen
from app.domain.history import Actor, Reason
from app.domain.language import Language
from app.domain.narrowing import Withdrawn
from app.domain.notice_registration import (
    ASKED_BY_DEFAULT,
    FOR_BANKS,
    EventsAsked,
    NoticeType,
    bank_of,
    receiver_of_bank,
)
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.deliveries import PAUSED_AFTER, Delivered, DeliveryStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.notices import NoticeStore
from app.stores.unavailable import StoreUnavailable
from tests.stores.ledger.test_notifying import without_table
from tests.stores.work import statements_sent
from tests.support.builders import (
    BASIC,
    NOON,
    YEAR,
    a_client,
    a_decision,
    a_grant,
    a_provider,
    an_account,
    chosen,
)
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices

HOUR = timedelta(hours=1)
BOTH = BASIC | {DataCluster.TRANSACTIONS}
PART = Withdrawn(frozenset({DataCluster.TRANSACTIONS}))
BY = {"operator": "operator-7", "note": "asked by telephone"}
BANK = receiver_of_bank("1000")
GRANTED = ("CONSENT_GRANTED", "ACTIVE", "USER_ACTION", "INDIVIDUAL")


@dataclass
class Consents:
    """A ledger, and the consents in it."""

    ledger: Ledger
    store: ConnectionStore

    def approve(self, number: int = 1, **changes: Any) -> None:
        ids = {"consent_id": f"consent-{number}", "request_id": f"request-{number}"}
        scope = {"granted_scope": BOTH, "correlation_id": f"correlation-{number}"}
        decision = a_decision(**ids, **scope, **{"decided_at": NOON, **changes})
        at = decision.decided_at
        grant = a_grant(
            **ids, **scope, subject=decision.subject, approved_at=at, expires_at=decision.decided_at + YEAR
        )
        self.ledger.record_decision(decision, grant)

    def withdraw(self, actor: Actor, part: Withdrawn | None = None, **more: Any) -> None:
        self.store.withdraw("consent-1", part, actor=actor, now=NOON + HOUR, **more)

    def replay(self) -> None:
        for token_hash in ("first", "second"):
            self.ledger.redeem("request-1", "dc-budget", token_hash=token_hash, now=NOON + HOUR)


def told_too(receiver: str) -> frozenset[NoticeType]:
    """The bank asks for all that it can, recipients for nothing in particular."""
    return ASKED_BY_DEFAULT if bank_of(receiver) is None else FOR_BANKS


@contextmanager
def consents_in(database: LedgerTables, asked: EventsAsked = told_too) -> Iterator[Consents]:
    with closing(Ledger(database.url, timeout=timedelta(seconds=2), asked=asked)) as ledger:
        yield Consents(ledger, ConnectionStore(ledger.database, asked))


@pytest.fixture
def consents(database: LedgerTables) -> Iterator[Consents]:
    with consents_in(database) as made:
        yield made


def told_to(database: LedgerTables, receiver: str) -> list[tuple[str, ...]]:
    """What the notices to a receiver say, in the order in which it happened."""
    rows = sorted(database.rows("notices", client_id=receiver), key=lambda row: row["happened_at"])
    return [tuple(row[name] for name in ("type", "status", "reason", "initiator")) for row in rows]


SAME: dict[str, tuple[Callable[[Consents], object], tuple[str, ...]]] = {
    "withdrawn by the customer": (
        lambda consents: consents.withdraw(Actor.CUSTOMER),
        ("CONSENT_REVOKED", "REVOKED", "USER_ACTION", "INDIVIDUAL"),
    ),
    "narrowed by the customer": (
        lambda consents: consents.withdraw(Actor.CUSTOMER, PART),
        ("CONSENT_UPDATED", "ACTIVE", "USER_ACTION", "INDIVIDUAL"),
    ),
    "withdrawn by an operator": (
        lambda consents: consents.store.end_all(["consent-1"], **BY, now=NOON + HOUR),
        ("CONSENT_REVOKED", "REVOKED", "BUSINESS_RULE", "DATA_PROVIDER"),
    ),
    "narrowed by an operator": (
        lambda consents: consents.withdraw(Actor.OPERATOR, PART),
        ("CONSENT_UPDATED", "ACTIVE", "BUSINESS_RULE", "DATA_PROVIDER"),
    ),
    "replayed": (Consents.replay, ("CONSENT_REVOKED", "REVOKED", "SECURITY_EVENT", "DATA_PROVIDER")),
}
BY_THE_RECIPIENT: dict[str, tuple[Callable[[Consents], object], tuple[str, ...]]] = {
    "revoked": (
        lambda consents: consents.withdraw(Actor.CLIENT),
        ("CONSENT_REVOKED", "REVOKED", "BUSINESS_RULE", "DATA_RECIPIENT"),
    ),
    "revoked with a reason": (
        lambda consents: consents.withdraw(Actor.CLIENT, reason=Reason.USER_ACTION),
        ("CONSENT_REVOKED", "REVOKED", "USER_ACTION", "DATA_RECIPIENT"),
    ),
}
ENDS = {**SAME, **BY_THE_RECIPIENT}


@pytest.mark.parametrize("end", ENDS)
def test_a_bank_is_told_that_a_consent_was_granted_and_what_becomes_of_it(
    consents: Consents, database: LedgerTables, end: str
) -> None:
    consents.approve()
    assert told_to(database, BANK) == [GRANTED]
    assert told_to(database, "dc-budget") == []
    happens, expected = ENDS[end]
    happens(consents)
    happens(consents)
    assert told_to(database, BANK) == [GRANTED, expected]
    assert told_to(database, "dc-budget") == ([expected] if end in SAME else [])
    for row in database["notices"]:
        told = (row["provider_id"], row["consent_id"], row["correlation_id"], row["state"], row["attempts"])
        assert told == ("1000", "consent-1", "correlation-1", "waiting", 0)
        assert row["happened_at"] == row["next_try_at"]


def test_a_consent_that_takes_the_place_of_another_is_both(
    consents: Consents, database: LedgerTables
) -> None:
    superseded = ("CONSENT_REVOKED", "REVOKED", "OTHER", "INDIVIDUAL")
    consents.approve()
    consents.approve(2, decided_at=NOON + HOUR)
    assert sorted(told_to(database, BANK)) == [GRANTED, GRANTED, superseded]
    assert told_to(database, "dc-budget") == [superseded]
    assert {row["consent_id"] for row in database.rows("notices", type="CONSENT_REVOKED")} == {"consent-1"}


def test_a_bank_is_told_that_a_consent_has_run_out(consents: Consents, database: LedgerTables) -> None:
    consents.approve()
    consents.store.record_expired(now=NOON + YEAR)
    assert told_to(database, BANK)[1:] == [("CONSENT_EXPIRED", "EXPIRED", "BUSINESS_RULE", "DATA_PROVIDER")]
    assert told_to(database, "dc-budget") == []


def test_a_bank_is_not_told_of_a_denial_and_of_the_use_of_a_consent(
    consents: Consents, database: LedgerTables
) -> None:
    denial = {"answer": Answer.DENY, "granted_scope": frozenset()}
    consents.ledger.record_decision(a_decision(consent_id="c-9", request_id="r-9", **denial), None)
    assert database["notices"] == []
    consents.approve()
    consents.ledger.redeem("request-1", "dc-budget", token_hash="first", now=NOON)
    consents.ledger.record_refresh("first", "consent-1", now=NOON + HOUR)
    assert told_to(database, BANK) == [GRANTED]


def test_a_bank_is_told_of_what_it_asks_for_and_of_its_own_consents(database: LedgerTables) -> None:
    def asked(receiver: str) -> frozenset[NoticeType]:
        return {receiver_of_bank("2000"): FOR_BANKS, BANK: frozenset({NoticeType.CONSENT_REVOKED})}.get(
            receiver, frozenset()
        )

    with consents_in(database, asked) as consents:
        consents.approve()
        consents.withdraw(Actor.CUSTOMER, PART)
        assert database["notices"] == []
        consents.withdraw(Actor.CUSTOMER)
    assert [(row["client_id"], row["type"]) for row in database["notices"]] == [(BANK, "CONSENT_REVOKED")]


def test_of_a_bank_that_registers_nothing_nothing_is_written(ledger: Ledger, database: LedgerTables) -> None:
    consents = Consents(ledger, ConnectionStore(ledger.database))
    consents.approve()
    consents.withdraw(Actor.CLIENT)
    assert database["notices"] == []


def test_the_end_overtakes_what_was_still_to_be_said_but_not_the_approval(
    consents: Consents, database: LedgerTables
) -> None:
    consents.approve()
    consents.withdraw(Actor.CUSTOMER, PART)
    consents.withdraw(Actor.CUSTOMER)
    states = {(row["client_id"], row["type"]): row["state"] for row in database["notices"]}
    assert states == {
        (BANK, "CONSENT_GRANTED"): "waiting",
        (BANK, "CONSENT_UPDATED"): "overtaken",
        (BANK, "CONSENT_REVOKED"): "waiting",
        ("dc-budget", "CONSENT_UPDATED"): "overtaken",
        ("dc-budget", "CONSENT_REVOKED"): "waiting",
    }


TOLD_TO_BANKS_ALONE: dict[str, Callable[[Consents], object]] = {
    "granted": lambda consents: consents.approve(),
    "granted in place of another": lambda consents: consents.approve(2, decided_at=NOON + HOUR),
    "revoked by the recipient": lambda consents: consents.withdraw(Actor.CLIENT),
}


@pytest.mark.parametrize("missing", ["notices", "events"])
@pytest.mark.parametrize("what", TOLD_TO_BANKS_ALONE)
def test_without_its_notice_or_its_event_nothing_happens(
    consents: Consents, database: LedgerTables, what: str, missing: str
) -> None:
    """All of it is one transaction: also an approval. Of what recipients are told, too, test_notifying.py says it."""
    if what != "granted":
        consents.approve()
    before = {table: database[table] for table in ("decisions", "grants", "events", "notices")}
    with without_table(database.url, missing), pytest.raises(StoreUnavailable):
        TOLD_TO_BANKS_ALONE[what](consents)
    assert {table: database[table] for table in before} == before


def test_an_answer_that_was_given_already_is_told_once(consents: Consents, database: LedgerTables) -> None:
    for _ in range(2):
        consents.approve()
    assert told_to(database, BANK) == [GRANTED]


def test_an_approval_that_the_bank_is_told_of_takes_no_round_trip_more(
    postgres_ledger: LedgerTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a stop, of which two are told, as many as one of which one is."""
    postgres_ledger.clear()
    with consents_in(postgres_ledger) as consents:
        consents.approve(2, subject="somebody-else")
        screen = Screen("the form", Language.EN, "catalogue-1")
        decision = a_decision(
            pushed_id="pushed-1",
            agreement=make_agreement(a_client(), a_provider()),
            accounts=chosen(an_account()),
            screen_hash=screen.screen_hash,
        )
        sent = statements_sent(monkeypatch)
        consents.ledger.record_decision(decision, a_grant(), ShownConsent(screen, None))
        assert sent == ["BEGIN", "UPDATE", "WITH"]
        sent.clear()
        consents.withdraw(Actor.CUSTOMER)
        assert sent == ["BEGIN", "SELECT", "UPDATE", "WITH", "SELECT"]
        monkeypatch.undo()
    told = [(row["consent_id"], row["type"]) for row in postgres_ledger.rows("notices", client_id=BANK)]
    assert sorted(told) == [
        ("consent-1", "CONSENT_GRANTED"),
        ("consent-1", "CONSENT_REVOKED"),
        ("consent-2", "CONSENT_GRANTED"),
    ]


# A bank's notices are the bank's, and no evidence of what a recipient got


def test_that_a_bank_took_its_notice_is_no_event_of_the_consent(
    consents: Consents, database: LedgerTables
) -> None:
    """What is on record as taken is that the recipient was told (s. 91(2)(c))."""
    consents.approve()
    consents.withdraw(Actor.CUSTOMER)
    deliveries, notices = DeliveryStore(consents.ledger.database), NoticeStore(consents.ledger.database)
    (pushed,) = deliveries.claim({BANK: 1}, now=NOON + HOUR)
    assert deliveries.settle(pushed, Delivered(), now=NOON + HOUR)
    waiting = [notice.notice_id for notice in notices.unsettled_of(BANK, most=9)]
    taken, _ = notices.settle(BANK, taken=waiting, refused={}, now=NOON + HOUR)
    assert [notice.is_to_bank for notice in taken] == [True]
    assert {row["state"] for row in database.rows("notices", client_id=BANK)} == {"delivered", "acknowledged"}
    assert database.rows("events", kind="notified") == []
    (to_recipient,) = notices.unsettled_of("dc-budget", most=9)
    notices.settle("dc-budget", taken=[to_recipient.notice_id], refused={}, now=NOON + HOUR)
    assert len(database.rows("events", kind="notified")) == 1


def test_who_asks_under_a_client_id_never_gets_a_banks_notices_whatever_the_ids(
    ledger: Ledger, database: LedgerTables
) -> None:
    """As processes of an older version do, which know no other names; a recipient may be called as the bank is."""
    put_notices(database, "banks", client_id=BANK)
    put_notices(database, "recipients", client_id="1000")
    notices, deliveries = NoticeStore(ledger.database), DeliveryStore(ledger.database)
    assert [notice.notice_id for notice in notices.unsettled_of("1000", most=9)] == ["recipients"]
    assert [notice.notice_id for notice in notices.unsettled_of(BANK, most=9)] == ["banks"]
    assert notices.settle("1000", taken=["banks"], refused={}, now=NOON) == ([], [])
    assert notices.settle(BANK, taken=["recipients"], refused={}, now=NOON) == ([], [])
    (claimed,) = deliveries.claim({"1000": 9, "dc-budget": 9}, now=NOON)
    assert (claimed.notice.notice_id, claimed.notice.audience, claimed.notice.is_to_bank) == (
        "recipients",
        "1000",
        False,
    )
    (claimed,) = deliveries.claim({BANK: 9}, now=NOON)
    assert (claimed.notice.notice_id, claimed.notice.audience, claimed.notice.is_to_bank) == (
        "banks",
        "1000",
        True,
    )


def test_a_bank_that_fails_is_paused_and_disabled_by_itself(ledger: Ledger, database: LedgerTables) -> None:
    put_notices(database, "banks", client_id=BANK)
    put_notices(database, "recipients", client_id="1000")
    deliveries = DeliveryStore(ledger.database)
    for _ in range(PAUSED_AFTER):
        deliveries.endpoint_failed(BANK, now=NOON, pause=HOUR)
    capacity = {BANK: 1, "1000": 1}
    assert [lease.notice.notice_id for lease in deliveries.claim(capacity, now=NOON)] == ["recipients"]
    (probe,) = deliveries.claim({BANK: 9}, now=NOON + HOUR)
    assert deliveries.settle(probe, Delivered(), now=NOON + HOUR)
    deliveries.disable_endpoint(BANK, "410 Gone", now=NOON)
    assert [row["client_id"] for row in database["notice_endpoints"]] == [BANK]
    assert NoticeStore(ledger.database).enable(BANK, now=NOON)
