"""`POST /api/v1/token`: who may ask, what a code is worth and to whom, and how long a refresh token lives."""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from app.domain.tokens import hash_secret
from app.stores.redis import client as redis
from tests.support.applications import Clock
from tests.support.builders import CALLBACK, CHALLENGE, NOON, VERIFIER
from tests.support.customer import (
    BUDGET,
    LOANS,
    LOANS_CALLBACK,
    LOANS_REQUEST,
    BrowserCustomer,
    answer_params,
    basic,
    hidden_fields,
)
from tests.support.expected_pages import check_json
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient
from tests.support.redis_contents import texts_in

TOKEN = "/api/v1/token"
WIDE = "ACCOUNT_BASIC TRANSACTIONS STATEMENTS INVESTMENTS"


def send(
    client: ContractClient, fields: dict[str, str], *, as_json: bool = False, **how: Any
) -> TestResponse:
    return client.post(TOKEN, **({"json": fields} if as_json else {"data": fields}), **how)


def code_fields(code: str, **changes: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **changes}


def tokens_of(response: TestResponse) -> dict[str, Any]:
    """The members of a successful answer (RFC 6749 5.1)."""
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert "Set-Cookie" not in response.headers
    assert response.json is not None
    assert response.json["token_type"] == "Bearer"
    return dict(response.json)


def claims_of(client: ContractClient, token: str) -> dict[str, Any]:
    """What the token says, verified with the keys that anybody can fetch."""
    keys = KeySet.import_key_set(client.get("/.well-known/jwks.json").get_json())
    return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


def kinds_of_credentials(name: str, secret: str) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """By method: the fields and the headers that authenticate."""
    return {
        "client_secret_basic": ({}, basic(name, secret)),
        "client_secret_post": ({"client_id": name, "client_secret": secret}, {}),
    }


# Who may ask


@pytest.mark.parametrize("as_json", [False, True], ids=["form", "json"])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_code_is_redeemed_with_either_body_and_either_authentication(
    customer: BrowserCustomer, method: str, as_json: bool
) -> None:
    fields, headers = kinds_of_credentials(*BUDGET)[method]
    sent = {**code_fields(customer.approve("TRANSACTIONS")), **fields}
    tokens = tokens_of(send(customer.client, sent, as_json=as_json, headers=headers))
    assert tokens.keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "scope",
        "consent_id",
    }
    assert tokens["expires_in"] == 300
    assert tokens["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **fields}
    refreshed = tokens_of(send(customer.client, again, as_json=as_json, headers=headers))
    assert refreshed.keys() == tokens.keys()


def test_basic_with_the_client_id_in_the_body_too_is_one_method(customer: BrowserCustomer) -> None:
    fields = code_fields(customer.approve(), client_id="dc-budget")
    tokens_of(send(customer.client, fields, headers=basic(*BUDGET)))
    other = code_fields(customer.approve(), client_id="dc-loans")
    check_json(send(customer.client, other, headers=basic(*BUDGET)), "invalid_request", status=400)


def test_basic_credentials_are_form_urlencoded_within(register: Callable[..., ContractClient]) -> None:
    secret = "p%41ss:wörd+/= &"
    client = register(
        ("8478dab97e7b5922fa862c43853ee013ba310452ae748d01c4446276ad9d526d", hash_secret(secret))
    )
    customer = BrowserCustomer(client)
    tokens_of(customer.redeem(customer.approve(), client=("dc%2Dbudget", quote_plus(secret))))
    raw = customer.redeem(customer.approve(), client=("dc-budget", secret))
    check_json(raw, "invalid_client", status=401)
    in_body = {**code_fields(customer.approve()), "client_id": "dc-budget", "client_secret": secret}
    tokens_of(send(client, in_body))


@pytest.mark.parametrize("as_json", [False, True], ids=["form", "json"])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_an_unknown_client_and_a_wrong_secret_are_answered_alike(
    client: ContractClient, method: str, as_json: bool
) -> None:
    def answer_to(name: str, secret: str) -> tuple[bytes, list[tuple[str, str]]]:
        fields, headers = kinds_of_credentials(name, secret)[method]
        response = send(client, {**code_fields("junk"), **fields}, as_json=as_json, headers=headers)
        check_json(response, "invalid_client", status=401 if method == "client_secret_basic" else 400)
        own = ("ob-trace-id", "ob-correlation-id")
        return response.data, [header for header in response.headers if header[0] not in own]

    wrong = answer_to("dc-budget", "wrong")
    assert answer_to("dc-nobody", "wrong") == wrong
    assert answer_to("dc-nobody", "budget-demo-secret") == wrong
    assert answer_to("dc-loans", "budget-demo-secret") == wrong


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + b64encode(b"dc-budget").decode(),
        "Basic " + b64encode(b"dc-budget:\xff\xfe").decode(),
        "Basic " + b64encode(b"dc-budget:%FF").decode(),
        "Basic " + b64encode(b":budget-demo-secret").decode(),
        "Basic " + b64encode(b"dc-budget:").decode(),
        "Basic é",
        "Bearer budget-demo-secret",
        "budget-demo-secret",
        "",
    ],
)
def test_a_header_that_does_not_authenticate_is_401_with_a_challenge(
    client: ContractClient, header: str
) -> None:
    response = send(client, code_fields("junk"), headers={"Authorization": header})
    check_json(response, "invalid_client", status=401)
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"client_id": "dc-budget"},
        {"client_secret": "x"},
        {"client_id": "dc-budget", "client_secret": "x"},
    ],
)
def test_without_a_header_failed_authentication_is_400_without_a_challenge(
    client: ContractClient, fields: dict[str, str]
) -> None:
    response = send(client, code_fields("junk", **fields))
    check_json(response, "invalid_client", status=400)
    assert "WWW-Authenticate" not in response.headers


