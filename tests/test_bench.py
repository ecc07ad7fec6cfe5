"""What the measurements decide by themselves: whether something grew, what is compared, and where a table goes."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.registration.file import read_registry
from bench.accord import prepare
from bench.load import BENCH, run_bench
from bench.page import write_between
from bench.plateau import Limit
from bench.report import FLOWS, MOST_OF_PEER, report
from bench.soak import Sample, Worker, faults
from tests.support.fapi import demo_key, public

THREE_PERCENT_AND_ONE = Limit(0.03, 1)


def a_sample(number: int, *, rate: float = 20.0) -> Sample:
    """The sample of one number of many, in a run in which all is well."""
    worker = Worker(pid=1, memory=90.0, files=30, threads=8)
    flows = 600 * number
    return Sample(
        after=30.0 * number,
        flows=flows,
        failures=0,
        rate=rate if number else 0,
        workers=(worker, replace(worker, pid=2)),
        redis_connections=10,
        redis_memory=5.0,
        ledger_connections=10,
        keys=Counter(session=int(60 * rate), request=flows, minted=flows),
        undying=0,
    )


A_GOOD_RUN = [a_sample(number) for number in range(61)]


@pytest.mark.parametrize(
    ("values", "is_exceeded"),
    [
        ([90] * 30, False),
        ([*range(50, 90, 4), *[90] * 20], False),  # it filled up, and then stood still
        ([*[90] * 20, *[93.6] * 10], False),
        ([*[90] * 20, *[93.8] * 10], True),
        ([*[90] * 29, 500], False),  # one bad moment
        ([90 + number / 2 for number in range(30)], True),
        ([95, 90, 80], False),
    ],
)
def test_growth_is_what_the_last_third_has_more_than_the_middle_one(
    values: list[float], is_exceeded: bool
) -> None:
    assert THREE_PERCENT_AND_ONE.is_exceeded(values) is is_exceeded


def test_growth_needs_three_thirds() -> None:
    with pytest.raises(ValueError, match="three"):
        THREE_PERCENT_AND_ONE.is_exceeded([1, 2])


def test_a_run_in_which_nothing_grows_has_no_faults() -> None:
    assert faults(A_GOOD_RUN) == []


def test_a_busier_third_is_no_growth_of_keys() -> None:
    samples = [a_sample(number, rate=20 if number < 40 else 30) for number in range(61)]
    assert faults(samples) == []


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("what", "each"), [("memory", 0.2), ("files", 1), ("threads", 1)], ids=["memory", "files", "threads"]
)
def test_what_a_worker_never_gives_back_is_found(number: int, what: str, each: float) -> None:
    samples = []
    for sample in A_GOOD_RUN:
        workers = list(sample.workers)
        grown = getattr(workers[number], what) + each * sample.after / 30
        workers[number] = replace(workers[number], **{what: grown})
        samples.append(replace(sample, workers=tuple(workers)))
    assert faults(samples) == [f"{what} of worker {number + 1} grew"]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("redis_connections", "connections to Redis grew"),
        ("ledger_connections", "connections to the ledger grew"),
    ],
)
def test_connections_that_stay_open_are_found(what: str, sentence: str) -> None:
    samples = [replace(one, **{what: getattr(one, what) + one.after / 30}) for one in A_GOOD_RUN]
    assert faults(samples) == [sentence]


def test_keys_that_stay_are_found() -> None:
    sessions = [replace(one, keys=one.keys + Counter(session=one.flows // 20)) for one in A_GOOD_RUN]
    assert faults(sessions) == ["keys for each flow a second grew"]
    marks = [replace(one, keys=one.keys + Counter(minted=one.flows**2 // 30_000)) for one in A_GOOD_RUN]
    assert faults(marks) == ["keys for each flow so far grew"]
    assert faults([*A_GOOD_RUN[:-1], replace(A_GOOD_RUN[-1], undying=2)]) == ["2 keys in Redis have no end"]


def test_a_flow_that_failed_and_a_worker_that_was_replaced_are_faults() -> None:
    assert faults([*A_GOOD_RUN[:-1], replace(A_GOOD_RUN[-1], failures=1)]) == ["1 flows failed"]
    first, second = A_GOOD_RUN[-1].workers
    last = replace(A_GOOD_RUN[-1], workers=(first, replace(second, pid=3)))
    assert faults([*A_GOOD_RUN[:-1], last]) == ["a worker was replaced"]


def test_a_run_without_load_says_nothing_good() -> None:
    assert faults([replace(one, flows=0, rate=0) for one in A_GOOD_RUN]) == ["too few flows to judge by"]


def test_a_table_replaces_what_stood_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- soak: begin -->\nold\n<!-- soak: end -->\nafter\n")
    write_between(page, "soak", "new\n")
    assert page.read_text() == "before\n<!-- soak: begin -->\nnew\n<!-- soak: end -->\nafter\n"
    with pytest.raises(ValueError, match="growth"):
        write_between(page, "growth", "new\n")


TARGETS = [target for path in sorted((BENCH / "targets").glob("*.json")) for target in run_bench.load(path)]


def measured(target: str, flow: str, cpu: float, *, stores: float = 1.0) -> list[dict[str, Any]]:
    """Two rounds of a target, with `cpu` ms a flow and a third of that around it."""
    flows = {"p50_us": 9000, "p99_us": 40_000}
    return [
        {
            "target": f"{target} {flow}",
            "calib_ms": 80,
            "pss_mb": 100,
            "phases": {
                "flow": {
                    "server_cpu_ms": cpu * factor,
                    "svc_cpu_ms": {"redis": 0.1, "postgres": stores - 0.1, "bank": 9.0},
                    "rate": 1000 / cpu,
                    "fail": 0,
                },
                "half": {"flow": flows, "server_cpu_ms": cpu, "fail": 0},
            },
        }
        for factor in (2 / 3, 4 / 3)
    ]


def test_a_run_says_what_accord_costs_beside_its_peer_and_its_floor() -> None:
    targets = [
        {
            "name": f"{kind} fapi",
            "title": "",
            "flow": "fapi",
            "compared": kind,
            "services": ["redis", "postgres"],
        }
        for kind in ("floor", "peer", "accord")
    ]
    results = [
        *measured("floor", "fapi", 4),
        *measured("peer", "fapi", 5),
        *measured("accord", "fapi", 6, stores=2),
    ]
    *_, head, _line, row = report(results, targets, rounds=2, seconds=4).splitlines()
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert [value for name, value in cells.items() if name.startswith(("times", "p99"))] == [
        "1.20",
        "1.50",
        "40",
    ]
    assert row == f"| {FLOWS['fapi']} | 1.20 | 1.33 | 1.5 | 1.50 | 1.60 | 1.6 | 40 | 100 |"


def test_a_target_that_failed_is_told_and_spoils_no_table() -> None:
    targets = [{"name": "gone", "title": "Gone", "flow": "bank", "compared": "", "services": ["redis"]}]
    results = [{"target": "gone", "error": "RuntimeError: server exited at start"}]
    assert "| Gone: RuntimeError: server exited at start |" in report(results, targets, rounds=1, seconds=4)


def test_accord_is_compared_in_every_flow_with_a_floor_and_where_there_is_an_aim_with_a_peer() -> None:
    compared = {(target["flow"], target["compared"]) for target in TARGETS if target["compared"]}
    assert compared == {
        *((flow, kind) for flow in FLOWS for kind in ("accord", "floor")),
        *((flow, "peer") for flow in MOST_OF_PEER),
    }


def test_what_is_pushed_is_signed_for_each_flow() -> None:
    (target,) = (target for target in TARGETS if target["name"] == "accord-postgres-fapi")
    lines = dict(line.split("=", 1) for line in run_bench.conf_text(target, 8).splitlines())
    assert lines["authorize"] == "/api/v1/authorize?client_id=bench-fapi&request_uri={request_uri}"
    assert "client_assertion={assertion}" in lines["par_body"]
    assert "client_assertion={assertion}" in lines["token_body"]
    assert lines["token_header"] == "DPoP: {proof}"
    assert "TRANSACTIONS" in lines["par_body"]
    assert "TRANSACTIONS" not in lines["par_next"]


def test_what_is_registered_for_the_benchmark_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    path.write_text(prepare.registration(public(demo_key())), encoding="utf-8")
    registry = read_registry(path, allow_demo=True)
    assert registry.clients["bench-fapi"].is_fapi
    assert not registry.clients["bench-client"].is_fapi
