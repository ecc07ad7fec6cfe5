"""From the code to the tokens, and what becomes of them: redeem, refresh, introspect, revoke.

Which call redeems a code, and whether a token still works, is decided by the ledger every time.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.domain.agreement import effective_agreement
from app.domain.caller import Caller, PresentedToken
from app.domain.clusters import Scope, format_scope, known_clusters, parse_scope
from app.domain.codes import AuthorizationCode
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.dpop import bound_to, key_of
from app.domain.errors import ErrorCode, OAuthError
from app.domain.fdx import TokenDetails, token_details
from app.domain.history import Actor, EventKind
from app.domain.registry import Client, DataProvider, Registry, ResourceServer, Status
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
from app.flow.withdrawal import withdraw
from app.stores.keys import SigningKeys
from app.stores.ledger.connections import Connection, ConnectionStore
from app.stores.ledger.ledger import Ledger, NotRedeemable, Redeemed, Replayed
from app.stores.redis.codes import CodeStore
from app.stores.redis.once import OnceStore
from app.stores.unavailable import StoreUnavailable

INVALID_CODE = "The code is unknown, expired or used, or was issued to somebody else"
INVALID_REFRESH_TOKEN = "The refresh token is unknown, expired or revoked, or somebody else's"  # noqa: S105  # a message
REVOCATION_NEEDS_CLIENT = "This client ends connections with its credentials: POST to this address (RFC 7009)"


@dataclass(frozen=True, slots=True)
class LiveToken:
    """An access token that works now. `connection` is the one that it is for; None for `client:admin`."""

    claims: dict[str, Any]
    client_id: str
    connection: Connection | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFlow:
    """Issues, checks and ends tokens. Every method raises StoreUnavailable."""

    issuer: str
    registry: Registry
    codes: CodeStore
    ledger: Ledger
    connections: ConnectionStore
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
        grant = self._find_refreshable(request.refresh_token, client)
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

    def find_live(self, access_token: str) -> LiveToken | None:
        """The access token, while it works: signed here, not expired, and its consent in force.

        Its scope is what the consent still has of it. No token works of a client that is suspended, or is no
        longer active with the provider: such a client could not refresh either.
        """
        claims = self._own_claims(access_token)
        client = None if claims is None else self.registry.find_client(claims["client_id"])
        if claims is None or client is None:
            return None
        if claims["scope"] == ADMIN_SCOPE:
            return LiveToken(claims, client.client_id, None)
        connection = self.connections.find_connection(claims["consent_id"])
        if connection is None or not self._is_in_force(connection.grant, client):
            return None
        left = known_clusters(claims["scope"].split(" ")) & connection.grant.granted_scope
        if not left:
            return None
        return LiveToken({**claims, "scope": format_scope(left)}, client.client_id, connection)

    def find_presented(self, presented: PresentedToken) -> LiveToken | None:
        """The presented access token, while it works, with the key that it is bound to and no other.

        A bound token is no bearer token, and the other way round (RFC 9449 7.1, 7.2).
        """
        live = self.find_live(presented.access_token)
        return live if live is not None and key_of(live.claims) == presented.jkt else None

    def introspect(self, token: str, asker: Client | ResourceServer) -> dict[str, Any]:
        """The answer of RFC 7662 2.2 to whom the token concerns; to others it says that it is inactive.

        It says which accounts the token is for, and how far back, as it was agreed (RFC 9396 9.2).
        """
        live = self.find_live(token)
        if live is not None and _concerns(live, asker):
            token_type = TokenType.of(key_of(live.claims))  # RFC 9449 6.2
            answer = {"active": True, "token_type": token_type, **live.claims}
            if live.connection is None:
                return answer
            return {**answer, **self._details(live.connection, live.claims["scope"])}
        if isinstance(asker, Client):
            return self._introspect_refresh_token(token, asker)
        return {"active": False}

    def revoke_connection(self, presented: PresentedToken) -> bool:
        """Ends the connection of an access token. False where the token was not issued here for a connection.

        It is also False for a token that is bound to another key than the one that was proven.

        True where the connection is over, even if it was before: after a lost reply the call may be repeated.
        Raises OAuthError where the client has registered that only it ends its connections (RFC 7009 2.1).
        """
        claims = self._own_claims(presented.access_token)
        if claims is None or "consent_id" not in claims or key_of(claims) != presented.jkt:
            return False
        client = self.registry.clients.get(claims["client_id"])
        if client is not None and client.revocation_requires_client_authentication:
            raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, REVOCATION_NEEDS_CLIENT)
        self._revoke(claims["consent_id"])
        return True

    def revoke(self, token: str, client: Client) -> None:
        """Ends the connection of the client's own access or refresh token (RFC 7009); ignores other tokens.

        Raises OAuthError for the client's own `client:admin` token, which has no connection: it lives on for
        the minutes that are left to it, so that it would be false to say that it was revoked.
        """
        claims = self._own_claims(token)
        if claims is not None:
            if claims["client_id"] != client.client_id:
                return
            if "consent_id" not in claims:
                raise OAuthError(ErrorCode.UNSUPPORTED_TOKEN_TYPE, "This token ends by itself, in minutes")
            self._revoke(claims["consent_id"])
            return
        grant = self._find_refreshable(token, client)
        if grant is not None:
            self._revoke(grant.consent_id)

    def _revoke(self, consent_id: str) -> None:
        withdraw(self.connections, consent_id, None, actor=Actor.CLIENT, now=self.clock())

    def _introspect_refresh_token(self, token: str, client: Client) -> dict[str, Any]:
        found = self._find_refreshable(token, client)
        connection = None if found is None else self.connections.find_connection(found.consent_id)
        if connection is None or not self._is_in_force(connection.grant, client):
            return {"active": False}
        grant = connection.grant
        scope = format_scope(grant.granted_scope)
        return {
            "active": True,
            "token_type": "refresh_token",
            "scope": scope,
            "client_id": grant.client_id,
            "sub": grant.subject,
            "iss": self.issuer,
            "exp": int(grant.expires_at.timestamp()),
            "consent_id": grant.consent_id,
            **self._details(connection, scope),
        }

    def _details(self, connection: Connection, scope: str) -> TokenDetails:
        grant = connection.grant
        agreement = effective_agreement(
            connection.agreement,
            self.registry.clients.get(grant.client_id),
            self.registry.find_provider(grant.provider_id),
        )
        return token_details(grant, parse_scope(scope), agreement=agreement)

    def _find_refreshable(self, refresh_token: str, client: Client) -> ConsentGrant | None:
        return self.ledger.find_refreshable(
            hash_secret(refresh_token), client.client_id, idle=self.refresh_token_idle, now=self.clock()
        )

    def _own_claims(self, access_token: str) -> dict[str, Any] | None:
        claims = self.keys.verify(access_token)
        if claims is None or claims.get("iss") != self.issuer or claims["exp"] <= self.clock().timestamp():
            return None
        return claims

    def _signed(self, claims: Mapping[str, Any], caller: Caller) -> str:
        """An access token that is bound to the caller's key, if it has proven one."""
        caller.require_key_for_profile()
        return self.keys.sign(bound_to(caller.jkt, claims))

    def _is_in_force(self, grant: ConsentGrant, client: Client) -> bool:
        is_active = grant.status_at(self.clock()) is GrantStatus.ACTIVE
        return is_active and client.status_with(grant.provider_id) is Status.ACTIVE

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


def _concerns(live: LiveToken, asker: Client | ResourceServer) -> bool:
    """A resource server is told of tokens for its audience, a client of its own."""
    if isinstance(asker, ResourceServer):
        return bool(live.claims["aud"] == asker.audience)
    return live.client_id == asker.client_id


def _invalid_grant(description: str) -> OAuthError:
    return OAuthError(ErrorCode.INVALID_GRANT, description)
