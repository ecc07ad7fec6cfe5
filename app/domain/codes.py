"""The record of an authorization code: how long the code works, and for which client (RFC 6749 4.1.2)."""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain import pkce
from app.domain.clusters import Scope
from app.domain.consent import ConsentGrant
from app.domain.registry import Client

LONGEST_CODE_LIFETIME = timedelta(seconds=600)
"""Ten minutes, the maximum that RFC 6749 4.1.2 recommends."""
LONGEST_FAPI_CODE = timedelta(seconds=60)
"""FAPI 2.0 Security Profile 5.3.2.1-11. A redemption that is repeated after 503 gets no longer."""
TIME_TO_RETRY = timedelta(seconds=60)
"""How long a client may repeat a redemption that got 503 as its answer: a judgement (docs/adr/0015)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """What a code stands for. The code itself is a signature of `request_id` and is not stored.

    `unanswered` has the hex SHA-256 of the refresh token of each redemption that was answered with 503, since
    the ledger may have recorded it before it failed. A client that was told to retry is no replay
    (docs/adr/0015): the code then works longer, until `last_retry_at` at most. `dpop_jkt` is the thumbprint
    of the only key that may redeem it; None for any.
    """

    request_id: str
    consent_id: str
    client_id: str
    redirect_uri: str
    code_challenge: str | None
    subject: str
    provider_id: str
    granted_scope: Scope
    expires_at: datetime
    last_retry_at: datetime
    unanswered: frozenset[str] = frozenset()
    dpop_jkt: str | None = None

    def is_alive_at(self, now: datetime) -> bool:
        return now < self.expires_at

    def is_bound_to(
        self, client: Client, *, redirect_uri: str, code_verifier: str | None, jkt: str | None = None
    ) -> bool:
        """Whether the code was issued to `client`, for this redirect_uri, this code_verifier and this key.

        Implements RFC 6749 4.1.3, RFC 7636 4.6 and RFC 9449 10. A client that must use PKCE cannot
        redeem a code that was issued without a code_challenge.
        """
        return (
            self.client_id == client.client_id
            and (self.code_challenge is not None or not client.must_use_pkce)
            and hmac.compare_digest(self.redirect_uri.encode(), redirect_uri.encode())
            and pkce.proves(code_verifier, self.code_challenge)
            and self.dpop_jkt in (None, jkt)
        )

    def with_unanswered(self, token_hash: str, now: datetime) -> "AuthorizationCode":
        """The record after a redemption that was answered with 503, with TIME_TO_RETRY from `now` on."""
        retry_by = min(now + TIME_TO_RETRY, self.last_retry_at)
        expires_at = max(self.expires_at, retry_by)
        return replace(self, unanswered=self.unanswered | {token_hash}, expires_at=expires_at)


def mint(
    grant: ConsentGrant,
    *,
    redirect_uri: str,
    code_challenge: str | None,
    now: datetime,
    lifetime: timedelta,
    longest: timedelta = LONGEST_CODE_LIFETIME,
    dpop_jkt: str | None = None,
) -> AuthorizationCode:
    """The record of a code for `grant`, which is in the ledger already. `lifetime` is cut to `longest`."""
    return AuthorizationCode(
        request_id=grant.request_id,
        consent_id=grant.consent_id,
        client_id=grant.client_id,
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
        subject=grant.subject,
        provider_id=grant.provider_id,
        granted_scope=grant.granted_scope,
        expires_at=now + min(lifetime, longest),
        last_retry_at=now + longest,
        dpop_jkt=dpop_jkt,
    )
