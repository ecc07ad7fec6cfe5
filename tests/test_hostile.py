"""Whatever is sent: never a 5xx, never a redirect to a place that nobody registered, never a secret in a log."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.development.embedded import EmbeddedValkey
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.builders import CALLBACK, CHALLENGE, EVERYTHING, VERIFIER, a_query
from tests.support.customer import (
    BUDGET,
    LOANS_APP_CALLBACK,
    LOANS_CALLBACK,
    BrowserCustomer,
    basic,
    carried_params,
)
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient
from tests.support.running_accord import PATIENCE, RunningAccord, ServedForm, sign_in

AUTHORIZE = "/api/v1/authorize"
TOKEN = "/api/v1/token"
FORM = "application/x-www-form-urlencoded"

CALLBACKS = [CALLBACK, LOANS_CALLBACK, LOANS_APP_CALLBACK]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A server of these tests' own, which nobody wipes between two examples."""
    with EmbeddedValkey(tmp_path_factory.mktemp("hostile")) as server:
        yield server


@pytest.fixture(scope="module")
def ledger_url(tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path) -> str:
    path = tmp_path_factory.mktemp("hostile-ledger") / "ledger.sqlite3"
    path.write_bytes(empty_ledger.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def client(valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path) -> ContractClient:
    return a_browser(make_app(make_settings(valkey.url, ledger_url, signing_keys), Clock()))


@pytest.fixture(scope="module")
def request_id(client: ContractClient) -> str:
    """A request whose form is open in the browser."""
    return BrowserCustomer(client).signed_in_request(scope=" ".join(EVERYTHING))


many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Queries and bodies: any bytes, and parameters that are nearly right, so that every rule is reached.
NAMES = st.sampled_from(
    [
        *(
            "client_id",
            "redirect_uri",
            "state",
            "response_type",
            "scope",
            "provider_id",
            "correlation_id",
            "lang",
        ),
        *("code_challenge", "code_challenge_method", "prompt"),
    ]
)
GOOD = {
    "client_id": ["dc-budget", "dc-loans"],
    "redirect_uri": [*CALLBACKS, "https://evil.example/", CALLBACK + "@evil.example", "//evil.example"],
    "response_type": ["code", "token"],
    "scope": ["ACCOUNT_BASIC", "ACCOUNT_BASIC TRANSACTIONS", "INVESTMENTS"],
    "provider_id": ["1000", "2000"],
    "lang": ["fr", "en", "fr-CA"],
    "code_challenge": [CHALLENGE],
    "code_challenge_method": ["S256", "plain"],
}
ANY_BYTES = st.binary(max_size=40)
ANY_VALUE = st.one_of(
    ANY_BYTES.map(quote_from_bytes),
    ANY_BYTES,
    st.text(max_size=20).map(lambda text: quote(text, errors="surrogatepass")),
)


def as_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def joined(pairs: list[tuple[str, str | bytes]]) -> bytes:
    return b"&".join(name.encode() + b"=" + as_bytes(value) for name, value in pairs)


NEARLY_RIGHT = st.fixed_dictionaries(
    {name: st.sampled_from(values).map(quote) for name, values in GOOD.items() if name != "lang"},
    optional=dict.fromkeys(("state", "lang", "correlation_id", "unknown"), ANY_VALUE),
).map(lambda params: joined(list(params.items())))
SOMEHOW = st.lists(
    st.one_of(
        st.tuples(NAMES, ANY_VALUE),
        NAMES.flatmap(
            lambda name: st.tuples(st.just(name), st.sampled_from(GOOD.get(name, ["x"])).map(quote))
        ),
    ),
    max_size=12,
).map(joined)
QUERIES = st.one_of(
    st.binary(max_size=200),
    NEARLY_RIGHT,
    SOMEHOW,
    st.tuples(NEARLY_RIGHT, SOMEHOW).map(b"&".join),
)


@many
@given(
    query=QUERIES,
    method=st.sampled_from(["GET", "HEAD"]),
    accept=st.sampled_from(["text/html", "application/json"]),
)
@example(query=b"client_id=dc-budget&redirect_uri=%FF", method="GET", accept="text/html")
@example(query=b"&" * 5000, method="GET", accept="text/html")
@example(query=b"a" * 50_000, method="GET", accept="application/json")
@example(query="client_id=dc-budget\u2028&lang=\u202e".encode(), method="GET", accept="text/html")
def test_no_query_makes_authorize_fail_or_redirect_to_a_place_that_nobody_registered(
    client: ContractClient, query: bytes, method: str, accept: str
) -> None:
    raw = {"QUERY_STRING": query.decode("latin-1")}
    response = client.open(AUTHORIZE, method=method, headers={"Accept": accept}, environ_overrides=raw)
    assert response.status_code in (200, 302, 400)
    if response.status_code == 200:
        assert method == "HEAD"
    if response.status_code != 302:
        assert "Location" not in response.headers
        return
    assert "\r" not in response.location
    assert "\n" not in response.location
    if response.location.startswith(("/sign-in/", "/consent/")):
        assert response.location.rpartition("/")[2].replace("-", "").replace("_", "").isalnum()
        return
    (callback,) = [uri for uri in CALLBACKS if response.location.startswith((f"{uri}?", f"{uri}&"))]
    params = carried_params(response.location, callback)
    assert params.keys() - {"state"} == {"error", "error_description", "iss"}
    assert params["iss"] == "http://localhost:8000"


TOKEN_FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "grant_type",
            "code",
            "redirect_uri",
            "code_verifier",
            "refresh_token",
            "scope",
            "client_id",
            "client_secret",
        ]
    ),
    st.one_of(
        st.sampled_from(
            ["authorization_code", "refresh_token", "client_credentials", "dc-budget", CALLBACK, VERIFIER]
        ),
        st.text(max_size=30),
    ),
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.one_of(
    st.binary(max_size=200).map(lambda body: (FORM, body)),
    st.binary(max_size=200).map(lambda body: ("application/json", body)),
    SOMEHOW.map(lambda body: (FORM, body)),
    TOKEN_FIELDS.map(
        lambda fields: (
            FORM,
            joined([(name, quote(value, errors="surrogatepass")) for name, value in fields.items()]),
        )
    ),
    TOKEN_FIELDS.map(lambda fields: ("application/json", json.dumps(fields).encode())),
    JSON_VALUES.map(lambda value: ("application/json", json.dumps(value).encode())),
    st.tuples(st.text(max_size=20), st.binary(max_size=50)),
)
AUTHORIZATION = st.one_of(
    st.none(),
    st.just(basic(*BUDGET)["Authorization"]),
    ANY_BYTES.map(lambda text: "Basic " + text.decode("latin-1")),
    st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40),
)


