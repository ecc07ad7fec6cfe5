"""Authorization codes: each is a signed request_id, and lives while its record stands in Redis.

A code cannot be guessed without the secret key, is the same for every parallel click, and a forged one is
refused without a look into Redis. Nothing in Redis or in the ledger can be turned back into a code.
The record stands under `code:<request_id>`; `minted:<request_id>` remembers, for longer, that there was one.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import NotRequired, TypedDict

from itsdangerous import BadSignature, base64_decode, base64_encode

from app.domain.clusters import format_scope, parse_scope
from app.domain.codes import AuthorizationCode
from app.signatures import make_signer
from app.stores.redis.client import Lookup, Redis, ask, look_up
from app.stores.redis.redis_py import Command
from app.stores.redis.sealed import SealedRecords

LONGEST_CODE = 128
"""Characters. A request_id has 32 and its signature 43; longer input is refused before it is parsed."""


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
    # The versions before did not write these.
    last_retry: NotRequired[str]
    unanswered: NotRequired[list[str]]
    jkt: NotRequired[str | None]


class CodeStore:
    """Mints and reads codes. `secret_keys` are ordered from the oldest to the one that signs."""

    def __init__(self, redis: Redis, records: SealedRecords, secret_keys: Sequence[str]) -> None:
        self._redis = redis
        self._records = records
        self._signer = make_signer(secret_keys, "authorization-code")

    def code_for(self, request_id: str) -> str:
        """The code that answers the request: URL-safe, at most LONGEST_CODE characters, always the same."""
        return self._signer.sign(request_id).decode("ascii")

    def request_id_of(self, code: str) -> str | None:
        """The request that `code` answers; None for a code that was not signed with one of the keys."""
        if len(code) > LONGEST_CODE or not code.isascii():
            return None
        try:
            request_id = self._signer.unsign(code).decode("ascii")
        except BadSignature:
            return None
        # Base64 has several spellings of the same signature; a code has one.
        signature = code.rpartition(".")[2]
        return request_id if base64_encode(base64_decode(signature)).decode() == signature else None

    def save(
        self,
        record: AuthorizationCode,
        *,
        now: datetime,
        remembered_until: datetime,
        also: Sequence[Command] = (),
    ) -> None:
        """Keeps the record until it expires, unless there is one already: the first record stands.

        That there was one is remembered until `remembered_until`. Another store's commands, `also`, are sent
        in the same round trip. Raises StoreUnavailable, after which the record may exist, which is harmless:
        the caller may save it again.
        """
        put = self._records.put
        ask(
            self._redis,
            put(_key(record.request_id), _record(record), record.expires_at - now, only_new=True),
            put(_mark(record.request_id), {}, remembered_until - now),
            *also,
        )

    def replace(self, record: AuthorizationCode, *, now: datetime) -> None:
        """Puts `record` in the place of the one that the same code has. Raises StoreUnavailable."""
        ask(
            self._redis,
            self._records.put(_key(record.request_id), _record(record), record.expires_at - now),
        )

    def was_minted(self, request_id: str) -> bool:
        """Whether there is or was a record of the code. Raises StoreUnavailable."""
        (count,) = ask(self._redis, ("EXISTS", _mark(request_id)))
        return bool(count)

    def find_code(self, request_id: str, *, spending: Lookup[None] | None = None) -> AuthorizationCode | None:
        """The record of a code that has not expired. Raises StoreUnavailable.

        `spending` is done in the same round trip (`OnceStore.spending`), and raises what it raises.
        """
        record = self._records.under(_key(request_id), partial(_code, request_id))
        if spending is None:
            return look_up(self._redis, record)
        *noted, found = ask(self._redis, *spending.commands, *record.commands)
        spending.understand(noted)
        return record.understand([found])


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
        "jkt": code.dpop_jkt,
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
        dpop_jkt=record.get("jkt"),
    )
