"""How many notices wait to be sent, and since when, as metrics for Prometheus."""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.stores.ledger.notices import NoticeStore
from app.stores.unavailable import StoreUnavailable


class WaitingNotices(Collector):
    """Asks the ledger at each scrape, for the receivers that are sent notices then (`with_address`).

    All processes say the same. Receivers that ask for their notices are left out: nobody knows when they
    will. While the ledger does not answer, there are no values.
    """

    def __init__(
        self,
        store: NoticeStore,
        with_address: Callable[[], Collection[str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._with_address, self._clock = store, with_address, clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            waiting = self._store.waiting(self._with_address())
        except StoreUnavailable:
            return
        age = 0.0 if waiting.oldest_at is None else (self._clock() - waiting.oldest_at).total_seconds()
        yield GaugeMetricFamily("accord_notices_waiting", "Notices that wait to be sent", waiting.count)
        yield GaugeMetricFamily(
            "accord_notices_oldest_seconds", "Time since what the oldest of them tells", max(0.0, age)
        )

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """What there may be, so that the ledger need not be asked when this is registered."""
        yield GaugeMetricFamily("accord_notices_waiting", "Notices that wait to be sent")
        yield GaugeMetricFamily("accord_notices_oldest_seconds", "Time since what the oldest of them tells")
