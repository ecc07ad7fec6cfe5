"""What is believed of what a bank's server publishes, and how often it is asked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.outgoing.deadline import Deadline
from app.sign_in import Cause, SignInFailed
from app.sign_in.server import OLDEST, SOONEST, OidcServer, parse_keys, parse_metadata
from tests.support.oidc_server import KEYS, METADATA, a_key
from tests.support.oidc_server import OidcServer as Bank

ISSUER = "https://bank.example"
FOUND = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}


def soon() -> Deadline:
    return Deadline.after(timedelta(seconds=5))


def test_metadata_are_read_and_what_is_not_known_is_ignored() -> None:
    known = parse_metadata({**FOUND, "anything": ["else"]}, ISSUER)
    assert known.token_endpoint == f"{ISSUER}/token"
    assert known.takes_basic
    assert not known.names_itself


@pytest.mark.parametrize(
    ("methods", "takes_basic"),
    [
        (["client_secret_basic"], True),
        (["client_secret_post"], False),
        ([], False),
        (None, True),
        ("x", True),
    ],
)
def test_a_server_takes_basic_unless_its_list_lacks_it(methods: Any, takes_basic: bool) -> None:
    found = {**FOUND, "token_endpoint_auth_methods_supported": methods}
    assert parse_metadata(found, ISSUER).takes_basic is takes_basic


@pytest.mark.parametrize(
    ("said", "names_itself"), [(True, True), ("true", False), (1, False), (False, False)]
)
def test_only_true_is_the_promise_of_an_issuer_in_every_answer(said: Any, names_itself: bool) -> None:
    found = {**FOUND, "authorization_response_iss_parameter_supported": said}
    assert parse_metadata(found, ISSUER).names_itself is names_itself


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"issuer": f"{ISSUER}/"}, "metadata_of_another"),
        ({"issuer": None}, "metadata_of_another"),
        ({"token_endpoint": None}, "metadata_without_address"),
        ({"token_endpoint": 5}, "metadata_without_address"),
        ({"jwks_uri": "http://bank.example/keys"}, "metadata_without_address"),
        ({"jwks_uri": "http://localhost:1/keys"}, "metadata_without_address"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "metadata_without_address"),
    ],
)
def test_metadata_of_another_or_with_unsafe_addresses_are_not_used(
    change: dict[str, Any], detail: str
) -> None:
    with pytest.raises(SignInFailed) as raised:
        parse_metadata({**FOUND, **change}, ISSUER)
    assert (raised.value.cause, raised.value.detail) == (Cause.UNAVAILABLE, detail)


def test_keys_that_cannot_be_read_keep_nobody_from_the_others() -> None:
    good = a_key("good").as_dict(private=False)
    keys = parse_keys(
        {"keys": [None, {"kty": "none"}, {**good, "unknown": ["x"]}, {"kty": "EC", "crv": "P-256"}]}
    )
    assert [key.kid for key in keys.keys] == ["good"]


@pytest.mark.parametrize(
    "found", [{}, {"keys": None}, {"keys": []}, {"keys": [{"kty": "none"}]}, {"keys": "x"}]
)
def test_a_set_without_a_readable_key_is_none(found: dict[str, Any]) -> None:
    with pytest.raises(SignInFailed, match="no_keys"):
        parse_keys(found)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def bank() -> Iterator[Bank]:
    with Bank() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(bank: Bank, clock: Clock) -> OidcServer:
    return OidcServer(bank.issuer, clock=clock)


def test_metadata_are_asked_for_again_when_they_are_too_old(
    server: OidcServer, bank: Bank, clock: Clock
) -> None:
    assert server.known_metadata() is None
    for _ in range(3):
        server.metadata(soon())
    assert bank.count(METADATA) == 1
    clock.now += OLDEST + timedelta(seconds=1)
    assert server.known_metadata() is None
    server.metadata(soon())
    assert bank.count(METADATA) == 2


def test_a_key_that_is_not_known_is_looked_for_anew_but_not_all_the_time(
    server: OidcServer, bank: Bank, clock: Clock
) -> None:
    assert server.find_key("first", "ES256", soon()).kid == "first"
    bank.published.append(a_key("second"))
    with pytest.raises(SignInFailed, match="unknown_key"):
        server.find_key("second", "ES256", soon())
    assert bank.count(KEYS) == 1
    clock.now += SOONEST
    assert server.find_key("second", "ES256", soon()).kid == "second"
    assert bank.count(KEYS) == 2
