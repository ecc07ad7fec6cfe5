"""Pending requests in Redis, under `request:<request_id>`.

- `request:<request_id>:until` has the end of a request that was extended. It is a key of its own, so that a
  page which saves something else of the request at the same moment does not take the time back: the later end
  counts.
- `request:<request_id>:expired` says that its expiry was counted.
- `opened:<browser_id>` lists the requests of one browser, the newest first, and bounds their number.

A key outlives its request by KEPT_AFTER_EXPIRY, so that the page about its expiry knows the way back.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NotRequired

from app.domain.clusters import format_scope, parse_scope
from app.domain.language import Language
from app.domain.pending_request import PendingRequest
from app.stores.redis.authorization_record import (
    AuthorizationRecord,
    authorization_from,
    authorization_record,
)
from app.stores.redis.client import Lookup, Redis, ask, look_up
from app.stores.redis.redis_py import Command
from app.stores.redis.sealed import SealedRecords

KEPT_AFTER_EXPIRY = timedelta(hours=1)  # long enough for a customer who was called away
MOST_OPEN_REQUESTS = 20
"""Of one browser: far more tabs than anybody fills in, at less than a kilobyte each."""


class _Record(AuthorizationRecord):
    """A pending request as JSON: moments in ISO 8601, sets of clusters as a scope.

    What was stored before accounts could be chosen has nothing of them, nor of pushed requests.
    """

    browser: str
    begun: str
    expires: str
    consent_ends: str
    shown_in: str
    checked: str
    accounts: NotRequired[list[str]]
    has_chosen_accounts: NotRequired[bool]
    pushed: NotRequired[str | None]


class RequestStore:
    """Saves and finds pending requests. Every method but `lookup` and `opening` raises StoreUnavailable."""

    def __init__(self, redis: Redis, records: SealedRecords) -> None:
        self._redis = redis
        self._records = records

    def save(self, pending: PendingRequest, *, now: datetime) -> None:
        """Keeps `pending`, until KEPT_AFTER_EXPIRY after its end."""
        ask(self._redis, self._saving(pending, now))

    def _saving(self, pending: PendingRequest, now: datetime) -> Command:
        return self._records.put(_key(pending.request_id), _record(pending), _time_to_live(pending, now))

    def open(self, pending: PendingRequest, *, now: datetime) -> None:
        """Keeps `pending` as its browser's newest. Where the browser has too many, the oldest go."""
        self._open(pending, self.opening(pending, now=now))

    def extend(self, pending: PendingRequest, *, now: datetime) -> None:
        """Like `open`; also keeps the end of `pending` apart, where no parallel `save` overwrites it."""
        until = {"expires": pending.expires_at.isoformat()}
        putting = self._records.put(_until(pending.request_id), until, _time_to_live(pending, now))
        self._open(pending, [putting, *self.opening(pending, now=now)])

    def _open(self, pending: PendingRequest, opening: list[Command]) -> None:
        *_, too_many = ask(self._redis, *opening)
        self.give_up(pending.browser_id, too_many)

    def opening(self, pending: PendingRequest, *, now: datetime) -> list[Command]:
        """The commands of `open`, for a store that sends others in the same round trip.

        The reply to the last one lists the requests that must be given up afterwards, with `give_up`.
        """
        opened = _opened(pending.browser_id)
        return [
            self._saving(pending, now),
            ("LREM", opened, 0, pending.request_id),
            ("LPUSH", opened, pending.request_id),
            ("EXPIRE", opened, int(_time_to_live(pending, now).total_seconds())),
            ("LRANGE", opened, MOST_OPEN_REQUESTS, -1),
        ]

    def give_up(self, browser_id: str, request_ids: list[str]) -> None:
        """Forgets requests that newer ones of the same browser have pushed out (RFC 6819 4.4.1.11).

        Of parallel calls each sees all that are too many by then, so none is left over; forgetting one twice
        does no harm.
        """
        opened = _opened(browser_id)
        forgetting = [
            command
            for request_id in request_ids
            for command in (("DEL", _key(request_id)), ("LREM", opened, 0, request_id))
        ]
        if forgetting:
            ask(self._redis, *forgetting)

    def find_request(self, request_id: str) -> PendingRequest | None:
        """The pending request, with the latest of its ends."""
        return look_up(self._redis, self.lookup(request_id))

    def lookup(self, request_id: str) -> Lookup[PendingRequest | None]:
        """The lookup behind `find_request`, for a store that combines it with its own in one round trip."""
        request = self._records.under(_key(request_id), partial(_pending, request_id))
        until = self._records.under(
            _until(request_id), lambda record: datetime.fromisoformat(record["expires"])
        )

        def understand(replies: list[Any]) -> PendingRequest | None:
            pending, extended_to = request.understand(replies[:1]), until.understand(replies[1:])
            if pending is None or extended_to is None:
                return pending
            return replace(pending, expires_at=max(pending.expires_at, extended_to))

        return Lookup((*request.commands, *until.commands), understand)

    def opened_by(self, browser_id: str) -> list[PendingRequest]:
        """The pending requests of one browser, the newest first, in two round trips; answered ones, too."""
        (request_ids,) = ask(self._redis, ("LRANGE", _opened(browser_id), 0, MOST_OPEN_REQUESTS - 1))
        lookups = [self.lookup(request_id) for request_id in request_ids]
        commands = [command for lookup in lookups for command in lookup.commands]
        replies = iter(ask(self._redis, *commands)) if commands else iter(())
        found = [lookup.understand([next(replies) for _ in lookup.commands]) for lookup in lookups]
        return [pending for pending in found if pending is not None and pending.browser_id == browser_id]

    def note_expiry(self, request_id: str) -> bool:
        """Whether this call is the first to note the request's expiry; of parallel calls exactly one is."""
        seconds = int(KEPT_AFTER_EXPIRY.total_seconds())
        (reply,) = ask(self._redis, ("SET", f"{_key(request_id)}:expired", 1, "EX", seconds, "NX"))
        return bool(reply)


def _time_to_live(pending: PendingRequest, now: datetime) -> timedelta:
    return pending.expires_at + KEPT_AFTER_EXPIRY - now


def _key(request_id: str) -> str:
    return f"request:{request_id}"


def _until(request_id: str) -> str:
    return f"request:{request_id}:until"


def _opened(browser_id: str) -> str:
    return f"opened:{browser_id}"


def _record(pending: PendingRequest) -> _Record:
    return {
        **authorization_record(pending.request),
        "browser": pending.browser_id,
        "begun": pending.begun_at.isoformat(),
        "expires": pending.expires_at.isoformat(),
        "consent_ends": pending.consent_ends_at.isoformat(),
        "shown_in": pending.language,
        "checked": format_scope(pending.checked_clusters),
        "accounts": list(pending.checked_accounts),
        "has_chosen_accounts": pending.has_chosen_accounts,
        "pushed": pending.pushed_id,
    }


def _pending(request_id: str, record: _Record) -> PendingRequest:
    return PendingRequest(
        request_id=request_id,
        browser_id=record["browser"],
        request=authorization_from(record),
        begun_at=datetime.fromisoformat(record["begun"]),
        expires_at=datetime.fromisoformat(record["expires"]),
        consent_ends_at=datetime.fromisoformat(record["consent_ends"]),
        language=Language(record["shown_in"]),
        checked_clusters=parse_scope(record["checked"]),
        checked_accounts=tuple(record.get("accounts", ())),
        has_chosen_accounts=record.get("has_chosen_accounts", False),
        pushed_id=record.get("pushed"),
    )
