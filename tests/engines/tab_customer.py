"""A customer at one tab of an engine, and what their recipient was told."""

from dataclasses import dataclass

import requests

from tests.engines.recipient import Callback, Recipient
from tests.engines.tab import Tab
from tests.support.builders import a_query
from tests.support.customer import carried_params
from tests.support.running_accord import RunningAccord, redeem_at

APPROVE = "button[name=decision][value=approve]"
CHANGE = "button[name=go][value=change]"
DENY = "button[name=decision][value=deny]"


@dataclass(frozen=True, slots=True)
class TabCustomer:
    tab: Tab
    accord: RunningAccord
    recipient: Recipient
    callback: Callback

    def ask(self, **changes: str | None) -> None:
        """Follows a link of the recipient's."""
        query = a_query(redirect_uri=self.callback.redirect_uri, **changes)
        self.tab.open(f"{self.accord.issuer}/api/v1/authorize?{query}")

    def open_form(self) -> None:
        """Signs in, and checks the one box of the form."""
        self.ask()
        self.tab.fill("#user_name", "alex")
        self.tab.fill("#password", "maple-syrup")
        self.tab.click("main form button")
        self.tab.arrive_at(f"{self.accord.issuer}/consent/")
        self.tab.text("#answer button")
        if self.tab.find_text(CHANGE) is not None:  # alex has shared the same before
            self.tab.click(CHANGE)
            self.tab.text("label[for=account-0]")
        if self.tab.find_text("label[for=account-0]") is not None:
            self.tab.click("#account-0")
            self.tab.click("#answer button[value=next]")
        self.tab.text("label[for=scope-TRANSACTIONS]")
        self.tab.click("#scope-TRANSACTIONS")

    def approve(self) -> None:
        self.tab.click(APPROVE)

    def approve_with_a_double_click(self) -> None:
        self.tab.double_click(APPROVE)

    def deny(self) -> None:
        self.tab.click(DENY)

    def wait_for_the_recipient(self) -> None:
        self.tab.arrive_at(self.callback.landing)
        self.tab.wait_for_text("h1", "At the recipient")

    @property
    def answers(self) -> list[dict[str, str]]:
        """What came to the callback, in its order."""
        return [carried_params(address, self.callback.redirect_uri) for address in self.recipient.received]

    def redeem(self, code: str) -> requests.Response:
        return redeem_at(self.accord, code, redirect_uri=self.callback.redirect_uri)
