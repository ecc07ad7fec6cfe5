"""Signing keys: ES256 and nothing else, and a file without any is refused."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from app.stores.signing_keys import CLOCKS_DIFFER, LONGEST_TOKEN_LIFE, SigningKeys
from tests.support.applications import Logged

CLAIMS = {
    "iss": "https://consent.bank.example",
    "sub": "maple-0001",
    "iat": 1_900_000_000,
    "exp": 2_000_000_000,
}

WriteKeys = Callable[..., Path]


@pytest.fixture
def write_keys(tmp_path: Path) -> WriteKeys:
    """Writes a JWK Set with these members."""

    def write(*keys: Any) -> Path:
        path = tmp_path / "keys.json"
        path.write_text(json.dumps({"keys": keys}))
        return path

    return write


def a_key(kid: str | None = "one", curve: str = "P-256") -> dict[str, Any]:
    return dict(ECKey.generate_key(curve, parameters={"kid": kid} if kid else None).as_dict(private=True))


def public(keys: SigningKeys) -> KeySet:
    """The keys as a resource server gets them."""
    return KeySet.import_key_set(json.loads(json.dumps(keys.public)))


# Signing and publishing


def test_a_token_is_an_es256_access_token_that_names_its_key(write_keys: WriteKeys) -> None:
    keys = SigningKeys(write_keys(a_key("one")))
    decoded = jwt.decode(keys.sign(CLAIMS), public(keys), algorithms=["ES256"])
    assert decoded.header == {"alg": "ES256", "typ": "at+jwt", "kid": "one"}
    assert decoded.claims == CLAIMS


def test_a_security_event_names_its_key_and_its_type_and_is_no_access_token(write_keys: WriteKeys) -> None:
    """Whatever it claims; and a receiver of events tells an access token by its type (RFC 8417 4.5, 4.7)."""
    keys = SigningKeys(write_keys(a_key("one")))
    event = keys.sign_event(CLAIMS)
    decoded = jwt.decode(event, public(keys), algorithms=["ES256"])
    assert decoded.header == {"alg": "ES256", "typ": "secevent+jwt", "kid": "one"}
    assert decoded.claims == CLAIMS
    assert keys.verify(event) is None
    assert keys.verify(keys.sign(CLAIMS)) == CLAIMS


def test_the_first_key_signs_and_all_are_published(write_keys: WriteKeys) -> None:
    new, retired = a_key("new"), a_key("retired")
    before = SigningKeys(write_keys(retired)).sign(CLAIMS)
    keys = SigningKeys(write_keys(new, retired))
    assert [key["kid"] for key in keys.public["keys"]] == ["new", "retired"]
    for token in (before, keys.sign(CLAIMS)):
        assert jwt.decode(token, public(keys), algorithms=["ES256"]).claims == CLAIMS
        assert keys.verify(token) == CLAIMS
    assert jwt.decode(keys.sign(CLAIMS), public(keys), algorithms=["ES256"]).header["kid"] == "new"


def test_nothing_private_is_published(write_keys: WriteKeys) -> None:
    keys = SigningKeys(write_keys(a_key("one"), a_key("two")))
    for key in keys.public["keys"]:
        assert {"kty", "crv", "x", "y", "kid"} <= key.keys()
        assert "d" not in key


# Verifying


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ("alg", "kid", "typ", "crit", "b64", "jwk", "x5c", "zip", "enc", "cty")


@given(
    st.dictionaries(st.sampled_from(MEMBERS), ANYTHING | st.sampled_from(["ES256", "one", "at+jwt"])),
    ANYTHING,
    st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@example({"crit": 5}, {}, True)
@example({"crit": None}, {}, True)
@example({"crit": [[]]}, {}, True)
@example({"b64": False, "crit": ["b64"]}, {}, True)
def test_whatever_a_header_contains_it_is_no_error(
    write_keys: WriteKeys, header: dict[str, Any], payload: Any, is_near: bool
) -> None:
    keys = SigningKeys(write_keys(a_key("one")))
    if is_near:
        header = {"alg": "ES256", "kid": "one", "typ": "at+jwt", **header}
    assert keys.verify(f"{encoded(header)}.{encoded(payload)}.AAAA") is None


def signed(key: ECKey | OctKey | RSAKey, claims: dict[str, Any] | None = None, /, **header: str) -> str:
    values = {"alg": "ES256", "typ": "at+jwt", "kid": "one", **header}
    return jwt.encode(values, claims or CLAIMS, key, algorithms=["ES256", "HS256", "RS256"])


def unsigned() -> str:
    good = signed(ECKey.import_key(a_key()))
    return "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + good.split(".")[1] + "."


def test_only_an_access_token_that_was_signed_here_is_one(write_keys: WriteKeys) -> None:
    made = a_key("one")
    key, keys = ECKey.import_key(made), SigningKeys(write_keys(made))
    good = signed(key)
    assert keys.verify(good) == CLAIMS
    header, payload, signature = good.split(".")
    shared = OctKey.import_key(json.dumps(keys.public["keys"][0]), {"kid": "one"})
    refused = [
        signed(key, typ="JWT"),
        signed(key, kid="two"),
        signed(ECKey.import_key(a_key("one"))),
        signed(shared, alg="HS256"),  # the public key taken for a shared secret
        signed(RSAKey.generate_key(2048, {"kid": "one"}), alg="RS256"),
        unsigned(),
        jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": "one"}, {"sub": "x"}, key),  # never expires
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.e30.{signature}",
        "",
        "..",
        "a.b.c",
        "e30.e30.e30",
        "é.é.é",
        "\udcff",
        "[" * 10_000,
    ]
    assert [token for token in refused if keys.verify(token) is not None] == []


# Files that hold no keys


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"precious",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        b'{"keys": null}',
        b'{"keys": {}}',
        b'{"keys": "abc"}',
        b'{"keys": []}',
        b'{"keys": [null]}',
        b'{"keys": [5]}',
        b'{"keys": ["abc"]}',
        b'{"keys": [{}]}',
        b'{"keys": [{"kty": "EC"}]}',
        b"[" * 100_000,
    ],
)
def test_a_file_without_keys_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"keys\.json (is not a JWK Set|has no key)"):
        SigningKeys(path)


@pytest.mark.parametrize(
    "key",
    [
        a_key(curve="P-384"),
        a_key(kid=None),
        ECKey.import_key(a_key()).as_dict(private=False),
        RSAKey.generate_key(2048, {"kid": "one"}).as_dict(private=True),
        OctKey.generate_key(256, {"kid": "one"}).as_dict(private=True),
        {**a_key(), "crv": "P-9"},
        {**a_key(), "x": "AAAA"},
        {**a_key(), "d": 5},
    ],
    ids=["P-384", "no kid", "public", "RSA", "shared", "unknown curve", "off the curve", "no number"],
)
def test_a_key_of_another_kind_is_refused_beside_a_good_one_too(
    write_keys: WriteKeys, key: dict[str, Any]
) -> None:
    for file in (write_keys(key), write_keys(a_key("first"), key)):
        with pytest.raises(ValueError, match=r"keys\.json (is not a JWK Set|must hold private P-256 keys)"):
            SigningKeys(file)


def test_a_refusal_says_nothing_of_the_key(write_keys: WriteKeys) -> None:
    key = a_key(curve="P-384")
    with pytest.raises(ValueError, match="must hold") as raised:
        SigningKeys(write_keys(key))
    assert key["d"] not in str(raised.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file or directory"):
        SigningKeys(tmp_path / "missing.json")


# Keys that are retired


RETIRED = datetime(2030, 1, 1, 12, tzinfo=UTC)


def token_of(key: dict[str, Any], *, issued: timedelta, life: timedelta) -> str:
    """A token by `key`, issued so long after it was retired."""
    issued_at = RETIRED + issued
    claims = {"iat": int(issued_at.timestamp()), "exp": int((issued_at + life).timestamp())}
    return signed(ECKey.import_key(key), claims, kid=key["kid"])


@pytest.mark.parametrize(
    ("issued", "life", "is_accepted"),
    [
        (timedelta(minutes=-1), timedelta(minutes=5), True),
        (timedelta(seconds=20), timedelta(minutes=5), True),  # another machine's clock
        (timedelta(minutes=-1), timedelta(hours=1), True),
        (timedelta(minutes=1), timedelta(minutes=5), False),
        (timedelta(minutes=30), timedelta(minutes=5), False),
        (timedelta(minutes=-1), timedelta(hours=2), False),  # longer than any token of ours lives
    ],
)
def test_a_retired_key_has_signed_nothing_since_and_nothing_that_lives_long(
    write_keys: WriteKeys, issued: timedelta, life: timedelta, is_accepted: bool
) -> None:
    new, retired = a_key("new"), a_key("retired")
    keys = SigningKeys(write_keys(new, {**retired, "retired_at": RETIRED.isoformat()}))
    token = token_of(retired, issued=issued, life=life)
    assert (keys.verify(token) is not None) is is_accepted
    assert keys.verify(token_of(new, issued=issued, life=life)) is not None


def test_a_retired_key_is_published_until_its_last_token_is_dead_and_no_longer(write_keys: WriteKeys) -> None:
    new, retired = a_key("new"), a_key("retired")
    keys = SigningKeys(write_keys(new, {**retired, "retired_at": RETIRED.isoformat()}))
    last_end = RETIRED + CLOCKS_DIFFER + LONGEST_TOKEN_LIFE
    assert [key["kid"] for key in keys.published_at(last_end)["keys"]] == ["new", "retired"]
    published = keys.published_at(last_end + timedelta(seconds=1))
    assert [key["kid"] for key in published["keys"]] == ["new"]
    assert "d" not in published["keys"][0]


# A file that changes


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_file_that_cannot_be_read_is_said_once_until_it_changes(
    write_keys: WriteKeys, logged: Logged, is_gone: bool
) -> None:
    path = write_keys(a_key("one"))
    keys = SigningKeys(path)
    for text in ("no JSON", "no JSON either"):
        if is_gone:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
        for _ in range(3):
            assert keys.verify(keys.sign(CLAIMS)) == CLAIMS
    said = [entry["event"] for entry in logged()]
    assert said == ["signing_keys_unreadable"] * (1 if is_gone else 2)
    write_keys(a_key("two"))
    assert [key["kid"] for key in keys.public["keys"]] == ["two"]
