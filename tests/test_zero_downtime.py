"""Whatever an operator does while customers are under way: every flow that was begun ends with tokens.

Nobody tries again: a connection that breaks, or a page that says to come back, is a flow that is lost.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import Column, NullPool, Text, create_engine, text

from app.development.embedded import EmbeddedValkey
from app.stores.key_rotation import generate_signing_keys
from app.stores.ledger import migrations
from tests.support.load import under_load
from tests.support.postgres import PostgresServer
from tests.support.production import DEPLOY, Production, in_production, is_ready, make_release
from tests.support.repository import ROOT
from tests.support.running_accord import PATIENCE, RunningAccord

FLASK = [sys.executable, "-m", "flask"]


@pytest.fixture(scope="module")
def ledger_url(postgres: PostgresServer) -> str:
    url = postgres.new_database()
    migrations.upgrade(url)
    return url


@pytest.fixture(scope="module")
def signing_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of these tests' own, which are rotated."""
    path = tmp_path_factory.mktemp("rotated") / "signing_keys.json"
    generate_signing_keys(path)
    return path


@pytest.fixture(scope="module")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture(scope="module")
def production(
    tmp_path_factory: pytest.TempPathFactory, valkey_url: str, ledger_url: str, signing_keys: Path
) -> Iterator[Production]:
    directory = tmp_path_factory.mktemp("production")
    with in_production(
        directory,
        redis_url=valkey_url,
        ledger_url=ledger_url,
        signing_keys=signing_keys,
        SECRET_KEY="the first of the secret keys and long enough",
    ) as running:
        yield running


def test_a_reload_replaces_every_worker_and_loses_nobody(production: Production) -> None:
    with under_load(production) as load:
        for _ in range(2):
            workers = production.workers()
            assert production.service.reload() == [0]
            production.wait_for_new_workers(workers)
            load.wait_for_more(2)
    assert load.lost == []


def test_a_restart_with_a_new_secret_key_loses_nobody_on_the_way(production: Production) -> None:
    """Codes, forms and cookies that the old key signed are still good under the new one."""
    with under_load(production) as load:
        for number in range(2):
            environment = production.service.environment
            environment["SECRET_KEY_FALLBACKS"] = environment["SECRET_KEY"]
            environment["SECRET_KEY"] = f"secret key number {number} which is long enough"
            assert production.service.stop() == 0
            production.service.start()
            load.wait_for_more(2)
    assert load.lost == []


def test_without_the_old_key_the_flows_on_the_way_would_be_lost(production: Production) -> None:
    """So the test above can fail."""
    with under_load(production) as load:
        production.service.environment |= {
            "SECRET_KEY_FALLBACKS": "",
            "SECRET_KEY": "a key that nobody ever used before",
        }
        assert production.service.stop() == 0
        production.service.start()
        load.wait_for_more(8)
    assert load.lost != []


def test_workers_that_have_answered_enough_are_replaced_and_lose_nobody(production: Production) -> None:
    production.service.environment["ACCORD_MAX_REQUESTS"] = "25"
    production.service.stop()
    production.service.start()
    try:
        before = production.workers()
        with under_load(production) as load:
            load.wait_for_more(16)
        assert not production.workers() & before
        assert load.lost == []
    finally:
        del production.service.environment["ACCORD_MAX_REQUESTS"]
        production.service.stop()
        production.service.start()


def test_signing_keys_that_rotate_leave_every_token_verifiable(
    production: Production, signing_keys: Path
) -> None:
    with under_load(production) as load:
        for _ in range(2):
            subprocess.run(
                [*FLASK, "keys", "rotate", str(signing_keys)], check=True, cwd=ROOT, capture_output=True
            )
            load.wait_for_more(2)
    assert load.lost == []
    published = production.get("/.well-known/jwks.json").json()
    assert len(published["keys"]) == 3
    for token in load.tokens:
        jwt.decode(token, KeySet.import_key_set(published), algorithms=["ES256"])


