"""When a use of a refresh token is an event, what is recorded as its last use, and which tokens live."""

from datetime import datetime, timedelta

import pytest

from app.domain.history import Actor, EventKind, Reason
from app.stores.ledger.database import Database
from app.stores.ledger.inserting import insert_rows
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.refresh_tokens import (
    RefreshToken,
    find_grant_of_token,
    find_refreshable_grant,
    replace_unused_token,
    revoking,
    use_token,
)
from app.stores.ledger.rows import event_row, token_row
from app.stores.ledger.schema import refresh_tokens
from app.stores.ledger.statements import DatabaseConnection
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.ledger_tables import LedgerTables

SECOND = timedelta(seconds=1)
INSTANT = timedelta.resolution
MIDNIGHT = NOON + timedelta(hours=12)
UNUSED = RefreshToken(issued_at=NOON, last_used_at=NOON)


@pytest.mark.parametrize("now", [NOON - SECOND, NOON, NOON + SECOND, MIDNIGHT])
def test_whenever_a_token_is_used_first_that_is_an_event(now: datetime) -> None:
    assert UNUSED.is_first_use_of_day(now)


@pytest.mark.parametrize(
    ("now", "is_first"),
    [
        (NOON + 2 * SECOND, False),
        (MIDNIGHT - INSTANT, False),
        (MIDNIGHT, True),
        (MIDNIGHT + timedelta(days=40), True),
        (NOON - timedelta(days=1), False),
    ],
)
def test_a_day_begins_at_midnight_in_utc(now: datetime, is_first: bool) -> None:
    used = RefreshToken(issued_at=NOON, last_used_at=NOON + SECOND)
    assert used.is_first_use_of_day(now) is is_first


def test_a_use_is_recorded_no_earlier_than_the_one_before_and_never_as_the_moment_of_issue() -> None:
    assert UNUSED.used_at(NOON + SECOND) == NOON + SECOND
    assert UNUSED.used_at(NOON) == UNUSED.used_at(NOON - SECOND) == NOON + INSTANT
    used = RefreshToken(issued_at=NOON, last_used_at=NOON + 5 * SECOND)
    assert used.used_at(NOON + SECOND) == NOON + 5 * SECOND
    assert used.used_at(NOON + 6 * SECOND) == NOON + 6 * SECOND


@pytest.fixture
def opened(ledger: Ledger) -> Database:
    """With one grant in it."""
    ledger.record_decision(a_decision(), a_grant())
    return ledger.database


def keep_token(connection: DatabaseConnection, token_hash: str) -> None:
    """As a redemption does."""
    redeemed = event_row(a_grant(), EventKind.REDEEMED, Actor.CLIENT, Reason.USER_ACTION, NOON)
    insert_rows(connection, [(refresh_tokens, token_row(token_hash, "consent-1", NOON))], redeemed)


def is_refreshable(opened: Database, token_hash: str) -> bool:
    with opened.reading() as connection:
        idle = timedelta(days=30)
        found = find_refreshable_grant(connection, token_hash, "dc-budget", idle=idle, now=NOON + SECOND)
    return found is not None


def test_a_token_that_nobody_has_used_can_be_replaced_and_a_used_one_cannot(opened: Database) -> None:
    with opened.writing() as connection:
        keep_token(connection, "lost")
        assert not replace_unused_token(connection, "lost", "new", "consent-2", now=NOON)
        assert replace_unused_token(connection, "lost", "new", "consent-1", now=NOON + SECOND)
        assert not replace_unused_token(connection, "lost", "newer", "consent-1", now=NOON + SECOND)
        before = use_token(connection, "new", now=NOON + SECOND)
        assert before == RefreshToken(NOON + SECOND, NOON + SECOND)
        assert not replace_unused_token(connection, "new", "newer", "consent-1", now=NOON + SECOND)
    assert is_refreshable(opened, "new")
    assert not is_refreshable(opened, "lost")


def test_a_use_is_what_the_next_one_finds(opened: Database) -> None:
    with opened.writing() as connection:
        keep_token(connection, "a")
        use_token(connection, "a", now=NOON)
        assert use_token(connection, "a", now=NOON + SECOND) == RefreshToken(NOON, NOON + INSTANT)
        assert use_token(connection, "b", now=NOON) is None


def test_all_tokens_of_a_grant_are_revoked_and_still_belong_to_it(
    opened: Database, database: LedgerTables
) -> None:
    with opened.writing() as connection:
        for token_hash in ("a", "b"):
            keep_token(connection, token_hash)
        assert revoking(a_grant(), NOON) == []  # it was not redeemed
        for now in (NOON + SECOND, NOON + 2 * SECOND):  # the first one stands
            ((statement, values),) = revoking(a_grant(redeemed_at=NOON), now)
            connection.change(statement, **values)
        assert use_token(connection, "a", now=NOON + 2 * SECOND) is None
        assert find_grant_of_token(connection, "a") == a_grant()
        assert find_grant_of_token(connection, "c") is None
    assert [row["revoked_at"] for row in database.rows("refresh_tokens")] == [NOON + SECOND] * 2
    assert not is_refreshable(opened, "a")
