"""The secrets and the key of the demo, which are public and which production refuses."""

from app.domain.tokens import hash_secret

DEMO_HASHES = frozenset(
    hash_secret(f"{name}-demo-secret")
    for name in ("budget", "loans", "own-app", "maple-api", "northern-api", "harbour-api", "harbour")
)
"""The hex SHA-256 of each secret in registry/demo.toml. They are refused even where `demo` is not set."""

DEMO_KEYS = frozenset({"F7fTugyFT4ICWNnh9FiYDky_186AxHE_lMFSFn0FxWk"})  # pragma: allowlist secret
"""The thumbprint (RFC 7638) of the public half of registry/demo_fapi_key.json, refused likewise."""
