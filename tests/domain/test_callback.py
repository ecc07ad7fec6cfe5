"""The address that carries an answer back: state byte for byte, iss always, nothing else disturbed."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.callback import (
    denied_uri,
    display_host,
    error_uri,
    has_private_scheme,
    origin_of,
    success_uri,
)
from app.domain.errors import ErrorCode, ReturnAddress
from tests.support.builders import CALLBACK

ISSUER = "https://consent.bank.example"
ISS = "iss=https%3A%2F%2Fconsent.bank.example"
CODE = "cmVxdWVzdA.c2lnbmF0dXJl_-"


def to(redirect_uri: str, state: str | None = "s") -> ReturnAddress:
    return ReturnAddress(redirect_uri, state)


@pytest.mark.parametrize(
    ("state", "escaped"),
    [
        ("af0ifjsldkj", "af0ifjsldkj"),
        ("a+b", "a%2Bb"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("%2B", "%252B"),
        ("a&code=stolen", "a%26code%3Dstolen"),
        ("a#b", "a%23b"),
        ('"<script>', "%22%3Cscript%3E"),
        ("'", "%27"),
        ("a/b?c", "a%2Fb%3Fc"),
        ("é", "%C3%A9"),
        ("汉", "%E6%B1%89"),
        ("🍁", "%F0%9F%8D%81"),
        ("\r\nSet-Cookie: x", "%0D%0ASet-Cookie%3A%20x"),
        ("\x85\u2028", "%C2%85%E2%80%A8"),
        ("s" * 2000, "s" * 2000),
    ],
)
def test_state_comes_back_byte_for_byte_percent_encoded(state: str, escaped: str) -> None:
    uri = success_uri(to(CALLBACK, state), code=CODE, issuer=ISSUER)
    assert uri == f"{CALLBACK}?code={CODE}&state={escaped}&{ISS}"


REGISTERED = [
    CALLBACK,
    "https://loans.example",
    "https://loans.example/callback?tenant=a",
    "https://loans.example/callback?tenant=a&",
    "https://loans.example/callback?",
    "com.loans.app:/callback",
]


@given(
    st.sampled_from(REGISTERED),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=2048),
)
def test_any_state_survives_the_way_back_and_never_leaves_its_place(redirect_uri: str, state: str) -> None:
    uri = success_uri(to(redirect_uri, state), code=CODE, issuer=ISSUER)
    assert uri.isascii()
    assert uri.isprintable()
    assert uri.startswith(redirect_uri)
    added = parse_qsl(
        uri.removeprefix(redirect_uri).lstrip("?&"),
        keep_blank_values=True,
        strict_parsing=True,
        separator="&",
    )
    assert added == [("code", CODE), ("state", state), ("iss", ISSUER)]


@pytest.mark.parametrize(
    ("redirect_uri", "expected"),
    [
        ("https://loans.example/callback", "https://loans.example/callback?code=c&state=s&"),
        ("https://loans.example", "https://loans.example?code=c&state=s&"),
        (
            "https://loans.example/callback?tenant=a",
            "https://loans.example/callback?tenant=a&code=c&state=s&",
        ),
        (
            "https://loans.example/callback?tenant=a&",
            "https://loans.example/callback?tenant=a&code=c&state=s&",
        ),
        ("https://loans.example/callback?", "https://loans.example/callback?code=c&state=s&"),
        ("https://loans.example/callback?a=%2F+b", "https://loans.example/callback?a=%2F+b&code=c&state=s&"),
        ("com.loans.app:/callback", "com.loans.app:/callback?code=c&state=s&"),
        ("com.loans.app:/callback?x=y", "com.loans.app:/callback?x=y&code=c&state=s&"),
    ],
)
def test_the_answer_is_added_to_whatever_query_is_registered(redirect_uri: str, expected: str) -> None:
    assert success_uri(to(redirect_uri), code="c", issuer=ISSUER) == expected + ISS


def test_an_error_carries_its_description_state_and_iss() -> None:
    uri = error_uri(
        to(CALLBACK), error=ErrorCode.INVALID_SCOPE, description="scope is missing", issuer=ISSUER
    )
    assert uri == f"{CALLBACK}?error=invalid_scope&error_description=scope%20is%20missing&state=s&{ISS}"


def test_an_error_without_a_state_to_give_back_has_none() -> None:
    uri = error_uri(to(CALLBACK, None), error=ErrorCode.INVALID_REQUEST, description="x", issuer=ISSUER)
    assert uri == f"{CALLBACK}?error=invalid_request&error_description=x&{ISS}"


def test_a_denial_says_what_the_specification_says() -> None:
    query = dict(parse_qsl(urlsplit(denied_uri(to(CALLBACK), issuer=ISSUER)).query))
    assert query == {
        "error": "access_denied",
        "error_description": "The user denied the access",
        "state": "s",
        "iss": ISSUER,
    }


@pytest.mark.parametrize(
    ("uri", "is_private", "host"),
    [
        ("https://loans.example/callback", False, "loans.example"),
        ("https://loans.example:8443/callback?x=y", False, "loans.example:8443"),
        ("http://localhost:8001/callback", False, "localhost:8001"),
        ("http://[::1]:8001/callback", False, "[::1]"),
        ("http://127.0.0.1:8001/callback", False, "127.0.0.1"),
        ("http://127.0.0.1/callback", False, "127.0.0.1"),
        ("com.loans.app:/callback", True, "com.loans.app"),
        ("com.loans.app://callback", True, "callback"),
    ],
)
def test_a_customer_sees_the_host_or_the_apps_own_scheme(uri: str, is_private: bool, host: str) -> None:
    assert has_private_scheme(uri) is is_private
    assert display_host(uri) == host


def test_the_origin_of_a_loopback_callback_is_named_exactly() -> None:
    assert origin_of("http://localhost:8001/callback?x=y") == "http://localhost:8001"
    assert origin_of("http://[::1]:8001/callback") == "http://[::1]:8001"
