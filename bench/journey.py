"""One browser's way through Accord, and how long each answer took."""

import re
from collections import defaultdict
from statistics import median, quantiles
from typing import Any, Final

import requests

from bench.load import run_bench
from tests.support.builders import CALLBACK
from tests.support.customer import BUDGET, carried_params, hidden_fields
from tests.support.page_contract import parse_page
from tests.support.running_accord import PATIENCE, Served, ServedForm

STEPS: Final = {
    "authorize": re.compile(r"GET /api/v1/authorize\?.* 302"),
    "form": re.compile(r"GET /consent/[^/]+ 200"),
    "approve": re.compile(r"POST /consent/[^/]+ 302"),
    "redeem": re.compile(r"POST /api/v1/token 200"),
    "connections": re.compile(r"GET /connections 200"),
}
"""What is measured, by the method, the path and the status; whatever else a browser is answered is not."""


class Latencies:
    """Collects, for each step, from when a request was sent until its answer began, in milliseconds."""

    def __init__(self) -> None:
        self._of: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """A hook of requests."""
        asked = f"{response.request.method} {response.request.path_url} {response.status_code}"
        for step, pattern in STEPS.items():
            if pattern.fullmatch(asked):
                self.add(step, response)

    def add(self, step: str, response: requests.Response) -> None:
        self._of[step].append(response.elapsed.total_seconds() * 1000)

    def forget(self) -> None:
        """Begins anew: what came before was to warm up."""
        self._of.clear()

    def in_words(self, step: str) -> str:
        """The median and the 99th percentile, in milliseconds."""
        values = self._of[step]
        return f"{median(values):.1f} / {quantiles(values, n=100)[98]:.1f}"


def a_browser(latencies: Latencies) -> requests.Session:
    browser = requests.Session()
    browser.hooks["response"].append(latencies.note)
    return browser


def whole_flow(accord: Served, browser: requests.Session, user_name: str) -> dict[str, str]:
    """From the recipient's link to its tokens, which it returns, over the browser's one connection.

    Signs in when nobody is. Raises AssertionError when a step ends otherwise than it should.
    """
    form = ServedForm(accord, browser, user_name=user_name, scope=run_bench.SCOPES)
    data = {**form.fields, "decision": "approve", "scope": run_bench.SCOPES.split()}
    answer = browser.post(form.address, data=data, timeout=PATIENCE, allow_redirects=False)
    assert answer.is_redirect, answer.text
    code = carried_params(answer.headers["Location"])["code"]
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    redeemed = browser.post(f"{accord.address}/api/v1/token", data=fields, auth=BUDGET, timeout=PATIENCE)
    assert redeemed.ok, redeemed.text
    tokens: dict[str, str] = redeemed.json()
    return tokens


def look_at_connections(accord: Served, browser: requests.Session) -> None:
    """Raises AssertionError when the list does not come."""
    page = browser.get(f"{accord.address}/connections", timeout=PATIENCE, allow_redirects=False)
    assert page.status_code == requests.codes.ok, page.status_code


def use_connection(
    accord: Served, browser: requests.Session, tokens: dict[str, str], latencies: Latencies
) -> None:
    """What a recipient, a bank and a customer ask of one connection. Raises AssertionError when one is refused."""

    def ask(endpoint: str, **data: str) -> requests.Response:
        return browser.post(f"{accord.address}/api/v1/{endpoint}", data=data, auth=BUDGET, timeout=PATIENCE)

    refreshed = ask("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refreshed.ok, refreshed.text
    introspected = ask("introspect", token=refreshed.json()["access_token"])
    consent_id = introspected.json()["consent_id"]
    page = browser.get(f"{accord.address}/connections/{consent_id}", timeout=PATIENCE)
    assert page.ok, page.text
    for step, response in (("refresh", refreshed), ("introspect", introspected), ("detail", page)):
        latencies.add(step, response)


def stop_sharing(
    accord: Served, browser: requests.Session, tokens: dict[str, str], latencies: Latencies
) -> None:
    """The customer takes one account out of the connection, where it has several, and then stops all of it.

    Raises AssertionError when a step ends otherwise than it should.
    """
    address = f"/connections/{tokens['consent_id']}"

    def stop(what: str) -> requests.Response:
        asked = browser.get(f"{accord.address}{address}?stop={what}", timeout=PATIENCE)
        fields = {**hidden_fields(parse_page(asked.text), address), "stop": what}
        stopped = browser.post(
            f"{accord.address}{address}", data=fields, timeout=PATIENCE, allow_redirects=False
        )
        assert stopped.headers.get("Location", "").endswith("#stopped"), stopped.text
        return stopped

    page = browser.get(f"{accord.address}{address}", timeout=PATIENCE).text
    accounts = set(re.findall(r"stop=account(?::|%3A)([0-9a-f]+)", page))
    if len(accounts) > 1:
        latencies.add("narrow", stop(f"account:{accounts.pop()}"))
    latencies.add("stop", stop("all"))
