"""Rows of several tables are inserted together or not at all, on PostgreSQL in one statement."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.agreement import make_agreement
from app.domain.consent import ShownConsent
from app.domain.evidence import Screen
from app.domain.history import Actor, EventKind, Reason
from app.domain.language import Language
from app.stores.ledger.database import UniqueViolation
from app.stores.ledger.inserting import insert_rows
from app.stores.ledger.ledger import Ledger, Redeemed
from app.stores.ledger.rows import decision_row, event_row, grant_row, screen_row
from app.stores.ledger.schema import decisions, grants, screens
from tests.stores.work import statements_sent
from tests.support.builders import NOON, a_client, a_decision, a_grant, a_provider, an_account, chosen
from tests.support.ledger_tables import LedgerTables

MINUTE = timedelta(minutes=1)
SCREEN = Screen("the form", Language.EN, "catalogue-1")
EVENTS = [
    event_row(a_decision(), kind, Actor.CUSTOMER, Reason.USER_ACTION, NOON)
    for kind in (EventKind.ASKED, EventKind.APPROVED, EventKind.REDEEMED)
]


def test_rows_find_each_other_and_events_keep_their_order(ledger: Ledger, database: LedgerTables) -> None:
    rows = [
        (screens, screen_row(SCREEN, NOON)),
        (decisions, decision_row(a_decision())),
        (grants, grant_row(a_grant())),
    ]
    with ledger.database.writing() as connection:
        insert_rows(connection, rows, *EVENTS)
    assert [len(database[table.name]) for table, _ in rows] == [1, 1, 1]
    assert [kind for _, kind in database.events()] == ["asked", "approved", "redeemed"]


def test_a_text_that_is_on_record_stands_and_any_other_key_ends_it_all(
    ledger: Ledger, database: LedgerTables
) -> None:
    decided = (decisions, decision_row(a_decision()))
    with ledger.database.writing() as connection:
        insert_rows(connection, [(screens, screen_row(SCREEN, NOON)), decided], EVENTS[0])
    again = {"request_id": "request-2", "consent_id": "consent-2"}
    with ledger.database.writing() as connection:
        rows = [(screens, screen_row(SCREEN, NOON + MINUTE)), (decisions, decision_row(a_decision(**again)))]
        insert_rows(connection, rows, EVENTS[0])
    assert [row["first_shown_at"] for row in database["screens"]] == [NOON]
    with pytest.raises(UniqueViolation), ledger.database.writing() as connection:
        insert_rows(connection, [decided], *EVENTS)
    assert [kind for _, kind in database.events()] == ["asked", "asked"]


def test_an_approval_takes_four_round_trips_to_postgresql_and_a_redemption_one(
    postgres_ledger: LedgerTables, open_ledger: Callable[[str], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it replaces a connection. The last of an approval's is COMMIT, which no cursor executes."""
    postgres_ledger.clear()
    ledger = open_ledger(postgres_ledger.url)
    ledger.record_decision(a_decision(), a_grant())
    ledger.redeem("request-1", "dc-budget", token_hash="token-1", now=NOON + MINUTE)
    sent = statements_sent(monkeypatch)
    other = {"request_id": "request-1b", "consent_id": "consent-1b", "subject": "somebody-else"}
    ledger.record_decision(a_decision(**other), a_grant(**other))
    assert sent == ["BEGIN", "UPDATE", "WITH"]
    sent.clear()
    ids = {"request_id": "request-2", "consent_id": "consent-2"}
    decision = a_decision(
        **ids,
        pushed_id="pushed-2",
        agreement=make_agreement(a_client(), a_provider()),
        accounts=chosen(an_account()),
        screen_hash=SCREEN.screen_hash,
        decided_at=NOON + MINUTE,
    )
    shown = ShownConsent(SCREEN, a_grant())
    ledger.record_decision(decision, a_grant(**ids, approved_at=NOON + MINUTE), shown)
    assert sent == ["BEGIN", "UPDATE", "WITH"]
    assert [row["state"] for row in postgres_ledger.rows("notices")] == ["waiting"]
    assert [row["revoked_at"] for row in postgres_ledger.rows("refresh_tokens")] == [NOON + MINUTE]
    sent.clear()
    redeemed = ledger.redeem("request-2", "dc-budget", token_hash="token-2", now=NOON + 2 * MINUTE)
    assert isinstance(redeemed, Redeemed)
    assert sent == ["WITH"]
