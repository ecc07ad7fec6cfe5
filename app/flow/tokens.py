"""Issues tokens: for a code, for a refresh token, and to a client for itself.

Which call redeems a code, and whether a refresh token still works, is decided by the ledger every time.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.domain.caller import Caller
from app.domain.clusters import Scope, format_scope
from app.domain.codes import AuthorizationCode
from app.domain.consent import ConsentGrant
from app.domain.dpop import bound_to
from app.domain.errors import ErrorCode, OAuthError
from app.domain.history import EventKind
from app.domain.registry import Client, DataProvider, Registry, Status
from app.domain.tokens import (
    ADMIN_SCOPE,
    RedemptionRequest,
    RefreshRequest,
    TokenResponse,
    TokenType,
    access_token_claims,
    access_token_lifetime,
    admin_token_claims,
    hash_secret,
    narrowed_scope,
)
from app.flow.events import log_administered, log_event
from app.stores.ledger.ledger import Ledger, NotRedeemable, Redeemed, Replayed
from app.stores.redis.codes import CodeStore
from app.stores.redis.once import OnceStore
from app.stores.signing_keys import SigningKeys
from app.stores.unavailable import StoreUnavailable

INVALID_CODE = "The code is unknown, expired or used, or was issued to somebody else"
INVALID_REFRESH_TOKEN = "The refresh token is unknown, expired or revoked, or somebody else's"  # noqa: S105  # a message


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFlow:
    """Issues tokens. Every method raises StoreUnavailable."""

    issuer: str
    registry: Registry
    codes: CodeStore
    ledger: Ledger
    keys: SigningKeys
    once: OnceStore
    access_token_lifetime: timedelta
    refresh_token_idle: timedelta
    clock: Callable[[], datetime]

    def redeem(self, caller: Caller, request: RedemptionRequest) -> TokenResponse:
        """Redeems a code, once (RFC 6749 4.1.3). Raises OAuthError for anything but its first use.

        A client that presents a code again, even after its record has expired, ends all tokens of its grant.
        After StoreUnavailable the same call may be made again, which ends nothing.
        """
        now, client = self.clock(), caller.client
        request_id = self.codes.request_id_of(request.code)
        if request_id is None:
            self.once.spend(caller.uses, now=now)
            raise _invalid_grant(INVALID_CODE)
        record = self.codes.find_code(request_id, spending=self.once.spending(caller.uses, now=now))
        if (
            record is None
            or not record.is_alive_at(now)
            or not record.is_bound_to(
                client,
                redirect_uri=request.redirect_uri,
                code_verifier=request.code_verifier,
                jkt=caller.jkt,
            )
        ):
            self._end_if_redeemed(request_id, client, now)
            raise _invalid_grant(INVALID_CODE)
        provider = self._active_provider(client, record.provider_id)
        refresh_token = secrets.token_urlsafe(32)
        token_hash = hash_secret(refresh_token)
        try:
            redemption = self.ledger.redeem(
                request_id,
                client.client_id,
                token_hash=token_hash,
                unanswered=record.unanswered,
                now=now,
            )
        except StoreUnavailable:
            self._expect_retry(record.with_unanswered(token_hash, now), now)
            raise
        match redemption:
            case Redeemed(grant):
                log_event(EventKind.REDEEMED, grant)
                return self._token_response(
                    caller, grant, provider, grant.granted_scope, now, refresh_token=refresh_token
                )
            case Replayed(grant, ended_now):
                if ended_now:
                    log_event(EventKind.REPLAYED, grant)
                raise _invalid_grant(INVALID_CODE)
            case NotRedeemable():
                raise _invalid_grant(INVALID_CODE)

    def refresh(self, caller: Caller, request: RefreshRequest) -> TokenResponse:
        """A new access token for a refresh token, which stays the same (RFC 6749 6). Raises OAuthError.

        The answer repeats the refresh token, for libraries that keep the last answer alone.
        """
        now, client = self.clock(), caller.client
        self.once.spend(caller.uses, now=now)
        token_hash = hash_secret(request.refresh_token)
        grant = self.ledger.find_refreshable(
            token_hash, client.client_id, idle=self.refresh_token_idle, now=now
        )
        if grant is None:
            raise _invalid_grant(INVALID_REFRESH_TOKEN)
        provider = self._active_provider(client, grant.provider_id)
        narrowed_scope(grant.granted_scope, request.scope)  # raises, so that no refused use is recorded
        refreshed = self.ledger.record_refresh(token_hash, grant.consent_id, now=now)
        if refreshed is None:
            raise _invalid_grant(INVALID_REFRESH_TOKEN)
        log_event(EventKind.REFRESHED, refreshed)
        scope = narrowed_scope(refreshed.granted_scope, request.scope)
        return self._token_response(
            caller, refreshed, provider, scope, now, refresh_token=request.refresh_token
        )

    def administer(self, caller: Caller) -> TokenResponse:
        """An access token for the client itself (RFC 6749 4.4), with which it reads its own consents."""
        now, client = self.clock(), caller.client
        self.once.spend(caller.uses, now=now)
        claims = admin_token_claims(
            issuer=self.issuer,
            client_id=client.client_id,
            token_id=secrets.token_urlsafe(16),
            now=now,
            lifetime=self.access_token_lifetime,
        )
        log_administered(client)
        return TokenResponse(
            access_token=self._signed(claims, caller),
            token_type=TokenType.of(caller.jkt),
            expires_in=int(self.access_token_lifetime.total_seconds()),
            scope=ADMIN_SCOPE,
            correlation_id=None,
        )

    def _signed(self, claims: Mapping[str, Any], caller: Caller) -> str:
        """An access token that is bound to the caller's key, if it has proven one.

        Raises OAuthError where the caller's profile requires a key: here for every grant, as no other token
        may be made, and at the endpoint before a code is spent.
        """
        caller.require_key_for_profile()
        return self.keys.sign(bound_to(caller.jkt, claims))

    def _expect_retry(self, record: AuthorizationCode, now: datetime) -> None:
        """Keeps the hash that tells a retry, which our 503 asks for, from a replay (RFC 6749 4.1.2)."""
        with suppress(StoreUnavailable):  # the client is asked to retry in any case
            self.codes.replace(record, now=now)

    def _end_if_redeemed(self, request_id: str, client: Client, now: datetime) -> None:
        answered = self.ledger.find_answer(request_id)
        grant = None if answered is None else answered.grant
        if grant is None or grant.redeemed_at is None or grant.client_id != client.client_id:
            return
        if self.ledger.end_replayed(grant, now=now):
            log_event(EventKind.REPLAYED, grant)

    def _active_provider(self, client: Client, provider_id: str) -> DataProvider:
        provider = self.registry.find_provider(provider_id)
        if provider is None or client.status_with(provider_id) is not Status.ACTIVE:
            raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, "This client is not active with this provider")
        return provider

    def _token_response(
        self,
        caller: Caller,
        grant: ConsentGrant,
        provider: DataProvider,
        scope: Scope,
        now: datetime,
        *,
        refresh_token: str,
    ) -> TokenResponse:
        lifetime = access_token_lifetime(
            self.access_token_lifetime, now=now, grant_expires_at=grant.expires_at
        )
        claims = access_token_claims(
            issuer=self.issuer,
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
            access_token=self._signed(claims, caller),
            token_type=TokenType.of(caller.jkt),
            expires_in=int(lifetime.total_seconds()),
            scope=format_scope(scope),
            correlation_id=grant.correlation_id,
            refresh_token=refresh_token,
            consent_id=grant.consent_id,
        )


def _invalid_grant(description: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_GRANT, description)
