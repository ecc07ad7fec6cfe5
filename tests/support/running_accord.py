"""Accord as it is served: gunicorn with two workers, in processes of its own, on a free loopback port."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import psutil
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from app.development.embedded import start_child, stop_child
from tests.support.builders import CALLBACK, SECRET_KEY, a_query
from tests.support.customer import BUDGET, all_accounts, hidden_fields
from tests.support.page_contract import parse_page
from tests.support.ports import free_port
from tests.support.registrations import DEMO_REGISTRY
from tests.support.repository import ROOT

PATIENCE = 60
NO_HEADERS: Mapping[str, str] = {}


class RunningAccord:
    """As a context manager: running and ready inside the block, stopped after it.

    `environment` may be changed before that.
    """

    def __init__(
        self,
        log: Path,
        *,
        redis_url: str,
        ledger_url: str,
        signing_keys: Path,
        application: str = "wsgi:app",
        **variables: str,
    ) -> None:
        self.port = free_port()
        self.log = log
        self._application = application
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")
        } | {
            "ACCORD_ENVIRONMENT": "development",
            "ACCORD_ISSUER": self.issuer,
            "ACCORD_REDIS_URL": redis_url,
            "ACCORD_LEDGER_URL": ledger_url,
            "ACCORD_REGISTRY": str(DEMO_REGISTRY),
            "ACCORD_SIGNING_KEYS": str(signing_keys),
            "ACCORD_BIND": f"127.0.0.1:{self.port}",
            "ACCORD_WORKERS": "2",
            "SECRET_KEY": SECRET_KEY,
            **variables,
        }

    @property
    def master(self) -> psutil.Process:
        return psutil.Process(self._process.pid)

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children()

    def start(self) -> subprocess.Popen[bytes]:
        """Starts it, and waits for nothing."""
        configuration = str(ROOT / "gunicorn.conf.py")
        arguments = [sys.executable, "-m", "gunicorn", "-c", configuration, self._application]
        return start_child(arguments, log=self.log, env=self.environment, cwd=ROOT)

    def __enter__(self) -> Self:
        self._process = self.start()
        try:
            with requests.Session() as patient:
                until_it_listens = Retry(total=None, connect=600, backoff_factor=0.02, backoff_max=0.1)
                patient.mount("http://", HTTPAdapter(max_retries=until_it_listens))
                assert patient.get(f"{self.address}/readyz", timeout=PATIENCE).ok, self.log.read_text()
            while len(self.workers()) < int(self.environment["ACCORD_WORKERS"]):
                time.sleep(0.01)  # they start one after the other
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        stop_child(self._process, seconds=PATIENCE)


class Served(Protocol):
    """Somewhere Accord is to be found."""

    @property
    def address(self) -> str: ...


class ServedForm:
    """A customer who has signed in and reads the form of a request, to be sent any number of times at once."""

    def __init__(
        self, accord: Served, browser: requests.Session, *, user_name: str = "alex", **changes: str | None
    ) -> None:
        begun = browser.get(
            f"{accord.address}/api/v1/authorize?{a_query(**changes)}", timeout=PATIENCE, allow_redirects=False
        )
        assert begun.status_code == requests.codes.found, begun.text
        self.request_id = begun.headers["Location"].split("/")[2]
        self.address = f"{accord.address}/consent/{self.request_id}"
        if begun.headers["Location"].startswith("/sign-in/"):
            sign_in(accord, browser, self.request_id, user_name=user_name)
        self.read(browser)
        self.cookies = browser.cookies.get_dict()

    def read(self, browser: requests.Session) -> None:
        """Reads the form with its boxes, as it is by now: this is the one that is sent."""
        read = read_form(browser, self.address)
        self.fields = hidden_fields(parse_page(read.text), f"/consent/{self.request_id}")

    def send(self, decision: str, *boxes: str) -> requests.Response:
        """The answer, over connections of its own. Asked whether no box at all was meant, they say yes."""
        response = self._post({**self.fields, "decision": decision, "scope": list(boxes)})
        if not response.headers.get("Location", "").endswith("answer=unchecked"):
            return response
        pause = requests.get(f"{self.address}?answer=unchecked", cookies=self.cookies, timeout=PATIENCE).text
        fields = hidden_fields(parse_page(pause), f"/consent/{self.request_id}")
        return self._post({**fields, "decision": decision})

    def _post(self, data: dict[str, Any]) -> requests.Response:
        return requests.post(
            self.address, data=data, cookies=self.cookies, timeout=PATIENCE, allow_redirects=False
        )


def read_form(browser: requests.Session, address: str) -> requests.Response:
    """The form at `address` with its boxes; all accounts are chosen where the bank lists some."""
    read = browser.get(f"{address}?go=change", timeout=PATIENCE)
    if "/accounts" not in read.url:
        return read
    chosen = all_accounts(parse_page(read.text), address.rpartition("/")[2])
    return browser.post(f"{address}/accounts", data=chosen, timeout=PATIENCE)


def sign_in(
    accord: Served,
    browser: requests.Session,
    request_id: str,
    *,
    user_name: str = "alex",
    password: str = "maple-syrup",
) -> requests.Response:
    address = f"{accord.address}/sign-in/{request_id}"
    page = parse_page(browser.get(address, timeout=PATIENCE).text)
    fields = {**hidden_fields(page, f"/sign-in/{request_id}"), "user_name": user_name, "password": password}
    return browser.post(address, data=fields, timeout=PATIENCE, allow_redirects=False)


def redeem_at(
    accord: Served,
    code: str,
    *,
    redirect_uri: str = CALLBACK,
    headers: Mapping[str, str] = NO_HEADERS,
    **changes: str,
) -> requests.Response:
    """The recipient's part, over a connection of its own."""
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, **changes}
    return ask_for_tokens(accord, fields, headers=headers)


def ask_for_tokens(
    accord: Served, fields: Mapping[str, str], *, headers: Mapping[str, str] = NO_HEADERS
) -> requests.Response:
    address = f"{accord.address}/api/v1/token"
    return requests.post(address, data=fields, auth=BUDGET, headers=headers, timeout=PATIENCE)


def answer_at(accord: Served, url: str, decision: str, *boxes: str) -> str:
    """A customer with a new browser opens `url`, an authorization request, signs in and answers.

    Returns where they are sent with the answer.
    """
    with requests.Session() as browser:
        begun = browser.get(url, timeout=PATIENCE, allow_redirects=False)
        assert begun.headers["Location"].startswith("/sign-in/"), begun.headers["Location"]
        request_id = begun.headers["Location"].split("/")[2]
        sign_in(accord, browser, request_id)
        address = f"/consent/{request_id}"
        page = parse_page(read_form(browser, f"{accord.address}{address}").text)
        fields = {**hidden_fields(page, address), "decision": decision, "scope": list(boxes)}
        sent = browser.post(
            f"{accord.address}{address}", data=fields, timeout=PATIENCE, allow_redirects=False
        )
        return sent.headers["Location"]
