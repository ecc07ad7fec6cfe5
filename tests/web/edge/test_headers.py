"""What every answer carries, whoever asked for what (security 6)."""

from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from tests.support.builders import a_query
from tests.support.customer import BUDGET, BrowserCustomer, basic
from tests.support.page_contract import ContractClient, opener_policy_of, parse_page

JSON = {"Accept": "application/json"}
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
}


def answers(customer: BrowserCustomer) -> Iterator[TestResponse]:
    """An answer of every sort: pages, redirects, JSON, files, errors."""
    client = customer.client
    yield client.get("/")
    yield client.get(f"/api/v1/authorize?{a_query()}")
    yield client.get(f"/api/v1/authorize?{a_query(scope='nonsense')}")
    yield client.get(f"/api/v1/authorize?{a_query(client_id='nobody')}")
    yield client.get(f"/api/v1/authorize?{a_query(client_id='nobody')}", headers=JSON)
    yield client.head(f"/api/v1/authorize?{a_query()}")
    yield client.options("/api/v1/authorize")
    request_id = customer.begin()
    yield client.get(f"/sign-in/{request_id}")
    yield client.post(f"/sign-in/{request_id}")
    yield customer.sign_in(request_id, password="wrong")
    yield customer.sign_in(request_id)
    yield client.get(f"/consent/{request_id}")
    yield customer.answer(request_id, "neither")
    yield customer.answer(request_id, "approve")
    yield client.get(f"/consent/{request_id}")
    yield client.get("/nothing")
    yield client.get("/consent/nothing")
    yield client.get("/", headers={"Host": "evil.example"})
    for path in ("oauth-authorization-server", "jwks.json", "nothing"):
        yield client.get(f"/.well-known/{path}")
    for path in ("/healthz", "/readyz", "/openapi.yaml", "/static/accord.css", "/static/nothing"):
        yield client.get(path)
    yield client.post("/api/v1/token")
    yield client.post("/api/v1/token", data={"grant_type": "x"}, headers=basic(*BUDGET))
    yield client.get("/api/v1/token")


def policy_of(response: TestResponse) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))


def test_every_answer_has_a_policy_that_starts_from_nothing(customer: BrowserCustomer) -> None:
    for response in answers(customer):
        policy = policy_of(response)
        assert policy.keys() == POLICY.keys()
        if response.request.path.startswith("/consent/") and response.status_code in (200, 400):
            assert policy.pop("form-action").startswith("'self'")
        assert policy.items() <= POLICY.items()


def test_every_answer_has_the_same_protections_once_each(customer: BrowserCustomer) -> None:
    for response in answers(customer):
        for name, value in {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": opener_policy_of(response.request.path),
            "Cross-Origin-Resource-Policy": "same-origin",
        }.items():
            assert response.headers.getlist(name) == [value], response.request.path
        for name in ("Content-Security-Policy", "ob-trace-id"):
            assert len(response.headers.getlist(name)) == 1, response.request.path


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/api/v1/authorize", "unsafe-none"),
        ("//api/v1/authorize", "unsafe-none"),
        ("/sign-in/nothing", "unsafe-none"),
        ("/sign-in/callback/1000", "unsafe-none"),
        ("/sign-out", "unsafe-none"),
        ("/consent/nothing", "unsafe-none"),
        ("/connections", "same-origin"),
        ("/connections/nothing", "same-origin"),
        ("/connections/sign-in/1000", "same-origin"),
        ("/complaints", "same-origin"),
        ("/consent", "same-origin"),
        ("/nothing", "same-origin"),
        ("/", "same-origin"),
        ("/api/v1/token", "same-origin"),
        ("/static/accord.css", "same-origin"),
    ],
)
def test_only_the_way_of_a_request_stays_in_the_window_that_a_recipient_opened(
    client: ContractClient, path: str, policy: str
) -> None:
    """Whatever is answered there, errors included."""
    for method in ("GET", "POST"):
        answer = client.open("/", method=method, environ_overrides={"PATH_INFO": path})
        assert answer.headers.getlist("Cross-Origin-Opener-Policy") == [policy]


