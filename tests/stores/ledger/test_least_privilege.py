"""A service that logs in as a role with few rights: everything works, and nothing that happened can be rewritten."""

import re
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from app.domain.clusters import DataCluster
from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from app.stores.ledger import migrations
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.deliveries import Delivered, DeliveryStore
from app.stores.ledger.ledger import Ledger, Redeemed
from app.stores.ledger.notices import NoticeStore
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.postgres import PostgresServer
from tests.support.repository import ROOT

REWRITING = [
    "UPDATE events SET kind = 'denied'",
    "UPDATE decisions SET subject = 'somebody-else'",
    "UPDATE screens SET text = 'nothing'",
    "DELETE FROM events",
    "DELETE FROM decisions",
    "DELETE FROM grants",
    "DELETE FROM notices",
    "TRUNCATE events",
    "ALTER TABLE events ADD COLUMN note TEXT",
]


@pytest.fixture(scope="module")
def service_url(postgres: PostgresServer) -> str:
    """A ledger, as the manual's role reaches it."""
    url = postgres.new_database()
    migrations.upgrade(url)
    manual = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    (rights,) = re.findall(r"```sql\n(.*?accord_service.*?)```", manual, re.DOTALL)
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("CREATE ROLE accord_service LOGIN"))
        for statement in filter(str.strip, rights.split(";")):
            connection.execute(text(statement))
    return make_url(url).set(username="accord_service").render_as_string(hide_password=False)


def test_a_consent_lives_its_whole_life(service_url: str) -> None:
    with closing(Ledger(service_url, timeout=timedelta(seconds=2))) as ledger:
        connections = ConnectionStore(ledger.database)
        both = frozenset({DataCluster.ACCOUNT_BASIC, DataCluster.TRANSACTIONS})
        scope = {"requested_scope": both, "granted_scope": both}
        ledger.record_decision(a_decision(**scope), a_grant(granted_scope=both))
        consent_id = a_grant().consent_id
        redeemed = ledger.redeem(a_decision().request_id, a_grant().client_id, token_hash="hash", now=NOON)
        assert isinstance(redeemed, Redeemed)
        assert ledger.record_refresh("hash", consent_id, now=NOON) is not None
        one = frozenset({DataCluster.TRANSACTIONS})
        narrowed = connections.withdraw(consent_id, Withdrawn(one), actor=Actor.CUSTOMER, now=NOON)
        assert narrowed is not None
        ended = connections.withdraw(consent_id, None, actor=Actor.CUSTOMER, now=NOON)
        assert ended is not None
        assert ended.ended_at is not None
        check_delivery(ledger)


def check_delivery(ledger: Ledger) -> None:
    """The recipient is told, after its server has failed, and asks for the rest."""
    deliveries, client_id = DeliveryStore(ledger.database), a_grant().client_id
    deliveries.endpoint_failed(client_id, now=NOON, pause=timedelta(minutes=1))
    (lease,) = deliveries.claim({client_id: 5}, now=NOON)
    assert deliveries.settle(lease, Delivered(), now=NOON)
    deliveries.disable_endpoint(client_id, "410", now=NOON)
    notices = NoticeStore(ledger.database)
    assert notices.settle(client_id, taken=[lease.notice.notice_id], refused={}, now=NOON) == ([], [])
    assert notices.enable(client_id, now=NOON)


@pytest.mark.parametrize("statement", REWRITING)
def test_what_happened_cannot_be_rewritten(service_url: str, statement: str) -> None:
    with (
        create_engine(service_url, poolclass=NullPool).connect() as connection,
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
    ):
        connection.execute(text(statement))
