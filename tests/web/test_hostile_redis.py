"""Somebody writes into Redis: nobody is given away by that (the threat model of docs/security.md).

What they write is what they could: they know how every record reads, and have every record that there is, but not
the secret key.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.stores.redis import client as redis
from tests.support.applications import a_browser
from tests.support.builders import CALLBACK, RECORDS, VERIFIER
from tests.support.customer import LOANS, LOANS_CALLBACK, LOANS_REQUEST, BrowserCustomer, answer_params
from tests.support.expected_pages import check_json, check_page
from tests.support.ledger_tables import LedgerTables

PURPOSES = ("session", "request", "code", "sign_ins", "minted", "accounts")


def only_key(redis_client: redis.Redis, pattern: str) -> str:
    (key,) = redis_client.scan_iter(pattern)
    return str(key)


def session_key_of(customer: BrowserCustomer) -> str:
    cookie = customer.client.get_cookie("accord")
    assert cookie is not None
    return f"session:{cookie.value.partition('.')[0]}"


def rewrite(redis_client: redis.Redis, key: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes what a record says, and leaves its signature as it is."""
    text, _, signature = str(redis_client.get(key)).rpartition(".")
    record = json.loads(text)
    change(record)
    redis_client.set(key, f"{json.dumps(record)}.{signature}", keepttl=True)


def is_signed_in(customer: BrowserCustomer) -> bool:
    return customer.first_page().startswith("/consent/")


# Who somebody is


@pytest.mark.parametrize("is_signed", [True, False], ids=["the old signature", "no signature"])
def test_nobody_becomes_somebody_else_by_a_session_that_was_written_for_them(
    app: Flask, redis_client: redis.Redis, is_signed: bool
) -> None:
    attacker = BrowserCustomer(a_browser(app))
    request_id = attacker.signed_in_request()
    key = session_key_of(attacker)
    rewrite(redis_client, key, lambda record: record["customers"]["1000"].update(subject="maple-0002"))
    if not is_signed:
        redis_client.set(key, str(redis_client.get(key)).rpartition(".")[0])
    assert attacker.client.get(f"/consent/{request_id}").status_code == 404
    assert not is_signed_in(attacker)
    assert attacker.connections() == []


def test_nobody_becomes_somebody_else_by_a_session_that_was_moved(
    app: Flask, redis_client: redis.Redis
) -> None:
    victim, attacker = BrowserCustomer(a_browser(app)), BrowserCustomer(a_browser(app))
    victim.approve()
    attacker.begin()
    sealed = redis_client.get(session_key_of(victim))
    redis_client.set(session_key_of(attacker), str(sealed))
    assert attacker.connections() == []
    assert not is_signed_in(attacker)
    assert len(victim.connections()) == 1, "it is still hers"


# What they may do


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "http://localhost:8001/callback#x"},
        {"client": "dc-loans"},
        {"scope": "ACCOUNT_BASIC TRANSACTIONS INVESTMENTS"},
        {"provider": "2000"},
        {"challenge": None},
        {"browser": "another"},
        {},
    ],
    ids=str,
)
def test_a_request_that_was_altered_is_none(
    customer: BrowserCustomer, redis_client: redis.Redis, recorded: LedgerTables, change: dict[str, Any]
) -> None:
    request_id = customer.signed_in_request()
    form = customer.form(request_id)
    token = form.one("form", id="decision").one("input", name="csrf_token").attributes["value"]
    rewrite(redis_client, f"request:{request_id}", lambda record: record.update(change))
    check_page(customer.client.get(f"/consent/{request_id}"), "request_lost", "en", status=404)
    answered = customer.post_answer(request_id, {"csrf_token": token}, "approve")
    assert answered.status_code == 404
    assert recorded.nothing_happened


def test_a_request_is_not_another_browsers_because_it_was_moved(
    app: Flask, redis_client: redis.Redis
) -> None:
    """The victim's request under the name of the attacker's, and the other way round."""
    victim, attacker = BrowserCustomer(a_browser(app)), BrowserCustomer(a_browser(app))
    hers, his = victim.signed_in_request(state="hers"), attacker.begin(state="his")
    before = {key: str(redis_client.get(f"request:{key}")) for key in (hers, his)}
    redis_client.set(f"request:{hers}", before[his])
    redis_client.set(f"request:{his}", before[hers])
    for browser, request_id in ((victim, hers), (attacker, his), (victim, his), (attacker, hers)):
        assert browser.client.get(f"/consent/{request_id}").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"challenge": None},
        {"client": "dc-budget", "redirect_uri": CALLBACK, "challenge": None},
        {"subject": "maple-0002"},
        {"scope": "ACCOUNT_BASIC INVESTMENTS"},
        {"expires": "2036-11-24T12:00:00+00:00"},
    ],
    ids=str,
)
def test_a_code_whose_record_was_altered_gives_no_token(
    customer: BrowserCustomer, redis_client: redis.Redis, change: dict[str, Any]
) -> None:
    code = loans_code(customer)
    rewrite(redis_client, only_key(redis_client, "code:*"), lambda record: record.update(change))
    for client, redirect_uri in ((LOANS, LOANS_CALLBACK), (("dc-budget", "budget-demo-secret"), CALLBACK)):
        for proof in ({}, {"code_verifier": VERIFIER}):
            answer = customer.redeem(code, client=client, redirect_uri=redirect_uri, **proof)
            check_json(answer, "invalid_grant", status=400)


def test_a_code_is_not_redeemed_by_the_record_of_another(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    mine = customer.approve()
    record = str(redis_client.get(only_key(redis_client, "code:*")))
    theirs = loans_code(customer)
    for key in redis_client.scan_iter("code:*"):
        redis_client.set(key, record)
    check_json(
        customer.redeem(theirs, client=LOANS, redirect_uri=LOANS_CALLBACK, code_verifier=VERIFIER),
        "invalid_grant",
        status=400,
    )
    check_json(customer.redeem(theirs), "invalid_grant", status=400)
    assert customer.redeem(mine).status_code == 200, "its own record is as it was"


def loans_code(customer: BrowserCustomer) -> str:
    request_id = customer.signed_in_request(**LOANS_REQUEST)
    response = customer.answer(request_id, "approve", "ACCOUNT_DETAILED")
    return answer_params(response, LOANS_CALLBACK)["code"]


# Every record there is


def test_everything_that_says_who_somebody_is_or_what_they_may_do_is_sealed_under_its_own_key(
    customer: BrowserCustomer, redis_client: redis.Redis
) -> None:
    customer.approve()
    customer.client.get("/connections/sign-in/3000")
    kinds = set()
    for key in map(str, redis_client.scan_iter("*")):
        match redis_client.type(key):
            case "string":
                found = {key: redis_client.get(key)}
            case "hash":
                kept = redis_client.hgetall(key)
                found = {f"{key}:{provider_id!s}": str(sealed) for provider_id, sealed in kept.items()}
            case _:
                found = {}
        for name, value in found.items():
            if value is not None and "{" in value:
                kinds.add(key.partition(":")[0])
                assert RECORDS.open(name, value) is not None, name
    assert {"session", "request", "code", "minted"} <= kinds <= set(PURPOSES)
