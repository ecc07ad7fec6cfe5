"""Which answers of a bank are believed. Whole sign-ins, and everything that goes wrong, are in tests/web/test_oidc_sign_in.py."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.domain.language import Language
from app.domain.registry import DataProvider, OidcRegistration
from app.outgoing.bulkhead import Bulkhead
from app.sign_in import Cause, Customer, SignInFailed
from app.sign_in.oidc import OidcSignIn, check_answer
from app.sign_in.server import ServerMetadata
from tests.support.builders import a_provider
from tests.support.oidc_server import CLIENT_ID, CLIENT_SECRET, TOKEN, OidcServer, hang

CALLBACK = "https://consent.example/sign-in/callback"


def metadata(*, names_itself: bool) -> ServerMetadata:
    return ServerMetadata(
        issuer="https://bank.example",
        authorization_endpoint="https://bank.example/authorize",
        token_endpoint="https://bank.example/token",
        jwks_uri="https://bank.example/keys",
        takes_basic=True,
        names_itself=names_itself,
    )


@pytest.mark.parametrize(
    ("answer", "names_itself"),
    [
        ({"code": "c"}, False),
        ({"code": "c", "iss": "https://bank.example"}, False),
        ({"code": "c", "iss": "https://bank.example"}, True),
    ],
)
def test_a_code_is_taken_from_the_bank_that_was_asked(answer: dict[str, str], names_itself: bool) -> None:
    assert check_answer(answer, metadata(names_itself=names_itself)) == "c"


@pytest.mark.parametrize(
    ("answer", "names_itself", "cause", "detail"),
    [
        ({"code": "c"}, True, Cause.UNPROVEN, "answer_of_another"),
        ({"code": "c", "iss": "https://other.example"}, False, Cause.UNPROVEN, "answer_of_another"),
        (
            {"error": "access_denied", "iss": "https://other.example"},
            False,
            Cause.UNPROVEN,
            "answer_of_another",
        ),
        ({}, False, Cause.UNPROVEN, "no_code"),
        ({"error": "access_denied"}, False, Cause.REFUSED, "access_denied"),
        ({"error": "login_required", "code": "c"}, False, Cause.REFUSED, "login_required"),
        ({"error": "server_error"}, False, Cause.UNAVAILABLE, "server_error"),
        ({"error": "<script>"}, False, Cause.UNAVAILABLE, "unknown_error"),
        ({"error": ""}, False, Cause.UNAVAILABLE, "unknown_error"),
    ],
)
def test_any_other_answer_signs_nobody_in(
    answer: dict[str, str], names_itself: bool, cause: Cause, detail: str
) -> None:
    with pytest.raises(SignInFailed) as raised:
        check_answer(answer, metadata(names_itself=names_itself))
    assert (raised.value.cause, raised.value.detail) == (cause, detail)


@pytest.fixture
def bank() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running


def a_bank(server: OidcServer, **changes: Any) -> DataProvider:
    registration = OidcRegistration(
        issuer=server.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, scopes=("openid",)
    )
    return a_provider(oidc=registration, **changes)


def signing_in(*providers: DataProvider, timeout: timedelta = timedelta(seconds=5)) -> OidcSignIn:
    return OidcSignIn(
        providers,
        callback=CALLBACK,
        bulkheads={each.provider_id: Bulkhead(slots=2, timeout=timeout) for each in providers},
        ask_for_accounts=lambda *_: None,
        clock=lambda: datetime.now(UTC),
    )


def come_back(sign_in: OidcSignIn, provider: DataProvider, bank: OidcServer) -> Customer:
    departure = sign_in.begin(
        provider, browser_id="b", request_id=None, language=Language.EN, must_ask_again=False
    )
    answer = parse_qs(urlsplit(bank.sign_in(departure.url)).query)
    brought = {name: values[0] for name, values in answer.items()}
    return sign_in.finish(provider, departure.pending, brought).customer


def test_who_comes_back_is_named_with_the_bank_and_its_issuer(bank: OidcServer) -> None:
    provider = a_bank(bank)
    assert come_back(signing_in(provider), provider, bank) == Customer(
        provider.provider_id, bank.issuer, "alex", "Alex Tremblay"
    )


def test_each_bank_has_an_address_of_its_own_to_come_back_to(bank: OidcServer) -> None:
    one, other = a_bank(bank, provider_id="1000"), a_bank(bank, provider_id="2000")
    sign_in = signing_in(one, other)
    for provider in (one, other):
        departure = sign_in.begin(
            provider, browser_id="b", request_id=None, language=Language.EN, must_ask_again=False
        )
        (address,) = parse_qs(urlsplit(departure.url).query)["redirect_uri"]
        assert address == f"{CALLBACK}/{provider.provider_id}"


def test_a_bank_that_hangs_is_waited_for_as_long_as_was_said(bank: OidcServer) -> None:
    bank.tricks[TOKEN] = hang
    provider = a_bank(bank)
    with pytest.raises(SignInFailed) as raised:
        come_back(signing_in(provider, timeout=timedelta(milliseconds=400)), provider, bank)
    assert (raised.value.cause, raised.value.detail) == (Cause.UNAVAILABLE, "timeout")
