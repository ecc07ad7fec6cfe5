"""Browser sessions in Redis, under `session:<session_id>`: sealed records, nothing else.

Junk, another browser's session, or one that somebody else wrote, is an anonymous visitor. The idle time to
live is renewed by the very command that reads, so that nothing is written when nothing changed.
"""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from app.stores.redis.client import Command, Lookup, Redis, answering, ask, find
from app.stores.redis.sealed import SealedRecords, parse

T = TypeVar("T")


class SessionStore:
    """Finds, saves and forgets sessions. Every method but `new_id` raises StoreUnavailable."""

    def __init__(self, redis: Redis, records: SealedRecords, *, idle: timedelta) -> None:
        self._redis = redis
        self._records = records
        self._idle = int(idle.total_seconds())

    @staticmethod
    def new_id() -> str:
        """192 random bits, URL-safe."""
        return secrets.token_urlsafe(24)

    def find(self, session_id: str) -> dict[str, Any] | None:
        """The session's content, for which another idle period begins."""
        return find(self._redis, self._finding(session_id))

    def find_and_ask(self, session_id: str | None, question: Lookup[T]) -> tuple[dict[str, Any] | None, T]:
        """The session's content and what `question` finds, in one round trip."""
        if session_id is None:
            return None, find(self._redis, question)
        mine = self._finding(session_id)
        content, *replies = ask(self._redis, *mine.commands, *question.commands)
        return mine.understand([content]), question.understand(replies)

    def save(self, session_id: str, content: dict[str, Any], *beside: Command) -> list[Any]:
        """Saves the session, and asks in the same round trip what is `beside` it; the replies to that."""
        return ask(self._redis, self._saving(session_id, content), *beside)[1:]

    def replace(self, session_id: str, content: dict[str, Any], *beside: Command) -> list[Any] | None:
        """Like `save`, if there still is a session; None when it was ended in the meantime."""
        reply, *others = ask(self._redis, (*self._saving(session_id, content), "XX"), *beside)
        return others if reply else None

    def forget(self, session_id: str) -> None:
        ask(self._redis, ("DEL", _key(session_id)))

    def _finding(self, session_id: str) -> Lookup[dict[str, Any] | None]:
        key = _key(session_id)
        return Lookup(
            (("GETEX", key, "EX", self._idle),), lambda replies: self._records.open(key, replies[0])
        )

    def _saving(self, session_id: str, content: dict[str, Any]) -> Command:
        key = _key(session_id)
        return ("SET", key, self._records.seal(key, content), "EX", self._idle)


def forget_all(redis: Redis, is_meant: Callable[[dict[str, Any]], bool]) -> int:
    """Forgets every session whose content is meant, whoever wrote it; returns how many. Reads all of them.

    Raises StoreUnavailable.
    """
    count = 0
    with answering(redis):
        for key in redis.scan_iter(match=_key("*"), count=1000):
            content = parse(redis.get(key))
            if content is not None and is_meant(content):
                count += redis.delete(key)
    return count


def _key(session_id: str) -> str:
    return f"session:{session_id}"
