"""The example recipient's own rules: what it refuses, what it shows, what it never shows. Its way through a
whole consent is in the browser tests, against the real Accord."""

import json
import re
import string
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from html import unescape
from http.server import BaseHTTPRequestHandler, HTTPServer
from secrets import token_urlsafe
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask, session
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from werkzeug.test import TestResponse

from examples.recipient import pages
from examples.recipient.actions import ACTIONS
from examples.recipient.app import create_app
from examples.recipient.connections import LIMIT, Connection, Connections
from examples.recipient.notices import Answers, poll_once
from examples.recipient.oauth import Accord, Flow, FlowError, Tokens, secret_basic
from examples.recipient.record import ConsentRecord
from examples.recipient.wording import LANGUAGES, TEXTS, wording
from tests.support.ports import free_port
from tests.support.repository import ROOT

HOME = "http://localhost:8001"
FLOW = Flow("the-state", "the-verifier", "1000", "ACCOUNT_BASIC TRANSACTIONS", "the-correlation-id")
METADATA = "/.well-known/oauth-authorization-server"


@pytest.fixture
def issuer() -> str:
    """Nobody answers there."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def recipient(monkeypatch: pytest.MonkeyPatch, issuer: str) -> Flask:
    for name in (
        "ACCORD_RECIPIENT_PORT",
        "RECIPIENT_CLIENT_ID",
        "RECIPIENT_CLIENT_SECRET",
        "RECIPIENT_SECRET_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACCORD_ISSUER", issuer)
    return create_app()


class Browser(FlaskClient):
    """Always at the recipient's own address, and every page it opens keeps the page contract."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("base_url", HOME)
        response = super().open(*args, **kwargs)
        assert response.status_code < 500 or response.status_code in (502, 503)
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        if response.mimetype == "text/html" and not response.location:
            check_page(response.text)
        return response


def check_page(html: str) -> None:
    [heading] = re.findall(r"<h1>(.*?)</h1>", html)
    [title] = re.findall(r"<title>(.*?)</title>", html)
    assert title.startswith(heading)
    assert re.search(r'<html lang="(en|fr)">', html)
    assert 'hreflang="' in html
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", html)
    ids = re.findall(r'\sid="(.*?)"', html)
    assert len(ids) == len(set(ids))


@pytest.fixture
def browser(recipient: Flask) -> Browser:
    recipient.test_client_class = Browser
    client = recipient.test_client()
    assert isinstance(client, Browser)
    return client


def leave_for_the_bank(browser: Browser, flow: Flow = FLOW) -> None:
    with browser.session_transaction(base_url=HOME) as kept:
        kept["flows"] = [*kept.get("flows", []), asdict(flow)]


def make_connection(browser: Browser, *, scope: str = "ACCOUNT_BASIC", **changes: object) -> None:
    now = int(time.time())
    tokens = Tokens("access-token-0123456789", "refresh-token-0123456789", scope, 300, now + 300)
    fields: dict[str, object] = {"claims": {"iss": "the-issuer", "exp": now + 300}, **changes}
    made = Connection(FLOW, "the-code-0123456789", tokens, **fields)  # type: ignore[arg-type]
    kept = browser.application.extensions["connections"]
    kept.keep("the-connection", made)
    with browser.session_transaction(base_url=HOME) as visit:
        visit["connection"] = "the-connection"


def csrf_token(browser: Browser, page: str) -> str:
    match = re.search(r'name="csrf_token" value="(.*?)"', browser.get(page).text)
    assert match
    return match[1]


def problem_after(browser: Browser, path: str, **query: str) -> str:
    """Follows to the page where failures end, sees it in both languages, returns its `data-error`."""
    response = browser.get(path, query_string=query)
    assert response.status_code == 303
    assert response.location.startswith("/problem?error=")
    errors = set()
    for language in LANGUAGES:
        page = browser.get(response.location, query_string=None).text
        page = browser.get(f"{response.location}&lang={language}").text
        assert f'<html lang="{language}">' in page
        errors.update(re.findall(r'id="error" [^>]*data-error="(.*?)"', page))
    [error] = errors
    return str(error)


# The callback


def test_an_answer_with_a_state_that_this_browser_does_not_know_is_refused(
    browser: Browser, issuer: str
) -> None:
    leave_for_the_bank(browser)
    assert problem_after(browser, "/callback", code="c", state="another", iss=issuer) == "unknown_state"
    assert problem_after(browser, "/callback", code="c", iss=issuer) == "unknown_state"
    assert problem_after(browser, "/callback") == "unknown_state"


def test_an_unknown_state_is_refused_before_anything_else_in_the_answer_is_read(browser: Browser) -> None:
    query = {"state": "another", "error": "access_denied", "error_description": "Call this number"}
    assert problem_after(browser, "/callback", **query) == "unknown_state"
    assert "Call this number" not in browser.get("/problem?error=access_denied").text


def test_another_browser_cannot_bring_the_answer(recipient: Flask, browser: Browser, issuer: str) -> None:
    leave_for_the_bank(browser)
    other = recipient.test_client()
    assert isinstance(other, Browser)
    assert problem_after(other, "/callback", code="c", state=FLOW.state, iss=issuer) == "unknown_state"


@pytest.mark.parametrize("iss", ["", "https://evil.example", "{issuer}/", "{issuer} "])
def test_an_answer_from_another_issuer_is_refused(browser: Browser, issuer: str, iss: str) -> None:
    leave_for_the_bank(browser)
    query = {"code": "c", "state": FLOW.state, "iss": iss.format(issuer=issuer)}
    assert problem_after(browser, "/callback", **query) == "wrong_issuer"


