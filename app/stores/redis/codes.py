"""Authorization codes: a signature of the request_id, and the record in Redis that gives it its life.

The code is as unguessable as the key, the same for every parallel click, and refused without asking
anybody when it is forged. Nothing in Redis or in the ledger can be turned back into it.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import NotRequired, TypedDict

from itsdangerous import BadSignature, base64_decode, base64_encode

from app.domain.clusters import format_scope, parse_scope
from app.domain.codes import AuthorizationCode
from app.signatures import make_signer
from app.stores.redis.client import Redis, ask, look_up
from app.stores.redis.sealed import SealedRecords

LONGEST_CODE = 128  # characters; longer than any code of ours: what is longer is not looked for


class _Record(TypedDict):
    """A code as JSON: moments in ISO 8601, a set of clusters as a scope, hashes of tokens in order."""

    consent: str
    client: str
    redirect_uri: str
    challenge: str | None
    subject: str
    provider: str
    scope: str
    expires: str
    # The version before wrote neither of these.
    last_retry: NotRequired[str]
    unanswered: NotRequired[list[str]]


class CodeStore:
    """Mints and reads codes. `secret_keys` are ordered from the oldest to the one that signs."""

    def __init__(self, redis: Redis, records: SealedRecords, secret_keys: Sequence[str]) -> None:
        self._redis = redis
        self._records = records
        self._signer = make_signer(secret_keys, "authorization-code")

    def code_for(self, request_id: str) -> str:
        """The code that answers the request: URL-safe, at most 128 characters, always the same."""
        return self._signer.sign(request_id).decode("ascii")

    def request_id_of(self, code: str) -> str | None:
        """The request that `code` answers; None when nobody here signed it."""
        if len(code) > LONGEST_CODE or not code.isascii():
            return None
        try:
            request_id = self._signer.unsign(code).decode("ascii")
        except BadSignature:
            return None
        # Base64 reads several spellings as the same signature; a code has only one.
        signature = code.rpartition(".")[2]
        return request_id if base64_encode(base64_decode(signature)).decode() == signature else None

    def save(self, record: AuthorizationCode, *, now: datetime, remembered_until: datetime) -> None:
        """Starts the code's life, unless it has begun: the first record stands. That it began is remembered.

        Raises StoreUnavailable; the record may then exist all the same, which is harmless.
        """
        put = self._records.put
        ask(
            self._redis,
            put(_key(record.request_id), _record(record), record.expires_at - now, only_new=True),
            put(_mark(record.request_id), {}, remembered_until - now),
        )

    def replace(self, record: AuthorizationCode, *, now: datetime) -> None:
        """Puts `record` in the place of the one that is kept of the same code. Raises StoreUnavailable."""
        ask(
            self._redis,
            self._records.put(_key(record.request_id), _record(record), record.expires_at - now),
        )

    def was_minted(self, request_id: str) -> bool:
        """Whether the code's life has begun, and perhaps ended. Raises StoreUnavailable."""
        (count,) = ask(self._redis, ("EXISTS", _mark(request_id)))
        return bool(count)

    def find_code(self, request_id: str) -> AuthorizationCode | None:
        """The record of a code that lives. Raises StoreUnavailable."""
        return look_up(self._redis, self._records.under(_key(request_id), partial(_code, request_id)))


def _key(request_id: str) -> str:
    return f"code:{request_id}"


def _mark(request_id: str) -> str:
    return f"minted:{request_id}"


def _record(code: AuthorizationCode) -> _Record:
    return {
        "consent": code.consent_id,
        "client": code.client_id,
        "redirect_uri": code.redirect_uri,
        "challenge": code.code_challenge,
        "subject": code.subject,
        "provider": code.provider_id,
        "scope": format_scope(code.granted_scope),
        "expires": code.expires_at.isoformat(),
        "last_retry": code.last_retry_at.isoformat(),
        "unanswered": sorted(code.unanswered),
    }


def _code(request_id: str, record: _Record) -> AuthorizationCode:
    return AuthorizationCode(
        request_id=request_id,
        consent_id=record["consent"],
        client_id=record["client"],
        redirect_uri=record["redirect_uri"],
        code_challenge=record["challenge"],
        subject=record["subject"],
        provider_id=record["provider"],
        granted_scope=parse_scope(record["scope"]),
        expires_at=datetime.fromisoformat(record["expires"]),
        last_retry_at=datetime.fromisoformat(record.get("last_retry", record["expires"])),
        unanswered=frozenset(record.get("unanswered", ())),
    )
