"""A log that nobody takes, and counts that cannot be written: consents go on behind a real server."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from app.development.embedded import EmbeddedValkey
from tests.support.builders import CALLBACK
from tests.support.customer import carried_params
from tests.support.log_reader import LogReader
from tests.support.ports import free_port
from tests.support.running_accord import PATIENCE, RunningAccord, ServedForm, redeem_at
from tests.support.waiting import wait_until
from tests.test_gunicorn_conf import counts_of

# More lines than a pipe holds, which are some two hundred.
ENOUGH_TO_FILL_A_PIPE = 500


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[LogReader]:
    with LogReader(tmp_path / "pipe", tmp_path / "kept.log") as reader:
        yield reader


@pytest.fixture
def serve(valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path) -> Callable[..., RunningAccord]:
    def make(log: Path, **variables: str) -> RunningAccord:
        return RunningAccord(
            log, redis_url=valkey.url, ledger_url=ledger_url, signing_keys=signing_keys, **variables
        )

    return make


def share(accord: RunningAccord) -> None:
    """A customer approves, ends at the recipient, and the recipient gets its tokens."""
    with requests.Session() as browser:
        answer = ServedForm(accord, browser).send("approve")
    assert answer.status_code == requests.codes.found, answer.text
    assert answer.headers["Location"].startswith(CALLBACK)
    code = carried_params(answer.headers["Location"])["code"]
    redeemed = redeem_at(accord, code)
    assert redeemed.status_code == requests.codes.ok, redeemed.text


def fill(accord: RunningAccord) -> None:
    """Each of these requests is refused, and a line of the log."""
    with requests.Session() as session:
        for _ in range(ENOUGH_TO_FILL_A_PIPE):
            refused = session.get(f"{accord.address}/api/v1/authorize", timeout=PATIENCE)
            assert refused.status_code == requests.codes.bad_request


def replace_workers(accord: RunningAccord) -> None:
    """Every worker ends and another one takes its place."""
    old = accord.workers()
    for worker in old:
        worker.terminate()
    psutil.wait_procs(old, PATIENCE)
    wait_until(lambda: len(accord.workers()) == len(old))


def test_while_the_logs_reader_hangs_everybody_is_served_and_no_line_is_lost(
    serve: Callable[..., RunningAccord], reader: LogReader
) -> None:
    with serve(reader.pipe) as accord:
        reader.hang()
        fill(accord)
        share(accord)
        assert requests.get(f"{accord.address}/readyz", timeout=PATIENCE).ok
        reader.go_on()
        wait_until(lambda: "redeemed" in reader.events())
    reader_saw = reader.events()
    assert reader_saw.count("refused") == ENOUGH_TO_FILL_A_PIPE
    assert reader_saw.count("approved") == reader_saw.count("redeemed") == 1
    assert "log_lines_lost" not in reader_saw


def test_while_the_logs_reader_hangs_a_worker_can_be_replaced_and_the_server_stopped(
    serve: Callable[..., RunningAccord], reader: LogReader
) -> None:
    with serve(reader.pipe) as accord:
        reader.hang()
        fill(accord)
        replace_workers(accord)
        share(accord)
        accord.master.terminate()
        accord.master.wait(PATIENCE)


def test_when_the_logs_reader_is_killed_everybody_is_served_and_the_lost_lines_are_counted(
    serve: Callable[..., RunningAccord], reader: LogReader
) -> None:
    port = free_port()
    with serve(reader.pipe, ACCORD_METRICS_ADDRESS=f"127.0.0.1:{port}") as accord:
        reader.end()
        share(accord)
        replace_workers(accord)
        share(accord)
        wait_until(lambda: lines_lost(accord, port) > 0)


def test_when_the_logs_disk_is_full_everybody_is_served_and_the_lost_lines_are_counted(
    serve: Callable[..., RunningAccord],
) -> None:
    port = free_port()
    with serve(Path("/dev/full"), ACCORD_METRICS_ADDRESS=f"127.0.0.1:{port}") as accord:
        share(accord)
        wait_until(lambda: lines_lost(accord, port) > 0)


def lines_lost(accord: RunningAccord, port: int) -> float:
    """What the metrics say, after another request: they look once a second while some come."""
    time.sleep(0.1)
    requests.get(f"{accord.address}/healthz", timeout=PATIENCE)
    exposed = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE).text
    (line,) = (line for line in exposed.splitlines() if line.startswith("accord_log_lines_lost_total "))
    return float(line.split()[1])


def test_a_worker_that_finds_no_folder_to_count_in_serves_and_says_so_once(
    serve: Callable[..., RunningAccord], tmp_path: Path
) -> None:
    log = tmp_path / "accord.log"
    with serve(log, ACCORD_METRICS_ADDRESS=f"127.0.0.1:{free_port()}") as accord:
        share(accord)
        (folder,) = counts_of(accord.pid)
        shutil.rmtree(folder)
        share(accord)
        replace_workers(accord)
        for _ in range(4):
            share(accord)
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events.count("redeemed") == 6
    assert 1 <= events.count("counting_failed") <= 4, "once for each process"
    assert "unexpected" not in events


def test_no_count_is_written_where_there_may_be_no_room_for_it(
    serve: Callable[..., RunningAccord], tmp_path: Path
) -> None:
    """A write into a hole of a mapped file ends the process, where its file system is full."""
    with serve(tmp_path / "accord.log", ACCORD_METRICS_ADDRESS=f"127.0.0.1:{free_port()}") as accord:
        share(accord)
        (folder,) = counts_of(accord.pid)
        files = list(folder.glob("*.db"))
        sizes = {file.name: (file.stat().st_size, file.stat().st_blocks * 512) for file in files}
    assert len(sizes) >= 3
    assert all(size <= allocated for size, allocated in sizes.values()), sizes