def test_an_answer_without_an_issuer_is_refused_even_if_it_is_an_error(browser: Browser) -> None:
    leave_for_the_bank(browser)
    assert problem_after(browser, "/callback", state=FLOW.state, error="access_denied") == "wrong_issuer"


def test_a_state_is_good_once_and_the_same_answer_again_leads_to_the_same_page(
    browser: Browser, issuer: str
) -> None:
    leave_for_the_bank(browser)
    query = {"state": FLOW.state, "error": "access_denied", "iss": issuer}
    assert problem_after(browser, "/callback", **query) == "access_denied"
    assert problem_after(browser, "/callback", **query) == "access_denied"
    assert problem_after(browser, "/callback", state=FLOW.state, code="c", iss=issuer) == "access_denied"
    leave_for_the_bank(browser, Flow("second", "v", "2000", "ACCOUNT_BASIC", "c"))
    assert problem_after(browser, "/callback", state="second", iss=issuer) == "bad_answer"
    assert problem_after(browser, "/callback", **query) == "unknown_state"


def test_answers_in_two_tabs_do_not_disturb_each_other(browser: Browser, issuer: str) -> None:
    leave_for_the_bank(browser)
    leave_for_the_bank(browser, Flow("second", "v", "2000", "ACCOUNT_BASIC", "c"))
    for state in ("second", FLOW.state):
        query = {"state": state, "error": "access_denied", "iss": issuer}
        assert problem_after(browser, "/callback", **query) == "access_denied"


@pytest.mark.parametrize("name", ["code", "iss", "state"])
def test_a_repeated_parameter_is_refused(browser: Browser, issuer: str, name: str) -> None:
    leave_for_the_bank(browser)
    response = browser.get(f"/callback?code=c&state={FLOW.state}&iss={issuer}&{name}=again")
    assert response.location == "/problem?error=bad_answer"


def test_the_customers_no_is_told_with_accords_own_words_as_text(browser: Browser, issuer: str) -> None:
    leave_for_the_bank(browser)
    words = "The user denied the access <b>"
    query = {"state": FLOW.state, "error": "access_denied", "error_description": words, "iss": issuer}
    assert problem_after(browser, "/callback", **query) == "access_denied"
    response = browser.get("/problem?error=access_denied")
    assert response.status_code == 200
    assert "The user denied the access &lt;b&gt;" in response.text


@pytest.mark.parametrize(
    "error", ["invalid_scope", "unauthorized_client", "server_error", "an_error_to_come"]
)
def test_an_error_without_words_of_its_own_keeps_its_code(browser: Browser, issuer: str, error: str) -> None:
    leave_for_the_bank(browser)
    assert problem_after(browser, "/callback", state=FLOW.state, error=error, iss=issuer) == error
    assert wording("en", "problem.other.title") in browser.get(f"/problem?error={error}&lang=en").text


@pytest.mark.parametrize("error", ["", "<script>", "x" * 500, "é", "a b"])
def test_a_strange_error_is_not_repeated(browser: Browser, issuer: str, error: str) -> None:
    leave_for_the_bank(browser)
    found = problem_after(browser, "/callback", state=FLOW.state, error=error, iss=issuer)
    assert found in ("bad_answer", "x" * 40)


def test_an_answer_with_neither_code_nor_error_is_refused(browser: Browser, issuer: str) -> None:
    leave_for_the_bank(browser)
    assert problem_after(browser, "/callback", state=FLOW.state, iss=issuer) == "bad_answer"


def test_a_code_that_cannot_be_redeemed_ends_in_a_page_without_the_code(
    browser: Browser, issuer: str
) -> None:
    leave_for_the_bank(browser)
    query = {"code": "the-code", "state": FLOW.state, "iss": issuer}
    assert problem_after(browser, "/callback", **query) == "unreachable"
    response = browser.get("/problem?error=unreachable")
    assert response.status_code == 503
    assert "the-code" not in response.text
    assert issuer in response.text


# The start


@pytest.mark.parametrize(
    "link", ["/connect?lang=en", "/connect?lang=fr", "/connect?provider_id=2000&lang=fr"]
)
def test_a_link_while_accord_is_down_leads_to_a_page_that_says_so(browser: Browser, link: str) -> None:
    response = browser.get(link, follow_redirects=True)
    assert response.status_code == 503
    assert 'data-error="unreachable"' in response.text
    assert f'<html lang="{link[-2:]}">' in response.text


def test_the_form_while_accord_is_down_leads_there_too(browser: Browser) -> None:
    form = {"csrf_token": csrf_token(browser, "/"), "provider_id": "1000", "lang": "fr"}
    assert browser.post("/connect", data=form).location == "/problem?error=unreachable"


def test_a_bank_that_is_not_on_the_list_is_refused(browser: Browser) -> None:
    assert problem_after(browser, "/connect", provider_id="9999") == "bad_choice"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([], "ACCOUNT_BASIC"),
        (["TRANSACTIONS", "INVESTMENTS"], "ACCOUNT_BASIC TRANSACTIONS INVESTMENTS"),
        (["TRANSACTIONS ACCOUNT_DETAILED"], "ACCOUNT_BASIC ACCOUNT_DETAILED TRANSACTIONS"),
        (["ACCOUNT_BASIC", "ACCOUNT_BASIC"], "ACCOUNT_BASIC"),
        (["EVERYTHING", "transactions"], "ACCOUNT_BASIC"),
        (pages.CLUSTERS, " ".join(pages.CLUSTERS)),
    ],
)
def test_only_known_clusters_are_asked_for_and_always_the_needed_one(
    chosen: list[str], expected: str
) -> None:
    assert pages.chosen_scope(chosen) == expected