def test_a_suspended_client_is_nobody(
    customer: BrowserCustomer, register: Callable[..., ContractClient]
) -> None:
    code = customer.approve()
    now = register(('client_id = "dc-budget"', 'client_id = "dc-budget"\nsuspended = true'))
    check_json(BrowserCustomer(now).redeem(code), "invalid_client", status=401)
    tokens_of(customer.redeem(code))


def test_a_client_that_is_no_longer_active_with_the_bank_gets_nothing_and_burns_nothing(
    customer: BrowserCustomer, register: Callable[..., ContractClient]
) -> None:
    code = customer.approve()
    refresh_token = tokens_of(customer.redeem(customer.approve(provider_id="2000")))["refresh_token"]
    statuses = '"1000" = "ACTIVE"\n"2000" = "ACTIVE"'
    now = BrowserCustomer(register((statuses, '"1000" = "SUSPENDED"\n"2000" = "SUSPENDED"')))
    check_json(now.redeem(code), "unauthorized_client", status=400)
    check_json(now.refresh(refresh_token), "unauthorized_client", status=400)
    tokens_of(customer.redeem(code))
    tokens_of(customer.refresh(refresh_token))


def test_two_methods_of_authentication_at_once_are_refused(customer: BrowserCustomer) -> None:
    code = customer.approve()
    fields = code_fields(code, client_id="dc-budget", client_secret="budget-demo-secret")
    check_json(send(customer.client, fields, headers=basic(*BUDGET)), "invalid_request", status=400)
    tokens_of(customer.redeem(code))


@pytest.mark.parametrize(
    "query", ["client_id=dc-budget", "client_secret=x", "client%5Fsecret=", "code=x", "refresh_token=x"]
)
def test_credentials_in_the_query_are_refused(customer: BrowserCustomer, query: str) -> None:
    code = customer.approve()
    response = customer.client.post(f"{TOKEN}?{query}", data=code_fields(code), headers=basic(*BUDGET))
    check_json(response, "invalid_request", status=400)
    tokens_of(customer.redeem(code))


def test_what_stands_in_the_query_is_no_parameter(customer: BrowserCustomer) -> None:
    query = urlencode({"grant_type": "authorization_code", "redirect_uri": CALLBACK})
    response = customer.client.post(
        f"{TOKEN}?{query}", data={"code": customer.approve()}, headers=basic(*BUDGET)
    )
    check_json(response, "invalid_request", status=400)


