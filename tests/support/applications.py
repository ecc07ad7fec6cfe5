"""The application in the process of the test, on the stores and at the time of the test."""

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule

from app import create_app
from app.domain.registry import Registry
from app.registration.file import read_registry
from app.settings import Settings
from app.web.current import EXTENSION, Services
from tests.support.builders import NOON, SECRET_KEY
from tests.support.page_contract import ContractClient
from tests.support.registrations import DEMO_REGISTRY

Logged = Callable[[], list[dict[str, Any]]]


class Clock:
    """The time of a test, which moves when the test says so."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, span: timedelta) -> None:
        self.now += span


def make_settings(redis_url: str, ledger_url: str, signing_keys: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "environment": "development",
        "issuer": "http://localhost:8000",
        "redis_url": redis_url,
        "ledger_url": ledger_url,
        "registry": DEMO_REGISTRY,
        "signing_keys": signing_keys,
        "secret_key": SECRET_KEY,
    }
    return Settings(**{**values, **changes})


class CompiledTemplates(BytecodeCache):
    """Keeps what compiling gave: each test has an application of its own, and all have the same templates."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED_TEMPLATES = CompiledTemplates()


class CompiledRule(Rule):
    """The same for the rules of addresses, for each of which Werkzeug writes a function in Python and compiles it."""

    _kept: ClassVar[dict[Hashable, dict[str, Any]]] = {}

    def compile(self) -> None:
        asked = {name: str(value) for name, value in self.get_empty_kwargs().items() if name != "methods"}
        key = (self.rule, *asked.items())
        if key not in self._kept:
            before = vars(self).copy()
            super().compile()
            made = {name: value for name, value in vars(self).items() if before.get(name) is not value}
            self._kept[key] = {**made, "arguments": self.arguments}
        vars(self).update(self._kept[key])


Flask.url_rule_class = CompiledRule


@cache
def _demo_registry() -> Registry:
    """It is read once, since each test has an application of its own; nothing in it can be changed."""
    return read_registry(DEMO_REGISTRY, allow_demo=True)


def make_app(settings: Settings, clock: Callable[[], datetime]) -> Flask:
    is_demo = settings.registry == DEMO_REGISTRY and settings.is_development
    app = create_app(settings, clock=clock, registry=_demo_registry() if is_demo else None)
    app.jinja_env.bytecode_cache = COMPILED_TEMPLATES
    app.test_client_class = ContractClient
    return app


def services_of(app: Flask) -> Services:
    """What a view of `app` may call."""
    services: Services = app.extensions[EXTENSION]
    return services


def a_browser(app: Flask, *, cookie: str | None = None) -> ContractClient:
    """A browser or a machine in front of an `app` of `make_app`; its cookie jar is empty or has that one cookie."""
    client = app.test_client()
    assert isinstance(client, ContractClient)
    if cookie is not None:
        client.set_cookie("accord", cookie)
    return client
