"""What breaks at a recipient that is sent notices, and in what sends them.

After each of these every notice has reached the recipient, and has had its effect once.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import NullPool, create_engine, update

from app.stores.ledger.schema import notice_endpoints, notices
from tests.faults.stage import Stage
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices
from tests.support.receiver import TAKE, ReceiverHandler, answer, hang

MANY: Final = 10_000
_MOST_SECONDS: Final = 180.0
"""Until everything has been told: a judgement, since a small machine sends some hundred a second."""


@contextmanager
def recipient_hangs(stage: Stage) -> Iterator[None]:
    _wait_until(lambda: stage.recipient.sent)
    stage.recipient.answers = hang
    sent = len(stage.recipient.sent)
    yield
    assert len(stage.recipient.sent) > sent, "it was sent nothing"
    stage.recipient.answers = TAKE
    _await_everything(stage)


@contextmanager
def recipient_gone(stage: Stage) -> Iterator[None]:
    """Its address answers 410, until an operator enables it again."""
    stage.recipient.answers = answer(410)
    _wait_until(lambda: LedgerTables(stage.ledger_url)["notice_endpoints"])
    sent = len(stage.recipient.sent)
    yield
    assert len(stage.recipient.sent) <= sent + 1, "it was asked again"
    stage.recipient.answers = TAKE
    with create_engine(stage.ledger_url, poolclass=NullPool).begin() as connection:
        connection.execute(notice_endpoints.delete())
    _end_leases(stage)
    _await_everything(stage)


@contextmanager
def killed_while_sending(stage: Stage) -> Iterator[None]:
    """The recipient has the notice, and what sent it dies before it knows; another process comes later."""
    is_held, go_on = threading.Event(), threading.Event()

    def hold(handler: ReceiverHandler) -> None:
        is_held.set()
        go_on.wait(30)
        TAKE(handler)

    stage.recipient.answers = hold
    _wait_until(is_held.is_set)
    (deliverer,) = stage.deliverers
    deliverer.kill()
    go_on.set()
    stage.recipient.answers = TAKE
    yield
    _end_leases(stage)
    deliverer.start()
    _await_everything(stage)
    arrived = stage.recipient.ids()
    assert len(arrived) > len(set(arrived)), "it was not sent a second time"


@contextmanager
def ten_thousand_at_once(stage: Stage) -> Iterator[None]:
    names = [f"many-{number}" for number in range(MANY)]
    put_notices(LedgerTables(stage.ledger_url), *names, happened_at=datetime.now(UTC))
    yield
    _await_everything(stage)
    arrived = [jti for jti in stage.recipient.ids() if jti.startswith("many-")]
    assert sorted(arrived) == sorted(names), "one was sent twice, or not at all"


def _await_everything(stage: Stage) -> None:
    """Waits until all that was to be told by now has been, and checks that each has one event to show it."""
    tables = LedgerTables(stage.ledger_url)
    due = {row["notice_id"] for row in tables.rows("notices", state="waiting")}
    _wait_until(lambda: not due & {row["notice_id"] for row in tables.rows("notices", state="waiting")})
    told = tables.rows("notices", state="delivered")
    assert {row["notice_id"] for row in told} <= set(stage.recipient.ids())
    of_consents = sorted(row["consent_id"] for row in told)
    noted = sorted(row["consent_id"] for row in tables.rows("events", kind="notified"))
    assert set(of_consents) <= set(noted)
    assert len(noted) == len(set(noted)), "one has two events"


def _end_leases(stage: Stage) -> None:
    """What was claimed may be claimed again, as it could a minute later."""
    ended = update(notices).where(notices.c.state == "waiting").values(next_try_at=datetime.now(UTC))
    with create_engine(stage.ledger_url, poolclass=NullPool).begin() as connection:
        connection.execute(ended)


def _wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + _MOST_SECONDS
    while not condition():
        assert time.monotonic() < until, "not everything was told"
        time.sleep(0.2)
