"""How long recipients have to wait for news is measured, of those to whom it is sent."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

from app.domain.notice_registration import NoticesRegistration, receiver_of_bank
from app.notices.waiting import WaitingNotices
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.notices import NoticeStore
from tests.support.applications import Clock
from tests.support.builders import NOON, a_client, a_provider, a_registry
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices

ADDRESS = NoticesRegistration("https://budget.example/notices")
REGISTRY = a_registry(
    a_client(notices=ADDRESS),
    a_client(client_id="asks", notices=NoticesRegistration()),
    a_client(client_id="silent"),
    a_provider(provider_id="1000", notices=ADDRESS),
    a_provider(provider_id="2000", notices=NoticesRegistration()),
)


def values(collector: WaitingNotices) -> dict[str, float]:
    return {family.name: sample.value for family in collector.collect() for sample in family.samples}


def test_what_waits_for_those_that_are_sent_it_is_counted_with_its_age(
    ledger: Ledger, database: LedgerTables, clock: Clock
) -> None:
    put_notices(database, "a", "b")
    put_notices(database, "c", client_id="asks", happened_at=NOON - timedelta(days=9))
    put_notices(database, "d", client_id="silent", happened_at=NOON - timedelta(days=9))
    put_notices(database, "e", client_id=receiver_of_bank("1000"), happened_at=NOON + timedelta(minutes=5))
    put_notices(database, "f", client_id=receiver_of_bank("2000"), happened_at=NOON - timedelta(days=9))
    clock.now = NOON + timedelta(minutes=15)
    with closing(ledger):
        collector = WaitingNotices(NoticeStore(ledger.database), REGISTRY.receivers_with_address, clock)
        assert values(collector) == {"accord_notices_waiting": 3, "accord_notices_oldest_seconds": 900}
        NoticeStore(ledger.database).settle("dc-budget", taken=["a", "b"], refused={}, now=clock())
        assert values(collector) == {"accord_notices_waiting": 1, "accord_notices_oldest_seconds": 600}


def test_a_ledger_that_does_not_answer_leaves_the_other_metrics_alone(tmp_path: Path, clock: Clock) -> None:
    with closing(Ledger(f"sqlite:///{tmp_path}/no-such-folder/x", timeout=timedelta(seconds=1))) as ledger:
        assert (
            values(WaitingNotices(NoticeStore(ledger.database), REGISTRY.receivers_with_address, clock)) == {}
        )


def test_a_registration_that_was_read_again_counts_from_then_on(
    ledger: Ledger, database: LedgerTables, clock: Clock
) -> None:
    put_notices(database, "a", "b")
    registries = [a_registry(a_client(notices=ADDRESS)), a_registry(a_client(notices=NoticesRegistration()))]
    with closing(ledger):
        collector = WaitingNotices(
            NoticeStore(ledger.database), lambda: registries[0].receivers_with_address(), clock
        )
        assert values(collector)["accord_notices_waiting"] == 2
        del registries[0]
        assert values(collector)["accord_notices_waiting"] == 0
