"""Browser sessions in Redis, under `session:<session_id>`, as sealed records.

A value that is not this session's record is treated as absent: the visitor is anonymous. Reading a session
renews its time to live with the same command, so that nothing is written where nothing has changed.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypedDict, cast

from app.domain.accounts import AccountList
from app.domain.pending_request import PendingRequest
from app.stores.redis.accounts import KeptAccounts, accounts_key, keeping_accounts, lookup_accounts
from app.stores.redis.client import Lookup, Redis, ask, guarded
from app.stores.redis.redis_py import Command
from app.stores.redis.requests import RequestStore
from app.stores.redis.sealed import SealedRecords, parse


class SessionContent(TypedDict, total=False):
    """What is remembered of a browser, as JSON.

    `customers` are the members of a `Customer` by the provider's id, `left` the providers at which somebody
    signed out, `asked` the requests for which a bank will not be asked again for the accounts by itself;
    `begun` is in ISO 8601.
    """

    browser: str
    lang: str | None
    customers: dict[str, dict[str, str]]
    left: list[str]
    asked: list[str]
    begun: str


class SessionStore:
    """Finds, saves and forgets sessions. Every method but `new_id` raises StoreUnavailable.

    A page needs its browser's session, one pending request of `requests` and the lists of accounts beside the
    session: all take one round trip here.
    """

    def __init__(
        self, redis: Redis, records: SealedRecords, requests: RequestStore, *, idle: timedelta
    ) -> None:
        self._redis = redis
        self._records = records
        self._requests = requests
        self._idle = int(idle.total_seconds())

    @staticmethod
    def new_id() -> str:
        """192 random bits, URL-safe: ASVS 7.2.3 asks for 128."""
        return secrets.token_urlsafe(24)

    def find_session(self, session_id: str) -> tuple[SessionContent | None, KeptAccounts]:
        """The session, for which another idle period begins, and the lists of accounts beside it."""
        session, accounts = self._lookup(session_id), lookup_accounts(self._records, session_id)
        content, kept = ask(self._redis, *session.commands, *accounts.commands)
        return session.understand([content]), accounts.understand([kept])

    def find_with_request(
        self, session_id: str, request_id: str
    ) -> tuple[SessionContent | None, PendingRequest | None, KeptAccounts]:
        """The session's content, the pending request of whichever browser, and the session's accounts."""
        session, request = self._lookup(session_id), self._requests.lookup(request_id)
        accounts = lookup_accounts(self._records, session_id)
        content, kept, *replies = ask(self._redis, *session.commands, *accounts.commands, *request.commands)
        return session.understand([content]), request.understand(replies), accounts.understand([kept])

    def keep_accounts(self, session_id: str, provider_id: str, accounts: AccountList) -> None:
        """Keeps the list of one bank beside a session."""
        ask(self._redis, *keeping_accounts(self._records, session_id, provider_id, accounts))

    def find_request(self, request_id: str) -> PendingRequest | None:
        """The pending request of whichever browser, where the session is already loaded."""
        return self._requests.find_request(request_id)

    def save(
        self,
        session_id: str,
        content: SessionContent,
        *,
        opened: PendingRequest | None = None,
        accounts: Mapping[str, AccountList] = MappingProxyType({}),
        now: datetime,
    ) -> None:
        """Saves the session, keeps the request that is `opened` as its browser's newest, and `accounts`.

        These are the lists of banks, by their provider_id.
        """
        beside = [
            command
            for provider_id, found in accounts.items()
            for command in keeping_accounts(self._records, session_id, provider_id, found)
        ]
        self._save_with(self._saving(session_id, content), opened, now, beside)

    def replace(
        self, session_id: str, content: SessionContent, *, opened: PendingRequest | None = None, now: datetime
    ) -> bool:
        """Like `save` where there is a session; False where it was ended in the meantime.

        The request is kept either way.
        """
        return self._save_with((*self._saving(session_id, content), "XX"), opened, now)

    def _save_with(
        self, saving: Command, opened: PendingRequest | None, now: datetime, beside: Sequence[Command] = ()
    ) -> bool:
        if opened is None:
            return bool(ask(self._redis, saving, *beside)[0])
        saved, *_, too_many = ask(self._redis, saving, *beside, *self._requests.opening(opened, now=now))
        self._requests.give_up(opened.browser_id, too_many)
        return bool(saved)

    def forget(self, session_id: str) -> None:
        ask(self._redis, ("DEL", _key(session_id)), ("DEL", accounts_key(session_id)))

    def _lookup(self, session_id: str) -> Lookup[SessionContent | None]:
        key = _key(session_id)

        def understand(replies: list[Any]) -> SessionContent | None:
            return cast("SessionContent | None", self._records.open(key, replies[0]))

        return Lookup((("GETEX", key, "EX", self._idle),), understand)

    def _saving(self, session_id: str, content: SessionContent) -> Command:
        key = _key(session_id)
        return ("SET", key, self._records.seal(key, content), "EX", self._idle)


def forget_all(redis: Redis, is_meant: Callable[[dict[str, Any]], bool]) -> int:
    """Forgets every session whose content `is_meant`; returns how many. It reads all sessions.

    Signatures are not checked: a session that the current keys do not verify must end, too. Raises
    StoreUnavailable.
    """
    count = 0
    with guarded(redis):
        for key in redis.scan_iter(match=_key("*"), count=1000):
            content = parse(redis.get(key))
            if content is not None and is_meant(content):
                count += redis.delete(key)
                redis.delete(accounts_key(key.removeprefix(_key(""))))
    return count


def _key(session_id: str) -> str:
    return f"session:{session_id}"
