"""Withdrawing is one thing, whoever does it: on record first, and in the log as what it was."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.domain.clusters import DataCluster, Scope
from app.domain.consent import GrantStatus
from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from app.flow.withdrawal import withdraw
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from tests.support.builders import BASIC, NOON, a_decision, a_grant

LATER = NOON + timedelta(hours=1)
TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})
BOTH = BASIC | TRANSACTIONS


@pytest.fixture
def connections(ledger: Ledger) -> Iterator[ConnectionStore]:
    """Those of a ledger with one connection, which shares two clusters for an hour and a bit."""
    with closing(ledger):
        ledger.record_decision(
            a_decision(requested_scope=BOTH, granted_scope=BOTH),
            a_grant(granted_scope=BOTH, expires_at=LATER + timedelta(minutes=1)),
        )
        yield ConnectionStore(ledger.database)


def events_in_log(connections: ConnectionStore, withdrawn: Scope | None, actor: Actor) -> list[str]:
    with capture_logs() as lines:
        given = None if withdrawn is None else Withdrawn(withdrawn)
        withdraw(connections, "consent-1", given, actor=actor, now=LATER)
    return [line["event"] for line in lines]


@pytest.mark.parametrize(
    ("withdrawn", "actor", "said", "status"),
    [
        (TRANSACTIONS, Actor.CUSTOMER, "narrowed", GrantStatus.ACTIVE),
        (None, Actor.CUSTOMER, "withdrawn", GrantStatus.REVOKED),
        (BOTH, Actor.CUSTOMER, "withdrawn", GrantStatus.REVOKED),
        (None, Actor.CLIENT, "revoked", GrantStatus.REVOKED),
    ],
)
def test_what_is_withdrawn_is_on_record_and_in_the_log_as_what_it_was(
    connections: ConnectionStore, withdrawn: Scope | None, actor: Actor, said: str, status: GrantStatus
) -> None:
    assert events_in_log(connections, withdrawn, actor) == [said]
    found = connections.find_connection("consent-1")
    assert found is not None
    assert found.status_at(LATER) is status
    assert [event.kind for event in connections.history("consent-1")][-1] == said


def test_what_had_ended_before_is_withdrawn_by_nobody(connections: ConnectionStore) -> None:
    assert events_in_log(connections, None, Actor.CLIENT) == ["revoked"]
    assert events_in_log(connections, None, Actor.CUSTOMER) == []
    assert withdraw(connections, "another", None, actor=Actor.CUSTOMER, now=LATER) is None


@pytest.mark.parametrize("actor", [Actor.CUSTOMER, Actor.CLIENT])
def test_what_had_run_out_is_written_down_as_that(connections: ConnectionStore, actor: Actor) -> None:
    with capture_logs() as lines:
        withdraw(connections, "consent-1", None, actor=actor, now=LATER + timedelta(minutes=2))
    assert lines == []
    assert [event.kind for event in connections.history("consent-1")][-1] == "expired"
