"""What the worker answers by itself."""

from collections.abc import Iterator

import pytest

from tests.support.gunicorn_server import MARK, Gunicorn, serving
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    with serving(tmp_path_factory.mktemp("gunicorn")) as server:
        yield server


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (414, [f"GET /?state={MARK * 600} HTTP/1.1"]),
        (431, ["GET / HTTP/1.1", f"Cookie: {MARK * 1200}"]),
        (400, [f"GET /?state={MARK} nonsense HTTP/1.1"]),
        (400, ["GET / HTTP/1.1", f"{MARK} : x"]),
        (417, ["GET / HTTP/1.1", f"Expect: {MARK}"]),
        (501, ["POST / HTTP/1.1", f"Transfer-Encoding: {MARK}"]),
        (500, [f"GET /fails?{MARK} HTTP/1.1"]),
    ],
)
def test_what_gunicorn_answers_itself_repeats_nothing_and_can_be_found_in_the_log(
    gunicorn: Gunicorn, status: int, lines: list[str]
) -> None:
    head, _, body = gunicorn.ask(*lines).partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'" in head
    assert "Cache-Control: no-store" in head
    assert "Cross-Origin-Opener-Policy" not in head, "it may stand in a window that a recipient opened"
    assert "gunicorn" not in head
    assert MARK not in head + body
    reference = next(line for line in head.splitlines() if line.startswith("ob-trace-id: "))[13:]
    assert reference in body
    wait_until(lambda: reference in gunicorn.log.read_text())  # which a thread of its own writes
