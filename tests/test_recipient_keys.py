"""The key for a signature is found by client and name, and nobody learns from the time who is registered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from app.domain.jws import parse_jwt
from app.domain.networks import LOOPBACK, Network
from app.domain.registry import Client
from app.public_keys import import_public_key
from app.recipient_keys import LONGEST_BELIEVED, OLDEST, SOONEST, RecipientKeys
from tests.support.applications import Clock, Logged
from tests.support.builders import a_client, a_registry
from tests.support.fapi import FAPI, a_key, algorithm_of, public, signed
from tests.support.loopback_server import LoopbackServer, QuietHandler
from tests.support.parallel import all_at_once

EC, SECOND, RSA = a_key(kid="ec-1"), a_key(kid="ec-2"), a_key("RSA", kid="rsa-1")


def a_signing_client(*keys: Any, **changes: Any) -> Client:
    read = tuple(import_public_key(public(key)) for key in keys)
    return a_client(client_id=FAPI, secret_hash=None, keys=read, **changes)


def found(client: Client, kid: str | None, signer: Any, client_id: str = FAPI) -> bool:
    """Whether a key is found that verifies what `signer` signs."""
    keys = RecipientKeys(a_registry(client), slots=1, clock=Clock())
    key = keys.find(client_id, kid, algorithm_of(signer))
    assert key.fits(algorithm_of(signer)), "a key of nobody costs as much time"
    return key.verifies(parse_jwt(signed({"iss": client_id}, signer)))


def test_a_key_is_found_by_its_name() -> None:
    client = a_signing_client(EC, SECOND, RSA)
    assert found(client, "ec-1", EC)
    assert found(client, "ec-2", SECOND)
    assert found(client, "rsa-1", RSA)
    assert not found(client, "ec-2", EC)
    assert not found(client, "rsa-1", EC)
    assert not found(client, "ec-3", EC)


def test_without_a_name_the_only_key_of_the_kind_is_meant() -> None:
    assert found(a_signing_client(EC, RSA), None, EC)
    assert found(a_signing_client(EC, RSA), None, RSA)
    assert not found(a_signing_client(EC, SECOND), None, EC)


@pytest.mark.parametrize("kind", ["EC", "RSA", "OKP"])
def test_for_a_client_that_is_not_there_the_key_is_nobodys(kind: str) -> None:
    signer = a_key(kind)
    assert not found(a_signing_client(signer), "key-1", signer, client_id="dc-nobody")
    assert not found(a_signing_client(signer, is_suspended=True), "key-1", signer)
    assert not found(a_client(client_id=FAPI), "key-1", signer)


# Keys that a recipient publishes


@dataclass
class Publisher(LoopbackServer):
    """A recipient's server, which counts how often it is asked."""

    keys: list[Any] = field(default_factory=list)
    asked: int = 0
    status: int = 200
    hangs: bool = False

    def handler(self) -> type["PublisherHandler"]:
        return type("Handler", (PublisherHandler,), {"publisher": self})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"


