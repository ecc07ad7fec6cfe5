"""Whether a call of a bank's data API may be answered, and with what: the consent, enforced.

The checks are in the order of docs/banks.md, and this file is meant to be carried over into other languages:
it knows no web framework, and vectors.json has requests with the answers that each must get. What a consent
never replaces is the bank's own check whether this customer may still see this account.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from joserfc import jwt
from joserfc.errors import JoseError

from examples.bank.authorization_server import AuthorizationServer, Unavailable
from examples.bank.consent import CUSTOMER_LEVEL, Consent, parse_consent
from examples.bank.proof import ProofRefused, Proofs

WITH_HISTORY = frozenset({"TRANSACTIONS", "STATEMENTS"})
RETRY_AFTER = 5  # seconds
_TOKEN = re.compile(r"(Bearer|DPoP) +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)  # RFC 6750 2.1, RFC 9449 7.1
_SEGMENT = re.compile(r"[!-$&-.0-:<->@-\[\]-~]{1,256}")  # printable, without / \ ; ? %
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Call(NamedTuple):
    """A call that exists (FDX Core), the clusters of which one opens it, and the allow-list of its answer."""

    path: str
    clusters: frozenset[str]
    fields: str


LIST = Call("/accounts", frozenset({"ACCOUNT_BASIC"}), "accounts")
LIST_WITH_DETAILS = Call("/accounts", frozenset({"ACCOUNT_DETAILED", "INVESTMENTS"}), "accounts")
CUSTOMER = Call("/customers/current", CUSTOMER_LEVEL, "customer")
CALLS = {
    call.path: call
    for call in (
        LIST,
        Call("/accounts/{}", LIST_WITH_DETAILS.clusters, "account"),
        Call("/accounts/{}/transactions", frozenset({"TRANSACTIONS"}), "whole"),
        Call("/accounts/{}/statements", frozenset({"STATEMENTS"}), "whole"),
        Call("/accounts/{}/statements/{}", frozenset({"STATEMENTS"}), "whole"),
        Call("/accounts/{}/payment-networks", frozenset({"ACCOUNT_PAYMENTS"}), "payment-networks"),
        Call("/accounts/{}/contact", CUSTOMER_LEVEL, "contact"),
        CUSTOMER,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a call may be answered with.

    `accounts` has the accounts that the answer may be about, each with the clusters that it may be told from.
    None means every account of the customer, told from `clusters`: such consents are older than the choice.
    `fields` names the allow-list of fields.toml. Nothing from before `earliest` may be told, and nothing from
    after `latest` was asked for; None: no limit.
    """

    allowed: bool
    status: int = 200
    fdx_code: str | None = None
    www_authenticate: str | None = None
    subject: str = ""
    accounts: Mapping[str, frozenset[str]] | None = field(default_factory=dict)
    clusters: frozenset[str] = frozenset()
    fields: str = ""
    earliest: date | None = None
    latest: date | None = None

    def clusters_of(self, account_id: object) -> frozenset[str] | None:
        """From which clusters this account may be told; None: not at all."""
        return self.clusters if self.accounts is None else self.accounts.get(str(account_id))


class Refused(Exception):
    """A check has failed; `decision` is the answer."""

    def __init__(self, status: int, fdx_code: str, challenge: str | None = None) -> None:
        self.decision = Decision(allowed=False, status=status, fdx_code=fdx_code, www_authenticate=challenge)


