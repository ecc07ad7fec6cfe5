"""One browser's way through Accord, and how long each answer took."""

from collections import defaultdict
from statistics import median, quantiles
from typing import Any, Final

import requests

from bench.load import run_bench
from tests.support.builders import CALLBACK
from tests.support.customer import BUDGET, carried_params
from tests.support.running_accord import PATIENCE, Served, ServedForm

STEPS: Final = {
    ("GET", "api"): "authorize",
    ("GET", "consent"): "form",
    ("POST", "consent"): "approve",
    ("POST", "api"): "redeem",
    ("GET", "connections"): "connections",
}
"""What is measured, by the method and the beginning of the path; whatever else a browser asks is not."""


class Latencies:
    """Collects, for each step, from when a request was sent until its answer began, in milliseconds."""

    def __init__(self) -> None:
        self._of: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """A hook of requests."""
        asked = response.request
        step = STEPS.get((asked.method or "", asked.path_url.split("/")[1]))
        if step:
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