def test_no_answer_has_a_version_banner_or_lets_another_origin_in(customer: BrowserCustomer) -> None:
    for response in answers(customer):
        names = {name.lower() for name, _ in response.headers}
        assert not names & {"server", "x-powered-by", "access-control-allow-origin"}
        assert not any(name.startswith("access-control-") for name in names)
        text = "" if response.request.path.startswith(("/static/", "/openapi")) else response.text.lower()
        for banner in ("werkzeug", "flask", "gunicorn", "traceback"):
            assert banner not in text


def test_every_answer_has_a_trace_id_of_its_own(customer: BrowserCustomer) -> None:
    traces = [response.headers["ob-trace-id"] for response in answers(customer)]
    assert len(set(traces)) == len(traces)


def test_a_trace_id_is_never_taken_from_the_caller(client: ContractClient) -> None:
    forged = "f" * 32
    sent = {"ob-trace-id": forged, "X-Request-Id": forged, "traceparent": f"00-{forged}-{'1' * 16}-01"}
    assert client.get("/healthz", headers=sent).headers["ob-trace-id"] != forged


def test_only_what_is_the_same_for_everybody_is_kept_by_caches(customer: BrowserCustomer) -> None:
    for response in answers(customer):
        path = response.request.path
        is_for_everybody = response.status_code == 200 and path.startswith(("/.well-known/", "/openapi.yaml"))
        if path.startswith("/static/"):
            continue
        assert response.headers["Cache-Control"] == (
            "public, max-age=300" if is_for_everybody else "no-store"
        ), path


def test_hsts_is_for_https_only(customer: BrowserCustomer, production: ContractClient) -> None:
    for response in answers(customer):
        assert "Strict-Transport-Security" not in response.headers
    for path in ("/", "/healthz", "/static/accord.css", "/api/v1/token", f"/api/v1/authorize?{a_query()}"):
        response = production.get(path)
        assert response.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
    elsewhere = production.get("/", headers={"Host": "evil.example"})
    assert "Strict-Transport-Security" in elsewhere.headers


def test_in_production_only_the_registered_host_is_answered(production: ContractClient) -> None:
    assert production.get("/connections").status_code == 200
    for host in ("localhost", "127.0.0.1", "consent.bank.example.evil.example", "bank.example"):
        response = production.get("/connections", headers={"Host": host})
        assert response.status_code == 400, host
        assert "evil" not in response.text


def test_a_page_contacts_no_other_origin(customer: BrowserCustomer) -> None:
    for response in answers(customer):
        if response.mimetype != "text/html" or response.status_code in (302, 303) or not response.data:
            continue
        page = parse_page(response.text)
        for tag, attribute in (("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")):
            for element in page.all(tag):
                assert element.attributes[attribute].startswith("/static/"), response.request.path
        assert page.all("style") == []
        assert all(not script.text for script in page.all("script"))
        for link in page.all("a"):
            if link.attributes["href"].startswith("https:"):
                assert "noreferrer" in link.attributes["rel"]


def test_a_static_file_is_served_without_a_session(customer: BrowserCustomer) -> None:
    customer.begin()
    response = customer.client.get("/static/accord.css")
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    assert "Cookie" not in response.headers["Vary"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app/settings.py",
        "/static/..%2f..%2fregistry/demo.toml",
        "/static//etc/passwd",
        "/static/%00",
    ],
)
def test_no_other_file_is_served(client: ContractClient, path: str) -> None:
    assert (
        client.get(
            "/", environ_overrides={"PATH_INFO": path.replace("%2f", "/").replace("%00", "\0")}
        ).status_code
        == 404
    )


def test_a_page_names_its_language_and_a_program_is_told_of_none(client: ContractClient, lang: str) -> None:
    page = client.get(f"/nothing?lang={lang}")
    assert page.headers["Content-Language"] == f"{lang}-CA"
    assert "Content-Language" not in client.get("/healthz").headers


def test_the_correlation_id_of_one_request_is_on_no_other(client: ContractClient) -> None:
    begun = client.get(f"/api/v1/authorize?{a_query(correlation_id='flow-1')}")
    assert begun.headers["ob-correlation-id"] == "flow-1"
    assert "ob-correlation-id" not in client.get("/healthz").headers
    assert client.post("/api/v1/token").headers["ob-correlation-id"] != "flow-1"
