"""app/openapi.yaml is true: every route is in it and nothing else, and what is called answers as it says."""

import re
from collections.abc import Callable
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
from tests.conftest import ROOT
from tests.customer import BUDGET, BrowserCustomer, basic
from tests.page_contract import ContractClient
from tests.web.machines import (
    CONSENTS,
    INTROSPECT,
    MAPLE_API,
    NOBODYS_CONSENT,
    REVOKE,
    TOKEN,
    admin_token,
    bearer,
    connect,
)

CONTRACT = ROOT / "app" / "openapi.yaml"
DEVELOPMENT_ONLY = {"start.show", "screens.show_all", "screens.show"}
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


# Whatever is sent


@schema.parametrize()
@FEW
def test_every_operation_answers_strangers_as_the_contract_says(case: AnyCase, app: Flask) -> None:
    case.call_and_validate(app=app, checks=CHECKS)


@schema.include(path_regex="^/api/v1/(token|revoke|introspect|consents)").parametrize()
@FEW
def test_every_machine_endpoint_answers_a_recipient_as_the_contract_says(
    case: AnyCase, app: Flask, client: ContractClient
) -> None:
    is_bearer = case.method == "DELETE" or "consents" in case.path
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
    "DELETE": (
        "DELETE", REVOKE, 204,
        lambda client, tokens: client.delete(REVOKE, headers=bearer(tokens["access_token"])),
    ),
    "RFC 7009": (
        "POST", REVOKE, 200,
        lambda client, tokens: client.post(REVOKE, data={"token": tokens["refresh_token"]}, headers=basic(*BUDGET)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD_CALLS)
def test_a_good_call_is_answered_as_the_contract_says(customer: BrowserCustomer, name: str) -> None:
    method, path, status, call = GOOD_CALLS[name]
    tokens = connect(customer, "TRANSACTIONS")
    check(call(customer.client, tokens), method, path, status)


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
