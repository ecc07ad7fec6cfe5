"""Ports for servers that tests start."""

import itertools
import os
import random
import socket

# Below the ports that systems give to outgoing connections (Linux from 32768 on, others from 49152 on), so
# that no connection of a test takes a port between its choice and the start of its server.
_PORTS = range(10_000, 32_768)

# Tests run side by side in at most so many processes (`SIDE_BY_SIDE` in the Makefile), called gw0 to gw7.
_PROCESSES = 8


def _ports_of(process: str) -> list[int]:
    """The ports that `process` alone hands out, in an order of its own, so that two suites rarely meet."""
    ports = list(_PORTS[int(process.removeprefix("gw")) % _PROCESSES :: _PROCESSES])
    random.SystemRandom().shuffle(ports)
    return ports


_ports = itertools.cycle(_ports_of(os.environ.get("PYTEST_XDIST_WORKER", "gw0")))


def free_port() -> int:
    """A port of 127.0.0.1 that no server uses at this moment.

    Until the caller's server listens there, no other test is given it: each process has ports of its own, and
    hands one out again only after all others.
    """
    for port in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("a cycle has no end")
