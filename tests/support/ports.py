"""Ports for servers that tests start."""

import random
import socket

# Below the ports that systems give to outgoing connections (Linux from 32768 on, others from 49152 on), so
# that no connection of a test takes a port between its choice and the start of its server. Drawn by lot, so
# that tests that run side by side in several processes do not draw the same one.
_PORTS = range(10_000, 32_768)


def free_port() -> int:
    """A port of 127.0.0.1 that no server uses at this moment."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311  # nothing secret
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
