"""Sandbox sign-in: the test customers of one provider, in development only."""

import time

import pytest

from app.domain.registry import DataProvider, SandboxCustomer, SandboxTrouble
from app.sign_in import Cause, Customer, SignInFailed
from app.sign_in.sandbox import SLOW_SECONDS, SandboxSignIn
from tests.support.builders import a_provider

PASSWORD = "maple-syrup"


def customers(prefix: str) -> tuple[SandboxCustomer, ...]:
    return tuple(
        SandboxCustomer(
            user_name=name, password=password, subject=f"{prefix}-{name}", display_name=name.title()
        )
        for name, password in (("alex", PASSWORD), ("zoë", "mot de passe é"))
    )


MAPLE = a_provider(sandbox_customers=customers("maple"))
NORTHERN = a_provider(provider_id="2000", sandbox_customers=customers("northern"))


@pytest.fixture
def sandbox() -> SandboxSignIn:
    return SandboxSignIn(is_development=True)


@pytest.mark.parametrize(
    ("provider", "subject"), [(MAPLE, "maple-alex"), (NORTHERN, "northern-alex")], ids=["maple", "northern"]
)
def test_the_same_name_is_another_customer_at_another_bank(
    sandbox: SandboxSignIn, provider: DataProvider, subject: str
) -> None:
    found = sandbox.find_customer(provider, "alex", PASSWORD)
    assert found == Customer(provider.provider_id, "", subject, "Alex")


def test_names_and_passwords_may_have_accents(sandbox: SandboxSignIn) -> None:
    assert sandbox.find_customer(MAPLE, "zoë", "mot de passe é") == Customer("1000", "", "maple-zoë", "Zoë")


@pytest.mark.parametrize(
    ("user_name", "password"),
    [
        ("alex", "wrong"),
        ("alex", ""),
        ("alex", PASSWORD + " "),
        ("alex", PASSWORD.upper()),
        ("alex", "mot de passe é"),
        ("Alex", PASSWORD),
        ("", PASSWORD),
        ("nobody", PASSWORD),
        # Whatever an unknown name is compared with is nobody's password.
        ("nobody", ""),
        ("nobody", "\x00"),
        ("alex", "\udcff"),
        ("\udcff", "\udcff"),
        ("zoë", "mot de passe ?"),
    ],
)
def test_anything_but_the_right_name_and_password_is_nobody(
    sandbox: SandboxSignIn, user_name: str, password: str
) -> None:
    assert sandbox.find_customer(MAPLE, user_name, password) is None


def troubled(trouble: SandboxTrouble) -> DataProvider:
    customer = SandboxCustomer(
        user_name="alex", password=PASSWORD, subject="a", display_name="Alex", trouble=trouble
    )
    return a_provider(sandbox_customers=(customer,))


def test_who_is_turned_away_is_turned_away_with_the_right_password_only(sandbox: SandboxSignIn) -> None:
    provider = troubled(SandboxTrouble.DENIED)
    assert sandbox.find_customer(provider, "alex", "wrong") is None
    with pytest.raises(SignInFailed) as raised:
        sandbox.find_customer(provider, "alex", PASSWORD)
    assert raised.value.cause is Cause.REFUSED


def test_who_is_slow_is_signed_in_after_a_while(sandbox: SandboxSignIn) -> None:
    begun = time.monotonic()
    assert sandbox.find_customer(troubled(SandboxTrouble.SLOW), "alex", PASSWORD) is not None
    assert time.monotonic() - begun >= SLOW_SECONDS


def test_a_bank_without_test_customers_has_nobody(sandbox: SandboxSignIn) -> None:
    assert sandbox.find_customer(a_provider(), "alex", PASSWORD) is None


def test_the_sandbox_refuses_to_load_in_production() -> None:
    with pytest.raises(RuntimeError, match="production"):
        SandboxSignIn(is_development=False)
