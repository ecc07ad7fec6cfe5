"""Customers and recipients who go all the way, again and again, while something is done to the server."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.support.customer import carried_params
from tests.support.running_accord import PATIENCE, Served, ServedForm, redeem_at

# Each has a connection of its own, so that nobody's approval replaces another's.
CUSTOMERS = [("alex", "1000"), ("sam", "1000"), ("alex", "2000"), ("sam", "2000")]


@dataclass
class Load:
    """What came of the flows: tokens, or what stood in the way of them."""

    tokens: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def wait_for_more(self, count: int) -> None:
        """Until so many flows more have ended."""
        wanted = len(self.tokens) + len(self.lost) + count
        deadline = time.monotonic() + 2 * PATIENCE
        while len(self.tokens) + len(self.lost) < wanted:
            assert time.monotonic() < deadline, "the flows stand still"
            time.sleep(0.01)


def one_flow(served: Served, user_name: str, provider_id: str) -> str:
    """From the recipient's link to its tokens, each step once, as a browser without a second try.

    Each step has a connection of its own: a proxy that reloads closes the idle ones, and where a browser then
    opens another, this client would not.
    """
    with requests.Session() as browser:
        browser.headers["Connection"] = "close"
        form = ServedForm(served, browser, user_name=user_name, provider_id=provider_id)
        answer = form.send("approve")
        assert answer.status_code == 302, answer.text
        code = carried_params(answer.headers["Location"])["code"]
    redeemed = redeem_at(served, code)
    assert redeemed.status_code == 200, redeemed.text
    return str(redeemed.json()["access_token"])


@contextmanager
def under_load(served: Served) -> Iterator[Load]:
    """Inside the block everybody is under way; after it, every flow that was begun has ended."""
    load, is_over = Load(), threading.Event()

    def go_on(user_name: str, provider_id: str) -> None:
        while not is_over.is_set():
            try:
                load.tokens.append(one_flow(served, user_name, provider_id))
            except (AssertionError, OSError, LookupError) as error:
                load.lost.append(f"{type(error).__name__}: {error}"[:500])

    threads = [threading.Thread(target=go_on, args=customer) for customer in CUSTOMERS]
    for thread in threads:
        thread.start()
    try:
        load.wait_for_more(len(threads))
        yield load
        load.wait_for_more(len(threads))
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
