"""What was used once is known for as long as it could be used again; of parallel uses one is the first."""

from datetime import timedelta

import pytest

from app.domain.errors import ErrorCode, OAuthError
from app.domain.single_use import SingleUse, UsedUp
from app.stores.redis.client import Redis
from app.stores.redis.once import OnceStore
from tests.support.builders import NOON
from tests.support.parallel import all_at_once

LATER = NOON + timedelta(seconds=71)


def a_use(jti: str = "jti-1", kind: UsedUp = UsedUp.ASSERTION, client_id: str = "dc-fapi") -> SingleUse:
    return SingleUse(kind, (client_id, jti), LATER)


@pytest.fixture
def once(redis_client: Redis) -> OnceStore:
    return OnceStore(redis_client)


@pytest.mark.parametrize(
    ("kind", "error"),
    [(UsedUp.ASSERTION, ErrorCode.INVALID_CLIENT), (UsedUp.PROOF, ErrorCode.INVALID_DPOP_PROOF)],
)
def test_a_second_use_is_refused(once: OnceStore, kind: UsedUp, error: ErrorCode) -> None:
    once.spend([a_use(kind=kind)], now=NOON)
    with pytest.raises(OAuthError) as refused:
        once.spend([a_use(kind=kind)], now=NOON)
    assert refused.value.error is error


def test_uses_differ_by_every_part_of_them(once: OnceStore) -> None:
    for use in (a_use(), a_use("jti-2"), a_use(kind=UsedUp.PROOF), a_use(client_id="dc-other")):
        once.spend([use], now=NOON)
    once.spend([SingleUse(UsedUp.ASSERTION, ("dc", "fapi-jti-1"), LATER)], now=NOON)
    once.spend([SingleUse(UsedUp.ASSERTION, ("dc-fapi-jti", "1"), LATER)], now=NOON)


def test_a_use_is_kept_until_it_is_to_be_forgotten_and_names_nobody(
    once: OnceStore, redis_client: Redis
) -> None:
    once.spend([a_use()], now=NOON)
    (key,) = redis_client.scan_iter("*")
    assert key.startswith("once:")
    assert "fapi" not in key
    assert "jti" not in key
    assert 70_000 < int(redis_client.pttl(key)) <= 71_000


def test_of_two_things_the_second_may_be_the_one_that_was_used(once: OnceStore) -> None:
    once.spend([a_use(kind=UsedUp.PROOF)], now=NOON)
    with pytest.raises(OAuthError) as refused:
        once.spend([a_use(), a_use(kind=UsedUp.PROOF)], now=NOON)
    assert refused.value.error is ErrorCode.INVALID_DPOP_PROOF


def test_nothing_to_use_asks_nobody(once: OnceStore, redis_client: Redis) -> None:
    once.spend([], now=NOON)
    assert list(redis_client.scan_iter("*")) == []


def test_of_fifty_parallel_uses_one_is_the_first(once: OnceStore) -> None:
    def use() -> bool:
        try:
            once.spend([a_use()], now=NOON)
        except OAuthError:
            return False
        return True

    assert sorted(all_at_once(*[use] * 50)) == [False] * 49 + [True]
