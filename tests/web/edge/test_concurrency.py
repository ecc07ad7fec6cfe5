"""Requests take turns, and whoever comes when the house is full is told so at once."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from threading import Event
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from app.settings import Settings
from app.web.edge.concurrency import THREADS_PER_SLOT, TURNED_AWAY, limit_concurrency
from tests.support.applications import Clock, a_browser, make_app
from tests.support.customer import BrowserCustomer
from tests.support.expected_pages import check_error_page, check_json
from tests.support.page_contract import ContractClient
from tests.support.repository import ROOT


class House:
    """An application with one turn, whose requests work until they are let go."""

    def __init__(self) -> None:
        self.let_go = Event()
        self.is_working = Event()
        self._app = limit_concurrency(self._work, slots=1)

    def _work(self, environ: WSGIEnvironment, _: StartResponse) -> Iterable[bytes]:
        if environ.get(TURNED_AWAY):
            return [b"turned away"]
        if environ["PATH_INFO"] == "/works":
            self.is_working.set()
            self.let_go.wait(30)
        return [b"served"]

    def ask(self, path: str) -> bytes:
        def start_response(*_: object) -> Callable[[bytes], object]:
            raise AssertionError("nobody calls it here")

        return b"".join(self._app({"PATH_INFO": path}, start_response))


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.let_go.set()


def test_whoever_waits_is_served_when_the_turn_comes(house: House) -> None:
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(house.ask, "/works")
        assert house.is_working.wait(10)
        second = pool.submit(house.ask, "/waits")
        house.let_go.set()
        assert first.result() == second.result() == b"served"


def test_when_the_house_is_full_whoever_comes_is_turned_away_and_the_others_are_served(house: House) -> None:
    with ThreadPoolExecutor(THREADS_PER_SLOT - 1) as pool:
        first = pool.submit(house.ask, "/works")
        assert house.is_working.wait(10)
        others = [pool.submit(house.ask, "/waits") for _ in range(THREADS_PER_SLOT - 2)]
        done, waiting = wait(others, timeout=10, return_when=FIRST_COMPLETED)
        assert [one.result() for one in done] == [b"turned away"], "one more than may wait"
        house.let_go.set()
        assert {one.result() for one in (first, *waiting)} == {b"served"}


def test_a_turn_that_does_not_come_in_time_is_not_waited_for(house: House) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(house.ask, "/works")
        assert house.is_working.wait(10)
        assert house.ask("/waits") == b"turned away"
        house.let_go.set()
        assert first.result() == b"served"
    assert house.ask("/waits") == b"served"


# A process that says it is not ready because it is busy is taken out of rotation, and the others get its customers.
@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/static/accord.css", "/.well-known/jwks.json", "/openapi.yaml"]
)
def test_what_costs_nothing_is_served_whoever_waits(house: House, path: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(house.ask, "/works")
        assert house.is_working.wait(10)
        assert house.ask(path) == b"served"
        house.let_go.set()


def test_gunicorn_has_the_threads_that_turns_are_made_for() -> None:
    assert f"threads = {THREADS_PER_SLOT} * _number(" in (ROOT / "gunicorn.conf.py").read_text()


def test_who_is_turned_away_reads_that_nothing_was_sent_and_when_to_come_back(
    customer: BrowserCustomer, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    answer = customer.client.get(f"/consent/{request_id}?lang={lang}", environ_overrides={TURNED_AWAY: True})
    check_error_page(answer, "unavailable", lang, status=503)
    assert 1 <= int(answer.headers["Retry-After"]) <= 120


def test_who_is_turned_away_is_counted(settings: Settings, clock: Clock) -> None:
    counting = make_app(settings.model_copy(update={"metrics_address": "127.0.0.1:9"}), clock)
    a_browser(counting).get("/connections", environ_overrides={TURNED_AWAY: True})
    environ = {**create_environ("/metrics"), "gunicorn.socket": SocketOfMetrics()}
    metrics, _, _ = run_wsgi_app(counting.wsgi_app, environ)
    assert "accord_turned_away_total 1.0\n" in b"".join(metrics).decode()


class SocketOfMetrics:
    """What a request looks like that has come in at the metrics' port."""

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 9)


def test_a_machine_that_is_turned_away_is_told_so_in_json(client: ContractClient) -> None:
    answer = client.post("/api/v1/token", environ_overrides={TURNED_AWAY: True})
    check_json(answer, "temporarily_unavailable", status=503)
    assert 1 <= int(answer.headers["Retry-After"]) <= 120
