"""One consent from the request to the tokens: begin, approve or deny, redeem, refresh.

The only code that touches both stores. The order is always the same: the ledger first, Redis second, so that
nothing exists that a code could be made from until the decision is on record.
"""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from app.domain import codes
from app.domain.authorization import AuthorizationRequest, PendingRequest
from app.domain.clusters import Scope
from app.domain.consent import (
    Answer,
    ConsentDecision,
    ConsentGrant,
    ConsentOffer,
    decide,
    grant_of,
    make_offer,
)
from app.domain.errors import ErrorCode, OAuthError
from app.domain.history import EventKind
from app.domain.registry import Client, DataProvider, Registry, Status
from app.domain.tokens import (
    RedemptionRequest,
    RefreshRequest,
    TokenResponse,
    access_token_claims,
    access_token_lifetime,
    hash_secret,
    narrowed_scope,
)
from app.stores.codes import CodeStore
from app.stores.keys import SigningKeys
from app.stores.ledger import Ledger, NotRedeemable, Redeemed, Replayed
from app.stores.requests import RequestStore
from app.stores.rows import Answered

_log = structlog.get_logger()

INVALID_CODE = "The code is unknown, expired or used, or was issued to somebody else"
INVALID_REFRESH_TOKEN = "The refresh token is unknown, expired or revoked, or was issued to somebody else"  # noqa: S105  # a message


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things live."""

    request: timedelta
    code: timedelta
    access_token: timedelta
    refresh_token_idle: timedelta


@dataclass(frozen=True, slots=True)
class Approved:
    """Send the browser back with `code`."""

    decision: ConsentDecision
    code: str


@dataclass(frozen=True, slots=True)
class Denied:
    """Send the browser back with access_denied."""

    decision: ConsentDecision


@dataclass(frozen=True, slots=True)
class AlreadyAnswered:
    """The request had its answer, which is this one."""

    decision: ConsentDecision


@dataclass(frozen=True, slots=True)
class Parties:
    """Who a pending request is between, as they are registered now."""

    client: Client
    provider: DataProvider
    offer: ConsentOffer


class ConsentFlow:
    """The way of a consent. Every method but `parties` may raise StoreUnavailable."""

    def __init__(
        self,
        *,
        issuer: str,
        registry: Registry,
        requests: RequestStore,
        code_store: CodeStore,
        ledger: Ledger,
        keys: SigningKeys,
        lifetimes: Lifetimes,
        clock: Callable[[], datetime],
    ) -> None:
        self._issuer = issuer
        self._registry = registry
        self._requests = requests
        self._codes = code_store
        self._ledger = ledger
        self._keys = keys
        self._lifetimes = lifetimes
        self._clock = clock

    def begin(self, request: AuthorizationRequest, browser_id: str) -> PendingRequest:
        """Keeps `request` for the browser until it is answered or expires.

        The ledger is asked first: nobody should read a form that cannot be answered.
        """
        self._ledger.check()
        now = self._clock()
        pending = PendingRequest(
            request_id=secrets.token_urlsafe(24),
            browser_id=browser_id,
            request=request,
            begun_at=now,
            expires_at=now + self._lifetimes.request,
            language=request.language,
        )
        self._requests.save(pending, now=now)
        return pending

    def find(self, request_id: str) -> PendingRequest | None:
        return self._requests.find(request_id)

    def keep(self, pending: PendingRequest) -> None:
        """Keeps what the customer has chosen so far."""
        self._requests.save(pending, now=self._clock())

    def forget(self, request_id: str) -> None:
        self._requests.forget(request_id)

    def is_expired(self, pending: PendingRequest) -> bool:
        return pending.is_expired_at(self._clock())

    def parties(self, pending: PendingRequest) -> Parties | None:
        """Who the request is between; None when the registration no longer allows it.

        Checked on every page: a client suspended or a redirect_uri removed since the request began must not
        get an answer.
        """
        request = pending.request
        client = self._registry.find_client(request.client_id)
        provider = self._registry.find_provider(request.provider_id)
        if client is None or provider is None or not client.accepts_redirect_uri(request.redirect_uri):
            return None
        if client.status_with(provider.provider_id) is not Status.ACTIVE:
            return None
        return Parties(client, provider, make_offer(request.requested_scope, client, provider))

    def find_answer(self, request_id: str) -> ConsentDecision | None:
        """The answer that the request has."""
        answered = self._ledger.find_answer(request_id)
        return None if answered is None else answered.decision

    def answer(
        self, pending: PendingRequest, parties: Parties, answer: Answer, *, checked: Scope, subject: str
    ) -> Approved | Denied | AlreadyAnswered:
        """Records the customer's answer, unless the request has one, and mints the code of an approval.

        The first answer wins for ever. The same answer again gets the same code while it lives, so that fifty
        clicks end at the recipient; another answer, or the same one later, is AlreadyAnswered. May be called
        again after StoreUnavailable.
        """
        now = self._clock()
        decision = decide(
            pending,
            parties.offer,
            answer,
            checked=checked,
            subject=subject,
            consent_id=str(uuid.uuid4()),
            now=now,
        )
        grant = grant_of(decision, parties.client) if answer is Answer.APPROVE else None
        standing = self._ledger.record_decision(decision, grant)
        if standing.decision is decision:
            _log_event(EventKind.DENIED if grant is None else EventKind.APPROVED, decision)
        if not decision.is_same_answer_as(standing.decision):
            return AlreadyAnswered(standing.decision)
        if standing.grant is None:
            return self._deny_again(standing.decision, now)
        return self._mint(pending, standing, standing.grant, now)

    def _deny_again(self, standing: ConsentDecision, now: datetime) -> Denied | AlreadyAnswered:
        if now - standing.decided_at > self._lifetimes.code:
            return AlreadyAnswered(standing)
        return Denied(standing)

    def _mint(
        self, pending: PendingRequest, standing: Answered, grant: ConsentGrant, now: datetime
    ) -> Approved | AlreadyAnswered:
        """Gives the code its life, once. `pending` then says so, and a code that has died stays dead."""
        if grant.redeemed_at is not None or grant.ended_at is not None:
            return AlreadyAnswered(standing.decision)
        if pending.minted_at is not None:
            record = self._codes.find(pending.request_id)
            if record is None or not record.is_alive_at(now):
                return AlreadyAnswered(standing.decision)
        else:
            record = codes.mint(
                grant,
                redirect_uri=pending.request.redirect_uri,
                code_challenge=pending.request.code_challenge,
                now=now,
                lifetime=self._lifetimes.code,
            )
            minted = self._requests.put(replace(pending, minted_at=now), now=now)
            self._codes.save(record, now=now, also=minted)
        return Approved(standing.decision, self._codes.code_for(pending.request_id))

    def redeem(self, client: Client, request: RedemptionRequest) -> TokenResponse:
        """Redeems a code, once (RFC 6749 4.1.3). Raises OAuthError for anything but its first use.

        A client that presents it again, even after its record has expired, ends every token that came of it.
        """
        now = self._clock()
        request_id = self._codes.request_id_of(request.code)
        if request_id is None:
            raise _invalid_grant(INVALID_CODE)
        record = self._codes.find(request_id)
        if (
            record is None
            or not record.is_alive_at(now)
            or not record.is_bound_to(
                client_id=client.client_id,
                redirect_uri=request.redirect_uri,
                code_verifier=request.code_verifier,
            )
        ):
            self._end_if_redeemed(request_id, client, now)
            raise _invalid_grant(INVALID_CODE)
        provider = self._active_provider(client, record.provider_id)
        refresh_token = secrets.token_urlsafe(32)
        redemption = self._ledger.redeem(
            request_id, client.client_id, token_hash=hash_secret(refresh_token), now=now
        )
        match redemption:
            case Redeemed(grant):
                _log_event(EventKind.REDEEMED, grant)
                return self._token_response(
                    grant, provider, grant.granted_scope, now, refresh_token=refresh_token
                )
            case Replayed(grant):
                _log_event(EventKind.REPLAYED, grant)
                raise _invalid_grant(INVALID_CODE)
            case NotRedeemable():
                raise _invalid_grant(INVALID_CODE)

    def refresh(self, client: Client, request: RefreshRequest) -> TokenResponse:
        """A new access token for a refresh token, which stays the same (RFC 6749 6). Raises OAuthError."""
        now = self._clock()
        token_hash = hash_secret(request.refresh_token)
        grant = self._ledger.find_refreshable(
            token_hash, client.client_id, idle=self._lifetimes.refresh_token_idle, now=now
        )
        if grant is None:
            raise _invalid_grant(INVALID_REFRESH_TOKEN)
        provider = self._active_provider(client, grant.provider_id)
        scope = narrowed_scope(grant.granted_scope, request.scope)
        if not self._ledger.record_refresh(token_hash, grant, now=now):
            raise _invalid_grant(INVALID_REFRESH_TOKEN)
        _log_event(EventKind.REFRESHED, grant)
        return self._token_response(grant, provider, scope, now, refresh_token=None)

    def _end_if_redeemed(self, request_id: str, client: Client, now: datetime) -> None:
        answered = self._ledger.find_answer(request_id)
        grant = None if answered is None else answered.grant
        if grant is not None and grant.redeemed_at is not None and grant.client_id == client.client_id:
            self._ledger.end_replayed(grant, now=now)
            _log_event(EventKind.REPLAYED, grant)

    def _active_provider(self, client: Client, provider_id: str) -> DataProvider:
        provider = self._registry.find_provider(provider_id)
        if provider is None or client.status_with(provider_id) is not Status.ACTIVE:
            raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, "This client is not active with this provider")
        return provider

    def _token_response(
        self,
        grant: ConsentGrant,
        provider: DataProvider,
        scope: Scope,
        now: datetime,
        *,
        refresh_token: str | None,
    ) -> TokenResponse:
        lifetime = access_token_lifetime(
            self._lifetimes.access_token, now=now, grant_expires_at=grant.expires_at
        )
        claims = access_token_claims(
            issuer=self._issuer,
            audience=provider.audience,
            subject=grant.subject,
            client_id=grant.client_id,
            consent_id=grant.consent_id,
            scope=scope,
            token_id=secrets.token_urlsafe(16),
            now=now,
            lifetime=lifetime,
        )
        return TokenResponse(
            access_token=self._keys.sign(claims),
            expires_in=int(lifetime.total_seconds()),
            scope=scope,
            correlation_id=grant.correlation_id,
            refresh_token=refresh_token,
        )


def _log_event(kind: EventKind, of: ConsentDecision | ConsentGrant) -> None:
    """Says what happened to which consent; of the customer, nothing."""
    _log.info(
        kind.value,
        consent_id=of.consent_id,
        client_id=of.client_id,
        provider_id=of.provider_id,
        correlation_id=of.correlation_id,
    )


def _invalid_grant(description: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_GRANT, description)
