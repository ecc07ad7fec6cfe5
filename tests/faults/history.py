"""What customers and their recipient asked and were answered, and whether the ledger bears it out.

Five things must hold whatever breaks; `violations` lists every breach in a sentence.
"""

from base64 import urlsafe_b64decode
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from json import loads
from threading import Lock
from typing import Any

from app.domain.tokens import hash_secret
from tests.support.ledger_tables import LedgerTables


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer. `status` is None when none came."""

    customer: str
    step: str
    began: float
    took: float
    status: int | None
    request_id: str = ""
    code: str = ""
    error: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    names: frozenset[str] = frozenset()  # the customers whose names are on the page
    expected: bool | None = None  # of an introspection: what the token must be
    is_retried: bool = False  # the same was asked before, and no answer came

    @property
    def is_good(self) -> bool:
        return self.status is not None and self.status < 400 and not self.error


class History:
    """Filled by many threads at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.exchanges: list[Exchange] = []
        self.finished: list[float] = []  # when a flow ended with tokens that work

    def add(self, exchange: Exchange) -> Exchange:
        with self._lock:
            self.exchanges.append(exchange)
        return exchange

    def finish(self, moment: float) -> None:
        with self._lock:
            self.finished.append(moment)


def violations(exchanges: Iterable[Exchange], ledger: LedgerTables, *, subjects: dict[str, str]) -> list[str]:
    """Every breach of what must always hold. `subjects` has the subject of each customer."""
    seen = list(exchanges)
    tables = {table: ledger[table] for table in ("decisions", "grants", "refresh_tokens")}
    return [
        *_tokens(seen, tables, subjects),
        *_grants(seen, tables, subjects),
        *_somebody_elses(seen, subjects),
        *_false_successes(seen, tables),
    ]


Tables = dict[str, list[dict[str, Any]]]


def _tokens(seen: list[Exchange], tables: Tables, subjects: dict[str, str]) -> Iterator[str]:
    sets = Counter(one.code for one in seen if one.step == "redeem" and one.status == 200)
    for count in sets.values():
        if count > 1:
            yield f"{count} sets of tokens came from one code"
    hashes = {row["token_hash"] for row in tables["refresh_tokens"]}
    grants = {row["consent_id"]: row for row in tables["grants"]}
    for one in seen:
        if one.step not in ("redeem", "refresh") or one.status != 200:
            continue
        claims = _claims(one.answer["access_token"])
        grant = grants.get(claims["consent_id"])
        if grant is None or grant["redeemed_at"] is None:
            yield f"{one.customer}: an access token without a redeemed grant on record"
        elif grant["client_id"] != claims["client_id"] or grant["subject"] != claims["sub"]:
            yield f"{one.customer}: an access token that says something else than its grant"
        if claims["sub"] != subjects[one.customer]:
            yield f"{one.customer}: somebody else's access token"
        if one.step == "redeem" and hash_secret(one.answer["refresh_token"]) not in hashes:
            yield f"{one.customer}: a refresh token that is not on record"


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _grants(seen: list[Exchange], tables: Tables, subjects: dict[str, str]) -> Iterator[str]:
    clicks: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for one in seen:
        if one.step in ("approve", "deny"):
            clicks[one.request_id].add((one.step, subjects[one.customer]))
    for row in tables["decisions"]:
        if (row["answer"], row["subject"]) not in clicks[row["request_id"]]:
            yield f"{row['answer']} of {row['subject']} is on record, and nobody clicked it"
    for row in tables["grants"]:
        if ("approve", row["subject"]) not in clicks[row["request_id"]]:
            yield f"a grant of {row['subject']} is on record, and nobody approved it"
    per_request = Counter(row["request_id"] for row in tables["grants"])
    standing = Counter(
        (row["provider_id"], row["subject"], row["client_id"])
        for row in tables["grants"]
        if row["ended_at"] is None
    )
    for count in (*per_request.values(), *standing.values()):
        if count > 1:
            yield f"{count} grants where there can be one"


def _somebody_elses(seen: list[Exchange], subjects: dict[str, str]) -> Iterator[str]:
    for one in seen:
        for name in one.names - {one.customer}:
            yield f"{one.customer} was shown a page with the name of {name}"
        told = one.answer.get("sub")
        if told is not None and told != subjects[one.customer]:
            yield f"{one.customer}: an answer about {told}"


def _false_successes(seen: list[Exchange], tables: Tables) -> Iterator[str]:
    granted = {row["request_id"] for row in tables["grants"]}
    denied = {row["request_id"] for row in tables["decisions"] if row["answer"] == "deny"}
    ended = {row["consent_id"] for row in tables["grants"] if row["ended_at"] is not None}
    for one in seen:
        if one.code and one.step == "approve" and one.request_id not in granted:
            yield f"{one.customer} was sent back with a code that is not on record"
        if one.step == "deny" and one.error == "access_denied" and one.request_id not in denied:
            yield f"{one.customer} was told of a denial that is not on record"
        if one.step == "revoke" and one.status == 200 and one.answer["consent_id"] not in ended:
            yield f"{one.customer}: a token was called revoked, and its grant stands"
        is_active = one.answer.get("active")
        if one.step == "introspect" and one.status == 200 and one.expected not in (None, is_active):
            yield f"{one.customer}: a token is active={is_active} without cause"
