"""Where the tokens are: in this process's memory, under the `state` that the browser's session names.

An example's store: one process (run it with one worker), bounded, forgotten at a restart. A real
recipient keeps refresh tokens encrypted in its database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from examples.recipient.oauth import Flow, Tokens
from examples.recipient.record import ConsentRecord

LIMIT = 500


@dataclass(frozen=True, slots=True)
class Connection:
    """What came of one flow. `action` and `outcome` name what was last tried and how it went."""

    flow: Flow
    code: str = field(repr=False)  # kept only so that the page can present it a second time
    tokens: Tokens
    claims: Mapping[str, Any]
    consent_id: str = ""  # empty where Accord could not be asked
    ends_at: datetime | None = None  # None where Accord could not be asked
    record: ConsentRecord | None = None
    action: str = "connect"
    outcome: str = "connected"
    ended: bool = False
    refused: str = ""  # FDX's code, once the bank has refused the data
    proof: str = ""  # that the bank's API was shown last, where the tokens are bound to a key


class Connections:
    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, Connection] = {}
        self._turns: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    def turn(self, state: str) -> Lock:
        """A lock for this state alone. It goes away by itself when nobody holds or awaits it."""
        with self._lock:
            return self._turns.setdefault(state, Lock())

    def keep(self, state: str, connection: Connection) -> None:
        """The oldest goes when there are too many."""
        with self._lock:
            self._kept[state] = connection
            if len(self._kept) > LIMIT:
                del self._kept[next(iter(self._kept))]

    def find(self, state: str) -> Connection | None:
        return self._kept.get(state)

    def forget(self, state: str) -> None:
        with self._lock:
            self._kept.pop(state, None)