class PublisherHandler(QuietHandler):
    publisher: Publisher

    def get(self) -> None:
        self.publisher.asked += 1
        if self.publisher.hangs:
            self.publisher.closing.wait(30)
        body = json.dumps({"keys": [public(key) for key in self.publisher.keys]}).encode()
        self.send_response(self.publisher.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as server:
        yield server


class Finder:
    """Asks one `RecipientKeys` of a recipient that publishes its keys."""

    def __init__(self, publisher: Publisher, opened: tuple[Network, ...] = LOOPBACK) -> None:
        self.clock = Clock()
        client = a_client(client_id=FAPI, secret_hash=None, jwks_uri=publisher.url)
        self.keys = RecipientKeys(a_registry(client), slots=2, clock=self.clock, opened=opened)

    def finds(self, signer: Any, kid: str | None = None) -> bool:
        key = self.keys.find(FAPI, kid or signer.kid, algorithm_of(signer))
        return key.verifies(parse_jwt(signed({"iss": FAPI}, signer)))


def test_published_keys_are_fetched_once_and_kept(publisher: Publisher) -> None:
    publisher.keys = [EC, RSA]
    finder = Finder(publisher)
    assert all([finder.finds(EC), finder.finds(RSA), finder.finds(EC)])
    assert publisher.asked == 1
    finder.clock.advance(OLDEST)
    assert finder.finds(EC)
    assert publisher.asked == 1
    finder.clock.advance(timedelta(seconds=1))
    assert finder.finds(EC)
    assert publisher.asked == 2


def test_a_new_key_is_found_but_made_up_names_do_not_flood_the_recipient(publisher: Publisher) -> None:
    publisher.keys = [EC]
    finder = Finder(publisher)
    assert finder.finds(EC)
    publisher.keys = [EC, SECOND]
    assert [finder.finds(SECOND) for _ in range(20)] == [False] * 20
    assert publisher.asked == 1
    finder.clock.advance(SOONEST)
    assert finder.finds(SECOND)
    assert not any(finder.finds(a_key(), kid=f"made-up-{number}") for number in range(20))
    assert publisher.asked == 2


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_fetch_that_fails_takes_no_good_key_away(publisher: Publisher, status: int, logged: Logged) -> None:
    publisher.keys = [EC]
    finder = Finder(publisher)
    assert finder.finds(EC)
    publisher.status = status
    finder.clock.advance(timedelta(hours=23))
    assert finder.finds(EC)
    publisher.status, publisher.keys = 200, []
    finder.clock.advance(SOONEST)
    assert finder.finds(EC)
    reasons = [entry["reason"] for entry in logged() if entry["event"] == "recipient_keys_unavailable"]
    assert reasons == [f"status_{status}", "no_keys"]


def test_a_key_that_was_withdrawn_is_refused_after_ten_minutes(publisher: Publisher) -> None:
    publisher.keys = [EC, SECOND]
    finder = Finder(publisher)
    assert finder.finds(EC)
    publisher.keys = [SECOND]
    finder.clock.advance(OLDEST)
    assert finder.finds(EC)
    finder.clock.advance(timedelta(seconds=1))
    assert not finder.finds(EC)
    assert finder.finds(SECOND)


@pytest.mark.parametrize("status", [200, 500])
def test_a_key_that_cannot_be_fetched_anew_is_believed_for_a_day(publisher: Publisher, status: int) -> None:
    publisher.keys = [EC]
    finder = Finder(publisher)
    assert finder.finds(EC)
    publisher.status, publisher.keys = status, []
    finder.clock.advance(LONGEST_BELIEVED)
    assert finder.finds(EC)
    finder.clock.advance(timedelta(seconds=1))
    assert not finder.finds(EC)
    publisher.status, publisher.keys = 200, [EC]
    finder.clock.advance(SOONEST)
    assert finder.finds(EC)


def test_what_cannot_be_read_is_left_out(publisher: Publisher) -> None:
    publisher.keys = [OctKey.generate_key(256), ECKey.generate_key("P-384", {"kid": "ec-1"}), EC]
    assert Finder(publisher).finds(EC)


def test_a_recipient_that_hangs_is_given_up(publisher: Publisher) -> None:
    publisher.hangs = True
    assert not Finder(publisher).finds(EC)


def test_of_parallel_signatures_one_asks_and_all_get_what_it_brings(publisher: Publisher) -> None:
    publisher.keys = [EC]
    finder = Finder(publisher)
    assert all(all_at_once(*[lambda: finder.finds(EC)] * 8))
    assert publisher.asked == 1


def test_keys_on_a_network_of_the_banks_own_are_not_asked_for(publisher: Publisher, logged: Logged) -> None:
    publisher.keys = [EC]
    assert not Finder(publisher, opened=()).finds(EC)
    assert publisher.asked == 0
    (entry,) = (entry for entry in logged() if entry["event"] == "recipient_keys_unavailable")
    assert entry["reason"] == "private_address"
