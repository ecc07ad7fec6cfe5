"""Records in Redis: JSON with a signature over the key that they stand under.

Redis forgets and remembers for us, but it says nobody's name: what was written by somebody without the secret
keys, was altered, or was moved from another key, is no record. A record of the version before is none either.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from app.signatures import make_signer
from app.stores.redis.client import Command, Lookup

T = TypeVar("T")

_encoder = json.JSONEncoder(separators=(",", ":"))


class SealedRecords:
    """Writes and reads records. `secret_keys` are ordered from the oldest to the one that signs."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._signer = make_signer(secret_keys, "record")

    def seal(self, key: str, record: Mapping[str, object]) -> str:
        """What stands under `key` for `record`: `<JSON>.<signature>`, in ASCII."""
        text = _encoder.encode(record)
        return f"{text}.{self._signer.get_signature(_signed(key, text)).decode('ascii')}"

    def open(self, key: str, sealed: str | bytes | None) -> dict[str, Any] | None:
        """The record that was sealed for `key`; None for nothing, and for anything else."""
        if not isinstance(sealed, str):
            return None
        text, _, signature = sealed.rpartition(".")
        if not self._signer.verify_signature(_signed(key, text), signature):
            return None
        return parse(sealed)

    def put(
        self, key: str, record: Mapping[str, object], time_to_live: timedelta, *, only_new: bool = False
    ) -> Command:
        """The command that writes a record; with `only_new`, only where there is none."""
        milliseconds = max(1, int(time_to_live.total_seconds() * 1000))
        condition = ("NX",) if only_new else ()
        return ("SET", key, self.seal(key, record), "PX", milliseconds, *condition)

    def under(self, key: str, make: Callable[[Any], T]) -> Lookup[T | None]:
        """What `make` makes of the record under `key`; None where there is none, or it has another shape.

        `make` may rely on no member: what it raises about one that is missing or wrong is caught.
        """

        def understand(replies: list[Any]) -> T | None:
            record = self.open(key, replies[0])
            try:
                return None if record is None else make(record)
            except (KeyError, TypeError, ValueError, AttributeError):
                return None

        return Lookup((("GET", key),), understand)


def parse(sealed: str | bytes | None) -> dict[str, Any] | None:
    """What a record says, whoever wrote it: good for nothing but ending it. None for what is no record."""
    if not isinstance(sealed, str):
        return None
    try:
        record = json.loads(sealed.rpartition(".")[0])
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _signed(key: str, text: str) -> bytes:
    """What is signed. No key that is written, nor its JSON, has a line break: no two pairs read alike."""
    return f"{key}\n{text}".encode("utf-8", "replace")
