"""The key for a signature is found by client and name, and nobody learns from the time who is registered."""

from typing import Any

import pytest

from app.domain.jws import parse_jwt
from app.domain.registry import Client
from app.public_keys import import_public_key
from app.recipient_keys import RecipientKeys
from tests.support.builders import a_client, a_registry
from tests.support.fapi import FAPI, a_key, algorithm_of, public, signed

EC, SECOND, RSA = a_key(kid="ec-1"), a_key(kid="ec-2"), a_key("RSA", kid="rsa-1")


def a_signing_client(*keys: Any, **changes: Any) -> Client:
    read = tuple(import_public_key(public(key)) for key in keys)
    return a_client(client_id=FAPI, secret_hash=None, keys=read, **changes)


def found(client: Client, kid: str | None, signer: Any, client_id: str = FAPI) -> bool:
    """Whether a key is found that verifies what `signer` signs."""
    keys = RecipientKeys(a_registry(client))
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
