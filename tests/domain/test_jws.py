"""A JWT is taken apart strictly, and what its numbers say is a number."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.jws import (
    LONGEST_JTI,
    LONGEST_JWT,
    JwtRefused,
    check_not_early,
    jti_of,
    parse_jwt,
    seconds_in,
)
from tests.support.builders import NOON
from tests.support.fapi import base64url


def a_jwt(claims: str = "{}", header: str = '{"alg":"ES256"}', signature: str = "c2ln") -> str:
    return f"{base64url(header.encode())}.{base64url(claims.encode())}.{signature}"


def reason_for(text: str) -> str:
    with pytest.raises(JwtRefused) as refused:
        parse_jwt(text)
    return refused.value.reason


def test_the_parts_of_a_jwt_are_what_was_sent() -> None:
    jwt = parse_jwt(a_jwt('{"iss":"dc-fapi"}', '{"alg":"PS256","kid":"1","more":[]}'))
    assert (jwt.algorithm, jwt.header["kid"], dict(jwt.claims)) == ("PS256", "1", {"iss": "dc-fapi"})
    assert jwt.signature == b"sig"
    assert jwt.signed.decode() == a_jwt('{"iss":"dc-fapi"}', '{"alg":"PS256","kid":"1","more":[]}')[:-5]


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA", "Ed25519"])
def test_these_algorithms_are_taken(algorithm: str) -> None:
    assert parse_jwt(a_jwt(header=json.dumps({"alg": algorithm}))).algorithm == algorithm


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "RS256", "HS256", "ES384", "PS512", "", "es256", None, 1, ["ES256"], {}]
)
def test_no_other_algorithm_is(algorithm: Any) -> None:
    assert reason_for(a_jwt(header=json.dumps({"alg": algorithm}))) == "alg"


def test_an_extension_that_must_be_understood_is_not() -> None:
    assert reason_for(a_jwt(header='{"alg":"ES256","crit":["b64"],"b64":false}')) == "crit"
    assert reason_for(a_jwt(header='{"alg":"ES256","crit":[]}')) == "crit"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        "..",
        a_jwt(signature=""),
        a_jwt(signature="c2ln="),
        a_jwt(signature="c2l+"),
        a_jwt() + "\n",
        " " + a_jwt(),
        a_jwt(signature="é"),
        a_jwt("[]"),
        a_jwt('"text"'),
        a_jwt("{"),
        a_jwt('{"exp":NaN}'),
        a_jwt('{"exp":Infinity}'),
        a_jwt('{"iss":"a","iss":"b"}'),
        a_jwt('{"a":{"b":1,"b":2}}'),
        a_jwt(header='{"alg":"none","alg":"ES256"}'),
        a_jwt("[" * 1200),
        a_jwt("9" * 2500),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_no_jwt_is_refused(text: str) -> None:
    assert reason_for(text) == "malformed"


def test_a_jwt_of_any_length_costs_nothing() -> None:
    room = LONGEST_JWT - len(a_jwt(signature=""))
    assert parse_jwt(a_jwt(signature="A" * (room - room % 4))).signature
    assert reason_for(a_jwt(signature="A" * (room + 1))) == "too_long"


@given(st.text(max_size=200))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        parse_jwt(text)
    except JwtRefused:
        pass
    else:
        raise AssertionError("a JWT out of nothing")


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_no_bytes_within_do_either(header: bytes, claims: bytes) -> None:
    with pytest.raises(JwtRefused):
        parse_jwt(f"{base64url(header)}.{base64url(claims)}.AAAA")


@pytest.mark.parametrize(
    "value", ["true", "false", '"1"', "null", "[]", "{}", "1e999", "-1e999", "9" * 400], ids=lambda v: v[:8]
)
def test_a_moment_is_a_finite_number(value: str) -> None:
    with pytest.raises(JwtRefused) as refused:
        seconds_in(parse_jwt(a_jwt(f'{{"exp":{value}}}')), "exp")
    assert refused.value.reason == "exp"


def test_a_moment_may_have_a_fraction_or_be_missing() -> None:
    jwt = parse_jwt(a_jwt('{"exp":1.5,"iat":3}'))
    assert (seconds_in(jwt, "exp"), seconds_in(jwt, "iat"), seconds_in(jwt, "nbf")) == (1.5, 3.0, None)


@pytest.mark.parametrize(
    ("seconds", "is_accepted"),
    [(-61, True), (-60, True), (0, True), (10, True), (30, True), (31, False), (61, False)],
)
def test_a_clock_may_be_ahead_by_ten_seconds_and_not_by_sixty(seconds: int, is_accepted: bool) -> None:
    moment = (NOON + timedelta(seconds=seconds)).timestamp()
    jwt = parse_jwt(a_jwt(f'{{"nbf":{moment}}}'))
    if is_accepted:
        check_not_early(jwt, "nbf", NOON)
    else:
        with pytest.raises(JwtRefused):
            check_not_early(jwt, "nbf", NOON)


@pytest.mark.parametrize("jti", ['""', "1", "null", "true", "[]", f'"{"j" * (LONGEST_JTI + 1)}"'])
def test_an_identifier_is_a_text_of_some_length(jti: str) -> None:
    with pytest.raises(JwtRefused):
        jti_of(parse_jwt(a_jwt(f'{{"jti":{jti}}}')))
    with pytest.raises(JwtRefused):
        jti_of(parse_jwt(a_jwt()))
    assert jti_of(parse_jwt(a_jwt(f'{{"jti":"{"j" * LONGEST_JTI}"}}'))) == "j" * LONGEST_JTI