@many
@given(body=BODIES, authorization=AUTHORIZATION)
def test_no_body_makes_the_token_endpoint_fail_or_answer_anything_but_json(
    client: ContractClient, body: tuple[str, bytes], authorization: str | None
) -> None:
    content_type, data = body
    raw: dict[str, Any] = {"CONTENT_TYPE": content_type.encode("utf-8", "replace").decode("latin-1")}
    if authorization is not None:
        raw["HTTP_AUTHORIZATION"] = authorization
    response = client.post(TOKEN, data=data, environ_overrides=raw)
    assert response.status_code in (200, 400, 401)
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    if response.status_code == 200:
        assert response.get_json()["scope"] == "client:admin", "a code or refresh token was guessed"


@many
@given(
    page=st.sampled_from(["/consent/{}", "/sign-in/{}", "/sign-out", "/consent/x", "/sign-in/x"]),
    body=st.one_of(
        BODIES, st.binary(max_size=100).map(lambda body: ("multipart/form-data; boundary=b", body))
    ),
)
@example(page="/consent/{}", body=("application/json", b"[1]"))
@example(page="/sign-in/{}", body=("multipart/form-data; boundary=b", b"--b\r\n\r\n--b--"))
def test_no_body_makes_a_page_fail_or_decides_anything(
    client: ContractClient, request_id: str, ledger_url: str, page: str, body: tuple[str, bytes]
) -> None:
    content_type, data = body
    raw = {"CONTENT_TYPE": content_type.encode("utf-8", "replace").decode("latin-1")}
    response = client.post(page.format(request_id), data=data, environ_overrides=raw)
    assert response.status_code in (400, 404)
    assert LedgerTables(ledger_url).nothing_happened


