"""Sandbox sign-in: the test customers of one provider, in development only."""

import pytest

from app.domain.registry import DataProvider, SandboxCustomer
from app.signin import Customer
from app.signin.sandbox import SandboxSignIn
from tests.builders import a_provider

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


def test_a_bank_without_test_customers_has_nobody(sandbox: SandboxSignIn) -> None:
    assert sandbox.find_customer(a_provider(), "alex", PASSWORD) is None


def test_the_sandbox_refuses_to_load_in_production() -> None:
    with pytest.raises(RuntimeError, match="production"):
        SandboxSignIn(is_development=False)
