"""The record that gives an authorization code its life, and what the code is bound to (RFC 6749 4.1.2)."""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain import pkce
from app.domain.clusters import Scope
from app.domain.consent import ConsentGrant
from app.domain.registry import Client

LONGEST_CODE_LIFETIME = timedelta(seconds=600)
TIME_TO_RETRY = timedelta(seconds=60)
"""How long a client may take to come back after it was told that its redemption could not be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """What a code stands for. The code itself, a signature of `request_id`, is in no record.

    `unanswered` are the hashes of refresh tokens that nobody was given: of redemptions that were told to come
    back, and may have happened all the same. For those the code lives longer, until `last_retry_at` at most.
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

    def is_alive_at(self, now: datetime) -> bool:
        return now < self.expires_at

    def is_bound_to(self, client: Client, *, redirect_uri: str, code_verifier: str | None) -> bool:
        """Whether `client`, who presents the code, began the request that it answers.

        RFC 6749 4.1.3, RFC 7636 4.6. For a client that must use PKCE, a code without a challenge answers
        none that could have begun.
        """
        return (
            self.client_id == client.client_id
            and (self.code_challenge is not None or not client.pkce_required)
            and hmac.compare_digest(self.redirect_uri.encode(), redirect_uri.encode())
            and pkce.proves(code_verifier, self.code_challenge)
        )

    def with_unanswered(self, token_hash: str, now: datetime) -> "AuthorizationCode":
        """The record after a redemption that could not be answered, with the time to ask for it again."""
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
) -> AuthorizationCode:
    """The record of a code for a grant that is in the ledger already."""
    return AuthorizationCode(
        request_id=grant.request_id,
        consent_id=grant.consent_id,
        client_id=grant.client_id,
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
        subject=grant.subject,
        provider_id=grant.provider_id,
        granted_scope=grant.granted_scope,
        expires_at=now + min(lifetime, LONGEST_CODE_LIFETIME),
        last_retry_at=now + LONGEST_CODE_LIFETIME,
    )