# What is asked


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_post_is_answered(client: ContractClient, method: str) -> None:
    response = client.open(TOKEN, method=method, headers=basic(*BUDGET))
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    if method != "HEAD":
        check_json(response, "invalid_request", status=405)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "AUTHORIZATION_CODE"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_request"),
        ({"grant_type": "authorization_code", "redirect_uri": CALLBACK}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "scope": "NONSENSE"}, "invalid_scope"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["form", "json"])
def test_what_is_missing_or_unsupported_is_told(
    client: ContractClient, fields: dict[str, str], error: str, as_json: bool
) -> None:
    check_json(send(client, fields, as_json=as_json, headers=basic(*BUDGET)), error, status=400)


@pytest.mark.parametrize(
    "name",
    [
        "grant_type",
        "code",
        "redirect_uri",
        "code_verifier",
        "refresh_token",
        "scope",
        "client_id",
        "client_secret",
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["form", "json"])
def test_a_parameter_that_is_repeated_is_refused(customer: BrowserCustomer, name: str, as_json: bool) -> None:
    fields = code_fields(customer.approve())
    pairs = [*fields.items(), (name, fields.get(name, "x")), (name, fields.get(name, "x"))]
    if as_json:
        body = "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}"
        how = "application/json"
    else:
        body, how = urlencode(pairs), "application/x-www-form-urlencoded"
    response = customer.client.post(TOKEN, data=body, content_type=how, headers=basic(*BUDGET))
    check_json(response, "invalid_request", status=400)
    tokens_of(customer.redeem(fields["code"]))


@pytest.mark.parametrize("beside", ["audience=a&audience=b", "tag=%E9", "tag=%00&%FF=%ED%A0%80", "token=%FF"])
def test_a_parameter_that_nobody_knows_is_ignored_whatever_it_is(
    customer: BrowserCustomer, beside: str
) -> None:
    """RFC 6749 3.2."""
    body = urlencode(code_fields(customer.approve())) + f"&{beside}"
    tokens_of(
        customer.client.post(
            TOKEN, data=body, content_type="application/x-www-form-urlencoded", headers=basic(*BUDGET)
        )
    )


@pytest.mark.parametrize(
    "name", ["grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "client_secret"]
)
@pytest.mark.parametrize(
    "value", ["%00", "%FF", "%ED%A0%80", "x" * 4097, "x" * 100_000], ids=lambda v: v[:9] + str(len(v))
)
def test_malformed_and_oversized_fields_are_json_errors(
    client: ContractClient, name: str, value: str
) -> None:
    fields = {**code_fields("x"), "client_id": "dc-budget", "client_secret": "budget-demo-secret", name: ""}
    body = urlencode(fields) + f"&{name}={value}"
    response = client.post(TOKEN, data=body, content_type="application/x-www-form-urlencoded")
    assert response.status_code in (400, 413)
    check_json(response, "invalid_request", status=response.status_code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"[" * 30_000,
        b'{"a": ' * 9_000,
        b'{"grant_type": 5}',
        b'{"grant_type": ["authorization_code"]}',
        b'{"grant_type": {"a": "b"}}',
        b'{"grant_type": true}',
        b'{"grant_type": NaN}',
        b'{"n": ' + b"9" * 5_000 + b"}",
        b'{"code": "\\ud800"}',
        b'{"code": "\\u0000"}',
        b'{"code": "\xff"}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        '{"grant_type": "refresh_token"}'.encode("utf-16"),
        '{"grant_type": "refresh_token"}'.encode("utf-32-le"),
        b'{"code": "' + b"x" * 100_000 + b'"}',
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_json_that_is_no_object_of_strings_is_a_json_error(client: ContractClient, body: bytes) -> None:
    response = client.post(TOKEN, data=body, content_type="application/json", headers=basic(*BUDGET))
    assert response.status_code in (400, 413)
    check_json(response, "invalid_request", status=response.status_code)


UNKNOWN_MEMBERS = [
    '"resource": ["https://a.example"], "expires_in": 60',
    '"tag": "\\ud800", "\\udfff": "\\u0000"',
    '"tag": "a", "tag": {"b": [null, true]}, "tag": 1e999',
    f'"n": {"9" * 5_000}',
    '"token": 5',
]


@pytest.mark.parametrize("beside", UNKNOWN_MEMBERS, ids=lambda text: text[:20])
def test_a_member_that_nobody_knows_is_ignored_whatever_it_is(customer: BrowserCustomer, beside: str) -> None:
    """RFC 6749 3.2."""
    body = f"{json.dumps(code_fields(customer.approve()))[:-1]}, {beside}}}"
    how = {"content_type": "application/json", "headers": basic(*BUDGET)}
    tokens_of(customer.client.post(TOKEN, data=body, **how))


def test_more_than_a_hundred_members_are_refused(client: ContractClient) -> None:
    body = "{" + ", ".join(['"grant_type": "x"'] * 101) + "}"
    response = client.post(TOKEN, data=body, content_type="application/json", headers=basic(*BUDGET))
    check_json(response, "invalid_request", status=400)


def test_null_in_json_is_a_parameter_that_is_not_there(customer: BrowserCustomer) -> None:
    fields: dict[str, Any] = {**code_fields(customer.approve()), "code_verifier": None, "scope": None}
    tokens_of(send(customer.client, fields, as_json=True, headers=basic(*BUDGET)))


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "multipart/form-data; boundary=x", "application/xml", "junk;;"]
)
def test_a_body_of_another_type_is_refused(client: ContractClient, content_type: str) -> None:
    body = urlencode(code_fields("x"))
    response = client.post(TOKEN, data=body, content_type=content_type, headers=basic(*BUDGET))
    check_json(response, "invalid_request", status=400)


def test_more_than_a_hundred_parameters_are_refused(client: ContractClient) -> None:
    body = urlencode(code_fields("x")) + "&a=1" * 100
    response = client.post(
        TOKEN, data=body, content_type="application/x-www-form-urlencoded", headers=basic(*BUDGET)
    )
    check_json(response, "invalid_request", status=400)


def test_a_browser_that_prefers_html_gets_json_all_the_same(client: ContractClient) -> None:
    response = send(client, code_fields("x"), headers={"Accept": "text/html"})
    check_json(response, "invalid_client", status=400)


def test_no_other_origin_is_let_in(client: ContractClient) -> None:
    response = send(client, {}, headers={"Origin": "https://evil.example"})
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


# What a code is worth


def test_a_code_lives_for_sixty_seconds(
    customer: BrowserCustomer, clock: Clock, redis_client: redis.Redis
) -> None:
    on_time, too_late = customer.approve(), customer.approve(provider_id="2000")
    assert all(55 <= redis_client.ttl(key) <= 60 for key in redis_client.scan_iter("code:*"))
    clock.advance(timedelta(seconds=59))
    tokens_of(customer.redeem(on_time))
    clock.advance(timedelta(seconds=1))
    check_json(customer.redeem(too_late), "invalid_grant", status=400)


def test_a_second_redemption_is_refused_and_kills_the_tokens(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    code = customer.approve()
    refresh_token = tokens_of(customer.redeem(code))["refresh_token"]
    tokens_of(customer.refresh(refresh_token))
    check_json(customer.redeem(code), "invalid_grant", status=400)
    check_json(customer.refresh(refresh_token), "invalid_grant", status=400)
    (grant,) = recorded["grants"]
    assert grant["ended_at"] == NOON
    assert [event["kind"] for event in recorded["events"]][-1] == "replayed"


@pytest.mark.parametrize("how", ["the clock", "redis forgot it", "redis lost everything"])
def test_a_replay_is_noticed_after_the_codes_record_is_gone(
    customer: BrowserCustomer, clock: Clock, redis_client: redis.Redis, how: str
) -> None:
    code = customer.approve()
    refresh_token = tokens_of(customer.redeem(code))["refresh_token"]
    clock.advance(timedelta(hours=2))
    if how == "redis forgot it":
        redis_client.delete(*redis_client.scan_iter("code:*"))
    elif how == "redis lost everything":
        redis_client.flushall()
    tokens_of(customer.refresh(refresh_token))
    check_json(customer.redeem(code), "invalid_grant", status=400)
    check_json(customer.refresh(refresh_token), "invalid_grant", status=400)


def test_a_code_that_came_back_to_life_in_redis_is_still_used(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    """As after a failover to a replica that had not heard of its end."""
    code = customer.approve()
    before = {key: redis_client.get(key) for key in redis_client.scan_iter("*", _type="string")}
    tokens_of(customer.redeem(code))
    redis_client.flushall()
    for key, value in before.items():
        redis_client.set(key, value or "", ex=60)
    check_json(customer.redeem(code), "invalid_grant", status=400)


def test_another_clients_code_is_refused_and_not_burned(customer: BrowserCustomer) -> None:
    code = customer.approve()
    check_json(customer.redeem(code, client=LOANS), "invalid_grant", status=400)
    check_json(customer.redeem(code, client=("dc-budget", "wrong")), "invalid_client", status=401)
    tokens = tokens_of(customer.redeem(code))
    check_json(customer.redeem(code, client=LOANS), "invalid_grant", status=400)
    tokens_of(customer.refresh(tokens["refresh_token"]))


@pytest.mark.parametrize(
    "redirect_uri",
    [CALLBACK + "/", CALLBACK + "?", CALLBACK.upper(), "http://localhost:8001", LOANS_CALLBACK, "é"],
)
def test_another_redirect_uri_is_refused_and_does_not_burn_the_code(
    customer: BrowserCustomer, redirect_uri: str
) -> None:
    code = customer.approve()
    check_json(customer.redeem(code, redirect_uri=redirect_uri), "invalid_grant", status=400)
    tokens_of(customer.redeem(code))


@pytest.mark.parametrize(
    "verifier",
    [
        "",
        "x" * 43,
        VERIFIER + "x",
        VERIFIER[:-1],
        VERIFIER.lower(),
        CHALLENGE,
        "é" * 43,
        "short",
        "x" * 129,
        VERIFIER + "=",
    ],
)
def test_only_the_verifier_of_the_challenge_redeems_the_code(
    customer: BrowserCustomer, verifier: str
) -> None:
    code = loans_code(customer)
    refused = customer.redeem(code, client=LOANS, redirect_uri=LOANS_CALLBACK, code_verifier=verifier)
    check_json(refused, "invalid_grant", status=400)
    tokens_of(customer.redeem(code, client=LOANS, redirect_uri=LOANS_CALLBACK, code_verifier=VERIFIER))


def test_a_verifier_where_there_was_no_challenge_is_refused(customer: BrowserCustomer) -> None:
    code = customer.approve()
    check_json(customer.redeem(code, code_verifier=VERIFIER), "invalid_grant", status=400)
    tokens_of(customer.redeem(code))


def loans_code(customer: BrowserCustomer) -> str:
    answer = customer.answer(customer.signed_in_request(**LOANS_REQUEST), "approve")
    return answer_params(answer, LOANS_CALLBACK)["code"]


@pytest.mark.parametrize(
    "change",
    ["another signature", "another request", "longer", "shorter", "no signature", "é", "empty signature"],
)
def test_a_code_that_was_changed_or_made_up_is_refused(customer: BrowserCustomer, change: str) -> None:
    code, other = customer.approve(), customer.approve(provider_id="2000")
    request_id, _, signature = code.rpartition(".")
    forged = {
        "another signature": f"{request_id}.{other.rpartition('.')[2]}",
        "another request": f"{'x' * len(request_id)}.{signature}",
        "longer": code + "x" * 200,
        "shorter": code[:-1],
        "no signature": request_id,
        "é": code[:-1] + "é",
        "empty signature": request_id + ".",
    }[change]
    check_json(customer.redeem(forged), "invalid_grant", status=400)
    tokens_of(customer.redeem(code))


def test_a_value_of_one_kind_is_not_taken_for_another(customer: BrowserCustomer) -> None:
    request_id = customer.signed_in_request()
    fields = hidden_fields(customer.form(request_id), f"/consent/{request_id}")
    code = answer_params(customer.post_answer(request_id, fields, "approve"))["code"]
    cookie = customer.client.get_cookie("accord")
    assert cookie is not None
    check_json(customer.refresh(code), "invalid_grant", status=400)
    tokens = tokens_of(customer.redeem(code))
    session_id = cookie.value.partition(".")[0]
    others = [
        request_id,
        cookie.value,
        session_id,
        fields["csrf_token"],
        f"{request_id}.{fields['csrf_token'].rpartition('.')[2]}",
        f"{request_id}.{cookie.value.rpartition('.')[2]}",
        tokens["refresh_token"],
        tokens["access_token"],
        f"code:{request_id}",
    ]
    for value in others:
        check_json(customer.redeem(value), "invalid_grant", status=400)
    for value in [*others[:6], tokens["access_token"], hash_secret(tokens["refresh_token"]), code]:
        check_json(customer.refresh(value), "invalid_grant", status=400)
    tokens_of(customer.refresh(tokens["refresh_token"]))


def test_a_code_whose_connection_was_superseded_is_refused(customer: BrowserCustomer) -> None:
    first, second = customer.approve(), customer.approve()
    check_json(customer.redeem(first), "invalid_grant", status=400)
    tokens_of(customer.redeem(second))


def test_a_new_connection_kills_the_refresh_token_of_the_old_one(customer: BrowserCustomer) -> None:
    old = tokens_of(customer.redeem(customer.approve()))["refresh_token"]
    new = tokens_of(customer.redeem(customer.approve()))["refresh_token"]
    check_json(customer.refresh(old), "invalid_grant", status=400)
    tokens_of(customer.refresh(new))


# Refresh


def test_a_refresh_token_stays_the_same_and_gives_a_new_access_token_each_time(
    customer: BrowserCustomer,
) -> None:
    tokens = tokens_of(customer.redeem(customer.approve("TRANSACTIONS")))
    first = tokens_of(customer.refresh(tokens["refresh_token"]))
    second = tokens_of(customer.refresh(first["refresh_token"]))
    assert first["refresh_token"] == second["refresh_token"] == tokens["refresh_token"]
    assert len({tokens["access_token"], first["access_token"], second["access_token"]}) == 3
    assert first["scope"] == second["scope"] == "ACCOUNT_BASIC TRANSACTIONS"


def test_refresh_may_narrow_the_scope_and_only_for_that_token(customer: BrowserCustomer) -> None:
    refresh_token = tokens_of(customer.redeem(customer.approve("TRANSACTIONS", "STATEMENTS", scope=WIDE)))[
        "refresh_token"
    ]
    narrow = tokens_of(customer.refresh(refresh_token, scope="TRANSACTIONS ACCOUNT_BASIC TRANSACTIONS"))
    assert narrow["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    assert claims_of(customer.client, narrow["access_token"])["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    assert tokens_of(customer.refresh(refresh_token))["scope"] == "ACCOUNT_BASIC TRANSACTIONS STATEMENTS"


@pytest.mark.parametrize(
    "scope", [WIDE, "TRANSACTIONS ACCOUNT_BASIC", "ACCOUNT_BASIC INVESTMENTS TRANSACTIONS"]
)
def test_refresh_never_widens_the_scope(customer: BrowserCustomer, scope: str) -> None:
    """Libraries name the scope that they first asked for, although a box was left unchecked."""
    refresh_token = tokens_of(customer.redeem(customer.approve("TRANSACTIONS", scope=WIDE)))["refresh_token"]
    refreshed = tokens_of(customer.refresh(refresh_token, scope=scope))
    assert refreshed["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    claims = claims_of(customer.client, refreshed["access_token"])
    assert claims["scope"] == "ACCOUNT_BASIC TRANSACTIONS"


def test_refresh_leaves_out_what_the_customer_no_longer_shares(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    tokens = tokens_of(customer.redeem(customer.approve("TRANSACTIONS", "STATEMENTS", scope=WIDE)))
    (grant,) = recorded["grants"]
    customer.stop(grant["consent_id"], "STATEMENTS")
    refreshed = tokens_of(customer.refresh(tokens["refresh_token"], scope=tokens["scope"]))
    assert refreshed["scope"] == "ACCOUNT_BASIC TRANSACTIONS"
    nothing = customer.refresh(tokens["refresh_token"], scope="STATEMENTS")
    check_json(nothing, "invalid_scope", status=400)
    assert "beyond" not in nothing.get_json()["error_description"]


@pytest.mark.parametrize(
    "scope",
    ["STATEMENTS", "NONSENSE", "ACCOUNT_BASIC NONSENSE", "account_basic", "client:admin", " "],
)
def test_a_refresh_that_names_what_does_not_exist_or_nothing_that_is_granted_is_refused(
    customer: BrowserCustomer, scope: str
) -> None:
    refresh_token = tokens_of(customer.redeem(customer.approve("TRANSACTIONS", scope=WIDE)))["refresh_token"]
    check_json(customer.refresh(refresh_token, scope=scope), "invalid_scope", status=400)
    tokens_of(customer.refresh(refresh_token))


def test_another_clients_refresh_token_is_refused_and_lives_on(customer: BrowserCustomer) -> None:
    refresh_token = tokens_of(customer.redeem(customer.approve()))["refresh_token"]
    check_json(customer.refresh(refresh_token, client=LOANS), "invalid_grant", status=400)
    tokens_of(customer.refresh(refresh_token))


def test_a_refresh_token_dies_after_thirty_idle_days(customer: BrowserCustomer, clock: Clock) -> None:
    refresh_token = tokens_of(customer.redeem(customer.approve()))["refresh_token"]
    for _ in range(2):
        clock.advance(timedelta(days=29, hours=23))
        tokens_of(customer.refresh(refresh_token))
    clock.advance(timedelta(days=30))
    check_json(customer.refresh(refresh_token), "invalid_grant", status=400)


def test_a_refresh_token_dies_with_its_consent_however_busy(customer: BrowserCustomer, clock: Clock) -> None:
    code = loans_code(customer)
    redeemed = customer.redeem(code, client=LOANS, redirect_uri=LOANS_CALLBACK, code_verifier=VERIFIER)
    refresh_token = tokens_of(redeemed)["refresh_token"]
    for _ in range(3):
        clock.advance(timedelta(days=29))
        assert tokens_of(customer.refresh(refresh_token, client=LOANS))["expires_in"] == 300
    clock.advance(timedelta(days=3, seconds=-100))
    last = tokens_of(customer.refresh(refresh_token, client=LOANS))
    assert last["expires_in"] == 100, "no token outlives the consent"
    clock.advance(timedelta(seconds=100))
    check_json(customer.refresh(refresh_token, client=LOANS), "invalid_grant", status=400)


# What a token says


@pytest.mark.parametrize(
    ("provider_id", "audience", "subject"),
    [
        ("1000", "http://localhost:8003/maple", "maple-0001"),
        ("2000", "http://localhost:8003/northern", "northern-0001"),
    ],
)
def test_an_access_token_is_a_jwt_that_the_banks_api_can_verify(
    customer: BrowserCustomer, recorded: LedgerTables, provider_id: str, audience: str, subject: str
) -> None:
    tokens = tokens_of(customer.redeem(customer.approve("TRANSACTIONS", provider_id=provider_id)))
    keys = KeySet.import_key_set(customer.client.get("/.well-known/jwks.json").get_json())
    token = jwt.decode(tokens["access_token"], keys, algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt"
    assert token.header["alg"] == "ES256"
    assert token.header["kid"] == keys.keys[0].kid
    claims = dict(token.claims)
    assert len(claims.pop("jti")) >= 16
    (grant,) = recorded["grants"]
    assert claims == {
        "iss": "http://localhost:8000",
        "aud": audience,
        "sub": subject,
        "client_id": "dc-budget",
        "scope": "ACCOUNT_BASIC TRANSACTIONS",
        "consent_id": grant["consent_id"],
        "fdxConsentId": grant["consent_id"],
        "iat": int(NOON.timestamp()),
        "exp": int(NOON.timestamp()) + 300,
    }


def test_no_two_access_tokens_have_the_same_id(customer: BrowserCustomer) -> None:
    tokens = tokens_of(customer.redeem(customer.approve()))
    refreshed = tokens_of(customer.refresh(tokens["refresh_token"]))
    ids = {claims_of(customer.client, each["access_token"])["jti"] for each in (tokens, refreshed)}
    assert len(ids) == 2


def test_a_refresh_token_is_kept_only_as_a_hash(
    customer: BrowserCustomer, recorded: LedgerTables, redis_client: redis.Redis
) -> None:
    refresh_token = tokens_of(customer.redeem(customer.approve()))["refresh_token"]
    (row,) = recorded["refresh_tokens"]
    assert row["token_hash"] == hash_secret(refresh_token)
    stored = [*texts_in(redis_client), str(recorded["events"]), str(recorded["grants"])]
    assert not any(refresh_token in text for text in stored)
