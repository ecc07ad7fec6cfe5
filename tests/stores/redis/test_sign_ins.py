"""Pending sign-ins in Redis: found as they were, used once, gone in time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from app.domain.sign_in import PendingSignIn
from app.stores.redis import client as redis
from app.stores.redis.sign_ins import SignInStore
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import NOON, RECORDS
from tests.support.ports import free_port


def a_sign_in(**changes: Any) -> PendingSignIn:
    values: dict[str, Any] = {
        "state": "state-1",
        "browser_id": "browser-1",
        "provider_id": "3000",
        "issuer": "https://bank.example",
        "request_id": "request-1",
        "nonce": "nonce-1",
        "code_verifier": "verifier-1",
        "must_ask_again": True,
        "begun_at": NOON,
    }
    return PendingSignIn(**{**values, **changes})


@pytest.fixture
def store(redis_client: redis.Redis) -> SignInStore:
    return SignInStore(redis_client, RECORDS)


@pytest.mark.parametrize("request_id", ["request-1", None])
def test_a_sign_in_is_found_as_it_was(store: SignInStore, request_id: str | None) -> None:
    pending = a_sign_in(request_id=request_id)
    store.save(pending)
    assert store.find_sign_in("state-1") == pending
    assert store.find_sign_in("state-2") is None


def test_it_is_used_once(store: SignInStore) -> None:
    store.save(a_sign_in())
    with ThreadPoolExecutor(20) as pool:
        firsts = list(pool.map(store.use, ["state-1"] * 20))
    assert firsts.count(True) == 1
    assert store.find_sign_in("state-1") is not None, "it is still known where it leads"


def test_it_is_forgotten_after_ten_minutes(store: SignInStore, redis_client: redis.Redis) -> None:
    store.save(a_sign_in())
    store.use("state-1")
    for key in ("sign_ins:state-1", "sign_ins:state-1:used"):
        assert timedelta(minutes=9) < timedelta(seconds=redis_client.ttl(key)) <= timedelta(minutes=10)


@pytest.mark.parametrize(
    "junk", ["", "x", "[]", "{}", "5", '{"browser": 1, "begun": 5}', '{"begun": "never"}']
)
def test_junk_is_no_sign_in(store: SignInStore, redis_client: redis.Redis, junk: str) -> None:
    redis_client.set("sign_ins:state-1", junk)
    assert store.find_sign_in("state-1") is None


def test_nothing_secret_of_it_is_printed() -> None:
    printed = repr(a_sign_in())
    assert "nonce-1" not in printed
    assert "verifier-1" not in printed


def test_without_redis_it_says_so() -> None:
    store = SignInStore(
        redis.connect(f"redis://127.0.0.1:{free_port()}", timeout=timedelta(seconds=1)), RECORDS
    )
    for call in (
        lambda: store.save(a_sign_in()),
        lambda: store.find_sign_in("state-1"),
        lambda: store.use("state-1"),
    ):
        with pytest.raises(StoreUnavailable):
            call()
