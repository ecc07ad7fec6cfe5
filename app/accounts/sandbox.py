"""The accounts of the test customers in the registration file. Development only."""

from app.domain.accounts import Account
from app.domain.registry import DataProvider
from app.sign_in import Customer


def sandbox_accounts(provider: DataProvider, customer: Customer) -> tuple[Account, ...]:
    """The accounts of this test customer; none of one who is not registered any more."""
    return next(
        (known.accounts for known in provider.sandbox_customers if known.subject == customer.subject), ()
    )
