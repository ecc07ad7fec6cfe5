"""The guard around an application: what the application is told, and what of its answer leaves."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

from examples.bank.authorization_server import AuthorizationServer
from examples.bank.fields import FieldFilter
from examples.bank.guard import CALLS, Guard
from examples.bank.wsgi_guard import DECISION, LARGEST_JSON, MESSAGES, WsgiGuard
from tests.examples.stand_in import ALL, AUDIENCE, CREDENTIALS, StandIn, account_resource, customer_resource
from tests.support.builders import NOON

INTERACTION = "c770aef3-6784-41f7-8e0e-ff5f97bddb3a"
OWN = {"accountId": "acc-own", "nickname": "Everyday", "currentBalance": 5, "accountNumber": "123456"}

Answer = Callable[[Request], Response]


@pytest.fixture
def accord() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


class GuardedApi:
    """An application that answers as the test says, behind a guard; `requests` has what reached it."""

    def __init__(self, accord: StandIn) -> None:
        self.requests: list[Request] = []
        self.answer: Answer = lambda _: a_json({"accounts": [OWN]})
        guard = Guard(AUDIENCE, AuthorizationServer(accord.issuer, *CREDENTIALS))
        guarded = WsgiGuard(self._application, guard, FieldFilter.read(), clock=lambda: NOON)
        self.client = Client(DispatcherMiddleware(Response("", status=404), {"/maple": guarded}))
        self.token = accord.grant(account_resource("acc-own", *ALL[:6]), customer_resource(*ALL[6:]))

    def _application(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.requests.append(request)
        return self.answer(request)(environ, start_response)

    def get(self, path: str, *, method: str = "GET", **headers: str) -> TestResponse:
        authorization = {"Authorization": f"Bearer {self.token}"}
        return self.client.open(f"/maple{path}", method=method, headers={**authorization, **headers})


def a_json(document: Any, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    return Response(json.dumps(document), status, {"Content-Type": "application/json", **headers})


@pytest.fixture
def api(accord: StandIn) -> GuardedApi:
    return GuardedApi(accord)


def check_error(response: TestResponse, status: int, code: str) -> None:
    assert (response.status_code, response.get_json()) == (status, {"code": code, "message": MESSAGES[code]})
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"


def test_the_application_is_told_the_decision_and_not_the_token(api: GuardedApi) -> None:
    smuggled = {
        "X-Original-URL": "/maple/accounts/acc-other",
        "X-Rewrite-URL": "/maple/accounts/acc-other",
        "X-HTTP-Method-Override": "DELETE",
        "X-Forwarded-Prefix": "/northern",
        "Bank.Decision": "everything",
        "Cookie": "a=b",
        "Range": "bytes=0-1",
        "If-None-Match": "*",
        "Accept-Encoding": "gzip",
        "Accept-Language": "fr",
    }
    assert api.get("/accounts", **smuggled).status_code == 200
    [request] = api.requests
    assert request.environ[DECISION].accounts == {"acc-own": frozenset({"ACCOUNT_BASIC"})}
    assert {name for name, _ in request.headers} == {"Host", "Accept-Language"}


def test_what_is_refused_never_reaches_the_application(api: GuardedApi) -> None:
    check_error(api.get("/accounts/acc-other"), 404, "701")
    check_error(api.get("/accounts", method="POST"), 405, "1107")
    assert api.get("/accounts", method="PUT").headers["Allow"] == "GET"
    check_error(api.get("/nowhere"), 404, "1107")
    api.token = "x"
    response = api.get("/accounts")
    check_error(response, 401, "602")
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert api.requests == []


def test_without_accord_the_answer_is_503_and_says_when_to_try_again(
    accord: StandIn, api: GuardedApi
) -> None:
    accord.hangs_up = True
    response = api.get("/accounts")
    check_error(response, 503, "503")
    assert response.headers["Retry-After"] == "5"
    assert api.requests == []


def test_the_answer_is_reduced(api: GuardedApi) -> None:
    assert api.get("/accounts").get_json() == {"accounts": [{"accountId": "acc-own", "nickname": "Everyday"}]}
    api.answer = lambda _: a_json(
        {"accounts": [OWN, {**OWN, "accountId": "acc-other"}], "page": {"totalElements": 2}}
    )
    response = api.get("/accounts?resultType=details")
    assert response.get_json() == {
        "page": {"totalElements": 2},
        "accounts": [{"accountId": "acc-own", "nickname": "Everyday", "currentBalance": 5}],
    }
    assert int(response.headers["Content-Length"]) == len(response.data)


def test_headers_of_the_application_that_are_not_needed_stay_inside(api: GuardedApi) -> None:
    api.answer = lambda _: a_json(
        {"accounts": [OWN]}, headers={"ETag": '"x"', "Set-Cookie": "a=b", "X-Account": "1"}
    )
    response = api.get("/accounts", **{"X-Fapi-Interaction-Id": INTERACTION})
    assert {name for name, _ in response.headers} == {
        "Content-Type", "Content-Length", "Cache-Control", "x-fapi-interaction-id",
    }  # fmt: skip
    assert response.headers["x-fapi-interaction-id"] == INTERACTION
    for odd in ("", "x", INTERACTION + "0"):
        own = api.get("/accounts", **{"X-Fapi-Interaction-Id": odd}).headers["x-fapi-interaction-id"]
        assert own != odd
        assert re.fullmatch("[0-9a-f-]{36}", own)


@pytest.mark.parametrize(
    "answer",
    [
        Response(json.dumps({"accounts": [OWN]}), content_type="text/plain"),
        Response("accountNumber: 123456", content_type="application/xml"),
        Response("accountNumber: 123456", content_type="application/json"),
        Response(b"\x1f\x8b123456", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}),
        a_json([OWN]),
        a_json({"accounts": OWN}),
        a_json({"accounts": [OWN, 5]}),
        Response(
            '{"accounts": [{"accountId": "acc-own", "nickname": NaN}]}', content_type="application/json"
        ),
        Response("[" * 100_000, content_type="application/json"),
        Response(
            b'{"accounts": [], "page": "' + b"x" * LARGEST_JSON + b'"}', content_type="application/json"
        ),
        Response("", 204),
        Response("", 302, {"Location": "/123456"}),
        a_json({"accounts": [OWN]}, 206),
        a_json({"accounts": [OWN]}, 500),
        Response("123456", 500),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.content_type}",
)
def test_what_cannot_be_reduced_does_not_leave(api: GuardedApi, answer: Response) -> None:
    api.answer = lambda _: answer
    response = api.get("/accounts")
    assert response.status_code >= 400
    assert "123456" not in response.text
    assert response.get_json()["code"] == "500"


def test_a_refusal_of_the_application_is_passed_on_with_its_code_alone(api: GuardedApi) -> None:
    for status, code in ((409, "705"), (422, "704"), (429, "1207"), (404, "1107"), (404, "601")):
        document = {"code": code, "message": "Account 123456", "debugMessage": "123456", "accountNumber": 1}
        answer = a_json(document, status, {"Retry-After": "7"})
        api.answer = partial(lambda answer, _: answer, answer)
        response = api.get("/accounts/acc-own/transactions")
        check_error(response, status, code)
        assert response.headers["Retry-After"] == "7"


def test_an_account_that_is_foreign_and_one_that_is_unknown_are_the_same_bytes(
    accord: StandIn, api: GuardedApi
) -> None:
    def bytes_of(path: str) -> tuple[int, list[tuple[str, str]], bytes]:
        response = api.get(path, **{"X-Fapi-Interaction-Id": INTERACTION})
        return response.status_code, response.headers.to_wsgi_list(), response.data

    foreign = bytes_of("/accounts/acc-foreign/transactions")
    assert bytes_of("/accounts/acc-unknown/transactions") == foreign
    # For a consent for every account, the application finds out that it is not this customer's.
    api.token = accord.grant(customer_resource(*ALL))
    api.answer = lambda _: a_json({"code": "701", "message": "acc-foreign is of somebody else"}, 404)
    assert bytes_of("/accounts/acc-foreign/transactions") == foreign


def test_another_account_in_the_answer_does_not_leave(api: GuardedApi) -> None:
    api.answer = lambda _: a_json({**OWN, "accountId": "acc-other"})
    response = api.get("/accounts/acc-own")
    assert response.status_code == 500
    assert "acc-other" not in response.text


def test_what_is_no_json_passes_where_the_whole_resource_is_open(api: GuardedApi) -> None:
    pdf = b"%PDF-1.4 " + b"x" * 6_000_000
    api.answer = lambda _: Response(pdf, content_type="application/pdf")
    response = api.get("/accounts/acc-own/statements/2026-10")
    assert (response.mimetype, response.data) == ("application/pdf", pdf)
    for path in ("/accounts/acc-own", "/accounts/acc-own/contact", "/customers/current"):
        assert api.get(path).status_code == 500


@pytest.mark.parametrize("path", CALLS)
def test_json_that_is_too_large_to_be_reduced_leaves_nowhere(api: GuardedApi, path: str) -> None:
    """The recipient decides how many transactions it asks for, and so how large the answer is."""
    transaction = {"transactionId": "1", "accountNumber": "123456"}
    large = json.dumps({"transactions": [transaction] * (LARGEST_JSON // 40)})
    assert len(large) > LARGEST_JSON
    api.answer = lambda _: Response(large, content_type="application/json")
    check_error(api.get(path.replace("{}", "acc-own", 1).replace("{}", "2026-10")), 500, "500")


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "text/json", "Application/FDX+JSON"]
)
def test_json_is_reduced_under_each_of_its_names(api: GuardedApi, media_type: str) -> None:
    answer = json.dumps({"transactions": [{"transactionId": "1", "accountNumber": "123456"}]})
    api.answer = lambda _: Response(answer, content_type=media_type)
    response = api.get("/accounts/acc-own/transactions")
    assert json.loads(response.data) == {"transactions": [{"transactionId": "1"}]}


def test_an_application_that_fails_says_nothing(api: GuardedApi) -> None:
    closed = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"accounts": ['

        def close(self) -> None:
            closed.append(True)

    api.answer = lambda _: Response(Body(), content_type="application/json")
    check_error(api.get("/accounts"), 500, "500")
    assert closed == [True]


@pytest.mark.parametrize(
    "sent",
    [
        "/maple/accounts/acc-own",
        "/maple/%61ccounts/acc-own/../acc-other",
        "http://localhost/maple/accounts",
        "/maple//accounts",
        "",
    ],
)
def test_a_path_that_the_application_would_read_otherwise_is_none(api: GuardedApi, sent: str) -> None:
    """Guard and application must speak of the same: a server in between may have decoded, or rewritten."""
    headers = {"Authorization": f"Bearer {api.token}"}
    response = api.client.get(
        "/maple/accounts", headers=headers, environ_overrides={"REQUEST_URI": sent, "RAW_URI": sent}
    )
    check_error(response, 404, "1107")
    assert api.requests == []
