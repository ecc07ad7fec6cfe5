"""Commands where the stores are configured, and a consent for them to be about."""

import pytest
from click.testing import CliRunner, Result

from app.development.embedded import EmbeddedValkey
from tests.commands.consents import GROUPS, Operate
from tests.support.customer import BrowserCustomer


@pytest.fixture
def operate(ledger_url: str, valkey: EmbeddedValkey) -> Operate:
    """Runs a command where the stores are configured."""
    variables = {"ACCORD_LEDGER_URL": ledger_url, "ACCORD_REDIS_URL": valkey.url}

    def run(group: str, *arguments: str) -> Result:
        return CliRunner().invoke(GROUPS[group], arguments, env=variables)

    return run


@pytest.fixture
def tokens(customer: BrowserCustomer) -> dict[str, str]:
    """What the recipient of an approved consent holds."""
    answer: dict[str, str] = customer.redeem(customer.approve("TRANSACTIONS")).get_json()
    return answer
