"""`POST /api/v1/notices`: a recipient learns what has become of its consents, and of nobody else's."""

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.development.embedded import EmbeddedValkey
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.customer import BUDGET, LOANS, BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import (
    CONSENTS,
    NOTICES,
    admin_token,
    bearer,
    check_refused,
    connect,
    end,
    introspect,
    poll,
    record,
)
from tests.support.notices import put_notices
from tests.support.page_contract import ContractClient


def asked(client: ContractClient, credentials: tuple[str, str] = BUDGET, **members: Any) -> Any:
    response = poll(client, admin_token(client, credentials), **members)
    assert response.status_code == 200, response.text
    assert response.headers["Cache-Control"] == "no-store"
    return response.get_json()


def test_a_customer_who_stops_is_reported_until_that_is_acknowledged(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    tokens = connect(customer, correlation_id="correlation-1")
    assert asked(customer.client) == {"sets": {}, "moreAvailable": False}
    customer.stop(tokens["consent_id"])
    answer = asked(customer.client, maxEvents=5, returnImmediately=False)
    ((jti, token),) = answer["sets"].items()
    keys = KeySet.import_key_set(customer.client.get("/.well-known/jwks.json").get_json())
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    assert decoded.header["typ"] == "secevent+jwt"
    claims = decoded.claims
    assert (claims["iss"], claims["aud"], claims["jti"]) == ("http://localhost:8000", "dc-budget", jti)
    assert claims["sub_id"] == {"format": "opaque", "id": tokens["consent_id"]}
    assert claims["txn"] == "correlation-1"
    assert not {"sub", "exp", "client_id", "scope"} & claims.keys()
    (notification,) = claims["events"].values()
    assert notification["type"] == "CONSENT_REVOKED"
    assert "maple-0001" not in json.dumps(claims)
    address = notification["url"]["href"].removeprefix(claims["iss"])
    own = bearer(admin_token(customer.client))
    assert customer.client.get(address, headers=own).get_json()["status"] == "REVOKED"
    assert asked(customer.client)["sets"].keys() == {jti}, "again, until it is acknowledged"
    assert asked(customer.client, ack=[jti, "unknown"])["sets"] == {}
    assert asked(customer.client, ack=[jti])["sets"] == {}
    (told,) = recorded.rows("events", kind="notified")
    assert (told["consent_id"], told["actor"], told["detail"]) == (tokens["consent_id"], "accord", "poll")


def test_nobody_gets_or_settles_the_notices_of_another_recipient(
    client: ContractClient, recorded: LedgerTables
) -> None:
    put_notices(recorded, "a")
    assert asked(client, LOANS, ack=["a"], setErrs={"a": {"err": "invalid_key"}})["sets"] == {}
    assert asked(client)["sets"].keys() == {"a"}


def test_what_is_refused_does_not_come_again(client: ContractClient, recorded: LedgerTables) -> None:
    put_notices(recorded, "a", "b")
    assert asked(client, setErrs={"a": {"err": "invalid_key"}})["sets"].keys() == {"b"}
    assert asked(client)["sets"].keys() == {"b"}
    assert recorded["notices"][0]["state"] == "dead"


def test_no_more_come_than_are_wanted(client: ContractClient, recorded: LedgerTables) -> None:
    put_notices(recorded, "a", "b", "c")
    answer = asked(client, maxEvents=2)
    assert (answer["sets"].keys(), answer["moreAvailable"]) == ({"a", "b"}, True)
    assert asked(client, maxEvents=0, ack=["a"]) == {"sets": {}, "moreAvailable": True}
    answer = asked(client, maxEvents=2)
    assert (answer["sets"].keys(), answer["moreAvailable"]) == ({"b", "c"}, False)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", "application/json"),
        (b"{", "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 50_000, "application/json"),
        (b'{"maxEvents": ' + b"9" * 5000 + b"}", "application/json"),
        (b'{"ack": "a"}', "application/json"),
        (b"{}", "text/plain"),
        (b"maxEvents=1", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_such_request_is_refused(client: ContractClient, body: bytes, kind: str) -> None:
    own = bearer(admin_token(client))
    check_refused(client.post(NOTICES, data=body, content_type=kind, headers=own), 400, "invalid_request")


@pytest.mark.parametrize("jti", ["a\0b", "\ud800", "é", "x" * 300, ""])
def test_a_name_that_no_notice_has_is_ignored(
    client: ContractClient, recorded: LedgerTables, jti: str
) -> None:
    put_notices(recorded, "a")
    answer = asked(client, ack=[jti], setErrs={jti: {"err": "invalid_key"}})
    assert answer["sets"].keys() == {"a"}


def test_only_the_recipients_own_token_opens_them(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    """Neither that of a consent, nor a notice itself."""
    put_notices(recorded, "a")
    tokens = connect(customer)
    (notice,) = asked(customer.client)["sets"].values()
    for token in (tokens["access_token"], tokens["refresh_token"], notice, "x"):
        check_refused(poll(customer.client, token), 401, "invalid_token")
    check_refused(customer.client.post(NOTICES, json={}), 401, "invalid_token")


def test_a_notice_is_no_access_token_anywhere(customer: BrowserCustomer, recorded: LedgerTables) -> None:
    tokens = connect(customer)
    put_notices(recorded, "a")
    (notice,) = asked(customer.client)["sets"].values()
    check_refused(record(customer.client, tokens["consent_id"], notice), 401, "invalid_token")
    check_refused(end(customer.client, notice), 401, "invalid_token")
    check_refused(customer.client.get(CONSENTS, headers=bearer(notice)), 401, "invalid_token")
    assert introspect(customer.client, notice) == {"active": False}
    assert introspect(customer.client, notice, BUDGET) == {"active": False}


def test_who_asks_too_often_waits(
    valkey: EmbeddedValkey, ledger_url: str, signing_keys: Any, clock: Clock, redis_client: object
) -> None:
    settings = make_settings(valkey.url, ledger_url, signing_keys, token_rate=2)
    client = a_browser(make_app(settings, clock))
    token = admin_token(client)
    answers = [poll(client, token) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    check_refused(answers[-1], 429, "temporarily_unavailable")
