"""Lines of the log on their way to a pipe or a file that takes them, or does not."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.log_output import LogOutput
from tests.stores.ledger.test_database import no_file_grows_beyond
from tests.support.repository import ROOT

PIPE_IS_FULL_AFTER = 100  # lines of a kilobyte: Linux gives a pipe 64
LINE = "x" * 1023 + "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """What can be read, and what can be written; both are closed after the test where it has not done so."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


def queued(descriptor: int, *, most_lines: int = 1000) -> LogOutput:
    output = LogOutput(most_lines=most_lines)
    output.queue_lines(descriptor)
    return output


def read_all(descriptor: int) -> str:
    with os.fdopen(descriptor, encoding="ascii") as file:
        return file.read()


def test_lines_arrive_in_their_order_once_the_output_is_closed(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    output = queued(writing)
    for number in range(100):
        output.write(f"line {number}\n")
    output.close()
    os.close(writing)
    assert read_all(reading) == "".join(f"line {number}\n" for number in range(100))
    assert output.lost == 0


def test_nobody_waits_for_a_reader_that_hangs_and_what_was_taken_arrives_when_it_reads_again(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    output = queued(writing)
    for _ in range(PIPE_IS_FULL_AFTER):
        output.write(LINE)
    assert output.lost == 0
    expected = LINE * PIPE_IS_FULL_AFTER
    arrived = b""
    while len(arrived) < len(expected):
        arrived += os.read(reading, 100_000)
    assert arrived.decode() == expected


def test_what_does_not_fit_is_left_out_and_counted_and_the_log_says_how_much_is_missing(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    output = queued(writing, most_lines=20)
    while not output.lost:
        output.write(LINE)
    for _ in range(9):
        output.write(LINE)
    with os.fdopen(reading, encoding="ascii") as file:
        gap = next(line for line in file if line != LINE)
    assert json.loads(gap)["lines"] >= 10
    assert json.loads(gap)["level"] == "error"


def no_reader(pipe: tuple[int, int], _: Path) -> int:
    os.close(pipe[0])
    return pipe[1]


def a_full_disk(_: tuple[int, int], __: Path) -> int:
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("where", [no_reader, a_full_disk])
def test_what_cannot_be_written_is_counted_and_raises_nothing(
    pipe: tuple[int, int], tmp_path: Path, where: Callable[[tuple[int, int], Path], int]
) -> None:
    output = queued(where(pipe, tmp_path))
    for _ in range(3):
        output.write("a line\n")
    output.close()
    assert output.lost == 3


def test_a_line_that_was_cut_off_by_a_full_disk_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab") as file:
        output = queued(file.fileno())
        with no_file_grows_beyond(15):
            for line in ("whole line\n", "cut off\n", "left out\n"):
                output.write(line)
            output.close()
        assert output.lost == 2
        output.write("whole again\n")
        output.close()
    lines = path.read_text().splitlines()
    assert lines[:3] == ["whole line", "cut ", "whole again"]
    assert json.loads(lines[3])["lines"] == 2


def test_each_process_writes_its_own_lines_before_it_ends(tmp_path: Path) -> None:
    program = """
import os, sys
from app.log_output import OUTPUT
OUTPUT.queue_lines(1)
for number in range(50):
    OUTPUT.write(f"parent {number}\\n")
if os.fork() == 0:
    OUTPUT.write("child\\n")
    sys.exit(0)
os.wait()
OUTPUT.write("the end\\n")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert sorted(ended.stdout.splitlines()) == sorted(
        [*(f"parent {number}" for number in range(50)), "child", "the end"]
    )


def test_outside_a_server_a_line_is_written_at_once_and_still_raises_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = LogOutput()
    output.write("a line\n")
    assert capsys.readouterr().err == "a line\n"
    program = "from app.log_output import OUTPUT; OUTPUT.write('a line\\n'); print(OUTPUT.lost)"
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.stdout == "1\n"
