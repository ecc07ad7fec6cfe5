"""A sign-in that is under way at a bank's own OpenID Connect server, and what it is bound to."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

LONGEST_SIGN_IN = timedelta(minutes=10)
"""How long the customer may take at the bank: a judgement, enough for a password and a second factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSignIn:
    """One redirect to the bank and back, for one browser and one purpose.

    `state` identifies it; `nonce` and `code_verifier` prove that the bank's answer belongs to it (RFC 9700
    4.4 and 4.5). With `must_ask_again` the bank must ask for the credentials, even of a customer who is
    signed in there (`prompt=login`, OpenID Connect Core 1.0, 3.1.2.1). `request_id` is the pending request
    that it is for; None where the customer wants to see their connections.
    """

    state: str
    browser_id: str
    provider_id: str
    issuer: str
    request_id: str | None
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    must_ask_again: bool
    begun_at: datetime
