"""The secrets of the demo, which everybody knows."""

from app.domain.tokens import hash_secret

DEMO_HASHES = frozenset(
    hash_secret(f"{name}-demo-secret")
    for name in ("budget", "loans", "own-app", "maple-api", "northern-api", "harbour-api", "harbour")
)
"""Of the secrets in registry/demo.toml, which everybody knows, whatever a file says that they are."""
