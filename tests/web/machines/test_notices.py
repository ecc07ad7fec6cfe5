"""`POST /api/v1/notices`: recipients and banks learn what has become of their consents, and of nobody else's."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.development.embedded import EmbeddedValkey
from app.domain.notice_registration import receiver_of_bank
from tests.support.applications import Clock, Logged, a_browser, make_app, make_settings
from tests.support.customer import BUDGET, LOANS, BrowserCustomer, basic
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import (
    CONSENTS,
    INTROSPECT,
    MAPLE_API,
    NORTHERN_API,
    NOTICES,
    admin_token,
    bearer,
    check_refused,
    connect,
    end,
    introspect,
    poll,
    poll_as_bank,
    record,
)
from tests.support.notices import put_notices
from tests.support.page_contract import ContractClient
from tests.support.registrations import with_bank_told


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
    assert (told["consent_id"], told["actor"]) == (tokens["consent_id"], "accord")
    assert told["detail"] == "poll CONSENT_REVOKED"


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


# A bank asks, with the credentials of its API


@pytest.fixture
def told(register: Callable[..., ContractClient], redis_client: object) -> ContractClient:
    """A server whose first two banks are told of their consents."""
    first, second = 'provider_id = "1000"\n', 'provider_id = "2000"\n'
    return register((first, f"{first}notices = {{}}\n"), (second, f"{second}notices = {{}}\n"))


def asked_by_bank(
    client: ContractClient, credentials: tuple[str, str] = MAPLE_API, **members: Any
) -> dict[str, Any]:
    """What the bank's tokens say, by their jti; the answer must be one."""
    response = poll_as_bank(client, credentials, **members)
    assert response.status_code == 200, response.text
    keys = KeySet.import_key_set(client.get("/.well-known/jwks.json").get_json())
    sets = response.get_json()["sets"]
    return {jti: jwt.decode(token, keys, algorithms=["ES256"]).claims for jti, token in sets.items()}


def types_of(told: dict[str, Any]) -> list[str]:
    return sorted(
        notification["type"] for claims in told.values() for notification in claims["events"].values()
    )


def test_a_bank_is_told_of_an_approval_and_of_its_end_by_the_recipient(
    told: ContractClient, recorded: LedgerTables
) -> None:
    """Its recipient is told of neither: it knows. The bank reads of whom at the address in the notice."""
    tokens = connect(BrowserCustomer(told))
    ((jti, claims),) = asked_by_bank(told).items()
    (notification,) = claims["events"].values()
    assert (claims["iss"], claims["aud"], claims["jti"]) == ("http://localhost:8000", "1000", jti)
    assert (notification["type"], notification["notificationPayload"]["id"]) == (
        "CONSENT_GRANTED",
        tokens["consent_id"],
    )
    assert "maple-0001" not in json.dumps(claims)
    assert "dc-budget" not in json.dumps(claims)
    address = notification["url"]["href"].removeprefix(claims["iss"])
    read = told.get(address, headers=basic(*MAPLE_API))
    assert (read.status_code, read.get_json()["parties"][0]["registeredEntityId"]) == (200, "dc-budget")
    assert "maple-0001" in read.text
    assert end(told, tokens["access_token"]).status_code == 204
    assert types_of(asked_by_bank(told, ack=[jti])) == ["CONSENT_REVOKED"]
    assert asked(told) == {"sets": {}, "moreAvailable": False}
    assert recorded.rows("events", kind="notified") == []


def test_a_customer_does_not_read_that_the_recipient_was_told_when_the_bank_was(
    told: ContractClient, recorded: LedgerTables
) -> None:
    customer = BrowserCustomer(told)
    tokens = connect(customer)
    customer.stop(tokens["consent_id"])
    before = told.get(f"/connections/{tokens['consent_id']}").text
    names = asked_by_bank(told)
    assert types_of(names) == ["CONSENT_GRANTED", "CONSENT_REVOKED"]
    assert asked_by_bank(told, ack=list(names)) == {}
    assert told.get(f"/connections/{tokens['consent_id']}").text == before
    (jti,) = asked(told)["sets"]
    asked(told, ack=[jti])
    assert told.get(f"/connections/{tokens['consent_id']}").text != before


