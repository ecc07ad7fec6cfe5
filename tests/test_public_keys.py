"""Public keys are of three kinds, of a size that is safe and cheap, and verify only their own algorithm."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from app.domain.jws import Jwt, parse_jwt
from app.public_keys import import_public_key
from tests.support.fapi import a_key, algorithm_of, public, signed

KINDS = ("EC", "RSA", "OKP")
KEYS = {kind: a_key(kind) for kind in KINDS}


def a_jwt(key: Key, **header: Any) -> Jwt:
    return parse_jwt(signed({"iss": "x"}, key, **header))


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_verifies_what_its_private_half_signed(kind: str) -> None:
    key = import_public_key(public(KEYS[kind]))
    assert key.kid == "key-1"
    assert key.thumbprint == KEYS[kind].thumbprint()
    assert key.verifies(a_jwt(KEYS[kind]))
    assert not key.verifies(a_jwt(a_key(kind)))


def test_both_names_of_ed25519_are_one_algorithm() -> None:
    key = import_public_key(public(KEYS["OKP"]))
    assert key.verifies(a_jwt(KEYS["OKP"], alg="EdDSA"))
    assert key.verifies(a_jwt(KEYS["OKP"], alg="Ed25519"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("of", KINDS)
def test_a_key_type_has_one_algorithm(kind: str, of: str) -> None:
    """RFC 8725 3.1: the key decides, and not the JWT."""
    assert import_public_key(public(KEYS[kind])).fits(algorithm_of(KEYS[of])) == (kind == of)
    renamed = a_jwt(KEYS[kind])
    jwt = Jwt({"alg": algorithm_of(KEYS[of])}, renamed.claims, renamed.signed, renamed.signature)
    assert import_public_key(public(KEYS[kind])).verifies(jwt) == (kind == of)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signature", [b"", b"\x00", b"\x00" * 64, b"\xff" * 256, b"x" * 5000])
def test_no_signature_out_of_nothing_is_good(kind: str, signature: bytes) -> None:
    jwt = a_jwt(KEYS[kind])
    assert not import_public_key(public(KEYS[kind])).verifies(
        Jwt(jwt.header, jwt.claims, jwt.signed, signature)
    )


def test_other_members_do_not_matter() -> None:
    key = import_public_key(public(KEYS["EC"], use="sig", alg="ES256", x5u="https://evil.example", more=[{}]))
    assert key == import_public_key(public(KEYS["EC"]))


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        (dict(KEYS["EC"].as_dict(private=True)), "private"),
        (dict(KEYS["RSA"].as_dict(private=True)), "private"),
        (dict(KEYS["OKP"].as_dict(private=True)), "private"),
        (public(KEYS["EC"], k="c2VjcmV0"), "private"),
        (public(KEYS["EC"], oth=[]), "private"),
        ({}, "kty"),
        ({"kty": "oct"}, "kty"),
        ({"kty": ["EC"]}, "kty"),
        (public(OctKey.generate_key(256)), "private"),
        (public(ECKey.generate_key("P-384")), "P-256"),
        (public(ECKey.generate_key("secp256k1")), "P-256"),
        (public(OKPKey.generate_key("X25519")), "Ed25519"),
        (public(OKPKey.generate_key("Ed448")), "Ed25519"),
        (public(KEYS["RSA"], e="Aw"), "exponent"),
        (public(KEYS["RSA"], n="AQAB"), "bits"),
        (public(KEYS["RSA"], n="_" * 1400), "bits"),
        (public(KEYS["RSA"], n="_" * 300_000), "bits"),
        (public(KEYS["EC"], crv=10**400), "base64url"),
        (public(KEYS["EC"], x="\ud800" * 43), "base64url"),
        (public(KEYS["EC"], x="A" * 43), "is no key"),
        (public(KEYS["EC"], x=7), "base64url"),
        (public(KEYS["EC"], y="%" * 43), "base64url"),
        ({"kty": "EC", "crv": "P-256"}, "base64url"),
        ({"kty": "RSA", "e": "AQAB"}, "base64url"),
    ],
)
def test_every_other_key_is_refused(jwk: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        import_public_key(jwk)


def test_an_rsa_key_that_is_too_short_is_refused() -> None:
    with pytest.warns(Warning, match="2048"):
        short = public(RSAKey.generate_key(1024))
    with pytest.raises(ValueError, match="fewer than 2048"):
        import_public_key(short)


def test_a_key_is_told_by_its_name_and_says_no_more() -> None:
    key = import_public_key(public(KEYS["EC"]))
    assert str(key) == f"key-1 ({key.thumbprint[:8]})"
    assert public(KEYS["EC"])["x"] not in repr(key)
