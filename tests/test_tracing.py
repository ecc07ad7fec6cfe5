"""Traces say where the time of a request went, in the trace that its answer names, and nothing that was sent."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from app.development.embedded import EmbeddedValkey
from app.settings import ConfigurationError, Settings
from app.stores.ledger import migrations
from tests.support.applications import Clock, make_app
from tests.support.builders import CHALLENGE, VERIFIER, a_query
from tests.support.collector import Collector
from tests.support.customer import BUDGET, carried_params
from tests.support.running_accord import PATIENCE, RunningAccord, ServedForm, redeem_at

FROM_ELSEWHERE = "4bf92f3577b34da6a3ce929d0e0e4736"
THEIR_SPAN = "00f067aa0ba902b7"
TRACEPARENT = f"00-{FROM_ELSEWHERE}-{THEIR_SPAN}-01"
MARK = "MARKED-state"

ATTRIBUTES = {
    "http.route",
    "http.response.status_code",
    "accord.client_id",
    "accord.provider_id",
    "error.type",
}


@dataclass(frozen=True)
class Traced:
    """What a whole flow left at the collector, and what must not be in it."""

    spans: list[Span]
    bodies: list[bytes]
    secrets: dict[str, str]
    trace_ids: dict[str, str]
    """By path, the `ob-trace-id` of an answer."""
    log: str

    def of_trace(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id.hex() == trace_id]


def run_flow(accord: RunningAccord) -> tuple[dict[str, str], dict[str, str]]:
    trace_ids: dict[str, str] = {}
    with requests.Session() as browser:
        pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        form = ServedForm(accord, browser, state=MARK, **pkce)
        answer = form.send("approve", "TRANSACTIONS")
        code = carried_params(answer.headers["Location"])["code"]
        trace_ids["/consent/<request_id>"] = answer.headers["ob-trace-id"]
        headers = {"traceparent": TRACEPARENT}
        token = redeem_at(accord, code, headers=headers, code_verifier=VERIFIER)
        trace_ids["/api/v1/token"] = token.headers["ob-trace-id"]
        missing = browser.get(f"{accord.address}/nothing/{MARK}?code={code}", timeout=PATIENCE)
        trace_ids["none"] = missing.headers["ob-trace-id"]
        unknown = f"/api/v1/authorize?{a_query(client_id=MARK)}"
        browser.get(accord.address + unknown, timeout=PATIENCE, allow_redirects=False)
    return trace_ids, {
        "state": MARK,
        "code": code,
        "request_id": form.request_id,
        "session cookie": form.cookies["accord"],
        "session id": form.cookies["accord"].partition(".")[0],
        "form's token": form.fields["csrf_token"],
        "access token": token.json()["access_token"],
        "refresh token": token.json()["refresh_token"],
        "client's secret": BUDGET[1],
        "verifier": VERIFIER,
        "challenge": CHALLENGE,
        "password": "maple-syrup",
        "subject": "maple-0001",
        "environment": "a secret key of the tests",
    }


@pytest.fixture(scope="module", params=["", "127.0.0.0/8"], ids=["no proxy is trusted", "ours is trusted"])
def traced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, signing_keys: Path
) -> Iterator[Traced]:
    directory = tmp_path_factory.mktemp("tracing")
    ledger_url = f"sqlite:///{directory / 'ledger.sqlite3'}"
    migrations.upgrade(ledger_url)
    with EmbeddedValkey(directory / "valkey") as valkey, Collector() as collector:
        with RunningAccord(
            directory / "accord.log",
            redis_url=valkey.url,
            ledger_url=ledger_url,
            signing_keys=signing_keys,
            ACCORD_TRACES_ENDPOINT=collector.endpoint,
            ACCORD_TRUSTED_PROXIES=request.param,
        ) as accord:
            trace_ids, secrets = run_flow(accord)
        # It has stopped, and sent the rest.
        log = (directory / "accord.log").read_text()
        yield Traced(list(collector.spans()), collector.bodies, secrets, trace_ids, log)


def test_a_request_is_a_trace_that_its_answer_names(traced: Traced) -> None:
    for route in ("/consent/<request_id>", "none"):
        spans = traced.of_trace(traced.trace_ids[route])
        (root,) = [span for span in spans if not span.parent_span_id]
        assert root.name == route
        assert root.kind == Span.SPAN_KIND_SERVER
        assert all(span.parent_span_id == root.span_id for span in spans if span is not root)
        assert root.start_time_unix_nano < root.end_time_unix_nano


def test_the_time_at_each_store_is_in_it(traced: Traced) -> None:
    names = [span.name for span in traced.of_trace(traced.trace_ids["/consent/<request_id>"])]
    assert {"redis", "ledger write"} <= set(names)


def test_nothing_that_was_sent_and_no_key_is_in_any_span(traced: Traced) -> None:
    everything = b"".join(traced.bodies)
    assert b"/api/v1/token" in everything
    for name, secret in traced.secrets.items():
        assert secret.encode() not in everything, name
    assert {attribute.key for span in traced.spans for attribute in span.attributes} <= ATTRIBUTES
    assert not any(span.events for span in traced.spans)


def test_a_trace_goes_on_only_for_a_proxy_that_is_trusted(
    traced: Traced, request: pytest.FixtureRequest
) -> None:
    is_trusted = "ours is trusted" in request.node.name
    assert (traced.trace_ids["/api/v1/token"] == FROM_ELSEWHERE) is is_trusted
    spans = traced.of_trace(traced.trace_ids["/api/v1/token"])
    (ours,) = [span for span in spans if span.name == "/api/v1/token"]
    assert ours.parent_span_id.hex() == (THEIR_SPAN if is_trusted else "")


def test_the_log_lines_of_a_request_have_the_id_of_its_trace(traced: Traced) -> None:
    assert f'"trace_id": "{traced.trace_ids["/api/v1/token"]}"' in traced.log
    assert not any("exception" in json.loads(line) for line in traced.log.splitlines())
    assert '"level": "error"' not in traced.log


def test_without_what_it_needs_the_start_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, clock: Clock
) -> None:
    monkeypatch.delitem(sys.modules, "app.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    endpoint = {"traces_endpoint": "http://127.0.0.1:4318/v1/traces"}
    with pytest.raises(ConfigurationError) as refused:
        make_app(settings.model_copy(update=endpoint), clock)
    assert str(refused.value) == (
        "ACCORD_TRACES_ENDPOINT needs accord[tracing]: opentelemetry is not installed"
    )
