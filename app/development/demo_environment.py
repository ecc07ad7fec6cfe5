"""The environment variables, secrets and registration with which the demo starts its servers."""

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from app.development.layout import ROOT, Layout, bind
from app.stores.key_rotation import generate_signing_keys

DEMO_REGISTRY = ROOT / "registry" / "demo.toml"

# These addresses are the ones in registry/demo.toml.
REGISTERED_RECIPIENT = "http://localhost:8001"
REGISTERED_BANK = "http://localhost:8002"
REGISTERED_BANK_API = "http://localhost:8003"

# Variables that the servers of the demo do not inherit: they would change how these start.
_NOT_INHERITED = (
    "SECRET_KEY_FALLBACKS",
    "ACCORD_TRUSTED_PROXIES",
    "GUNICORN_CMD_ARGS",
    "FORWARDED_ALLOW_IPS",
)


def _inherited_env() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}


def accord_env(layout: Layout, *, redis_url: str, ledger_url: str) -> dict[str, str]:
    signing_keys = layout.instance / "signing_keys.json"
    _make_once(signing_keys, generate_signing_keys)
    return _inherited_env() | {
        "ACCORD_ENVIRONMENT": "development",
        "ACCORD_ISSUER": layout.issuer,
        "ACCORD_REDIS_URL": redis_url,
        "ACCORD_LEDGER_URL": ledger_url,
        "ACCORD_REGISTRY": str(demo_registry(layout)),
        "ACCORD_SIGNING_KEYS": str(signing_keys),
        "ACCORD_RECIPIENT_PORT": str(layout.recipient_port),
        "ACCORD_BIND": bind(layout.port),
        "SECRET_KEY": _secret(layout.instance / "secret_key"),
    }


def foreign_env() -> dict[str, str]:
    """The environment without Accord's variables, for the bank and the recipient, which are other parties."""
    ours = ("ACCORD_", "SECRET_KEY")
    return {name: value for name, value in _inherited_env().items() if not name.startswith(ours)}


def recipient_env(layout: Layout) -> dict[str, str]:
    """The environment of the recipient, to which Accord is only an address."""
    return foreign_env() | {
        "ACCORD_ISSUER": layout.issuer,
        "ACCORD_RECIPIENT_PORT": str(layout.recipient_port),
        "ACCORD_BIND": bind(layout.recipient_port),
        "ACCORD_WORKERS": "1",  # the example keeps its tokens in the memory of one process
        "RECIPIENT_BANK_API": layout.bank_api,
        "RECIPIENT_SECRET_KEY": _secret(layout.instance / "recipient_secret_key"),
    }


def bank_api_env(layout: Layout) -> dict[str, str]:
    """The environment of the banks' data APIs, which read from the registration who has which accounts."""
    return foreign_env() | {
        "ACCORD_ISSUER": layout.issuer,
        "ACCORD_BIND": bind(layout.bank_api_port),
        "ACCORD_WORKERS": "1",
        "BANK_REGISTRATION": str(demo_registry(layout)),
    }


def demo_registry(layout: Layout) -> Path:
    """The file registry/demo.toml; for other ports, a copy of it with the addresses of these ports."""
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    here = {
        REGISTERED_RECIPIENT: layout.recipient,
        REGISTERED_BANK: layout.bank,
        REGISTERED_BANK_API: layout.bank_api,
    }
    # In one go: the port of one server may be the registered one of another.
    moved = re.sub("|".join(here), lambda found: here[found[0]], text)
    if moved == text:
        return DEMO_REGISTRY
    path = layout.instance / "registry.toml"
    path.write_text(moved, encoding="utf-8")
    return path


def _secret(path: Path) -> str:
    _make_once(path, _write_secret)
    return path.read_text(encoding="ascii")


def _write_secret(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))


def _make_once(path: Path, make: Callable[[Path], None]) -> None:
    """Makes the file `path` unless it exists. It is renamed into place, so that it is never incomplete."""
    if path.exists():
        return
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    make(unfinished)
    unfinished.rename(path)
