"""A sign-in that is under way at a bank's own server, and what it is bound to."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

LONGEST_SIGN_IN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSignIn:
    """One way to the bank and back, for one browser and one purpose.

    `state` names it, `nonce` and `code_verifier` prove that what comes back is its answer
    (RFC 9700 4.4, 4.5).
    `must_ask_again`: whoever the bank knows already is not enough (OpenID Connect Core 1.0, 3.1.2.1).
    `request_id` is the request that it is for; without one it is for seeing what is shared.
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
