"""How a grant ends and what is appended to its history, inside a transaction."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.history import Actor, EventKind, Reason
from app.stores.ledger.database import Database
from app.stores.ledger.grants import (
    GRANT,
    IS_STANDING,
    LOCKED_GRANT,
    end_grant,
    find_grant,
    replaced_event_row,
    supersede_grant,
)
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.schema import grants
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.ledger_tables import LedgerTables

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
STANDING = select(grants).where(*IS_STANDING)
PARTIES = {"at_provider": "1000", "of_customer": "maple-0001", "to_client": "dc-budget"}


@pytest.fixture
def opened(ledger: Ledger) -> Database:
    """With one grant in it, which runs out in a day."""
    ledger.record_decision(a_decision(), grant_of_a_day())
    return ledger.database


def grant_of_a_day() -> ConsentGrant:
    return a_grant(expires_at=NOON + DAY)


def test_a_grant_is_found_by_its_id_and_by_its_parties(opened: Database) -> None:
    with opened.reading() as connection:
        assert find_grant(connection, GRANT, of_consent="consent-1") == grant_of_a_day()
        assert find_grant(connection, GRANT, of_consent="consent-2") is None
        assert find_grant(connection, STANDING, **PARTIES) == grant_of_a_day()
        for name in PARTIES:
            assert find_grant(connection, STANDING, **{**PARTIES, name: "another"}) is None


def test_a_grant_ends_once_and_by_whom_it_ended_is_appended(opened: Database, database: LedgerTables) -> None:
    grant = grant_of_a_day()
    with opened.writing() as connection:
        for kind, is_ended in ((EventKind.WITHDRAWN, True), (EventKind.REVOKED, False)):
            ended = end_grant(
                connection,
                grant,
                kind,
                Actor.OPERATOR,
                Reason.BUSINESS_RULE,
                NOON + HOUR,
                operator="operator-7",
                note="asked by telephone",
            )
            assert ended is is_ended
        after = find_grant(connection, LOCKED_GRANT, of_consent="consent-1")
        assert after == replace(grant, ended_at=NOON + HOUR)
        assert find_grant(connection, STANDING, **PARTIES) is None
    last = database["events"][-1]
    assert (last["kind"], last["actor"], last["operator"], last["note"]) == (
        "withdrawn",
        "operator",
        "operator-7",
        "asked by telephone",
    )
    assert [kind for _, kind in database.events()].count("revoked") == 0


@pytest.mark.parametrize("now", [NOON + DAY, NOON + 2 * DAY])
def test_a_grant_that_has_run_out_has_expired_whoever_ends_it(
    opened: Database, database: LedgerTables, now: datetime
) -> None:
    with opened.writing() as connection:
        end_grant(
            connection,
            grant_of_a_day(),
            EventKind.WITHDRAWN,
            Actor.CUSTOMER,
            Reason.USER_ACTION,
            now,
        )
    last = database["events"][-1]
    assert (last["kind"], last["actor"]) == ("expired", "accord")
    assert last["happened_at"] == database["grants"][0]["ended_at"] == NOON + DAY


@pytest.mark.parametrize(
    ("approved_at", "ended_at", "kind", "detail"),
    [
        (NOON + HOUR, NOON + HOUR, EventKind.SUPERSEDED, "consent-2"),
        (NOON - HOUR, NOON, EventKind.SUPERSEDED, "consent-2"),  # a clock that is behind
        (NOON + 2 * DAY, NOON + DAY, EventKind.EXPIRED, None),
    ],
)
def test_a_successor_ends_the_grant_before_it_but_never_before_it_began_nor_after_it_ran_out(
    opened: Database, approved_at: datetime, ended_at: datetime, kind: EventKind, detail: str | None
) -> None:
    successor = a_grant(
        consent_id="consent-2",
        request_id="request-2",
        approved_at=approved_at,
        expires_at=approved_at + DAY,
    )
    with opened.writing() as connection:
        replaced = supersede_grant(connection, successor)
        assert replaced == replace(grant_of_a_day(), ended_at=ended_at)
        assert supersede_grant(connection, successor) is None
    assert replaced is not None
    row = replaced_event_row(replaced, successor)
    assert (row["kind"], row["detail"]) == (kind, detail)


def test_nobody_elses_grant_is_superseded(opened: Database) -> None:
    with opened.writing() as connection:
        for change in ({"subject": "another"}, {"client_id": "another"}, {"provider_id": "another"}):
            assert supersede_grant(connection, a_grant(consent_id="consent-2", **change)) is None
        standing = find_grant(connection, STANDING, **PARTIES)
    assert standing is not None
    assert standing.status_at(NOON) is GrantStatus.ACTIVE
