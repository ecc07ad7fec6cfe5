"""Checks, introspects and revokes tokens that a caller presents.

The ledger decides at each call whether a token still works.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.domain.agreement import effective_agreement
from app.domain.caller import PresentedToken
from app.domain.clusters import format_scope, known_clusters, parse_scope
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.dpop import key_of
from app.domain.errors import ErrorCode, OAuthError
from app.domain.fdx import TokenDetails, token_details
from app.domain.history import Actor, Reason
from app.domain.registry import Client, Registry, ResourceServer, Status
from app.domain.tokens import ADMIN_SCOPE, TokenType, hash_secret
from app.flow.withdrawal import withdraw
from app.stores.ledger.connections import Connection, ConnectionStore
from app.stores.ledger.ledger import Ledger
from app.stores.signing_keys import SigningKeys

REVOCATION_NEEDS_CLIENT = "This client ends connections with its credentials: POST to this address (RFC 7009)"


@dataclass(frozen=True, slots=True)
class LiveToken:
    """An access token that works now. `connection` is the one that it is for; None for `client:admin`."""

    claims: dict[str, Any]
    client_id: str
    connection: Connection | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTokens:
    """Finds the tokens that work, and ends them. Every method raises StoreUnavailable."""

    issuer: str
    registry: Registry
    ledger: Ledger
    connections: ConnectionStore
    keys: SigningKeys
    refresh_token_idle: timedelta
    clock: Callable[[], datetime]

    def find_live(self, access_token: str) -> LiveToken | None:
        """The access token, while it works: signed here, not expired, and its consent in force.

        Its scope is limited to what the consent still grants. A token of a client that is suspended, or no
        longer active with the provider, does not work: such a client could not refresh either.
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
        """The answer of RFC 7662 2.2. For a caller whom the token does not concern it is inactive.

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
        if client is not None:
            self._require_authentication(client)
        self._revoke(claims["consent_id"])
        return True

    def revoke_consent(self, live: LiveToken, consent_id: str, reason: Reason) -> bool:
        """Ends a consent that the token may end; False where it had ended before.

        Raises OAuthError where the client has registered that only it ends its connections, and this is not
        its own token.
        """
        client = self.registry.clients.get(live.client_id)
        if live.connection is not None and client is not None:
            self._require_authentication(client)
        now = self.clock()
        after = withdraw(self.connections, consent_id, None, actor=Actor.CLIENT, now=now, reason=reason)
        return after is not None and after.status_at(now) is GrantStatus.REVOKED

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

    def _require_authentication(self, client: Client) -> None:
        if client.revocation_requires_client_authentication:
            raise OAuthError(ErrorCode.UNAUTHORIZED_CLIENT, REVOCATION_NEEDS_CLIENT)

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

    def _is_in_force(self, grant: ConsentGrant, client: Client) -> bool:
        is_active = grant.status_at(self.clock()) is GrantStatus.ACTIVE
        return is_active and client.status_with(grant.provider_id) is Status.ACTIVE


def _concerns(live: LiveToken, asker: Client | ResourceServer) -> bool:
    """Whether the token is for the audience of a resource server, or was issued to a client."""
    if isinstance(asker, ResourceServer):
        return bool(live.claims["aud"] == asker.audience)
    return live.client_id == asker.client_id
