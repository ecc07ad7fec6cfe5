"""What gunicorn writes into the log."""

import json
from collections.abc import Iterator

import pytest

from tests.support.gunicorn_server import MARK, Gunicorn, serving


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    with serving(tmp_path_factory.mktemp("gunicorn")) as server:
        yield server


def test_its_log_is_json_and_holds_nothing_of_any_request(gunicorn: Gunicorn) -> None:
    gunicorn.ask(f"GET /here?state={MARK} HTTP/1.1", f"Cookie: {MARK}")
    gunicorn.ask(f"GET /fails?{MARK} HTTP/1.1")
    log = gunicorn.log.read_text()
    assert all(isinstance(json.loads(line), dict) for line in log.splitlines())
    assert MARK not in log
    assert "/here" not in log