@dataclass(frozen=True, slots=True)
class Guard:
    """The guard of one API, whose address is the `aud` of its tokens.

    `insufficient_scope_status` is FDX's 401 for a cluster that was not granted; RFC 6750 3.1 says 403.
    """

    audience: str
    accord: AuthorizationServer
    proofs: Proofs = field(default_factory=Proofs)
    insufficient_scope_status: int = 401

    def decide(
        self, method: str, path: str, query: str, headers: Iterable[tuple[str, str]], now: datetime
    ) -> Decision:
        """The answer to a request. `path` is as it was sent, percent-encoded, below the API's own address."""
        try:
            sent = parse_qsl(query, keep_blank_values=True)
            headers = list(headers)
            scheme, token = _presented(headers, sent)
            claims = self._verified(token, now)
            told = self._told(token, claims, now)
            self._check_key(scheme, told, token, method, path, headers, now)
            consent = parse_consent(told)
            params = _params(sent)
            call, account_id = _find_call(method, path, params)
            return self._limited(consent, call, account_id, params, now)
        except Refused as refused:
            return refused.decision
        except Unavailable:
            return Decision(allowed=False, status=503, fdx_code="503")

    def _verified(self, token: str, now: datetime) -> dict[str, Any]:
        """The claims of an access token that Accord has signed for this API (RFC 9068 4)."""

        def find_key(parsed: Any) -> Any:
            key = self.accord.find_key(parsed.headers().get("kid"), now)
            if key is None:
                raise _invalid_token()
            return key

        try:
            # RFC 8725 3.1: the algorithm is ours to fix, not the token's to choose.
            parsed = jwt.decode(token, find_key, algorithms=["ES256"])
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise _invalid_token() from error
        claims, expires_at = parsed.claims, parsed.claims.get("exp")
        if (
            parsed.header.get("typ") not in ("at+jwt", "application/at+jwt")
            or claims.get("iss") != self.accord.issuer
            or claims.get("aud") not in (self.audience, [self.audience])
            or not isinstance(expires_at, int)
            or expires_at <= now.timestamp()
        ):
            raise _invalid_token()
        return claims

    def _told(self, token: str, claims: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
        """The introspection as it is now: no signature tells that the customer has stopped sharing."""
        told = self.accord.introspect(token, now)
        if not told["active"] or told.get("cnf") != claims.get("cnf"):
            raise _invalid_token()
        try:
            if (told["sub"], told["client_id"]) != (claims["sub"], claims["client_id"]):
                raise Unavailable("the introspection is about another token")
        except KeyError as error:
            raise Unavailable("the introspection is not as documented") from error
        return told

    def _check_key(
        self,
        scheme: str,
        told: Mapping[str, Any],
        token: str,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        now: datetime,
    ) -> None:
        """A token that is bound to a key of its client needs the proof of that key, and no other does."""
        if scheme == "bearer" and "cnf" not in told:
            return
        confirmation = told.get("cnf")
        jkt = confirmation.get("jkt") if isinstance(confirmation, dict) else None
        if scheme == "bearer" or not isinstance(jkt, str):
            raise _invalid_token()
        try:
            self.proofs.check(headers, method=method, url=self.audience + path, token=token, jkt=jkt, now=now)
        except ProofRefused:
            raise Refused(401, "602", 'DPoP error="invalid_dpop_proof"') from None

    def _limited(
        self, consent: Consent, call: Call, account_id: str | None, params: Mapping[str, str], now: datetime
    ) -> Decision:
        """The decision for a call that exists: which accounts, which clusters, from which day on."""
        # Not of single accounts: the clusters about the customer; or all, where no accounts are named.
        of_all = consent.clusters & call.clusters
        if call is CUSTOMER:
            accounts: dict[str, frozenset[str]] | None = {}
        elif consent.accounts is None:
            accounts = None if account_id is None else {account_id: of_all}
        elif account_id is None:
            accounts = {
                account: of_all | granted & call.clusters for account, granted in consent.accounts.items()
            }
        elif account_id in consent.accounts:
            accounts = {account_id: of_all | consent.accounts[account_id] & call.clusters}
        else:
            raise Refused(404, "701")  # exactly as for an account that does not exist
        clusters = of_all.union(*(accounts or {}).values())
        if not clusters:
            missing = " ".join(sorted(call.clusters))
            challenge = f'Bearer error="insufficient_scope", scope="{missing}"'
            raise Refused(self.insufficient_scope_status, "602", challenge)
        basic = LIST.clusters if call.fields in ("account", "accounts") else frozenset()
        has_history = bool(call.clusters & WITH_HISTORY)
        earliest, latest = _days(consent, params, now) if has_history else (None, None)
        if accounts is not None:
            accounts = {account: granted | basic for account, granted in accounts.items() if granted}
        return Decision(
            allowed=True,
            subject=consent.subject,
            accounts=accounts,
            clusters=clusters | basic,
            fields=call.fields,
            earliest=earliest,
            latest=latest,
        )


def _invalid_token() -> Refused:
    return Refused(401, "602", 'Bearer error="invalid_token"')


def _params(sent: list[tuple[str, str]]) -> dict[str, str]:
    """The parameters. One that stands there twice could be read differently by whoever answers."""
    params = dict(sent)
    if len(params) != len(sent):
        raise Refused(400, "703")
    return params


def _presented(headers: Iterable[tuple[str, str]], params: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """The scheme in lower case, and the one token of the request, which is in its header and nowhere else."""
    sent = [value for name, value in headers if name.lower() == "authorization"]
    found = _TOKEN.fullmatch(sent[0]) if len(sent) == 1 else None
    if found is None or any(name == "access_token" for name, _ in params):
        raise _invalid_token()
    return found[1].lower(), found[2]


def _find_call(method: str, path: str, params: Mapping[str, str]) -> tuple[Call, str | None]:
    """The call and its account. The path is decoded once, and what is not in the table is refused."""
    start, *segments = [unquote(segment) for segment in path.split("/")]
    if start or any(_SEGMENT.fullmatch(segment) is None or segment in (".", "..") for segment in segments):
        raise Refused(404, "1107")
    account_id = segments[1] if len(segments) > 1 and segments[0] == "accounts" else None
    if account_id is not None:
        segments[1] = "{}"
    if len(segments) == 4:
        segments[3] = "{}"
    call = CALLS.get("/" + "/".join(segments))
    if call is None:
        raise Refused(404, "1107")
    if method != "GET":
        raise Refused(405, "1107")
    if call is LIST and params.get("resultType", "lightweight") != "lightweight":
        if params["resultType"] != "details":
            raise Refused(400, "1107")
        call = LIST_WITH_DETAILS
    return call, account_id


def _days(consent: Consent, params: Mapping[str, str], now: datetime) -> tuple[date | None, date | None]:
    """The first and the last day of what is asked for: never from before what the customer allowed."""
    start, end = (_day(params[name]) if name in params else None for name in ("startTime", "endTime"))
    first = None if consent.lookback is None else (now.astimezone(UTC) - consent.lookback).date()
    if (start and first and start < first) or (start and end and end < start):
        raise Refused(400, "703")
    return start or first, end


def _day(text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).date()
    except (ValueError, OverflowError):
        raise Refused(400, "702") from None
