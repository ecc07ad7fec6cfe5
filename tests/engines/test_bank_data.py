"""From the start page of the demo to what the bank tells the recipient, in every engine and both languages."""

from collections.abc import Iterator

import pytest

from app.domain.language import Language
from tests.engines.tab import Engine
from tests.engines.tab_customer import APPROVE
from tests.support.running_demo import RunningDemo

# Who has several accounts. Each shares once, so that nothing is there to be kept.
CUSTOMERS = {Language.EN: "morgan", Language.FR: "avery"}


@pytest.fixture(scope="package")
def demo(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One for each engine."""
    del engine
    with RunningDemo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.mark.parametrize("lang", Language)
def test_a_newcomer_connects_a_bank_chooses_accounts_and_sees_the_month(
    engine: Engine, demo: RunningDemo, lang: Language
) -> None:
    with engine.new_tab(javascript=True) as tab:
        tab.open(f"{demo.issuer}/?lang={lang}")
        tab.text("#start")
        tab.click("#start")
        tab.text("#connect-button")
        tab.click("#connect-button")
        tab.arrive_at(f"{demo.issuer}/sign-in/")
        tab.fill("#user_name", CUSTOMERS[lang])
        tab.fill("#password", "maple-syrup")
        tab.click("main form button")
        tab.text("label[for=account-1]")
        tab.click("#account-0")
        tab.click("#account-1")
        tab.click("#answer button[value=next]")
        tab.text("label[for=scope-TRANSACTIONS]")
        tab.click("#scope-ACCOUNT_DETAILED")
        tab.click("#scope-TRANSACTIONS")
        tab.click(APPROVE)
        tab.arrive_at(f"{demo.recipient}/connection")
        accounts = tab.text("#accounts")
        assert "Everyday chequing" in accounts
        assert "$" in accounts
        assert tab.text("#month-title")
        assert tab.find_text("#no-transactions") is None