@many
@given(
    path=st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"consent/", b"sign-in/", b"connections/", b"static/"]).flatmap(
            lambda start: st.binary(max_size=30).map(lambda end: start + end)
        ),
    ),
    query=st.binary(max_size=40),
    cookie=st.binary(max_size=60),
    accept=st.binary(max_size=30),
    host=st.one_of(st.just(b"localhost"), st.binary(max_size=20)),
)
def test_no_address_and_no_header_makes_anything_fail(
    client: ContractClient, path: bytes, query: bytes, cookie: bytes, accept: bytes, host: bytes
) -> None:
    stranger = client.application.test_client(use_cookies=False)
    raw = {
        "PATH_INFO": "/" + path.decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "HTTP_COOKIE": cookie.decode("latin-1"),
        "HTTP_ACCEPT": accept.decode("latin-1"),
        "HTTP_HOST": host.decode("latin-1"),
        "HTTP_ACCEPT_LANGUAGE": accept.decode("latin-1"),
        "HTTP_REFERER": accept.decode("latin-1"),
    }
    response = stranger.get("/", environ_overrides=raw)
    assert response.status_code < 500
    assert not response.headers.get("Location", "/").startswith(("//", "/\\", "http"))


# Logs


MARKS = {
    "state": "MARK-state",
    "password": "MARK-password",
    "user name": "MARK-user-name",
    "secret": "MARK-secret",
    "cookie": "MARK-cookie",
    "code": "MARK-code",
    "refresh token": "MARK-refresh-token",
    "verifier": "MARK-verifier-" + "x" * 40,
    "header": "MARK-header",
}


def test_no_secret_and_nothing_personal_is_in_any_log_line(
    tmp_path: Path, valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path
) -> None:
    """A whole flow under gunicorn, and what can go wrong with it, with values that can be searched for."""
    log = tmp_path / "accord.log"
    with (
        RunningAccord(log, redis_url=valkey.url, ledger_url=ledger_url, signing_keys=signing_keys) as accord,
        requests.Session() as browser,
    ):
        browser.headers["User-Agent"] = MARKS["header"]
        browser.headers["Referer"] = f"https://app.example/?state={MARKS['state']}"
        secrets = complete_flow(accord, browser)
        failures(accord, browser)
        malformed_requests(accord)
        valkey.stop()
        try:
            without_redis(accord, browser)
        finally:
            valkey.start()
    text = log.read_text()
    for name, secret in {**MARKS, **secrets}.items():
        assert secret not in text, f"the {name} is in the log"
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    assert text.isascii()
    events = {line["event"] for line in lines}
    assert events >= {
        "asked",
        "shown",
        "approved",
        "denied",
        "redeemed",
        "replayed",
        "refreshed",
        "refused",
        "signed_in",
        "sign_in_failed",
        "rate_limited",
        "csrf_refused",
        "store_unavailable",
    }
    of_flow = {line["event"]: line for line in lines if line.get("correlation_id") == "flow-1"}
    for event in ("asked", "approved", "denied", "redeemed", "replayed", "refreshed"):
        assert of_flow[event]["client_id"] == "dc-budget"
        assert of_flow[event]["provider_id"] == "1000"
        assert of_flow[event]["timestamp"].endswith("Z")


