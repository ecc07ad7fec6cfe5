"""What is measured of an answer is what whoever asked has waited for."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from app.metrics import Metrics
from app.web.edge import http_metrics
from app.web.edge.concurrency import limit_concurrency
from tests.support.builders import a_registry

A_WHILE = 0.3


def test_the_time_that_a_request_waits_for_its_turn_is_measured() -> None:
    is_working, let_go = Event(), Event()
    app, metrics = Flask(__name__), Metrics(a_registry(), {}, lambda: 0)
    http_metrics.init_app(app, metrics)

    @app.get("/works")
    def works() -> str:
        is_working.set()
        let_go.wait(10)
        return "done"

    @app.get("/waits")
    def waits() -> str:
        return "done at once"

    client = Client(http_metrics.serve_metrics(limit_concurrency(app.wsgi_app, slots=1), metrics, 9))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.get, "/works")
        assert is_working.wait(10)
        second = pool.submit(client.get, "/waits")
        time.sleep(A_WHILE)
        let_go.set()
        assert (first.result().status_code, second.result().status_code) == (200, 200)
    assert seconds_at(metrics, "/waits") > A_WHILE * 0.9


def seconds_at(metrics: Metrics, route: str) -> float:
    families = text_string_to_metric_families(metrics.exposition().decode())
    samples = [sample for family in families for sample in family.samples]
    (total,) = [
        sample.value
        for sample in samples
        if sample.name == "accord_http_request_seconds_sum" and sample.labels["route"] == route
    ]
    return total
