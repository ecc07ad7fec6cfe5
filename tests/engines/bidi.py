"""WebDriver BiDi, as far as the journeys need it: commands and their results over one WebSocket."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.running_accord import PATIENCE


class BidiError(Exception):
    """The browser refused a command. `code` is the specification's word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class BidiConnection:
    """To one browser. Events are passed over: nothing subscribes to any."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = count(1)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command. Raises BidiError, or TimeoutError when none comes."""
        command_id = next(self._ids)
        self._socket.send(json.dumps({"id": command_id, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("id") != command_id:
                continue
            if message["type"] == "error":
                raise BidiError(message["error"], message["message"])
            result: dict[str, Any] = message["result"]
            return result


@contextmanager
def bidi_session(address: str, **capabilities: object) -> Iterator[BidiConnection]:
    """A session with the browser that listens at `address`."""
    with connect(f"{address}/session", open_timeout=PATIENCE, max_size=None) as socket:
        connection = BidiConnection(socket)
        connection.send("session.new", capabilities={"alwaysMatch": capabilities})
        yield connection


def text_of(node: dict[str, Any]) -> str:
    """The text in a serialized node, put together without any script in the page."""
    value = node["value"]
    own = value.get("nodeValue") or "" if value["nodeType"] == _TEXT else ""
    return own + "".join(text_of(child) for child in value.get("children", []))


_TEXT = 3  # Node.TEXT_NODE
