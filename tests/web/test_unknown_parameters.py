"""What nobody knows in a query or a body changes nothing, at any address (RFC 6749 3.1, 3.2)."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.builders import a_query
from tests.support.customer import BUDGET, BrowserCustomer, basic, hidden_fields
from tests.support.machine_requests import CONSENTS, INTROSPECT, REVOKE, TOKEN, bearer, connect

UNKNOWN = {
    "not UTF-8": "utm_campaign=%E9t%E9",
    "raw bytes that are not UTF-8": b"utm_campaign=\xe9t\xe9".decode("latin-1"),
    "raw bytes that are UTF-8": "utm_campaign=été".encode().decode("latin-1"),
    "repeated, NUL, surrogates": "utm=a&utm=b&utm=%00&%FF=%ED%A0%80&=&;",
}
unknown = pytest.mark.parametrize("beside", UNKNOWN.values(), ids=UNKNOWN)


def addresses(app: Flask, customer: BrowserCustomer) -> list[tuple[str, str]]:
    """Every address that is only read, with a query to which something can be added."""
    request_id = customer.signed_in_request()
    consent_id = connect(customer)["consent_id"]
    filled = {"request_id": request_id, "consent_id": consent_id, "provider_id": "2000"}
    own = {"/api/v1/authorize": a_query(), "/connections/<consent_id>": "stop=all"}
    found = []
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or set()) and rule.arguments <= filled.keys():
            path = rule.rule
            for name, value in filled.items():
                path = path.replace(f"<uuid:{name}>", value).replace(f"<{name}>", value)
            found.append((path, own.get(rule.rule, "")))
    return found


@unknown
def test_it_is_ignored_wherever_something_is_read(app: Flask, customer: BrowserCustomer, beside: str) -> None:
    def ask(path: str, query: str) -> tuple[int, str | None]:
        response = customer.client.get(path, environ_overrides={"QUERY_STRING": query})
        # A request has an id of its own each time.
        return response.status_code, response.location and re.sub(r"/[\w-]{32}", "", response.location)

    found = addresses(app, customer)
    assert len(found) > 15
    for path, query in found:
        assert ask(path, f"{query}&{beside}") == ask(path, query), path


@unknown
def test_it_is_ignored_wherever_a_machine_asks_or_ends_something(
    customer: BrowserCustomer, beside: str
) -> None:
    def ask(method: str, path: str, **how: Any) -> TestResponse:
        return customer.client.open(path, method=method, environ_overrides={"QUERY_STRING": beside}, **how)

    tokens = connect(customer)
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    token = {"token": tokens["access_token"]}
    own, of_the_consent = basic(*BUDGET), bearer(tokens["access_token"])
    assert ask("POST", TOKEN, data=refresh, headers=own).status_code == 200
    assert ask("POST", INTROSPECT, data=token, headers=own).get_json()["active"]
    assert ask("GET", f"{CONSENTS}/{tokens['consent_id']}", headers=of_the_consent).status_code == 200
    assert ask("POST", REVOKE, data={"token": "unknown"}, headers=own).status_code == 200
    assert ask("DELETE", REVOKE, headers=of_the_consent).status_code == 204


@unknown
@pytest.mark.parametrize("path", [REVOKE, INTROSPECT])
def test_it_is_ignored_in_a_body_about_a_token(customer: BrowserCustomer, path: str, beside: str) -> None:
    tokens = connect(customer)
    body = f"token={tokens['refresh_token']}&scope=%FF&code=a&code=b&{beside}".encode("latin-1")
    how: dict[str, Any] = {"content_type": "application/x-www-form-urlencoded", "headers": basic(*BUDGET)}
    assert customer.client.post(path, data=body, **how).status_code == 200


@unknown
def test_it_is_ignored_beside_an_answer(customer: BrowserCustomer, beside: str) -> None:
    request_id = customer.signed_in_request()
    address = f"/consent/{request_id}"
    token = hidden_fields(customer.form(request_id), address)["csrf_token"]
    encoded = quote(beside, safe="%&=;", encoding="latin-1")  # as a browser sends a form
    body = f"csrf_token={token}&decision=approve&scope=TRANSACTIONS&{encoded}"
    response = customer.client.post(
        address,
        data=body,
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"QUERY_STRING": beside},
    )
    assert "code=" in response.location
