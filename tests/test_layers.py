"""Imports point inward. The table of what each package may know, and an eye on the domain's purity."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

ROOMS = {"edge", "text", "machines", "consent", "sign_in", "connections"}


def rooms_but(*known: str) -> set[str]:
    """The rooms of the web that one of them knows nothing of, which are all but `known`."""
    return {f"app.web.{room}" for room in ROOMS.difference(known)}


NEVER = {
    "app.stores": {"flask", "app.flow", "app.web", "app.sign_in", "app.accounts", "app.registration"},
    "app.stores.redis": {"sqlalchemy", "app.stores.ledger"},
    "app.stores.ledger": {"redis", "app.stores.redis"},
    "app.registration": {"flask", "app.stores", "app.flow", "app.web", "app.sign_in", "app.accounts"},
    "app.flow": {"flask", "app.web", "app.sign_in", "app.accounts", "app.registration", "app.notices"},
    "app.outgoing": {
        "flask",
        "app.stores",
        "app.flow",
        "app.web",
        "app.registration",
        "app.sign_in",
        "app.accounts",
        "app.notices",
    },
    "app.sign_in": {"flask", "app.stores", "app.flow", "app.web", "app.registration", "app.accounts"},
    "app.accounts": {"flask", "app.stores", "app.flow", "app.web", "app.registration"},
    # What is sent, and when again: who is told of what is the ledger's affair.
    "app.notices": {
        "flask",
        "app.stores.redis",
        "app.flow",
        "app.web",
        "app.sign_in",
        "app.accounts",
        "app.registration",
    },
    "app.metrics": {
        "flask",
        "app.stores",
        "app.flow",
        "app.web",
        "app.accounts",
        "app.registration",
        "app.notices",
    },
    "app.serving": {
        "flask",
        "app.stores",
        "app.flow",
        "app.web",
        "app.sign_in",
        "app.accounts",
        "app.registration",
        "app.notices",
        "app.outgoing",
    },
    "app.web": {"sqlalchemy", "app.registration", "app.notices"},
    # The rooms of the web: what is around every request knows no page, and no page knows another room's.
    "app.web.edge": {"app.flow", *rooms_but("edge")},
    "app.web.text": {"app.flow", "app.stores", *rooms_but("text", "edge")},
    # No cookie is read there, and no form: neither can be brought by a page of somebody else.
    "app.web.machines": {
        "app.web.edge.session_cookie",
        "app.web.edge.sessions",
        "app.web.edge.forms",
        *rooms_but("machines", "edge"),
    },
    "app.web.consent": rooms_but("consent", "edge", "text"),
    "app.web.sign_in": {"app.web.consent.pages", *rooms_but("sign_in", "edge", "text", "consent")},
    "app.web.connections": rooms_but("connections", "edge", "text"),
}
# What the server of Redis is asked, and how, is the stores' affair: others make a client, hand it to the stores,
# and ask whether it will do.
OF_THE_REDIS_CLIENT = {"Redis", "connect", "check", "connections_in_use", "require_suitable"}
# What only development uses is imported by these two functions, where development is known to be meant.
MAY_IMPORT_DEVELOPMENT = {"app": "create_app", "app.commands.demo": "demo"}
# The domain knows the standard library, less what acts on the world or asks it; no clock but `now` as a
# value.
PURE = sys.stdlib_module_names - {
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "time",
    "uuid",
}
CLOCKS = {"now", "utcnow", "today"}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path.read_text(encoding="utf-8") for path in sorted((ROOT / "app").rglob("*.py"))}
BLUEPRINTS = {module for module, source in MODULES.items() if "\nbp = Blueprint(" in source}


def imports_in(tree: ast.AST) -> Iterator[str]:
    """The full name of everything imported, wherever the import stands; `from app import x` as it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = "from app import " if node.module == "app" else f"{node.module}."
            yield from (whole + alias.name for alias in node.names)


def is_within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def raw_redis(tree: ast.AST) -> Iterator[str]:
    """What is taken from the client of Redis beyond making one: commands, and what their replies mean."""
    client = "app.stores.redis.client"
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "app.stores.redis"
        for alias in node.names
        if alias.name == "client"
    }
    taken = {name.removeprefix(f"{client}.") for name in imports_in(tree) if name.startswith(f"{client}.")}
    taken |= {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names
    }
    yield from (f"{client}.{name}" for name in taken - OF_THE_REDIS_CLIENT)


def breaches(module: str, source: str) -> set[str]:
    """What the module imports or does although its layer must not."""
    tree = ast.parse(source)
    imported = set(imports_in(tree))
    never = set().union(*(names for layer, names in NEVER.items() if is_within(module, layer)))
    never |= BLUEPRINTS - {module} if module in BLUEPRINTS else set()
    found = {name for name in imported if any(is_within(name, other) for other in never)}
    if module != "app":
        found |= {name for name in imported if name.startswith("from app import ")}
    if not is_within(module, "app.stores"):
        found |= {name for name in imported if is_within(name, "redis")}
        found.update(raw_redis(tree))
    if module != "app.web.current":  # where what a request carries has types
        found |= {"flask.g"} & imported
    if is_within(module, "app.domain"):
        found |= {name for name in imported if name.split(".")[0] not in PURE | {"app"}}
        found |= {name for name in imported if is_within(name, "app") and not is_within(name, "app.domain")}
        found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & CLOCKS
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_knows_nothing_that_its_layer_must_not(module: str) -> None:
    assert breaches(module, MODULES[module]) == set()


