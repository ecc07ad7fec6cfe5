"""Makes client secrets."""

import secrets

from app.domain.tokens import hash_secret


def new_secret() -> tuple[str, str]:
    """A fresh client secret of 256 random bits, and the hash to register."""
    secret = secrets.token_urlsafe(32)
    return secret, hash_secret(secret)
