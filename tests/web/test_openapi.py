"""app/openapi.yaml is true: every route is in it and nothing else, and what is called answers as it says."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from werkzeug.test import TestResponse

from app.domain.errors import ErrorCode
from tests.support.builders import CALLBACK, CHALLENGE, an_account
from tests.support.customer import BUDGET, BrowserCustomer, basic
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import (
    CONSENTS,
    INTROSPECT,
    MAPLE_API,
    NOBODYS_CONSENT,
    NOTICES,
    REVOKE,
    TOKEN,
    admin_token,
    bearer,
    claims_of,
    connect,
)
from tests.support.page_contract import ContractClient
from tests.support.repository import ROOT

CONTRACT = ROOT / "app" / "openapi.yaml"
DEVELOPMENT_ONLY = {"start.show_start_page", "screens.show_gallery", "screens.show_screen"}
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FEW = settings(
    max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)

AnyCase = Case[Any]

# Those of the examples.
ACCOUNTS = [an_account(account_id=f"acc-maple-0001-{name}") for name in ("chequing", "savings")]

schema = schemathesis.openapi.from_path(str(CONTRACT))
DOCUMENT: dict[str, Any] = schema.raw_schema


# Complete, and about nothing else


def test_every_route_is_in_the_contract_and_nothing_else_is(app: Flask) -> None:
    routes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and rule.endpoint not in DEVELOPMENT_ONLY
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    documented = {
        (method, path)
        for path, operations in DOCUMENT["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert documented == routes


def test_every_error_that_a_machine_may_get_is_in_the_contract() -> None:
    assert set(DOCUMENT["components"]["schemas"]["Error"]["properties"]["error"]["enum"]) == set(ErrorCode)


def test_it_is_served_as_it_is(client: ContractClient) -> None:
    response = client.get("/openapi.yaml")
    assert response.mimetype == "application/yaml"
    assert response.data == CONTRACT.read_bytes()
    assert DOCUMENT["openapi"] == "3.1.0"


def test_it_is_linked_from_the_readme() -> None:
    assert "(app/openapi.yaml)" in (ROOT / "README.md").read_text(encoding="utf-8")


# Its examples


def test_what_recipients_need_comes_first() -> None:
    tags = [
        operation["tags"][0]
        for operations in DOCUMENT["paths"].values()
        for method, operation in operations.items()
        if method != "parameters"
    ]
    assert list(dict.fromkeys(tags)) == ["Authorization", "Tokens", "Consents", "About", "Pages", "Health"]
    assert [tag["name"] for tag in DOCUMENT["tags"]] == list(dict.fromkeys(tags))


def machine_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What recipients call: method, path, and what is written about it, references resolved."""
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            if method != "parameters" and operation["tags"][0] in (
                "Authorization",
                "Tokens",
                "Consents",
                "About",
            ):
                yield method, path, operation


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    if reference is None:
        return node
    found: dict[str, Any] = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def bodies_of(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON body that is sent or comes back, by what it is."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request {kind}", content
    for status, response in operation["responses"].items():
        for kind, content in resolved(response).get("content", {}).items():
            if kind == "application/json":
                yield status, content


def examples_of(content: dict[str, Any]) -> list[Any]:
    found = [each["value"] for each in content.get("examples", {}).values()]
    return [*found, content["example"]] if "example" in content else found


@pytest.mark.parametrize(
    ("operation"), [pytest.param(each, id=f"{method} {path}") for method, path, each in machine_operations()]
)
def test_whatever_a_recipient_sends_and_gets_has_an_example(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        assert "example" in resolved(parameter), parameter
    for what, content in bodies_of(operation):
        assert examples_of(content), what


def example(method: str, path: str, where: str, name: str | None = None) -> Any:
    content = dict(bodies_of(DOCUMENT["paths"][path][method.lower()]))[where]
    return content["example"] if name is None else content["examples"][name]["value"]


def shape_of(answer: Any) -> Any:
    """An answer without what differs from consent to consent: which members there are, of which types."""
    if isinstance(answer, dict):
        return {name: shape_of(value) for name, value in sorted(answer.items())}
    return [shape_of(value) for value in answer] if isinstance(answer, list) else type(answer)


def test_each_request_of_an_example_is_one_that_works_and_its_answer_is_that_of_the_example(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    """The values that only a real flow has are put in place of the example's; nothing else is changed."""
    client = customer.client
    own: dict[str, Any] = {"headers": basic(*BUDGET)}
    form = "request application/x-www-form-urlencoded"

    code = customer.approve(
        "TRANSACTIONS",
        scope="ACCOUNT_BASIC TRANSACTIONS INVESTMENTS",
        code_challenge=CHALLENGE,
        code_challenge_method="S256",
    )
    sent = {**example("POST", TOKEN, form, "code"), "code": code, "redirect_uri": CALLBACK}
    tokens = client.post(TOKEN, data=sent, **own).get_json()
    check_like(tokens, example("POST", TOKEN, "200", "code"), "token_type", "expires_in", "scope")

    recorded.name_accounts(tokens["consent_id"], *ACCOUNTS)
    own_token = {"refresh_token": tokens["refresh_token"]}
    sent = {**example("POST", TOKEN, form, "refresh"), **own_token}
    refreshed = client.post(TOKEN, data=sent, **own).get_json()
    check_like(refreshed, example("POST", TOKEN, "200", "refresh"), "token_type", "expires_in", "scope")
    assert refreshed["refresh_token"] == tokens["refresh_token"]

    sent = example("POST", TOKEN, form, "client")
    admin = client.post(TOKEN, json=sent, **own).get_json()
    check_like(admin, example("POST", TOKEN, "200", "client"), "token_type", "expires_in", "scope")

    names: tuple[str, ...] = ("active", "token_type", "scope", "client_id", "sub")
    live = client.post(
        INTROSPECT, data={"token": tokens["access_token"]}, headers=basic(*MAPLE_API)
    ).get_json()
    check_like(live, example("POST", INTROSPECT, "200", "access"), *names)
    live = client.post(INTROSPECT, data={"token": tokens["refresh_token"]}, **own).get_json()
    check_like(live, example("POST", INTROSPECT, "200", "refresh"), *names)
    live = client.post(INTROSPECT, data=example("POST", INTROSPECT, form), **own).get_json()
    assert live == example("POST", INTROSPECT, "200", "inactive")

    address = f"{CONSENTS}/{claims_of(tokens['access_token'])['consent_id']}"
    record = client.get(address, headers=bearer(tokens["access_token"])).get_json()
    names = ("status", "durationType", "durationPeriod", "lookbackPeriod", "parties", "resources")
    check_like(record, example("GET", f"{CONSENTS}/{{consent_id}}", "200", "active"), *names)

    assert client.post(REVOKE, data=example("POST", REVOKE, form), **own).get_json() == example(
        "POST", REVOKE, "200"
    )


def test_an_ended_consent_and_the_metadata_are_as_their_examples(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    tokens = connect(customer, "TRANSACTIONS")
    recorded.name_accounts(tokens["consent_id"], *ACCOUNTS)
    customer.stop(tokens["consent_id"])
    own = bearer(admin_token(customer.client))
    record = customer.client.get(f"{CONSENTS}/{tokens['consent_id']}", headers=own).get_json()
    ended = example("GET", f"{CONSENTS}/{{consent_id}}", "200", "revoked")
    check_like(record, ended, "status", "parties", "resources")
    assert record["revocation"].keys() == ended["revocation"].keys()
    address = f"{CONSENTS}/{tokens['consent_id']}/revocation"
    response = customer.client.get(address, headers=own)
    check(response, "GET", f"{CONSENTS}/{{consent_id}}/revocation", 200)
    assert response.get_json() == {"revocations": [record["revocation"]]}
    response = customer.client.post(NOTICES, json={}, headers=own)
    check(response, "POST", NOTICES, 200)
    check_like(response.get_json(), {**example("POST", NOTICES, "200"), "sets": response.get_json()["sets"]})
    assert len(response.get_json()["sets"]) == 1
    assert record["revocation"]["reason"] == ended["revocation"]["reason"]

    for path in ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"):
        response = customer.client.get(path)
        written = json.dumps(example("GET", path, str(response.status_code)))
        here = written.replace("https://consent.bank.example", "http://localhost:8000")
        assert response.get_json() == json.loads(here)


@pytest.mark.parametrize("name", ["invalid_grant", "invalid_scope", "invalid_request"])
def test_each_error_of_an_example_is_said_in_its_words(customer: BrowserCustomer, name: str) -> None:
    refresh = {"grant_type": "refresh_token", "refresh_token": connect(customer)["refresh_token"]}
    sent = {
        "invalid_grant": {"grant_type": "authorization_code", "code": "used", "redirect_uri": CALLBACK},
        "invalid_scope": {**refresh, "scope": "TRANSACTIONS"},
        "invalid_request": {"token": "x"},
    }[name]
    response = customer.client.post(TOKEN, data=sent, headers=basic(*BUDGET))
    assert response.get_json() == example("POST", TOKEN, "400", name)


def check_like(answer: dict[str, Any], written: dict[str, Any], *same: str) -> None:
    """The same members of the same types, and of those named the same values."""
    assert shape_of(answer) == shape_of(written)
    assert {name: answer[name] for name in same} == {name: written[name] for name in same}


# Whatever is sent


@schema.parametrize()
@FEW
def test_every_operation_answers_strangers_as_the_contract_says(case: AnyCase, app: Flask) -> None:
    case.call_and_validate(app=app, checks=CHECKS)


@schema.include(path_regex="^/api/v1/(token|revoke|introspect|consents|notices)").parametrize()
@FEW
def test_every_machine_endpoint_answers_a_recipient_as_the_contract_says(
    case: AnyCase, app: Flask, client: ContractClient
) -> None:
    is_bearer = case.method == "DELETE" or "consents" in case.path or "notices" in case.path
    headers = bearer(admin_token(client)) if is_bearer else basic(*BUDGET)
    case.call_and_validate(app=app, headers=headers, checks=CHECKS)


# What goes well


Call = Callable[[ContractClient, dict[str, Any]], TestResponse]

GOOD_CALLS: dict[str, tuple[str, str, int, Call]] = {
    "refresh": (
        "POST", TOKEN, 200,
        lambda client, tokens: client.post(TOKEN, data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}, headers=basic(*BUDGET)),
    ),
    "client:admin": (
        "POST", TOKEN, 200,
        lambda client, tokens: client.post(TOKEN, json={"grant_type": "client_credentials", "scope": "client:admin"}, headers=basic(*BUDGET)),
    ),
    "introspection by the bank": (
        "POST", INTROSPECT, 200,
        lambda client, tokens: client.post(INTROSPECT, data={"token": tokens["access_token"]}, headers=basic(*MAPLE_API)),
    ),
    "introspection of a refresh token": (
        "POST", INTROSPECT, 200,
        lambda client, tokens: client.post(INTROSPECT, data={"token": tokens["refresh_token"]}, headers=basic(*BUDGET)),
    ),
    "record": (
        "GET", f"{CONSENTS}/{{consent_id}}", 200,
        lambda client, tokens: client.get(f"{CONSENTS}/{tokens['consent_id']}", headers=bearer(tokens["access_token"])),
    ),
    "nobody's record": (
        "GET", f"{CONSENTS}/{{consent_id}}", 404,
        lambda client, tokens: client.get(f"{CONSENTS}/{NOBODYS_CONSENT}", headers=bearer(tokens["access_token"])),
    ),
    "revocation": (
        "PUT", f"{CONSENTS}/{{consent_id}}/revocation", 204,
        lambda client, tokens: client.put(f"{CONSENTS}/{tokens['consent_id']}/revocation", json=example("PUT", f"{CONSENTS}/{{consent_id}}/revocation", "request application/json"), headers=bearer(tokens["access_token"])),
    ),
    "no revocation": (
        "GET", f"{CONSENTS}/{{consent_id}}/revocation", 200,
        lambda client, tokens: client.get(f"{CONSENTS}/{tokens['consent_id']}/revocation", headers=bearer(tokens["access_token"])),
    ),
    "notices": (
        "POST", NOTICES, 200,
        lambda client, tokens: client.post(NOTICES, json=example("POST", NOTICES, "request application/json"), headers=bearer(admin_token(client))),
    ),
    "DELETE": (
        "DELETE", REVOKE, 204,
        lambda client, tokens: client.delete(REVOKE, headers=bearer(tokens["access_token"])),
    ),
    "RFC 7009": (
        "POST", REVOKE, 200,
        lambda client, tokens: client.post(REVOKE, data={"token": tokens["refresh_token"]}, headers=basic(*BUDGET)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("many", [1, 200])
def test_a_consent_for_accounts_is_told_as_the_contract_says(
    customer: BrowserCustomer, recorded: LedgerTables, many: int
) -> None:
    tokens = connect(customer, "CUSTOMER_CONTACT", scope="ACCOUNT_BASIC CUSTOMER_CONTACT")
    names = [f"acc-{number}" for number in range(many)]
    recorded.name_accounts(tokens["consent_id"], *(an_account(account_id=name) for name in names))
    for name in ("introspection by the bank", "introspection of a refresh token", "record"):
        method, path, status, call = GOOD_CALLS[name]
        response = call(customer.client, tokens)
        check(response, method, path, status)
        answer = response.get_json()
        [*_, detail] = answer.get("authorization_details", [{"consentRequest": answer}])
        resources = detail["consentRequest"]["resources"]
        assert [one["resourceId"] for one in resources] == [*names, "maple-0001"]


@pytest.mark.parametrize("name", GOOD_CALLS)
def test_a_good_call_is_answered_as_the_contract_says(customer: BrowserCustomer, name: str) -> None:
    method, path, status, call = GOOD_CALLS[name]
    tokens = connect(customer, "TRANSACTIONS")
    check(call(customer.client, tokens), method, path, status)


@pytest.mark.parametrize(("is_told", "status"), [(True, 200), (False, 400)])
def test_a_bank_is_answered_as_the_contract_says(
    register: Callable[..., ContractClient], redis_client: object, is_told: bool, status: int
) -> None:
    name = 'provider_id = "1000"\n'
    client = register((name, f"{name}notices = {{}}\n" if is_told else name))
    tokens = connect(BrowserCustomer(client))
    as_bank = basic(*MAPLE_API)
    check(client.post(NOTICES, json={}, headers=as_bank), "POST", NOTICES, status)
    record = client.get(f"{CONSENTS}/{tokens['consent_id']}", headers=as_bank)
    check(record, "GET", f"{CONSENTS}/{{consent_id}}", status)


def test_the_record_of_an_ended_consent_is_as_the_contract_says(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    customer.client.delete(REVOKE, headers=bearer(tokens["access_token"]))
    address = f"{CONSENTS}/{tokens['consent_id']}"
    response = customer.client.get(address, headers=bearer(admin_token(customer.client)))
    check(response, "GET", f"{CONSENTS}/{{consent_id}}", 200)


def check(response: TestResponse, method: str, path: str, status: int) -> None:
    assert response.status_code == status, response.text
    assert str(status) in DOCUMENT["paths"][path][method.lower()]["responses"]
    if response.data:
        schema[path][method].validate_response(response)