def test_what_a_browser_must_remember_is_bounded_and_fits_into_a_cookie(
    recipient: Flask, issuer: str
) -> None:
    with recipient.test_request_context("/", base_url=HOME):
        for number in range(pages.MAX_FLOWS + 5):
            random = [token_urlsafe(size) for size in (32, 48, 27, 32)]
            request_uri = f"urn:ietf:params:oauth:request_uri:{random[3]}"
            scope = " ".join(pages.CLUSTERS)
            pages.remember(Flow(f"{number}{random[0]}", random[1], "1000", scope, random[2], request_uri))
        session["problem"] = ["access_denied", "x" * 300]
        assert [flow["state"][0] for flow in session["flows"]] == ["5", "6", "7", "8", "9", "1", "1", "1"]
        response = recipient.make_response("")
        recipient.session_interface.save_session(recipient, session, response)
        assert len(response.headers["Set-Cookie"]) < 3900


# The server's answers


@contextmanager
def a_server(answers: dict[str, tuple[int, bytes]], asked: list[str] | None = None) -> Iterator[str]:
    """A loopback server that gives fixed answers, for what Accord itself would never say."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.path)
            status, body = answers.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def metadata(issuer: str, /, **changes: object) -> bytes:
    return json.dumps(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "revocation_endpoint": f"{issuer}/revoke",
            "introspection_endpoint": f"{issuer}/introspect",
            "jwks_uri": f"{issuer}/jwks",
            **changes,
        }
    ).encode()


def accord_at(issuer: str) -> Accord:
    return Accord(issuer, "dc-budget", secret_basic("dc-budget", "budget-demo-secret"), f"{HOME}/callback")


@pytest.mark.parametrize(
    ("status", "changes", "expected"),
    [
        (200, {"issuer": "https://evil.example"}, "wrong_issuer"),
        (200, {"token_endpoint": "http://bank.example/token"}, "bad_answer"),
        (200, {"authorization_endpoint": "javascript:alert(1)"}, "bad_answer"),
        (200, {"jwks_uri": 5}, "bad_answer"),
        (200, {"revocation_endpoint": "http://bank.example/revoke"}, "bad_answer"),
        (200, {"introspection_endpoint": None}, "bad_answer"),
        (302, {}, "bad_answer"),
        (404, {}, "bad_answer"),
        (503, {}, "temporarily_unavailable"),
    ],
)
def test_metadata_that_cannot_be_trusted_is_not_used(
    status: int, changes: dict[str, object], expected: str
) -> None:
    answers: dict[str, tuple[int, bytes]] = {}
    with a_server(answers) as issuer:
        answers[METADATA] = (status, metadata(issuer, **changes) if status == 200 else b"")
        answers["/elsewhere"] = (200, metadata(issuer))
        with pytest.raises(FlowError) as raised:
            accord_at(issuer).begin(provider_id="1000", scope="ACCOUNT_BASIC", lang="en")
    assert raised.value.code == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"{}", b'"x"', b"\xff\xfe\x00"])
def test_metadata_that_is_not_metadata_is_a_failure_and_no_crash(body: bytes) -> None:
    with a_server({METADATA: (200, body)}) as issuer, pytest.raises(FlowError) as raised:
        accord_at(issuer).begin(provider_id="1000", scope="ACCOUNT_BASIC", lang="en")
    assert raised.value.code == "bad_answer"


def test_every_flow_has_its_own_state_verifier_and_correlation_id_and_hides_the_verifier() -> None:
    answers: dict[str, tuple[int, bytes]] = {}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        accord = accord_at(issuer)
        scope = "ACCOUNT_BASIC TRANSACTIONS"
        (url, first), (_url, second) = (
            accord.begin(provider_id="2000", scope=scope, lang="fr") for _ in range(2)
        )
    sent = dict(parse_qsl(urlsplit(url).query))
    assert len(sent.pop("code_challenge")) == 43
    assert sent == {
        "response_type": "code",
        "client_id": "dc-budget",
        "redirect_uri": f"{HOME}/callback",
        "scope": scope,
        "state": first.state,
        "provider_id": "2000",
        "correlation_id": first.correlation_id,
        "lang": "fr",
        "code_challenge_method": "S256",
    }
    assert first.verifier not in url
    assert len(first.verifier) >= 43
    assert not set(asdict(first).values()) & {second.state, second.verifier, second.correlation_id}


GOOD = {
    "access_token": "a",
    "refresh_token": "r",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "ACCOUNT_BASIC",
}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_grant", "error_description": "The code is not good"}, "invalid_grant"),
        (401, {"error": "invalid_client"}, "invalid_client"),
        (400, {"error": ["a", "list"]}, "['a', 'list']"),
        (503, {"error": "temporarily_unavailable"}, "temporarily_unavailable"),
        (500, {}, "temporarily_unavailable"),
        (302, {}, "bad_answer"),
        (200, {}, "bad_answer"),
        (200, [], "bad_answer"),
        (200, {**GOOD, "token_type": "mac"}, "bad_answer"),
        (200, {**GOOD, "expires_in": "soon"}, "bad_answer"),
        (200, {**GOOD, "access_token": None}, "bad_answer"),
        (200, {**GOOD, "scope": None}, "bad_answer"),
    ],
)
def test_an_answer_of_the_token_endpoint_that_is_not_good_is_a_failure(
    status: int, body: object, expected: str
) -> None:
    answers: dict[str, tuple[int, bytes]] = {}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        answers["/token"] = (status, json.dumps(body).encode())
        with pytest.raises(FlowError) as raised:
            accord_at(issuer).redeem("the-code", FLOW)
    assert raised.value.code == expected


@pytest.mark.parametrize(
    "keys", [b"{}", b"[]", b'{"keys": []}', b'{"keys": [5]}', b'{"keys": [{"kty": "EC"}]}']
)
@pytest.mark.parametrize("token", ["", "a.b.c", "é", "e30.e30.e30"])
def test_an_access_token_that_cannot_be_verified_is_not_shown_and_no_crash(keys: bytes, token: str) -> None:
    answers: dict[str, tuple[int, bytes]] = {"/jwks": (200, keys)}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        with pytest.raises(FlowError):
            accord_at(issuer).read_claims(token)


@pytest.mark.parametrize(
    ("header", "changes", "good"),
    [
        ({}, {}, True),
        ({"typ": "JWT"}, {}, False),
        ({}, {"iss": "https://evil.example"}, False),
        ({}, {"client_id": "dc-loans"}, False),
        ({}, {"exp": 1}, False),
        ({}, {"exp": None}, False),
        ({"kid": "another"}, {}, False),
    ],
)
def test_claims_are_shown_only_when_signature_type_issuer_client_and_time_are_right(
    header: dict[str, str], changes: dict[str, object], good: bool
) -> None:
    key = ECKey.generate_key("P-256", {"kid": "one"})
    answers = {"/jwks": (200, json.dumps({"keys": [key.as_dict(private=False)]}).encode())}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        claims = {"iss": issuer, "client_id": "dc-budget", "exp": int(time.time()) + 300, **changes}
        token = jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": "one", **header}, claims, key)
        if good:
            assert accord_at(issuer).read_claims(token) == claims
        else:
            with pytest.raises(FlowError):
                accord_at(issuer).read_claims(token)


def test_a_token_signed_with_another_algorithm_is_refused() -> None:
    key = OctKey.import_key("a shared secret of enough bytes, at least 32", {"kid": "one"})
    answers = {"/jwks": (200, json.dumps({"keys": [key.as_dict()]}).encode())}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        claims = {"iss": issuer, "client_id": "dc-budget", "exp": int(time.time()) + 300}
        token = jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": "one"}, claims, key)
        with pytest.raises(FlowError, match="unverified_token"):
            accord_at(issuer).read_claims(token)


def test_the_same_answer_in_parallel_is_redeemed_once_and_lands_at_the_connection_every_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    answers = {"/token": (200, json.dumps(GOOD).encode())}
    with a_server(answers, asked) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        monkeypatch.setenv("ACCORD_ISSUER", issuer)
        recipient = create_app()
        recipient.test_client_class = Browser

        def come_back(_number: int) -> tuple[str | None, int]:
            browser = recipient.test_client()
            assert isinstance(browser, Browser)
            leave_for_the_bank(browser)
            query = {"code": "c", "state": FLOW.state, "iss": issuer}
            location = browser.get("/callback", query_string=query).location
            return location, browser.get("/connection").status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(come_back, range(16))) == {("/connection", 200)}
    assert asked.count("/token") == 1


# The connection


def test_a_connection_shows_what_was_granted_what_was_not_and_no_whole_secret(browser: Browser) -> None:
    make_connection(browser)
    for language in LANGUAGES:
        page = browser.get(f"/connection?lang={language}").text
        granted, not_granted = page.split('id="developers"')[1].split('id="not-granted"')
        assert re.findall(r'data-cluster="(.*?)"', granted) == ["ACCOUNT_BASIC"]
        assert re.findall(r'data-cluster="(.*?)"', not_granted) == ["TRANSACTIONS"]
        assert 'data-outcome="connected"' in page
        assert 'data-seconds="300"' in page
        assert FLOW.correlation_id in page
        for secret in ("token-0123456789", "the-code", FLOW.verifier, FLOW.state, "budget-demo-secret"):
            assert secret not in page


# What people read, before what is folded away for developers


def for_people(page: str) -> str:
    """The text of a page as it opens."""
    unfolded = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", unfolded)).split())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/", "/connection", "/problem?error=access_denied"])
def test_people_read_no_names_of_the_protocol(browser: Browser, path: str, language: str) -> None:
    make_connection(browser)
    with browser.session_transaction(base_url=HOME) as kept:
        kept["problem"] = ["access_denied", "The user denied the access"]
    page = browser.get(path, query_string={"lang": language}).text if "?" not in path else ""
    page = page or browser.get(f"{path}&lang={language}").text
    said = for_people(page)
    assert said
    assert not re.search(r"[A-Za-z]_[A-Za-z]|token|jeton|UTC", said)
    assert wording(language, "developers") in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_people_are_told_what_is_asked_for_and_why_and_choose_at_the_bank(
    browser: Browser, language: str
) -> None:
    page = browser.get(f"/?lang={language}").text
    before, developers = page.split('<details id="developers">')
    assert "checkbox" not in before
    said = for_people(page)
    for cluster in pages.ASKED:
        assert f"{wording(language, f'cluster.{cluster}')} {wording(language, f'why.{cluster}')}" in said
    checked = re.findall(r'value="(\w+)" checked', developers)
    assert [pages.NEEDED, *checked] == list(pages.ASKED)


def test_a_bare_link_asks_for_what_the_start_page_says(browser: Browser) -> None:
    answers: dict[str, tuple[int, bytes]] = {}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        browser.application.extensions["accord"] = accord_at(issuer)
        location = browser.get("/connect?lang=en").location
    assert dict(parse_qsl(urlsplit(location).query))["scope"] == " ".join(pages.ASKED)


@pytest.mark.parametrize("language", LANGUAGES)
def test_people_read_what_they_share_until_when_and_where_to_change_it(
    browser: Browser, issuer: str, language: str
) -> None:
    make_connection(browser, scope="ACCOUNT_BASIC TRANSACTIONS", ends_at=datetime(2027, 1, 2, 3, tzinfo=UTC))
    page = browser.get(f"/connection?lang={language}").text
    said = for_people(page)
    for cluster in ("ACCOUNT_BASIC", "TRANSACTIONS"):
        assert wording(language, f"cluster.{cluster}") in said
    # In Toronto, as the bank writes it.
    assert {"en": "Until January 1, 2027.", "fr": "Jusqu’au 1er janvier 2027."}[language] in said
    assert f'href="{issuer}/connections?lang={language}"' in page
    assert wording(language, "connection.no_month") not in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_transactions_there_is_no_month_and_a_way_to_choose_again(
    browser: Browser, language: str
) -> None:
    make_connection(browser, scope="ACCOUNT_BASIC")
    page = browser.get(f"/connection?lang={language}").text
    assert wording(language, "connection.no_month") in for_people(page)
    assert f'href="/connect?provider_id=1000&amp;lang={language}"' in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_once_it_has_ended_nothing_is_said_to_be_shared(browser: Browser, language: str) -> None:
    make_connection(browser, ended=True, action="revoke", outcome="revoked")
    said = for_people(browser.get(f"/connection?lang={language}").text)
    assert wording(language, "connection.over") in said
    assert wording(language, "connection.granted") not in said


def test_what_was_tried_as_a_developer_is_not_folded_away(browser: Browser) -> None:
    make_connection(browser)
    assert '<details id="developers">' in browser.get("/connection").text
    make_connection(browser, action="refresh", outcome="refreshed")
    assert '<details id="developers" open>' in browser.get("/connection").text


def test_its_logo_is_the_one_that_the_bank_shows() -> None:
    own = ROOT / "examples" / "recipient" / "static" / "compass.svg"
    assert own.read_bytes() == (ROOT / "static" / "logos" / "budget.svg").read_bytes()


def test_claims_that_were_not_verified_are_not_shown(browser: Browser) -> None:
    make_connection(browser, claims={})
    page = browser.get("/connection?lang=en").text
    assert wording("en", "connection.claims.unverified") in page
    assert 'id="claims"' not in page


def test_strange_claims_are_text(browser: Browser) -> None:
    make_connection(browser, claims={"iss": "<b>", "aud": ["a", "<i>"], "exp": 1e300, "iat": -1, "n": None})
    page = browser.get("/connection").text
    assert "<b>" not in page
    assert "<i>" not in page


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_while_accord_is_down_changes_nothing_and_says_so(browser: Browser, action: str) -> None:
    make_connection(browser)
    form = {"csrf_token": csrf_token(browser, "/connection")}
    response = browser.post(f"/connection/{action}", data=form)
    assert (response.status_code, response.location) == (303, "/connection")
    page = browser.get("/connection").text
    assert f'data-action="{action}" data-outcome="unreachable"' in page
    assert 'data-ended="false"' in page


@pytest.mark.parametrize("action", ["refresh", "replay"])
def test_invalid_grant_ends_the_connection(browser: Browser, action: str) -> None:
    make_connection(browser, action=action, outcome="invalid_grant", ended=True)
    for language in LANGUAGES:
        page = browser.get(f"/connection?lang={language}").text
        assert wording(language, f"outcome.{action}.invalid_grant") in page
        assert page.count(wording(language, "connection.dead")) >= 2


RECORD = {
    "id": "5f0c7d0e-0000-4000-8000-000000000000",
    "status": "REVOKED",
    "createdTime": "2026-11-24T12:00:00.000Z",
    "expirationTime": "2027-11-24T12:00:00.000Z",
    "durationType": "TIME_BOUND",
    "durationPeriod": 365,
    "lookbackPeriod": 730,
    "parties": [
        {"type": "DATA_RECIPIENT", "name": "Budget <Compass>", "registeredEntityName": "Budget Compass Inc."},
        {"type": "DATA_PROVIDER", "name": "Maple Credit Union"},
    ],
    "resources": [{"resourceType": "CUSTOMER", "dataClusters": ["ACCOUNT_BASIC", "TRANSACTIONS"]}],
    "revocation": {"reason": "USER_ACTION", "initiator": "INDIVIDUAL"},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_record_of_a_consent_is_shown_in_words(browser: Browser, language: str) -> None:
    record = ConsentRecord.parse(RECORD)
    make_connection(browser, action="record", outcome="read", record=record, ended=True)
    page = browser.get(f"/connection?lang={language}").text
    assert 'id="consent-record"' in page
    table = page.split('id="consent-record"')[1].split("</table>")[0]
    assert 'data-status="REVOKED"' in table
    for key in ("status.REVOKED", "party.DATA_RECIPIENT", "initiator.INDIVIDUAL", "reason.USER_ACTION"):
        assert wording(language, f"record.{key}") in table
    for text in (RECORD["id"], "Budget &lt;Compass&gt;", "Budget Compass Inc.", "TRANSACTIONS", "365", "730"):
        assert str(text) in table


def test_the_record_of_a_consent_for_some_accounts_names_each_type_of_data_once() -> None:
    account = {"resourceType": "ACCOUNT", "dataClusters": ["ACCOUNT_BASIC", "TRANSACTIONS"]}
    customer = {"resourceType": "CUSTOMER", "dataClusters": ["CUSTOMER_CONTACT"]}
    record = ConsentRecord.parse({**RECORD, "resources": [account, account, customer]})
    assert record.clusters == ("ACCOUNT_BASIC", "TRANSACTIONS", "CUSTOMER_CONTACT")


def test_words_that_are_new_to_us_are_shown_as_they_came(browser: Browser) -> None:
    answer = {**RECORD, "status": "<PAUSED>", "revocation": {}, "lookbackPeriod": None}
    make_connection(browser, record=ConsentRecord.parse(answer))
    table = browser.get("/connection?lang=en").text.split('id="consent-record"')[1]
    assert "&lt;PAUSED&gt;" in table
    assert wording("en", "record.no_limit") in table
    assert wording("en", "record.ended_by") not in table


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {}, "bad_answer"),
        (200, [], "bad_answer"),
        (200, {**RECORD, "parties": 5}, "bad_answer"),
        (200, {**RECORD, "durationPeriod": "long"}, "bad_answer"),
        (404, {"error": "invalid_request"}, "bad_answer"),
        (503, {"error": "temporarily_unavailable"}, "temporarily_unavailable"),
    ],
)
def test_a_record_that_is_none_is_a_failure_and_no_crash(status: int, body: object, expected: str) -> None:
    answers: dict[str, tuple[int, bytes]] = {"/token": (200, json.dumps(GOOD).encode())}
    answers["/api/v1/consents/a%2Fb"] = (status, json.dumps(body).encode())
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        with pytest.raises(FlowError) as raised:
            accord_at(issuer).read_record("a/b")
    assert raised.value.code == expected


@pytest.mark.parametrize(
    ("revoked", "refreshed", "outcome", "is_over"),
    [
        ((200, {}), (400, {"error": "invalid_grant"}), "revoked", True),
        ((200, {}), (503, {"error": "temporarily_unavailable"}), "unchecked", True),
        ((200, {}), (200, GOOD), "accepted", False),
        ((503, {}), (200, GOOD), "temporarily_unavailable", False),
        ((302, {}), (200, GOOD), "bad_answer", False),
        ((204, {}), (200, GOOD), "bad_answer", False),
        ((401, {}), (200, GOOD), "bad_answer", False),
    ],
)
def test_sharing_has_stopped_only_when_accord_says_so_and_is_checked_afterwards(
    browser: Browser,
    revoked: tuple[int, object],
    refreshed: tuple[int, object],
    outcome: str,
    is_over: bool,
) -> None:
    answers = {
        "/revoke": (revoked[0], json.dumps(revoked[1]).encode() if revoked[0] != 204 else b""),
        "/token": (refreshed[0], json.dumps(refreshed[1]).encode()),
    }
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        browser.application.extensions["accord"] = accord_at(issuer)
        make_connection(browser)
        browser.post("/connection/revoke", data={"csrf_token": csrf_token(browser, "/connection")})
        page = browser.get("/connection?lang=fr").text
    assert f'data-outcome="{outcome}"' in page
    assert f'data-ended="{str(is_over).lower()}"' in page


def test_a_record_of_a_connection_that_ended_before_its_number_was_known_is_unknown(browser: Browser) -> None:
    answers = {"/introspect": (200, b'{"active": false}')}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        browser.application.extensions["accord"] = accord_at(issuer)
        make_connection(browser, ended=True)
        browser.post("/connection/record", data={"csrf_token": csrf_token(browser, "/connection")})
        page = browser.get("/connection?lang=en").text
    assert wording("en", "outcome.record.unknown") in page


def test_forgetting_drops_the_tokens(browser: Browser) -> None:
    make_connection(browser)
    form = {"csrf_token": csrf_token(browser, "/connection")}
    assert browser.post("/connection/forget", data=form).location == "/"
    assert browser.application.extensions["connections"].find("the-connection") is None
    assert problem_after(browser, "/connection") == "no_connection"


@pytest.mark.parametrize(
    "path", ["/connect", "/connection/forget", *(f"/connection/{action}" for action in ACTIONS)]
)
def test_a_form_without_its_token_does_nothing(browser: Browser, path: str) -> None:
    make_connection(browser)
    before = browser.application.extensions["connections"].find("the-connection")
    assert browser.post(path).location == "/problem?error=form_expired"
    assert browser.post(path, data={"csrf_token": "x"}).location == "/problem?error=form_expired"
    assert browser.application.extensions["connections"].find("the-connection") is before


def test_connections_are_bounded_and_the_oldest_goes_first() -> None:
    kept = Connections()
    made = Connection(FLOW, "code", Tokens("a", "r", "ACCOUNT_BASIC", 300, 0), {})
    for number in range(LIMIT + 1):
        kept.keep(str(number), made)
    assert kept.find("0") is None
    assert kept.find("1") is made
    assert kept.find(str(LIMIT)) is made


def test_secrets_stay_out_of_representations() -> None:
    made = Connection(FLOW, "the-code", Tokens("the-access", "the-refresh", "ACCOUNT_BASIC", 300, 0), {})
    text = repr(made) + repr(accord_at("http://localhost:1"))
    for secret in ("the-code", "the-access", "the-refresh", FLOW.verifier, "budget-demo-secret"):
        assert secret not in text


# Every page


@pytest.mark.parametrize("path", ["/", "/problem?error=access_denied", "/nowhere", "//evil.example/x"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_there_in_both_languages_and_links_to_the_other(
    browser: Browser, path: str, language: str
) -> None:
    page = browser.get(path, query_string={"lang": language}).text if "?" not in path else ""
    page = page or browser.get(f"{path}&lang={language}").text
    other = next(other for other in LANGUAGES if other != language)
    assert f'<html lang="{language}">' in page
    assert re.search(rf'href="\?(error=\w+&amp;)?lang={other}"', page)


def test_the_language_is_kept_and_else_the_browsers_own(browser: Browser) -> None:
    assert '<html lang="fr">' in browser.get("/", headers={"Accept-Language": "fr-CA, en;q=0.5"}).text
    assert '<html lang="en">' in browser.get("/", headers={"Accept-Language": "de"}).text
    browser.get("/?lang=fr")
    assert '<html lang="fr">' in browser.get("/", headers={"Accept-Language": "en"}).text
    assert '<html lang="fr">' in browser.get("/?lang=de", headers={"Accept-Language": "en"}).text


def test_the_cookie_has_its_own_name_and_is_for_this_site_only(browser: Browser) -> None:
    cookie = browser.get("/").headers["Set-Cookie"]
    assert cookie.startswith("recipient_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_browser_at_another_name_of_this_machine_is_sent_to_the_registered_one(browser: Browser) -> None:
    response = browser.get("/connect?lang=fr&x=%0a", base_url="http://127.0.0.1:8001")
    assert (response.status_code, response.location) == (302, f"{HOME}/connect?lang=fr&x=%0a")
    assert browser.post("/connect", base_url="http://evil.example").status_code == 400


@pytest.mark.parametrize("host", ["[", "a b", "evil.example:99999", "", "é"])
def test_a_strange_host_is_no_crash(browser: Browser, host: str) -> None:
    assert browser.get("/", headers={"Host": host}).status_code in (302, 400)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_another_method_is_a_page_too(browser: Browser, method: str) -> None:
    assert 'id="error"' in browser.open("/nowhere", method=method).text


def test_forms_may_lead_to_accord_and_onward_and_nowhere_else(browser: Browser, issuer: str) -> None:
    policy = browser.get("/").headers["Content-Security-Policy"]
    assert policy.endswith(f"form-action 'self' https: {issuer} http://localhost:*")


# The words


def test_both_languages_have_the_same_keys_in_the_same_order() -> None:
    assert list(TEXTS["en"]) == list(TEXTS["fr"])
    assert tuple(TEXTS) == ("en", "fr")


@pytest.mark.parametrize("key", TEXTS["en"])
def test_both_languages_say_something_with_the_same_fields(key: str) -> None:
    fields = {
        language: {name for _text, name, _spec, _conversion in string.Formatter().parse(texts[key]) if name}
        for language, texts in TEXTS.items()
    }
    assert fields["en"] == fields["fr"]
    assert all(texts[key].strip() for texts in TEXTS.values())


def test_every_bank_and_cluster_has_a_name() -> None:
    names = [f"provider.{provider}" for provider in pages.PROVIDERS]
    names += [f"cluster.{cluster}" for cluster in pages.CLUSTERS]
    assert set(names) == {key for key in TEXTS["en"] if key.startswith(("provider.", "cluster."))}


@pytest.mark.parametrize("text", [*TEXTS["fr"].values()])
def test_french_follows_canadian_typography(text: str) -> None:
    assert not re.search(r"['\"]", text)
    assert not re.search(r"\s[;!?]", text)
    assert not re.search(r"(?<!\u00a0):(?!//)|(?<!\u00a0)%|«(?!\u00a0)|(?<!\u00a0)»", text)


# Notices


SIGNER = ECKey.generate_key("P-256", {"kid": "one"})
SECEVENT = "application/secevent+jwt"


def a_notice(issuer: str, header: dict[str, str] | None = None, key: ECKey = SIGNER, **changes: Any) -> str:
    claims = {
        "iss": issuer,
        "aud": "dc-budget",
        "jti": "notice-1",
        "iat": int(time.time()),
        "sub_id": {"format": "opaque", "id": "consent-1"},
        "events": {f"{issuer}/events/consent": {"type": "CONSENT_REVOKED"}},
        **changes,
    }
    return jwt.encode({"alg": "ES256", "typ": "secevent+jwt", "kid": "one", **(header or {})}, claims, key)


def of_kind(issuer: str, kind: str) -> dict[str, Any]:
    return {"events": {f"{issuer}/events/consent": {"type": kind}}}


@pytest.fixture
def accord(recipient: Flask) -> Iterator[str]:
    """The issuer of an Accord that publishes the key of SIGNER."""
    answers = {"/jwks": (200, json.dumps({"keys": [SIGNER.as_dict(private=False)]}).encode())}
    with a_server(answers) as issuer:
        answers[METADATA] = (200, metadata(issuer))
        for name in ("accord", "fapi"):
            recipient.extensions[name].issuer = issuer
        yield issuer


def told(browser: Browser, token: str, content_type: str = SECEVENT) -> TestResponse:
    return browser.post("/notices", data=token, content_type=content_type)


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_a_notice_that_a_consent_ended_nothing_of_it_is_left(
    browser: Browser, accord: str, language: str
) -> None:
    make_connection(browser, consent_id="consent-1", record=ConsentRecord.parse(RECORD))
    taken = told(browser, a_notice(accord))
    assert (taken.status_code, taken.data) == (202, b"")
    kept = browser.application.extensions["connections"].find("the-connection")
    assert (kept.ended, kept.claims, kept.record) == (True, {}, None)
    page = browser.get(f"/connection?lang={language}").text
    assert wording(language, "connection.told.ended", bank=wording(language, "provider.1000")) in page
    assert 'data-ended="true"' in page
    assert 'data-type="CONSENT_REVOKED"' in page
    assert 'id="claims"' not in page
    assert 'id="consent-record"' not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_that_a_consent_ends_soon_is_said_with_the_way_to_a_new_one(
    browser: Browser, accord: str, language: str
) -> None:
    make_connection(browser, consent_id="consent-1")
    due: dict[str, Any] = {
        "events": {f"{accord}/events/consent": {"type": "CUSTOM", "subtype": "RENEWAL_DUE"}}
    }
    assert told(browser, a_notice(accord, **due)).status_code == 202
    page = browser.get(f"/connection?lang={language}").text
    assert wording(language, "connection.told.ends_soon", bank=wording(language, "provider.1000")) in page
    assert 'data-ended="false"' in page
    assert 'data-type="RENEWAL_DUE"' in page
    assert 'id="renew" href="/connect?provider_id=1000' in page
    assert told(browser, a_notice(accord, jti="notice-2")).status_code == 202
    assert 'data-type="CONSENT_REVOKED"' in browser.get("/connection").text


def test_a_notice_is_about_its_consent_and_no_other(browser: Browser, accord: str) -> None:
    make_connection(browser, consent_id="consent-2")
    assert told(browser, a_notice(accord)).status_code == 202
    assert not browser.application.extensions["connections"].find("the-connection").ended


def test_a_notice_that_comes_again_changes_nothing_and_a_later_one_brings_no_ended_consent_back(
    browser: Browser, accord: str
) -> None:
    kept = browser.application.extensions["connections"]
    make_connection(browser, consent_id="consent-1")
    narrowed = a_notice(accord, jti="notice-0", **of_kind(accord, "CONSENT_UPDATED"))
    assert told(browser, narrowed).status_code == 202
    assert (kept.find("the-connection").told, kept.find("the-connection").ended) == ("CONSENT_UPDATED", False)
    assert kept.find("the-connection").tokens.expires_at == 0, "it is refreshed before its next use"
    for token in (a_notice(accord), a_notice(accord), a_notice(accord, jti="n", **of_kind(accord, "X"))):
        assert told(browser, token).status_code == 202
        assert kept.find("the-connection").told == "CONSENT_REVOKED"
    kept.keep(
        "the-connection", Connection(FLOW, "c", Tokens("a", "r", "", 300, 0), {"iss": "x"}, "consent-1")
    )
    assert kept.find("the-connection").claims == {}, "a page that was under way brings nothing back"
    assert kept.find("the-connection").ended


@pytest.mark.parametrize(
    ("header", "changes", "err"),
    [
        ({"typ": "at+jwt"}, {}, "invalid_request"),
        ({"kid": "another"}, {}, "authentication_failed"),
        ({}, {"iss": "https://evil.example"}, "invalid_issuer"),
        ({}, {"aud": "dc-loans"}, "invalid_audience"),
        ({}, {"aud": ["dc-budget"]}, "invalid_audience"),
        ({}, {"iat": 99999999999}, "invalid_request"),
        ({}, {"iat": "now"}, "invalid_request"),
        ({}, {"events": {}}, "invalid_request"),
        ({}, {"sub_id": "consent-1"}, "invalid_request"),
        ({}, {"jti": None, "events": []}, "invalid_request"),
        ({}, {"events": {"https://accord.example/events/consent": {"type": "CUSTOM"}}}, "invalid_request"),
    ],
)
def test_a_notice_that_accord_has_not_made_for_us_is_refused(
    browser: Browser, accord: str, header: dict[str, str], changes: dict[str, Any], err: str
) -> None:
    make_connection(browser, consent_id="consent-1")
    refused = told(browser, a_notice(accord, header, **changes))
    assert (refused.status_code, refused.get_json()["err"]) == (400, err)
    assert refused.get_json()["description"]
    assert not browser.application.extensions["connections"].find("the-connection").ended


@pytest.mark.parametrize("token", ["", "a.b.c", "é", "e30.e30.e30", "[" * 9000])
def test_what_is_no_notice_is_refused_and_no_crash(browser: Browser, accord: str, token: str) -> None:
    assert told(browser, token).status_code == 400
    forged = a_notice(accord, key=ECKey.generate_key("P-256", {"kid": "one"}))
    assert told(browser, forged).get_json()["err"] == "authentication_failed"
    assert told(browser, a_notice(accord), content_type="application/json").status_code == 400


def test_a_notice_is_for_either_of_our_registrations(browser: Browser, accord: str) -> None:
    assert told(browser, a_notice(accord, aud="dc-fapi")).status_code == 202


def test_a_notice_that_cannot_be_checked_now_is_to_come_again(browser: Browser, issuer: str) -> None:
    assert told(browser, a_notice(issuer)).status_code == 503


@pytest.mark.parametrize("status", [200, 429, 503])
def test_who_asks_for_notices_says_what_became_of_them(browser: Browser, accord: str, status: int) -> None:
    """Over HTTP, with an access token of our own; what is refused is said, too."""
    asked: list[dict[str, Any]] = []
    sets = {"notice-1": a_notice(accord), "notice-2": a_notice(accord, jti="notice-2", aud="dc-loans")}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, metadata(there))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_poll = self.path == "/api/v1/notices"
            if is_poll:
                asked.append({**json.loads(body), "as": self.headers["Authorization"]})
            found = {"sets": sets if len(asked) == 1 else {}, "moreAvailable": False} if is_poll else GOOD
            self.answer(status if is_poll else 200, json.dumps(found).encode())

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """It says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    there = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        ours = accord_at(there)
        make_connection(browser, consent_id="consent-1")
        if status != 200:
            with pytest.raises(FlowError):
                poll_once(browser.application, ours, Answers())
            return
        poll_once(browser.application, ours, poll_once(browser.application, ours, Answers()))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    first, second = asked
    assert first == {"maxEvents": 20, "returnImmediately": True, "ack": [], "setErrs": {}, "as": "Bearer a"}
    assert second["ack"] == ["notice-1"]
    assert second["setErrs"]["notice-2"]["err"] == "invalid_audience"
    assert browser.application.extensions["connections"].find("the-connection").ended
