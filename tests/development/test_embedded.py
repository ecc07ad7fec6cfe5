"""The embedded Valkey: what it keeps, how it ends, and what it makes of what a crash left behind."""

import os
import select
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from io import RawIOBase
from pathlib import Path

import pytest
import redis

from app.development.embedded import EmbeddedValkey, EmbeddedValkeyError, kill_child, start_child, stop_child
from tests.support.ports import free_port


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


def client_of(server: EmbeddedValkey) -> "closing[redis.Redis]":
    return closing(redis.Redis.from_url(server.url, socket_timeout=5, retry=None, decode_responses=True))


def test_it_listens_on_a_private_socket_and_on_no_port(valkey: EmbeddedValkey) -> None:
    with client_of(valkey) as client:
        assert client.config_get("port") == {"port": "0"}
    socket_path = valkey.directory / "valkey.sock"
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(valkey.directory.stat().st_mode) == 0o700


def test_a_restart_keeps_everything(valkey: EmbeddedValkey) -> None:
    with client_of(valkey) as client:
        client.set("request:1", "kept", ex=900)
        valkey.restart()
        assert client.get("request:1") == "kept"
        assert 0 < client.ttl("request:1") <= 900


def test_a_crash_leaves_a_stale_socket_and_the_next_start_does_not_mind(valkey: EmbeddedValkey) -> None:
    with client_of(valkey) as client:
        client.config_set("appendfsync", "always")
        client.set("request:1", "kept")
        valkey.kill()
        assert (valkey.directory / "valkey.sock").exists()
        valkey.start()
        assert client.get("request:1") == "kept"


def test_a_server_left_running_makes_way_with_all_it_has(tmp_path: Path) -> None:
    left = EmbeddedValkey(tmp_path / "valkey")
    left.start()
    with client_of(left) as client:
        client.set("request:1", "kept")
    with EmbeddedValkey(tmp_path / "valkey") as successor, client_of(successor) as client:
        assert left.process.wait(5) == 0
        assert client.get("request:1") == "kept"


def test_a_paused_server_does_not_answer_until_it_is_resumed(valkey: EmbeddedValkey) -> None:
    with closing(redis.Redis.from_url(valkey.url, socket_timeout=0.1, retry=None)) as client:
        client.ping()
        valkey.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        valkey.resume()
        assert client.ping()


def test_a_paused_server_can_be_stopped(valkey: EmbeddedValkey) -> None:
    process = valkey.process
    valkey.pause()
    valkey.stop()
    assert process.returncode == 0


def test_it_listens_on_a_loopback_port_when_given_one(tmp_path: Path) -> None:
    port = free_port()
    with EmbeddedValkey(tmp_path, port=port) as server, client_of(server) as client:
        assert server.url == f"redis://127.0.0.1:{port}/0"
        assert client.ping()


def test_options_are_directives_of_its_configuration(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, options={"maxmemory": "3mb"}) as server, client_of(server) as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(3 * 1024 * 1024)}


@pytest.mark.parametrize("name", ["with a space", "100% & more?#"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    with EmbeddedValkey(tmp_path / name) as server, client_of(server) as client:
        assert client.ping()


def test_a_folder_too_deep_for_a_socket_gets_one_in_a_private_temporary_folder(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / ("deep" * 30)) as server, client_of(server) as client:
        assert client.ping()
        socket_path = Path(server.url.removeprefix("unix://").removesuffix("?db=0"))
        assert socket_path.is_relative_to(tempfile.gettempdir())
        assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o700
    assert not socket_path.parent.exists()


def test_a_folder_that_is_a_link_to_somewhere_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "valkey").symlink_to(tmp_path)
    with pytest.raises(EmbeddedValkeyError, match="is not a folder of our own"):
        EmbeddedValkey(tmp_path / "valkey").start()


def test_a_server_that_does_not_start_says_what_its_log_says(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path, options={"maxmemory": "much"})
    with pytest.raises(EmbeddedValkeyError, match=r"(?s)does not start.*argument must be a memory value"):
        server.start()
    server.stop()


def test_starting_twice_is_refused(valkey: EmbeddedValkey) -> None:
    with pytest.raises(EmbeddedValkeyError, match="running already"):
        valkey.start()


def test_stopping_a_child_ends_what_the_child_has_started(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    deaf = f"trap '' TERM; exec 3>{alive}; sleep 600 & wait; sleep 600"
    child = start_child(["/bin/sh", "-c", deaf], log=tmp_path / "log")
    with alive.open("rb", buffering=0) as held_by_all_of_them:
        stop_child(child, seconds=0.2)
        assert is_closed(held_by_all_of_them)
    assert child.returncode == -signal.SIGKILL


# Only Linux can promise it. Elsewhere the next start ends what was left.
if sys.platform == "linux":

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
    def test_a_child_ends_with_its_parent(tmp_path: Path, how: signal.Signals) -> None:
        alive = tmp_path / "alive"
        os.mkfifo(alive)
        parent = subprocess.Popen([sys.executable, "-c", PARENT, str(alive), str(tmp_path / "log")])
        with alive.open("rb", buffering=0) as held_by_the_child:
            parent.send_signal(how)
            parent.wait()
            assert is_closed(held_by_the_child)


PARENT = """
import sys, time
from pathlib import Path
from app.development.embedded import start_child
start_child(["/bin/sh", "-c", f"exec sleep 600 >{sys.argv[1]}"], log=Path(sys.argv[2]))
time.sleep(600)
"""


def test_killing_a_child_returns_when_it_is_gone(tmp_path: Path) -> None:
    child = start_child(["sleep", "600"], log=tmp_path / "log")
    kill_child(child)
    assert child.returncode == -signal.SIGKILL
    kill_child(child)


def is_closed(pipe: RawIOBase) -> bool:
    """Whether all who could write to `pipe` have ended, within five seconds."""
    readable, _, _ = select.select([pipe], [], [], 5)
    return bool(readable) and pipe.read(1) == b""
