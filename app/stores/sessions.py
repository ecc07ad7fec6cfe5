"""Browser sessions in Redis, under `session:<session_id>`: JSON, nothing else.

Junk, or a pickle, is an anonymous visitor. The idle time to live is renewed by the very command that
reads, so that nothing is written when nothing changed.
"""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.stores.redis import Redis, answering, ask, dump, parse


class SessionStore:
    """Finds, saves and forgets sessions. Every method but `new_id` raises StoreUnavailable."""

    def __init__(self, redis: Redis, *, idle: timedelta) -> None:
        self._redis = redis
        self._idle = int(idle.total_seconds())

    @staticmethod
    def new_id() -> str:
        """192 random bits, URL-safe."""
        return secrets.token_urlsafe(24)

    def find(self, session_id: str) -> dict[str, Any] | None:
        """The session's content, for which another idle period begins."""
        (text,) = ask(self._redis, ("GETEX", _key(session_id), "EX", self._idle))
        return parse(text)

    def save(self, session_id: str, content: dict[str, Any]) -> None:
        ask(self._redis, ("SET", _key(session_id), dump(content), "EX", self._idle))

    def replace(self, session_id: str, content: dict[str, Any]) -> bool:
        """Saves the session if there still is one; False when it was ended in the meantime."""
        (reply,) = ask(self._redis, ("SET", _key(session_id), dump(content), "EX", self._idle, "XX"))
        return bool(reply)

    def forget(self, session_id: str) -> None:
        ask(self._redis, ("DEL", _key(session_id)))

    def forget_all(self, is_meant: Callable[[dict[str, Any]], bool]) -> int:
        """Forgets every session whose content is meant; returns how many. Reads all of them."""
        count = 0
        with answering(self._redis):
            for key in self._redis.scan_iter(match=_key("*"), count=1000):
                content = parse(self._redis.get(key))
                if content is not None and is_meant(content):
                    count += self._redis.delete(key)
        return count


def _key(session_id: str) -> str:
    return f"session:{session_id}"
