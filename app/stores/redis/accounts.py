"""The lists of accounts that one session has been given, in the Redis hash `accounts:<session_id>`.

There is one field for each bank, whose value is a sealed record. They outlive LONGEST_KEPT, so that what was
checked on a page can be told from it when its form is sent late; they end with their session.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

from app.domain.accounts import (
    LONGEST_KEPT,
    AccountDocument,
    AccountList,
    account_document,
    parse_account,
)
from app.stores.redis.client import Lookup
from app.stores.redis.redis_py import Command
from app.stores.redis.sealed import SealedRecords

_TIME_TO_LIVE: Final = 2 * LONGEST_KEPT


class _Record(TypedDict):
    """A list as JSON; `fetched` in ISO 8601."""

    fetched: str
    left_out: int
    accounts: list[AccountDocument]


class KeptAccounts:
    """What Redis has of one session's lists. Each is read when it is asked for."""

    def __init__(self, records: SealedRecords, session_id: str, sealed: Mapping[str, str]) -> None:
        self._records = records
        self._session_id = session_id
        self._sealed = sealed

    def find_list(self, provider_id: str) -> AccountList | None:
        """The list of this bank; None where there is none, or its record has another shape."""
        record = self._records.open(_name(self._session_id, provider_id), self._sealed.get(provider_id))
        try:
            return None if record is None else _list(record)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def lookup_accounts(records: SealedRecords, session_id: str) -> Lookup[KeptAccounts]:
    """The lookup of the lists of a session, for a store that combines it with its own in one round trip."""

    def understand(replies: list[Any]) -> KeptAccounts:
        found = replies[0]
        if isinstance(found, list):  # field, value, field, value …; the client of a Cluster makes it a dict
            found = dict(zip(found[::2], found[1::2], strict=True))
        return KeptAccounts(records, session_id, found)

    return Lookup((("HGETALL", accounts_key(session_id)),), understand)


def keeping_accounts(
    records: SealedRecords, session_id: str, provider_id: str, accounts: AccountList
) -> tuple[Command, ...]:
    """The commands that keep a list, for a store that sends others in the same round trip."""
    record: _Record = {
        "fetched": accounts.fetched_at.isoformat(),
        "left_out": accounts.left_out,
        "accounts": [account_document(account) for account in accounts.accounts],
    }
    key = accounts_key(session_id)
    sealed = records.seal(_name(session_id, provider_id), record)
    return (
        ("HSET", key, provider_id, sealed),
        ("EXPIRE", key, int(_TIME_TO_LIVE.total_seconds())),
    )


def accounts_key(session_id: str) -> str:
    return f"accounts:{session_id}"


def _name(session_id: str, provider_id: str) -> str:
    """What a record is sealed for: the list of one bank is not another's. No session_id has a colon."""
    return f"{accounts_key(session_id)}:{provider_id}"


def _list(record: dict[str, Any]) -> AccountList:
    return AccountList(
        tuple(parse_account(document) for document in record["accounts"]),
        fetched_at=datetime.fromisoformat(record["fetched"]),
        left_out=record["left_out"],
    )