@pytest.mark.parametrize(
    ("module", "source", "breach"),
    [
        ("app.domain.codes", "import flask", "flask"),
        ("app.domain.codes", "from app.stores.redis import client as redis", "app.stores.redis.client"),
        ("app.domain.codes", "from app.settings import Settings", "app.settings.Settings"),
        ("app.domain.codes", "def f():\n    import redis", "redis"),
        ("app.domain.codes", "from secrets import token_hex", "secrets.token_hex"),
        ("app.domain.codes", "import os\nos.environ['X']", "os"),
        ("app.domain.codes", "import datetime\ndatetime.datetime.now()", "now"),
        ("app.stores.redis.codes", "from flask.globals import g", "flask.globals.g"),
        ("app.stores.redis.codes", "import app.flow.consent", "app.flow.consent"),
        ("app.stores", "from app.web import current", "app.web.current"),
        ("app.flow.consent", "import flask", "flask"),
        ("app.web.edge.language", "from flask import g, request", "flask.g"),
        (
            "app.sign_in.sandbox",
            "from app.stores.redis.client import connect",
            "app.stores.redis.client.connect",
        ),
        ("app.sign_in.oidc", "from app.accounts import fdx", "app.accounts.fdx"),
        ("app.accounts.fdx", "from app.stores.redis import sealed", "app.stores.redis.sealed"),
        ("app.accounts.fdx", "from app.web.current import services", "app.web.current.services"),
        ("app.web.machines.token", "from redis import Redis", "redis.Redis"),
        ("app.commands.sessions", "import redis", "redis"),
        ("app.web.machines.token", "import sqlalchemy.exc", "sqlalchemy.exc"),
        ("app.web.consent.consent_form", "from app.web.machines import token", "app.web.machines.token"),
        (
            "app.web.consent.consent_form",
            "from app.web.machines.token import bp",
            "app.web.machines.token.bp",
        ),
        (
            "app.flow.consent",
            "from app.stores.redis.client import Command",
            "app.stores.redis.client.Command",
        ),
        (
            "app.commands.sessions",
            "from app.stores.redis import client as redis\nredis.ask(redis.connect(url), ('GET', 'a'))",
            "app.stores.redis.client.ask",
        ),
        ("app.commands.demo", "from app import create_app", "from app import create_app"),
        ("app.web.machines.token", "from app import flow", "from app import flow"),
    ],
)
def test_the_checker_sees_every_kind_of_breach(module: str, source: str, breach: str) -> None:
    assert breaches(module, source) == {breach}


def test_a_name_that_only_begins_alike_is_another_package() -> None:
    assert breaches("app.stores.redis.codes", "import flask_babel\nfrom app.webhooks import x") == set()
    assert breaches("app.domain.codes", "from app.domain import pkce\nimport re") == set()


def test_only_wsgi_and_tests_take_the_way_to_make_an_application_out_of_the_package() -> None:
    folders = [ROOT / name for name in ("tests", "examples", "tools", "migrations", "bench")]
    paths = [*ROOT.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))]
    taken = {
        (module_of(path).split(".")[0], name)
        for path in paths
        for name in imports_in(ast.parse(path.read_text(encoding="utf-8")))
        if name.startswith("from app import ")
    }
    assert taken == {
        ("wsgi", "from app import create_app"),
        ("wsgi", "from app import say_what_was_loaded"),
        ("tests", "from app import create_app"),
    }


def test_the_blueprints_are_found() -> None:
    assert {
        "app.web.consent.authorize",
        "app.web.consent.consent_form",
        "app.web.consent.decision",
        "app.web.machines.token",
    } <= BLUEPRINTS
    assert "app.web.edge.errors" not in BLUEPRINTS


def test_only_two_functions_import_what_only_development_uses() -> None:
    for module, source in MODULES.items():
        if is_within(module, "app.development"):
            continue
        tree = ast.parse(source)
        everywhere = [name for name in imports_in(tree) if is_within(name, "app.development")]
        allowed = [
            name
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef) and function.name == MAY_IMPORT_DEVELOPMENT.get(module)
            for name in imports_in(function)
            if is_within(name, "app.development")
        ]
        assert everywhere == allowed, module


def test_every_file_of_the_web_is_in_a_room() -> None:
    folder = ROOT / "app" / "web"
    assert {path.name for path in folder.glob("*.py")} == {"__init__.py", "current.py"}
    assert {path.name for path in folder.iterdir() if (path / "__init__.py").exists()} == ROOMS
