"""Where the tokens are: in this process's memory, under the `state` that the browser's session names.

An example's store: one process (run it with one worker), bounded, forgotten at a restart. A real
recipient keeps refresh tokens encrypted in its database."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from examples.recipient.oauth import Flow, Tokens
from examples.recipient.record import ConsentRecord

LIMIT = 500
ENDED = ("CONSENT_REVOKED", "CONSENT_EXPIRED")  # notices after which nothing is shared any more


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
    told: str = ""  # the type of the last notice about its consent
    proof: str = ""  # that the bank's API was shown last, where the tokens are bound to a key


class Connections:
    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, Connection] = {}
        self._turns: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._told: dict[str, str] = {}  # the type of the last notice, by the consent that it is about
        self._taken: dict[str, None] = {}  # the `jti` of each notice

    def turn(self, state: str) -> Lock:
        """A lock for this state alone. It goes away by itself when nobody holds or awaits it."""
        with self._lock:
            return self._turns.setdefault(state, Lock())

    def keep(self, state: str, connection: Connection) -> None:
        """The oldest goes when there are too many."""
        with self._lock:
            self._kept[state] = self._as_told(connection)
            if len(self._kept) > LIMIT:
                del self._kept[next(iter(self._kept))]

    def find(self, state: str) -> Connection | None:
        return self._kept.get(state)

    def forget(self, state: str) -> None:
        with self._lock:
            self._kept.pop(state, None)

    def tell(self, jti: str, consent_id: str, kind: str) -> None:
        """Takes a notice about a consent, once: it may come again. Whatever was kept of an ended one goes.

        Notices may come in any order, so that nothing that is told later brings an ended one back.
        """
        with self._lock:
            if jti in self._taken:
                return
            self._taken[jti] = None
            if self._told.get(consent_id) not in ENDED:
                self._told[consent_id] = kind
            for bounded in (self._taken, self._told):
                if len(bounded) > LIMIT:
                    del bounded[next(iter(bounded))]
            for state, connection in self._kept.items():
                if connection.consent_id == consent_id:
                    told = replace(connection, record=None, tokens=stale(connection.tokens))
                    self._kept[state] = self._as_told(told)

    def _as_told(self, connection: Connection) -> Connection:
        """Without what is about the customer, where the consent is over. Its dead tokens stay for developers,
        who may see them refused."""
        told = self._told.get(connection.consent_id, "")
        if told in ENDED:
            return replace(connection, told=told, ended=True, claims={})
        return connection if told == connection.told else replace(connection, told=told)


def stale(tokens: Tokens) -> Tokens:
    """To be refreshed before the next use: what they are for has changed."""
    return replace(tokens, expires_at=0)
