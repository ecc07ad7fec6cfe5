"""What `ACCORD_REDIS_URL` may say, and what it may not."""

from datetime import timedelta

import pytest

from app.stores.redis import client as redis
from app.stores.redis.address import Kind, parse_address


def test_sentinels_are_listed_before_the_name_of_their_service() -> None:
    address = parse_address(
        "rediss+sentinel://accord:a%2Fb@one.example:26380,two.example,[2001:db8::1]:26381/bank/2"
        "?ssl_ca_certs=/etc/ca.pem&sentinel_username=watcher&sentinel_password=c%20d&max_connections=20"
    )
    assert address.kind is Kind.SENTINEL
    assert address.places == (("one.example", 26380), ("two.example", 26379), ("2001:db8::1", 26381))
    assert address.service == "bank"
    assert address.has_tls
    assert address.sentinel_login == {"username": "watcher", "password": "c d"}
    options = dict(address.options)
    del options["connection_class"]
    assert options == {
        "username": "accord",
        "password": "a/b",
        "db": 2,
        "ssl_ca_certs": "/etc/ca.pem",
        "max_connections": 20,
    }


def test_a_cluster_is_found_through_any_of_its_nodes() -> None:
    address = parse_address("redis+cluster://:secret@one.example:7000,two.example")
    assert address.kind is Kind.CLUSTER
    assert address.places == (("one.example", 7000), ("two.example", 6379))
    assert not address.has_tls
    assert address.options == {"password": "secret"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:6379", "must begin with"),
        ("127.0.0.1:6379", "must begin with"),
        ("redis+ring://127.0.0.1:6379", "must begin with"),
        ("unix+sentinel://127.0.0.1:6379/name", "must begin with"),
        ("redis+sentinel://127.0.0.1:26379", "must name the service"),
        ("redis+sentinel://127.0.0.1:26379/?db=1", "must name the service"),
        ("redis+sentinel:///name", "must list its hosts"),
        ("redis+sentinel://one.example:port/name", "must list its hosts"),
        ("redis+cluster://one.example,,two.example", "must list its hosts"),
        ("redis+cluster://one.example/1", "must name no database"),
        ("redis://127.0.0.1:6379?max_connections=many", "Invalid value for 'max_connections'"),
        ("redis://127.0.0.1:6379?no_such_option=1", "has an option that is not known"),
        ("redis+sentinel://127.0.0.1:26379/name?no_such_option=1", "has an option that is not known"),
        ("redis+cluster://127.0.0.1?no_such_option=1", "has an option that is not known"),
        ("redis://127.0.0.1:6379?socket_timeout=60", "must not have the option socket_timeout,"),
        (
            "unix:///run/valkey.sock?socket_connect_timeout=60",
            "must not have the option socket_connect_timeout,",
        ),
        (
            "redis+sentinel://127.0.0.1/name?retry_on_timeout=yes",
            "must not have the option retry_on_timeout,",
        ),
        ("redis+cluster://127.0.0.1?decode_responses=no", "must not have the option decode_responses,"),
    ],
)
def test_another_address_is_refused_with_a_reason_that_quotes_no_password(url: str, reason: str) -> None:
    with_password = url.replace("://", "://user:a-password@", 1)
    for given in (url, with_password):
        with pytest.raises(ValueError, match=r"^ACCORD_REDIS_URL ") as raised:
            redis.connect(given, timeout=timedelta(seconds=1))
        assert reason in str(raised.value)
        assert "a-password" not in str(raised.value)
