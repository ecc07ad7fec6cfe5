"""Every screen there is: each page in every state, in every language, without a store, and in development only."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from flask import Flask, template_rendered
from jinja2 import Template
from werkzeug.test import TestResponse

from app.development.embedded import EmbeddedValkey
from app.development.screens.gallery import GROUPS, SCREENS
from app.domain.language import Language
from app.web.edge import problems
from tests.support import texts
from tests.support.applications import Clock
from tests.support.machine_requests import failing_server
from tests.support.page_contract import ContractClient, parse_page
from tests.support.ports import free_port
from tests.support.production import make_release
from tests.support.pseudo_locale import untranslated
from tests.support.registrations import write_production_registry
from tests.support.repository import ROOT

TEMPLATES = ROOT / "app" / "templates"
NO_PAGES = {"consent/asking.html", "base.html", "errors/page.html", "development/screens.html"}


@pytest.fixture
def rendered(app: Flask) -> Iterator[set[str]]:
    """The names of the templates that were rendered."""
    names: set[str] = set()

    def note(sender: Flask, template: Template, **_: object) -> None:
        names.add(str(template.name))

    with template_rendered.connected_to(note, app):
        yield names


def shown(client: ContractClient, name: str, lang: str) -> TestResponse:
    response = client.get(f"/dev/screens/{name}?lang={lang}")
    assert response.status_code == 200, name
    return response


def test_every_page_has_a_screen(client: ContractClient, rendered: set[str]) -> None:
    for name in SCREENS:
        shown(client, name, "en")
    pages = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")}
    assert rendered == {page for page in pages if not page.startswith("macros/")} - NO_PAGES


def test_everything_that_can_go_wrong_has_a_screen(client: ContractClient, rendered: set[str]) -> None:
    names = [
        name
        for name, function in inspect.getmembers(problems, inspect.isfunction)
        if inspect.signature(function).return_annotation is problems.Problem
    ]
    assert len(names) >= 9
    source = (ROOT / "app" / "development" / "screens" / "errors.py").read_text(encoding="utf-8")
    same_page = {"registration_changed": "unsafe_client", "no_such_provider": "not_found"}
    for name in names:
        assert f"problems.{name}(" in source or f'"{same_page[name]}"' in source, name


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_what_it_says_in_both_languages(client: ContractClient, name: str) -> None:
    for language in Language:
        page = parse_page(shown(client, name, language).text)
        assert page.one("html").attributes["lang"] == f"{language}-CA"
        assert page.one("h1").text
    english, french = (parse_page(shown(client, name, language).text) for language in Language)
    assert english.one("main").text != french.one("main").text


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_says_where_a_complaint_goes(client: ContractClient, name: str) -> None:
    for language, word in ((Language.EN, "complaint"), (Language.FR, "plainte")):
        page = parse_page(shown(client, name, language).text)
        links = [link for link in page.all("a") if word in link.text]
        if name == "start":  # a demonstration has nobody to complain to
            assert not links
            continue
        assert links or (name.startswith("error-unsafe") and word in page.one("footer").text)
        assert all(
            "/complaints" in link.attributes["href"] or "/plaintes" in link.attributes["href"]
            for link in links
        )


@pytest.mark.parametrize("name", SCREENS)
def test_only_a_page_about_an_error_has_a_reference_number(client: ContractClient, name: str) -> None:
    for language in Language:
        number = texts.REFERENCE_NUMBER.beginning[language]
        assert (number in parse_page(shown(client, name, language).text).text) is name.startswith("error-")


@pytest.mark.parametrize("name", SCREENS)
def test_the_title_of_a_screen_names_a_bank_once_at_most(client: ContractClient, name: str) -> None:
    for language in Language:
        title = parse_page(shown(client, name, language).text).one("title").text
        banks = [bank for bank in (texts.MAPLE, texts.NORTHERN, texts.HARBOUR) if bank[language] in title]
        assert [title.count(bank[language]) for bank in banks] in ([], [1])


@pytest.mark.parametrize("name", SCREENS)
def test_every_text_of_a_screen_can_be_translated(client: ContractClient, name: str) -> None:
    assert untranslated(shown(client, name, "x").text) == []


def test_the_screens_need_no_store(signing_keys: Path, clock: Clock, tmp_path: Path) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    client = failing_server(nowhere, f"sqlite:///{tmp_path}/no/ledger", signing_keys, clock)
    for name in SCREENS:
        shown(client, name, "fr")


def test_the_list_shows_every_screen_in_every_language_side_by_side(client: ContractClient) -> None:
    response = client.get("/dev/screens")
    assert response.status_code == 200
    frames = re.findall(r'<iframe src="(.*?)"', response.text)
    assert frames == [
        f"/dev/screens/{name}?lang={language}"
        for screens in GROUPS.values()
        for name in (screen.name for screen in screens)
        for language in Language
    ]
    assert "frame-src 'self'" in response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    one = shown(client, "form", "en").headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in one


def test_names_differ() -> None:
    assert len(SCREENS) == sum(map(len, GROUPS.values()))


def test_another_name_is_no_screen(client: ContractClient) -> None:
    assert client.get("/dev/screens/nothing").status_code == 404


@pytest.mark.parametrize("path", ["/dev/screens", "/dev/screens/form"])
def test_production_has_no_screens(production: ContractClient, path: str) -> None:
    assert production.get(path).status_code == 404


def test_no_line_ends_within_a_time_of_day(client: ContractClient) -> None:
    assert "10\u00a0h\u00a045" in shown(client, "answered-approve", "fr").text
    assert re.search(r"10:45[\u00a0\u202f]a\.m\.", shown(client, "answered-approve", "en").text)


def test_no_line_ends_between_a_day_and_its_month(client: ContractClient) -> None:
    assert "22\u00a0janvier 2027" in shown(client, "connection", "fr").text
    assert "January\u00a022, 2027" in shown(client, "connection", "en").text


def test_production_serves_without_the_files_of_development(
    tmp_path: Path, valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path
) -> None:
    """Every module that the container has can be imported there, and makes the application."""
    release = make_release(tmp_path / "release", for_production=True)
    assert not (release / "app" / "development").exists()
    assert not (release / "app" / "templates" / "development").exists()
    environment = {
        "ACCORD_ENVIRONMENT": "production",
        "ACCORD_ISSUER": "https://consent.bank.example",
        "ACCORD_REGISTRY": str(write_production_registry(tmp_path)),
        "ACCORD_REDIS_URL": valkey.url,
        "ACCORD_LEDGER_URL": ledger_url,
        "ACCORD_SIGNING_KEYS": str(signing_keys),
        "SECRET_KEY": "the secret key of this one test, and long enough",
    }
    code = """
        import importlib, pkgutil, app
        for module in pkgutil.walk_packages(app.__path__, "app."):
            if module.name != "app.tracing":
                importlib.import_module(module.name)
        from wsgi import app as served
        client = served.test_client()
        print(app.__file__, client.get("/readyz", base_url="https://consent.bank.example").status_code)
    """
    said = subprocess.check_output(
        [sys.executable, "-c", dedent(code)], cwd=release, env=environment, text=True, timeout=60
    )
    assert said.splitlines()[-1] == f"{release / 'app' / '__init__.py'} 200"


def test_a_hostile_name_stays_text_and_the_host_is_shown(client: ContractClient, lang: str) -> None:
    page = parse_page(shown(client, "form-hostile", lang).text)
    [script] = page.all("script")
    assert script.attributes["src"].startswith("/static/")
    assert "<b>Share</b>" in page.one("h1").text
    assert not any(character in page.text for character in "\u202e\u202c\u200b\u200d")
    assert "xn--bdget-kva.long-" in page.text
