"""The metrics of a server with two workers: complete, about nobody, and for whoever reaches their own port."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.clock import utc_now
from app.development.embedded import EmbeddedValkey
from app.loaded import VERSION, LoadedMetrics
from app.metrics import Metrics
from app.notices.waiting import WaitingNotices
from app.settings import Settings
from app.stores.ledger import migrations
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.notices import NoticeStore
from app.stores.signing_keys import SigningKeys
from tests.support.builders import CALLBACK, a_client, a_query, a_registry
from tests.support.customer import BUDGET, carried_params
from tests.support.page_contract import ContractClient
from tests.support.ports import free_port
from tests.support.repository import ROOT
from tests.support.running_accord import PATIENCE, RunningAccord, ServedForm, sign_in

METRIC = re.compile(r"accord_[a-z_]+")
SUFFIX = re.compile(r"_(total|bucket|count|sum|created)$")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """What was scraped: a number by name and labels."""

    samples: dict[tuple[str, Labels], float]

    def total(self, name: str, **labels: str) -> float:
        """The sum of every series of `name` that has these labels."""
        return sum(
            value
            for (each, has), value in self.samples.items()
            if each == name and labels.items() <= dict(has).items()
        )

    def values_of(self, label: str) -> set[str]:
        return {dict(labels)[label] for _, labels in self.samples if label in dict(labels)}


class Server(RunningAccord):
    """Accord with its metrics at a port of their own."""

    metrics_port: int

    def scrape(self) -> Counts:
        response = requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=PATIENCE)
        assert response.status_code == requests.codes.ok
        families = text_string_to_metric_families(response.text)
        samples = [sample for family in families for sample in family.samples]
        return Counts({(one.name, tuple(sorted(one.labels.items()))): one.value for one in samples})

    def token(self, fields: dict[str, str], auth: tuple[str, str] = BUDGET) -> requests.Response:
        return requests.post(f"{self.address}/api/v1/token", data=fields, auth=auth, timeout=PATIENCE)

    def ask(self, method: str, path: str) -> requests.Response:
        """Over a connection of its own, so that either worker may be the one that answers."""
        return requests.request(method, self.address + path, timeout=PATIENCE, allow_redirects=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, signing_keys: Path) -> Iterator[Server]:
    directory, metrics_port = tmp_path_factory.mktemp("metrics"), free_port()
    ledger_url = f"sqlite:///{directory / 'ledger.sqlite3'}"
    migrations.upgrade(ledger_url)
    with EmbeddedValkey(directory / "valkey") as valkey:
        running = Server(
            directory / "accord.log",
            redis_url=valkey.url,
            ledger_url=ledger_url,
            signing_keys=signing_keys,
            ACCORD_METRICS_ADDRESS=f"127.0.0.1:{metrics_port}",
        )
        running.metrics_port = metrics_port
        with running:
            yield running


def test_what_two_workers_do_adds_up(server: Server) -> None:
    before = server.scrape()
    with requests.Session() as alex, requests.Session() as sam:
        code = carried_params(
            ServedForm(server, alex, lang="fr").send("approve", "TRANSACTIONS").headers["Location"]
        )["code"]
        ServedForm(server, alex, lang="fr").send("deny")
        begun = sam.get(
            f"{server.address}/api/v1/authorize?{a_query()}", timeout=PATIENCE, allow_redirects=False
        )
        sign_in(server, sam, begun.headers["Location"].split("/")[2], password="wrong")
    redemption = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    refresh_token = server.token(redemption).json()["refresh_token"]
    server.token({"grant_type": "refresh_token", "refresh_token": refresh_token})
    server.token({"grant_type": "client_credentials", "scope": "client:admin"})
    server.token(redemption)  # once more: a replay
    server.token(redemption, ("nobody", "x"))
    for _ in range(40):
        server.ask("GET", "/healthz")
    after = server.scrape()

    def counted(name: str, **labels: str) -> float:
        return after.total(name, **labels) - before.total(name, **labels)

    funnel = {
        step: counted(
            "accord_consents_total", step=step, client_id="dc-budget", provider_id="1000", language=lang
        )
        for step, lang in (("asked", "fr"), ("shown", "fr"), ("approved", "fr"), ("denied", "fr"))
    }
    assert funnel == {"asked": 2, "shown": 2, "approved": 1, "denied": 1}
    shares = {
        share: counted("accord_consents_total", step="approved", optional=share)
        for share in ("none", "some", "all")
    }
    assert shares == {"none": 0, "some": 0, "all": 1}
    assert counted("accord_consents_total", step="denied", optional="") == 1
    assert counted("accord_consents_total", step="asked", language="en") == 1
    assert counted("accord_consent_clusters_total", step="asked", cluster="TRANSACTIONS") == 3
    assert counted("accord_consent_clusters_total", step="approved", cluster="TRANSACTIONS") == 1
    outcomes = ("redeemed", "refreshed", "administered", "invalid_grant")
    tokens = {
        outcome: counted("accord_token_answers_total", outcome=outcome, client_id="dc-budget")
        for outcome in outcomes
    }
    assert tokens == {"redeemed": 1, "refreshed": 1, "administered": 1, "invalid_grant": 1}
    assert counted("accord_token_answers_total", outcome="invalid_client", client_id="unknown") == 1
    assert counted("accord_consent_events_total", event="replayed", client_id="dc-budget") == 1
    assert counted("accord_sign_ins_total", outcome="ok", provider_id="1000") == 1
    assert counted("accord_sign_ins_total", outcome="refused", provider_id="1000") == 1
    assert counted("accord_http_request_seconds_count", route="/healthz", method="GET", status="2xx") == 40
    assert counted("accord_http_request_seconds_count", route="/consent/<request_id>", method="POST") == 2
    assert after.total("accord_http_request_seconds_sum", route="/healthz") > 0


def test_both_workers_are_in_what_either_of_them_says(server: Server) -> None:
    for _ in range(60):
        server.ask("GET", "/healthz")
    totals = {server.scrape().total("accord_http_request_seconds_count", route="/healthz") for _ in range(12)}
    assert len(totals) == 1


def test_a_worker_that_died_takes_none_of_the_counts_with_it(server: Server) -> None:
    for _ in range(20):
        server.ask("GET", "/healthz")
    before = server.scrape()
    killed = server.workers()[0].pid
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while killed in (alive := {worker.pid for worker in server.workers()}) or len(alive) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    after = server.scrape()
    for (name, labels), value in before.samples.items():
        if name.endswith(("_total", "_count")):
            assert after.samples[name, labels] >= value, (name, labels)


def test_nobody_can_make_the_number_of_series_grow(server: Server) -> None:
    def attack(number: int) -> None:
        name = f"hostile-{number}"
        server.ask("GET", f"/{name}/{name}")
        server.ask("GET", f"/consent/{name}")
        server.ask("GET", f"/connections/sign-in/{name}")
        server.ask(name.upper().replace("-", ""), "/healthz")
        hostile = {"client_id": name, "provider_id": name, "lang": name, "correlation_id": name}
        server.ask("GET", f"/api/v1/authorize?{a_query(**hostile)}")
        server.ask("GET", f"/api/v1/authorize?{a_query(provider_id=name, scope=f'ACCOUNT_BASIC {name}')}")
        server.token({"grant_type": name}, (name, name))
        server.token({"grant_type": "refresh_token", "refresh_token": name, "scope": name})

    attack(0)
    before = server.scrape()
    for number in range(1, 15):
        attack(number)
    after = server.scrape()
    assert after.samples.keys() == before.samples.keys()
    for label in ("client_id", "provider_id", "language", "route", "method", "status", "cluster", "outcome"):
        assert not any("hostile" in value.lower() for value in after.values_of(label)), label


def test_no_series_is_about_a_person(server: Server) -> None:
    text = requests.get(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=PATIENCE).text
    for personal in ("alex", "Tremblay", "maple-0001", "127.0.0.1"):
        assert personal not in text


@pytest.mark.parametrize("host", ["localhost", "localhost:{metrics_port}", "127.0.0.1:{metrics_port}"])
def test_where_customers_come_the_metrics_do_not_exist(server: Server, host: str) -> None:
    headers = {
        "Host": host.format(metrics_port=server.metrics_port),
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Port": str(server.metrics_port),
    }
    for path in ("/metrics", "//metrics"):
        response = requests.get(server.address + path, headers=headers, timeout=PATIENCE)
        assert response.status_code == requests.codes.not_found
        assert "accord_" not in response.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/connections", "/api/v1/authorize", "/metrics/"])
def test_where_the_metrics_are_nothing_else_is(server: Server, path: str) -> None:
    response = requests.get(f"http://127.0.0.1:{server.metrics_port}{path}", timeout=PATIENCE)
    assert response.status_code == requests.codes.not_found
    assert not response.cookies
    posted = requests.post(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=PATIENCE)
    assert posted.status_code == requests.codes.not_found


@pytest.mark.parametrize("path", ["/metrics", "/nothing"])
def test_the_metrics_carry_what_every_answer_does(server: Server, path: str) -> None:
    answers = [
        requests.get(f"http://127.0.0.1:{server.metrics_port}{path}", timeout=PATIENCE) for _ in range(2)
    ]
    assert {answer.headers["X-Content-Type-Options"] for answer in answers} == {"nosniff"}
    assert len({answer.headers["ob-trace-id"] for answer in answers}) == 2


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_without_an_address_of_their_own_there_are_none(client: ContractClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_what_alerts_wait_for_is_there_before_it_happens(server: Server) -> None:
    samples = server.scrape().samples
    for name, labels in {
        "accord_store_errors_total": {"store": "ledger"},
        "accord_rate_limited_total": {"limit": "token"},
        "accord_sign_ins_total": {"outcome": "unavailable", "provider_id": "2000"},
        "accord_account_lists_total": {"outcome": "busy", "provider_id": "2000"},
        "accord_turned_away_total": {},
        "accord_log_lines_lost_total": {},
        "accord_unexpected_errors_total": {},
        "accord_forms_refused_total": {},
    }.items():
        assert samples[name, tuple(sorted(labels.items()))] == 0, name


def test_alerts_say_when_nobody_answers_when_answers_fail_and_when_customers_are_turned_away() -> None:
    (group,) = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    rules = {rule["alert"]: rule["expr"] for rule in group["rules"]}
    assert 'up{job="accord"} == 0' in rules["AccordIsDown"]
    assert '{status="5xx"' in rules["AccordAnswersWithErrors"]
    assert "accord_turned_away_total" in rules["AccordTurnsCustomersAway"]
    assert "accord_log_lines_lost_total" in rules["AccordLogLosesLines"]
    assert 'accord_rate_limited_total{limit="address"}' in rules["AccordOneAddressIsMost"]
    assert len(rules) == len(group["rules"])


def test_machines_that_have_read_the_same_say_the_same_and_no_secret(server: Server) -> None:
    samples = server.scrape().samples
    (labels,) = [dict(labels) for name, labels in samples if name == "accord_info"]
    assert labels["version"] == VERSION
    assert all(re.fullmatch("[0-9a-f]{12}", labels[name]) for name in ("registry", "keys", "secret"))
    assert samples["accord_registered", (("kind", "recipient"),)] == 4
    assert samples["accord_bank_left_out", (("provider_id", "3000"),)] == 0
    (line,) = [
        entry for entry in map(json.loads, server.log.read_text().splitlines()) if entry["event"] == "loaded"
    ]
    assert {name: line[name] for name in labels} == labels
    assert (line["recipients"], line["providers"], line["resource_servers"]) == (4, 3, 3)
    assert line["registry_path"].endswith("registry/demo.toml")


def test_which_of_its_secrets_a_recipient_uses_is_counted() -> None:
    metrics = Metrics(a_registry(a_client()), {"redis": lambda: 0}, lambda: 0)
    for which in ("current", "previous", "previous", "another"):
        metrics.count_event({"event": "redeemed", "client_id": "dc-budget", "secret_used": which})
    text = metrics.exposition().decode()
    assert 'accord_client_secret_used_total{client_id="dc-budget",which="current"} 1.0' in text
    assert 'accord_client_secret_used_total{client_id="dc-budget",which="previous"} 2.0' in text
    assert "another" not in text


def test_what_became_of_notices_is_counted_by_their_type() -> None:
    metrics = Metrics(a_registry(), {}, lost_lines=lambda: 0)
    for event in (
        "notice_acknowledged",
        "notice_delivered",
        "notice_refused",
        "notice_failed",
        "notice_given_up",
    ):
        metrics.count_event({"event": event, "type": "CONSENT_REVOKED"})
    for unrecorded in (False, None):  # a poll has settled it before, or it is sent again
        metrics.count_event(
            {"event": "notice_delivered", "type": "CONSENT_REVOKED", "is_recorded": unrecorded}
        )
    metrics.count_event({"event": "notice_delivered", "type": "who knows"})
    said = metrics.exposition().decode()
    for outcome in ("acknowledged", "delivered", "refused", "failed", "given_up"):
        assert f'accord_notices_total{{outcome="{outcome}",type="CONSENT_REVOKED"}} 1.0' in said
    assert 'accord_notices_total{outcome="delivered",type="unknown"} 1.0' in said


def test_customers_without_an_account_to_share_are_counted() -> None:
    metrics = Metrics(a_registry(), {}, lost_lines=lambda: 0)
    metrics.count_event({"event": "accounts_none", "provider_id": "1000"})
    assert 'accord_accounts_none_total{provider_id="1000"} 1.0' in metrics.exposition().decode()


def test_the_lists_of_accounts_of_a_bank_are_counted_and_timed() -> None:
    metrics = Metrics(a_registry(), {}, lost_lines=lambda: 0)
    for event, outcome, seconds in (
        ("accounts_listed", "ok", 0.2),
        ("accounts_unavailable", "busy", 0.0),
        ("accounts_unavailable", "marked", 1.8),
    ):
        metrics.count_event({"event": event, "provider_id": "1000", "outcome": outcome, "seconds": seconds})
    said = metrics.exposition().decode()
    for outcome in ("ok", "busy", "unknown"):
        assert f'accord_account_lists_total{{outcome="{outcome}",provider_id="1000"}} 1.0' in said
    assert 'accord_account_list_seconds_bucket{le="0.25",provider_id="1000"} 2.0' in said
    assert 'accord_account_list_seconds_sum{provider_id="1000"} 2.0' in said


def test_every_metric_on_the_dashboard_and_in_the_alerts_exists(settings: Settings) -> None:
    metrics = Metrics(a_registry(), {"redis": lambda: 0}, lambda: 0)
    metrics.expose(LoadedMetrics(settings, a_registry(), SigningKeys(settings.signing_keys)))
    with closing(Ledger(settings.ledger_url.get_secret_value(), timeout=timedelta(seconds=1))) as ledger:
        metrics.expose(WaitingNotices(NoticeStore(ledger.database), list, utc_now))
        exposed = metrics.exposition().decode()
    names = {SUFFIX.sub("", family.name) for family in text_string_to_metric_families(exposed)}
    dashboard = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    alerts = (ROOT / "deploy" / "alerts.yaml").read_text(encoding="utf-8")
    named = {word for text in (*queries, alerts) for word in METRIC.findall(text)}
    bare = {SUFFIX.sub("", name) for name in named}
    assert bare == names, "nothing is looked at that does not exist, and everything that exists is looked at"