def test_a_bank_gets_and_settles_its_own_notices_alone(told: ContractClient, recorded: LedgerTables) -> None:
    """Not those of another bank, and not those of a recipient that has the same name."""
    put_notices(recorded, "maple", client_id=receiver_of_bank("1000"))
    put_notices(recorded, "northern", client_id=receiver_of_bank("2000"), provider_id="2000")
    put_notices(recorded, "recipient", client_id="1000")
    put_notices(recorded, "budget")
    others = ["northern", "recipient", "budget"]
    assert asked_by_bank(told, ack=others, setErrs={"budget": {"err": "jwtAud"}}).keys() == {"maple"}
    assert asked_by_bank(told, NORTHERN_API, ack=["maple"]).keys() == {"northern"}
    assert asked(told, ack=["maple", "northern"])["sets"].keys() == {"budget"}
    assert {row["state"] for row in recorded["notices"]} == {"waiting"}
    assert asked_by_bank(told, setErrs={"maple": {"err": "jwtAud"}}) == {}


@pytest.mark.parametrize(
    ("credentials", "status", "error"),
    [
        (("maple-api", "wrong"), 401, "invalid_client"),
        (("nobody", "wrong"), 401, "invalid_client"),
        (BUDGET, 401, "invalid_token"),
        (("harbour-api", "harbour-api-demo-secret"), 400, "unauthorized_client"),
    ],
    ids=["a wrong secret", "nobody", "a recipient's own secret", "a bank that has registered no notices"],
)
def test_nobody_else_asks_with_a_secret(
    told: ContractClient, recorded: LedgerTables, credentials: tuple[str, str], status: int, error: str
) -> None:
    put_notices(recorded, "a", client_id=receiver_of_bank("1000"))
    refused = poll_as_bank(told, credentials, ack=["a"])
    check_refused(refused, status, error)
    assert ("WWW-Authenticate" in refused.headers) is (status == 401)
    assert recorded["notices"][0]["state"] == "waiting"


def test_the_log_says_which_bank_has_asked(
    told: ContractClient, recorded: LedgerTables, logged: Logged
) -> None:
    put_notices(recorded, "a", client_id=receiver_of_bank("1000"))
    asked_by_bank(told, ack=["a"])
    check_refused(told.post(NOTICES, json=[], headers=basic(*MAPLE_API)), 400, "invalid_request")
    taken, refused = (entry for entry in logged() if entry["event"] in ("notice_acknowledged", "refused"))
    for line in (taken, refused):
        assert (line["provider_id"], "client_id" in line) == ("1000", False)
    assert (taken["notice_id"], taken["outcome"]) == ("a", "acknowledged")


def test_a_banks_secret_stands_in_the_header_alone(told: ContractClient) -> None:
    server_id, secret = MAPLE_API
    body = {"client_id": server_id, "client_secret": secret}
    check_refused(told.post(NOTICES, json=body), 401, "invalid_token")
    address = f"{NOTICES}?client_id={server_id}"
    check_refused(told.post(address, json={}, headers=basic(*MAPLE_API)), 400, "invalid_request")


def test_a_banks_notice_is_no_token_anywhere(told: ContractClient, recorded: LedgerTables) -> None:
    put_notices(recorded, "a", client_id=receiver_of_bank("1000"))
    (notice,) = poll_as_bank(told).get_json()["sets"].values()
    check_refused(poll(told, notice), 401, "invalid_token")
    assert introspect(told, notice) == {"active": False}
    assert told.post(INTROSPECT, data={"token": notice}, headers=basic(*BUDGET)).get_json() == {
        "active": False
    }


def test_a_bank_that_asks_too_often_waits_and_its_recipients_do_not(
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Any,
    clock: Clock,
    redis_client: object,
    tmp_path: Any,
) -> None:
    path = tmp_path / "registry.toml"
    path.write_text(with_bank_told(), encoding="utf-8")
    settings = make_settings(valkey.url, ledger_url, signing_keys, token_rate=2, registry=path)
    client = a_browser(make_app(settings, clock))
    assert [poll_as_bank(client).status_code for _ in range(3)] == [200, 200, 429]
    assert poll(client, admin_token(client)).status_code == 200
