"""Proof Key for Code Exchange (PKCE, RFC 7636), with the method S256 only."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

METHOD = "S256"

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


def is_challenge(text: str) -> bool:
    """Whether `text` can be an S256 challenge: 43 characters of base64url (RFC 7636 4.2)."""
    return _CHALLENGE.fullmatch(text) is not None


def challenge_of(verifier: str) -> str:
    """The S256 challenge of `verifier` (RFC 7636 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def proves(verifier: str | None, challenge: str | None) -> bool:
    """Whether `verifier` proves `challenge` (RFC 7636 4.6).

    Without a challenge there must be no verifier either: a client that sends one has begun another request,
    from whose address somebody removed the challenge (the PKCE downgrade attack, RFC 9700 4.8.2).
    """
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)
