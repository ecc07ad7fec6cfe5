"""Who a client is, by a JWT that it has signed: one row for each rule of Security Profile 5.3.2.1 and RFC 7523."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.assertion import ClientAssertion, check_assertion, find_asserted_client
from app.domain.jws import JwtRefused, PublicKey
from app.domain.single_use import SingleUse, UsedUp
from app.public_keys import import_public_key
from tests.support.builders import NOON
from tests.support.fapi import FAPI, ISSUER, a_key, assertion_claims, base64url, fresh_jti, public, signed

KEY = a_key()
SECONDS = int(NOON.timestamp())


def check(assertion: str, *, client_id: str | None = None) -> SingleUse:
    def find_key(client_id: str, kid: str | None, algorithm: str) -> PublicKey:
        assert algorithm == "ES256"
        return import_public_key(public(KEY))

    return check_assertion(ClientAssertion(client_id, assertion), issuer=ISSUER, find_key=find_key, now=NOON)


def reason_for(assertion: str, *, client_id: str | None = None) -> str:
    with pytest.raises(JwtRefused) as refused:
        check(assertion, client_id=client_id)
    return refused.value.reason


def an_assertion(**changes: Any) -> str:
    return signed(assertion_claims(**changes), KEY, kid="key-1")


def test_a_good_assertion_is_one_use_of_its_client_and_jti() -> None:
    use = check(an_assertion(jti="jti-1"))
    assert (use.kind, use.names) == (UsedUp.ASSERTION, (FAPI, "jti-1"))


def test_it_is_remembered_for_longer_than_it_is_accepted() -> None:
    """The time by which clocks may differ is in it: a used assertion must not come to life again."""
    use = check(an_assertion(exp=SECONDS + 300))
    assert use.forget_at == NOON + timedelta(seconds=300 + 10 + 1)
    assert check(an_assertion(exp=SECONDS - 9)).forget_at == NOON + timedelta(seconds=2)


@pytest.mark.parametrize("claim", ["exp", "jti", "aud", "iss", "sub"])
def test_each_of_these_claims_is_needed(claim: str) -> None:
    assert reason_for(an_assertion(**{claim: None})) == ("sub" if claim == "iss" else claim)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_these_are_not(claim: str) -> None:
    assert check(an_assertion(**{claim: None})).names[0] == FAPI


@pytest.mark.parametrize(
    "audience",
    [
        [ISSUER],
        [ISSUER, "https://other.example"],
        [],
        "",
        f"{ISSUER}/",
        f"{ISSUER}/api/v1/token",
        f"{ISSUER}/api/v1/par",
        ISSUER.upper(),
        "https://other.example",
        {ISSUER: 1},
        7,
    ],
)
def test_the_audience_is_our_issuer_as_a_text_and_nothing_else(audience: Any) -> None:
    assert reason_for(an_assertion(aud=audience)) == "aud"


@pytest.mark.parametrize(
    ("seconds", "is_accepted"),
    [
        (-300, False),
        (-10, False),
        (-9, True),
        (0, True),
        (60, True),
        (300, True),
        (301, False),
        (3600, False),
    ],
)
def test_it_ends_within_five_minutes(seconds: int, is_accepted: bool) -> None:
    assertion = an_assertion(exp=SECONDS + seconds)
    if is_accepted:
        assert check(assertion).names[0] == FAPI
    else:
        assert reason_for(assertion) == "exp"


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(
    ("seconds", "is_accepted"),
    [
        (-61, True),
        (-60, True),
        (0, True),
        (8, True),
        (10, True),
        (30, True),
        (31, False),
        (61, False),
        (62, False),
    ],
)
def test_a_clock_that_is_a_little_ahead_does_not_matter(claim: str, seconds: int, is_accepted: bool) -> None:
    assertion = an_assertion(**{claim: SECONDS + seconds})
    if is_accepted:
        assert check(assertion).names[0] == FAPI
    else:
        assert reason_for(assertion) == claim


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [True, str(SECONDS), [SECONDS]])
def test_moments_are_numbers(claim: str, value: Any) -> None:
    assert reason_for(an_assertion(**{claim: value})) == claim


def test_iss_sub_and_client_id_name_one_client() -> None:
    assert check(an_assertion(), client_id=FAPI).names[0] == FAPI
    assert reason_for(an_assertion(), client_id="dc-budget") == "client_id"
    assert reason_for(an_assertion(sub="dc-budget")) == "sub"
    assert reason_for(an_assertion(iss="", sub="")) == "sub"
    assert reason_for(an_assertion(iss=[FAPI], sub=[FAPI])) == "sub"


def test_a_signature_by_another_key_is_refused_whatever_the_header_brings() -> None:
    other = a_key()
    claims = assertion_claims()
    assert reason_for(signed(claims, other, kid="key-1")) == "signature"
    assert reason_for(signed(claims, other, kid="key-1", jwk=public(other))) == "signature"
    assert reason_for(signed(claims, other, jku="https://evil.example/jwks")) == "signature"
    assert reason_for(signed(claims, KEY, kid=7)) == "kid"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256"])
def test_an_algorithm_that_is_not_allowed_never_reaches_a_key(algorithm: str) -> None:
    _, claims, signature = an_assertion().split(".")
    header = base64url(f'{{"alg":"{algorithm}","kid":"key-1"}}'.encode())
    assert reason_for(f"{header}.{claims}.{signature}") == "alg"


@given(
    st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=9)
        | st.lists(st.text(max_size=3)),
        min_size=1,
    )
)
def test_claims_of_any_kind_are_refused_or_good_and_never_an_accident(claims: dict[str, Any]) -> None:
    try:
        use = check(signed({**assertion_claims(jti=fresh_jti()), **claims}, KEY, kid="key-1"))
    except JwtRefused:
        return
    assert use.names[0] == claims.get("iss", FAPI)
    assert NOON < use.forget_at <= NOON + timedelta(seconds=311)


def test_who_it_says_it_is_of_is_known_before_it_is_believed() -> None:
    assert find_asserted_client(an_assertion(exp=0)) == FAPI
    assert find_asserted_client("junk") is None