def test_an_absolute_target_changes_nothing(
    tmp_path: Path, valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path
) -> None:
    """RFC 9112 3.2.2: a request line may hold a whole URL, which is not where our pages lead."""
    log = tmp_path / "accord.log"
    with RunningAccord(log, redis_url=valkey.url, ledger_url=ledger_url, signing_keys=signing_keys) as accord:
        for path in (f"{AUTHORIZE}?{a_query()}", "/.well-known/oauth-authorization-server", "/nothing"):
            answers = [
                exchange(
                    accord, f"GET {target}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                for target in ("", "https://evil.example", "https://evil.example:1")
            ]
            statuses = {answer.partition("\r\n")[0] for answer in answers}
            assert len(statuses) == 1, statuses
            assert not any("evil" in answer for answer in answers)
    assert "evil" not in log.read_text()


def exchange(accord: RunningAccord, request: str) -> str:
    with socket.create_connection(("127.0.0.1", accord.port), timeout=PATIENCE) as connection:
        connection.sendall(request.encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def complete_flow(accord: RunningAccord, browser: requests.Session) -> dict[str, str]:
    """Approve, redeem, refresh, replay, deny. What was secret in it, by name."""
    pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    asked = {"state": MARKS["state"], "correlation_id": "flow-1"}
    form = ServedForm(accord, browser, **asked, **pkce)
    code = carried_params(form.send("approve", "TRANSACTIONS").headers["Location"])["code"]
    tokens = post(
        accord, grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier=VERIFIER
    ).json()
    post(accord, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    post(accord, grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier=VERIFIER)
    assert ServedForm(accord, browser, **asked).send("deny").status_code == requests.codes.found
    return {
        "code itself": code,
        "signature of the code": code.rpartition(".")[2],
        "access token": tokens["access_token"],
        "refresh token itself": tokens["refresh_token"],
        "session cookie": form.cookies["accord"],
        "token of the form": form.fields["csrf_token"],
        "client's secret": BUDGET[1],
        "Authorization header": basic(*BUDGET)["Authorization"].removeprefix("Basic "),
        "customer's password": "maple-syrup",
        "verifier itself": VERIFIER,
        "challenge": CHALLENGE,
        "customer's name": "Tremblay",
        "customer's user name": '"alex"',
        "customer's subject": "maple-0001",
    }


def failures(accord: RunningAccord, browser: requests.Session) -> None:
    for changes in (
        {"client_id": "nobody"},
        {"redirect_uri": "https://evil.example/"},
        {"scope": "nonsense"},
    ):
        get(accord, browser, f"{AUTHORIZE}?{a_query(state=MARKS['state'], **changes)}")
    form = ServedForm(accord, browser, state=MARKS["state"])
    form.fields = {"csrf_token": MARKS["code"]}
    assert form.send("approve").status_code == requests.codes.bad_request
    with requests.Session() as stranger:
        begun = get(accord, stranger, f"{AUTHORIZE}?{a_query(state=MARKS['state'])}")
        request_id = begun.headers["Location"].split("/")[2]
        statuses = [
            sign_in(
                accord, stranger, request_id, user_name=MARKS["user name"], password=MARKS["password"]
            ).status_code
            for _ in range(6)
        ]
        assert statuses[-1] == requests.codes.too_many_requests
    cookie = {"accord": MARKS["cookie"]}
    requests.get(f"{accord.address}/consent/x?state={MARKS['state']}", cookies=cookie, timeout=PATIENCE)
    post(
        accord,
        grant_type="authorization_code",
        code=MARKS["code"],
        redirect_uri=CALLBACK,
        code_verifier=MARKS["verifier"],
    )
    post(accord, grant_type="refresh_token", refresh_token=MARKS["refresh token"])
    post(accord, auth=("dc-budget", MARKS["secret"]), grant_type="refresh_token", refresh_token="x")
    post(accord, auth=None, client_id="dc-budget", client_secret=MARKS["secret"], grant_type="refresh_token")
    requests.post(
        f"{accord.address}{TOKEN}?client_secret={MARKS['secret']}",
        data=f"code={MARKS['code']}",
        timeout=PATIENCE,
    )


def malformed_requests(accord: RunningAccord) -> None:
    """What gunicorn refuses before Accord sees it, or what a header tries to write into a log."""
    mark = f"?state={MARKS['state']}&code={MARKS['code']}"
    for request in (
        f"GET {AUTHORIZE}{mark}\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"GET {AUTHORIZE}{mark} HTTP/9.9\r\nHost: localhost\r\n\r\n",
        f"GET {AUTHORIZE}{mark}{'x' * 9000} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"GET {AUTHORIZE}{mark} HTTP/1.1\r\nHost: localhost\r\nCookie: {MARKS['cookie']}{'x' * 9000}\r\n\r\n",
        f"GET {AUTHORIZE}{mark} HTTP/1.1\r\nHost: localhost\r\n{MARKS['header']}\r\n\r\n",
        f"POST {TOKEN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: x{MARKS['secret']}\r\n\r\n",
        f"GET {AUTHORIZE}{mark} HTTP/1.1\r\nHost: evil\x1b[31m.example\r\nConnection: close\r\n\r\n",
        f"GET {AUTHORIZE}{mark}&lang=%0A{{}} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", accord.port), timeout=PATIENCE) as connection:
            connection.sendall(request.encode("latin-1"))
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 "), request[:40]
            assert not answer.startswith(b"HTTP/1.1 5"), request[:40]


def without_redis(accord: RunningAccord, browser: requests.Session) -> None:
    asked = get(accord, browser, f"{AUTHORIZE}?{a_query(state=MARKS['state'])}")
    assert carried_params(asked.headers["Location"])["error"] == "temporarily_unavailable"
    page = get(accord, browser, "/consent/x")
    assert page.status_code == requests.codes.unavailable


def get(accord: RunningAccord, browser: requests.Session, path: str) -> requests.Response:
    return browser.get(accord.address + path, timeout=PATIENCE, allow_redirects=False)


def post(accord: RunningAccord, *, auth: tuple[str, str] | None = BUDGET, **fields: str) -> requests.Response:
    return requests.post(accord.address + TOKEN, data=fields, auth=auth, timeout=PATIENCE)
