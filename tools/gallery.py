"""Writes every screen as a file, for a reviewer who has a browser and nothing else: `make gallery`.

The folder holds a copy of /dev/screens whose addresses are relative: it opens from a disk or a mail.
"""

import importlib
import os
import re
import secrets
import sys
import tempfile
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from app.domain.language import Language
from app.stores.keys import generate_signing_keys
from app.web.screens.gallery import SCREENS

ROOT = Path(__file__).resolve().parent.parent
READINGS = (*Language, "x", "keys")
_ADDRESS = re.compile(r'\b(href|src|action)="(/[^"]*)"')


def write_gallery(folder: Path) -> None:
    """Writes index.html, every screen in every language, and the static files that they use."""
    client = _development_app().test_client()
    folder.mkdir(parents=True, exist_ok=True)
    assets: set[str] = set()
    pages = {"index.html": "/dev/screens"}
    pages |= {
        _file(name, spoken): f"/dev/screens/{name}?lang={spoken}" for name in SCREENS for spoken in READINGS
    }
    for file, address in pages.items():
        html = _get(client, address).decode()
        assets.update(found for _, found in _ADDRESS.findall(html) if found.startswith("/static/"))
        (folder / file).write_text(_ADDRESS.sub(_relative, html), encoding="utf-8")
    for asset in assets:
        path = folder / asset.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_get(client, asset))


def _relative(attribute: re.Match[str]) -> str:
    """The attribute, leading to a file of the folder, or nowhere."""
    name, address = attribute.groups()
    screen = re.fullmatch(r"/dev/screens/([a-z-]+)\?lang=(\w+)", address)
    if screen:
        return f'{name}="{_file(*screen.groups())}"'
    return f'{name}="{address.lstrip("/")}"' if address.startswith("/static/") else f'{name}="#"'


def _file(name: str, spoken: str) -> str:
    return f"{name}.{spoken}.html"


def _get(client: FlaskClient, address: str) -> bytes:
    response = client.get(address)
    if response.status_code != 200:
        raise RuntimeError(f"{address} answered {response.status_code}")
    return bytes(response.data)


def _development_app() -> Flask:
    """Accord in development, connected to nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        keys = Path(scratch) / "keys.json"
        generate_signing_keys(keys)
        os.environ |= {
            "ACCORD_ENVIRONMENT": "development",
            "ACCORD_ISSUER": "http://localhost:8000",
            "ACCORD_REDIS_URL": "redis://127.0.0.1:1/0",
            "ACCORD_LEDGER_URL": "sqlite://",
            "ACCORD_REGISTRY": str(ROOT / "registry" / "demo.toml"),
            "ACCORD_SIGNING_KEYS": str(keys),
            "SECRET_KEY": secrets.token_hex(32),
        }
        app: Flask = importlib.import_module("wsgi").app
    return app


if __name__ == "__main__":
    write_gallery(Path(sys.argv[1]))
    print(f"Open {sys.argv[1]}/index.html")
