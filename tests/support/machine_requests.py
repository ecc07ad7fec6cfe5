"""What a recipient and a bank's API say to the machine endpoints."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from joserfc import jws
from werkzeug.test import TestResponse

from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.customer import BUDGET, BrowserCustomer, basic
from tests.support.page_contract import ContractClient

REVOKE = "/api/v1/revoke"
INTROSPECT = "/api/v1/introspect"
CONSENTS = "/api/v1/consents"
TOKEN = "/api/v1/token"
NOTICES = "/api/v1/notices"

MAPLE_API = ("maple-api", "maple-api-demo-secret")
NORTHERN_API = ("northern-api", "northern-api-demo-secret")
NOBODYS_CONSENT = "00000000-0000-4000-8000-000000000000"

Serve = Callable[..., ContractClient]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def connect(customer: BrowserCustomer, *boxes: str, **changes: str | None) -> dict[str, Any]:
    """A whole consent: the answer of the token endpoint, and `consent_id` beside it."""
    code = customer.approve(*boxes, **changes)
    tokens: dict[str, Any] = customer.redeem(code).get_json()
    return {**tokens, "consent_id": claims_of(tokens["access_token"])["consent_id"]}


def claims_of(access_token: str) -> dict[str, Any]:
    """What the token says, unverified."""
    claims: dict[str, Any] = json.loads(jws.extract_compact(access_token.encode()).payload)
    return claims


def admin_token(client: ContractClient, credentials: tuple[str, str] = BUDGET) -> str:
    fields = {"grant_type": "client_credentials", "scope": "client:admin"}
    response = client.post(TOKEN, data=fields, headers=basic(*credentials))
    assert response.status_code == 200, response.text
    return str(response.get_json()["access_token"])


def end(client: ContractClient, access_token: str) -> TestResponse:
    return client.delete(REVOKE, headers=bearer(access_token))


def revoke(
    client: ContractClient, token: str, credentials: tuple[str, str] = BUDGET, **fields: str
) -> TestResponse:
    return client.post(REVOKE, data={"token": token, **fields}, headers=basic(*credentials))


def introspect(client: ContractClient, token: str, credentials: tuple[str, str] = MAPLE_API) -> Any:
    """The answer, which must be one."""
    response = client.post(INTROSPECT, data={"token": token}, headers=basic(*credentials))
    assert response.status_code == 200, response.text
    assert response.headers["Cache-Control"] == "no-store"
    return response.get_json()


def record(client: ContractClient, consent_id: str, access_token: str) -> TestResponse:
    return client.get(f"{CONSENTS}/{consent_id}", headers=bearer(access_token))


def revoke_as_fdx(client: ContractClient, consent_id: str, access_token: str, **changes: Any) -> TestResponse:
    body = {"reason": "USER_ACTION", "initiator": "INDIVIDUAL", **changes}
    return client.put(f"{CONSENTS}/{consent_id}/revocation", json=body, headers=bearer(access_token))


def poll(client: ContractClient, access_token: str, **members: Any) -> TestResponse:
    return client.post(NOTICES, json=members, headers=bearer(access_token))


def poll_as_bank(
    client: ContractClient, credentials: tuple[str, str] = MAPLE_API, **members: Any
) -> TestResponse:
    return client.post(NOTICES, json=members, headers=basic(*credentials))


def check_refused(response: TestResponse, status: int, error: str) -> None:
    """A machine's error: JSON in RFC 6749's terms, never cached, with a correlation id."""
    assert (response.status_code, response.get_json()["error"]) == (status, error), response.text
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["ob-correlation-id"]
    assert "Set-Cookie" not in response.headers


def failing_server(redis_url: str, ledger_url: str, signing_keys: Path, clock: Clock) -> ContractClient:
    """The same server in front of a ledger that may not answer, which it waits for but shortly."""
    timeout = timedelta(milliseconds=100)
    settings = make_settings(redis_url, ledger_url, signing_keys, store_timeout=timeout)
    return a_browser(make_app(settings, clock))


@contextmanager
def locked(ledger_url: str) -> Iterator[None]:
    """Somebody else is writing into the SQLite ledger, for as long as the block lasts."""
    connection = sqlite3.connect(ledger_url.removeprefix("sqlite:///"), isolation_level=None)
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        yield
