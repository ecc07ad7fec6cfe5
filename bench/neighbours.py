"""`python -m bench.neighbours`: what other banks' customers notice while one bank does not answer for its accounts.

Both banks are served by the same two workers, on PostgreSQL. Whoever is measured comes alone, one flow after the other,
and signs in for each.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Final
from urllib.parse import urlsplit

import requests

from bench.journey import Latencies, a_browser, whole_flow
from bench.page import table, write_between
from bench.stage import PAGE, on_stage
from tests.support.builders import a_query
from tests.support.fdx_bank import ACCOUNTS, FdxBank
from tests.support.oidc_server import hang
from tests.support.postgres import PostgresServer
from tests.support.registrations import with_accounts, with_bank, with_customers
from tests.support.running_accord import PATIENCE, Served

WARM_UP: Final = 20
FLOWS: Final = 300
VISITORS: Final = 20
"""Customers of the bank that hangs: more than may wait for it, so that some are turned away."""
PAUSE: Final = 0.5
"""Seconds until one of these tries again."""
HEAD: Final = ["customers of a bank whose accounts hang", "median of a flow", "95 of 100 within"]


def rows(directory: Path, postgres: PostgresServer) -> Iterator[list[str]]:
    """The flows of one customer after the other, while nobody else comes, and beside VISITORS."""
    subjects = {f"c{number}": f"subject-{number}" for number in range(WARM_UP + FLOWS)}
    with FdxBank(tricks={ACCOUNTS: hang}) as bank:
        source = f'{{ from = "fdx", as = "customer", address = "{bank.address}" }}'
        registry = with_accounts(source, of="3000", text=with_bank(bank.issuer, with_customers(subjects)))
        ledger_url = postgres.new_database()
        for visitors in (0, VISITORS):
            with (
                on_stage(directory, registry=registry, ledger_url=ledger_url) as stage,
                visited_by(visitors, stage.accord, bank),
            ):
                took = [_seconds_of_flow(stage.accord, user_name) for user_name in subjects][WARM_UP:]
            yield [
                str(visitors),
                *(f"{1000 * wait:.0f} ms" for wait in (median(took), quantiles(took, n=20)[-1])),
            ]


def _seconds_of_flow(accord: Served, user_name: str) -> float:
    with a_browser(Latencies()) as browser:
        began = time.monotonic()
        whole_flow(accord, browser, user_name)
        return time.monotonic() - began


@contextmanager
def visited_by(number: int, accord: Served, bank: FdxBank) -> Iterator[None]:
    """Inside the block so many customers of `bank` try to get to their accounts, again and again."""
    stop = threading.Event()

    def come(name: str) -> None:
        while not stop.wait(PAUSE):
            with requests.Session() as browser:
                begun = _get(browser, f"{accord.address}/api/v1/authorize?{a_query(provider_id='3000')}")
                to_bank = _get(browser, f"{accord.address}{begun.headers['Location']}")
                if to_bank.is_redirect:  # else there was no place to wait
                    back = urlsplit(bank.sign_in(to_bank.headers["Location"], sub=name, name=name))
                    _get(browser, f"{accord.address}{back.path}?{back.query}")

    visitors = [threading.Thread(target=come, args=(f"visitor-{one}",)) for one in range(number)]
    for visitor in visitors:
        visitor.start()
    try:
        yield
    finally:
        stop.set()
        for visitor in visitors:
            visitor.join()


def _get(browser: requests.Session, address: str) -> requests.Response:
    return browser.get(address, timeout=PATIENCE, allow_redirects=False)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="accord-neighbours-") as name, PostgresServer() as postgres:
        made = table(HEAD, list(rows(Path(name), postgres)))
    print(made, end="")
    write_between(PAGE, "neighbours", made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