def test_an_upgrade_of_the_ledger_that_adds_something_disturbs_nobody(
    production: Production, ledger_url: str
) -> None:
    """What a migration of the next version may do while this one serves: add what may be empty, and an index."""
    with under_load(production) as load:
        upgrade = subprocess.run(
            [*FLASK, "ledger", "upgrade"],
            env={**production.service.environment, "PATH": ""},
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        assert upgrade.returncode == 0
        load.wait_for_more(2)
        engine = create_engine(ledger_url, poolclass=NullPool)
        with engine.begin() as connection:
            operations = Operations(MigrationContext.configure(connection))
            connection.execute(text("SET lock_timeout = '500ms'"))
            operations.add_column("events", Column("of_the_next_version", Text))
        load.wait_for_more(2)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            operations = Operations(MigrationContext.configure(connection))
            operations.create_index(
                "ix_of_the_next_version", "events", ["of_the_next_version"], postgresql_concurrently=True
            )
        load.wait_for_more(2)
    assert load.lost == []


def test_a_new_release_changes_nothing_before_the_restart_and_loses_nobody(
    tmp_path: Path, valkey_url: str, ledger_url: str, signing_keys: Path
) -> None:
    """Its templates want a value that only its own code has: no page is ever made of two releases.

    What the form says stays the same: where it did not, an answer to the form before would bring the new one.
    """
    current, next_one = tmp_path / "current", tmp_path / "next"
    current.symlink_to(make_release(tmp_path / "releases" / "1"))
    shutil.copytree(DEPLOY, current / "deploy")
    with in_production(
        tmp_path, redis_url=valkey_url, ledger_url=ledger_url, signing_keys=signing_keys, root=current
    ) as running:
        with under_load(running) as load:
            next_one.symlink_to(a_release_that_says_so(tmp_path / "releases" / "2"))
            next_one.rename(current)  # ln -sfn
            load.wait_for_more(4)
            workers = running.workers()
            assert set(running.service.reload()) == {0}
            running.wait_for_new_workers(workers)
            load.wait_for_more(4)
            assert "This is release 2" not in running.get("/complaints").text
            assert running.service.stop() == 0
            running.service.start()
            load.wait_for_more(4)
            assert "This is release 2" in running.get("/complaints").text
        assert load.lost == []


def a_release_that_says_so(folder: Path) -> Path:
    make_release(folder)
    shutil.copytree(DEPLOY, folder / "deploy")
    for file, old, new in [
        (folder / "app/web/text/template_filters.py", '"wording": ', '"release": 2, "wording": '),
        (
            folder / "app/templates/base.html",
            "</head>",
            '<meta name="release" content="This is release {{ release }}"></head>',
        ),
    ]:
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
    return folder


def test_what_runs_reads_nothing_of_its_release_later_than_its_start(
    tmp_path: Path, valkey_url: str, ledger_url: str, signing_keys: Path
) -> None:
    """Neither code nor templates nor the contract. (Texts and pictures are read anew only in development, as here.)"""
    root = make_release(tmp_path / "release")
    with in_production(
        tmp_path, redis_url=valkey_url, ledger_url=ledger_url, signing_keys=signing_keys, root=root
    ) as running:
        for folder in ("app", "migrations"):
            shutil.rmtree(root / folder)
        with under_load(running) as load:
            load.wait_for_more(4)
        assert load.lost == []
        style = re.search(r'href="(/static/accord[^"]+)"', running.get("/complaints").text)
        assert style
        for path in ("/connections", "/complaints?lang=fr", "/openapi.yaml", style[1]):
            assert running.get(path).status_code == 200, path
        assert running.get("/nowhere").status_code == 404


def test_an_instance_that_is_taken_out_finishes_what_it_has_begun(
    production: Production,
    tmp_path: Path,
    valkey_url: str,
    ledger_url: str,
    signing_keys: Path,
) -> None:
    with RunningAccord(
        tmp_path / "second.log",
        redis_url=valkey_url,
        ledger_url=ledger_url,
        signing_keys=signing_keys,
        ACCORD_ISSUER=production.address,
        ACCORD_TRUSTED_HOSTS="127.0.0.1",
        SECRET_KEY=production.service.environment["SECRET_KEY"],
    ) as second:
        production.nginx.write(production.service.port, second.port)
        production.nginx.reload()
        with under_load(production) as load:
            load.wait_for_more(8)
            production.nginx.write(production.service.port)
            production.nginx.reload()
            time.sleep(0.5)
            psutil.Process(second.pid).terminate()
            load.wait_for_more(8)
        assert load.lost == []
        psutil.wait_procs([psutil.Process(second.pid)] if psutil.pid_exists(second.pid) else [], PATIENCE)
    assert is_ready(production)
