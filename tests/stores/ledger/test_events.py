"""What happened is appended in its order."""

import pytest
from sqlalchemy import select

from app.domain.history import Actor, EventKind, Reason
from app.stores.ledger.events import append_events
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.rows import event_from, event_row
from app.stores.ledger.schema import events
from tests.support.builders import NOON, a_grant


@pytest.mark.parametrize("count", [1, 2, 5])
def test_events_are_appended_in_their_order(ledger: Ledger, count: int) -> None:
    rows = [
        event_row(a_grant(), EventKind.NARROWED, Actor.CUSTOMER, Reason.USER_ACTION, NOON, str(number))
        for number in range(count)
    ]
    with ledger.database.writing() as connection:
        append_events(connection, *rows)
        found = connection.rows(select(events).order_by(events.c.event_id))
    assert [event_from(row).detail for row in found[-count:]] == [str(number) for number in range(count)]
