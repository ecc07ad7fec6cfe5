"""Sign-in for the test customers of the registration file. Development only."""

import hmac
import time
from datetime import timedelta

from app.domain.registry import DataProvider, SandboxTrouble
from app.sign_in import Cause, Customer, SignInFailed

SLOW_SECONDS = 5  # longer than a customer expects, and shorter than a proxy waits
BRIEF_CONSENT = timedelta(minutes=1)  # short enough to watch a consent expire
_NOBODY = "\x00"


class SandboxSignIn:
    """Knows the test customers' passwords. Raises RuntimeError when made outside development."""

    def __init__(self, *, is_development: bool) -> None:
        if not is_development:
            raise RuntimeError("sandbox sign-in does not work in production")

    def find_customer(self, provider: DataProvider, user_name: str, password: str) -> Customer | None:
        """The customer whose user name and password these are; an unknown name takes the same time.

        Raises SignInFailed for one whom the bank turns away, and takes its time for one who is to be slow.
        """
        known = {customer.user_name: customer for customer in provider.sandbox_customers}
        customer = known.get(user_name)
        expected = _NOBODY if customer is None else customer.password
        is_right = hmac.compare_digest(password.encode("utf-8", "replace"), expected.encode())
        if customer is None or not is_right:
            return None
        if customer.trouble is SandboxTrouble.DENIED:
            raise SignInFailed(Cause.REFUSED, "sandbox")
        if customer.trouble is SandboxTrouble.SLOW:
            time.sleep(SLOW_SECONDS)
        return Customer(provider.provider_id, provider.issuer, customer.subject, customer.display_name)

    def consent_lifetime_of(self, provider: DataProvider, customer: Customer) -> timedelta | None:
        """How long a consent of this customer lasts, where it is not as long as anybody's."""
        for known in provider.sandbox_customers:
            if known.subject == customer.subject and known.trouble is SandboxTrouble.BRIEF:
                return BRIEF_CONSENT
        return None
