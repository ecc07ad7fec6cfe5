"""Records in Redis: JSON, signed together with the key under which it stands.

Redis is not trusted: a value that was written without the secret keys, altered, or moved from another key is
treated as absent. So is one whose shape this version does not know.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from app.signatures import make_signer
from app.stores.redis.client import Lookup
from app.stores.redis.redis_py import Command

T = TypeVar("T")

_encoder = json.JSONEncoder(separators=(",", ":"))


class SealedRecords:
    """Makes and reads records. `secret_keys` are ordered from the oldest to the one that signs."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._signer = make_signer(secret_keys, "record")

    def seal(self, key: str, record: Mapping[str, object]) -> str:
        """The value to put under `key`: `<JSON>.<signature>`, in ASCII."""
        text = _encoder.encode(record)
        return f"{text}.{self._signer.get_signature(_signed(key, text)).decode('ascii')}"

    def open(self, key: str, sealed: str | bytes | None) -> dict[str, Any] | None:
        """The record in a value that was sealed for `key`; None for any other value, and for none."""
        if not isinstance(sealed, str):
            return None
        text, _, signature = sealed.rpartition(".")
        if not self._signer.verify_signature(_signed(key, text), signature):
            return None
        return parse(sealed)

    def put(
        self, key: str, record: Mapping[str, object], time_to_live: timedelta, *, only_new: bool = False
    ) -> Command:
        """The command that writes a record; with `only_new`, where the key has none."""
        milliseconds = max(1, int(time_to_live.total_seconds() * 1000))
        condition = ("NX",) if only_new else ()
        return ("SET", key, self.seal(key, record), "PX", milliseconds, *condition)

    def under(self, key: str, make: Callable[[Any], T]) -> Lookup[T | None]:
        """The result of `make` for the record under `key`; None without a record, or for another shape.

        `make` need not check the members: what it raises about a missing or wrong one is caught.
        """

        def understand(replies: list[Any]) -> T | None:
            record = self.open(key, replies[0])
            try:
                return None if record is None else make(record)
            except (KeyError, TypeError, ValueError, AttributeError):
                return None

        return Lookup((("GET", key),), understand)


def parse(sealed: str | bytes | None) -> dict[str, Any] | None:
    """The record in a value, its signature unchecked: to be used for ending something, and nothing else."""
    if not isinstance(sealed, str):
        return None
    try:
        record = json.loads(sealed.rpartition(".")[0])
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _signed(key: str, text: str) -> bytes:
    """The signed bytes. Neither keys nor JSON have a line break, so that no two pairs have the same bytes."""
    return f"{key}\n{text}".encode("utf-8", "replace")
