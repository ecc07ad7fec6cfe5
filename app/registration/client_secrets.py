"""Makes client secrets for recipients and resource servers."""

import secrets

from app.domain.tokens import hash_secret


def make_client_secret() -> tuple[str, str]:
    """A new client secret of 256 random bits, and its hex SHA-256 for the registration."""
    secret = secrets.token_urlsafe(32)
    return secret, hash_secret(secret)
