"""Recipients and banks whose names were made to lie or to break, registered and served: the whole way in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from app.development.embedded import EmbeddedValkey
from app.domain.display_text import printable_line
from tests.browser.accessibility import NARROW, WIDE, check_fits
from tests.browser.visit import APPROVE, CONTINUE, DENY, PATIENCE
from tests.support.builders import CHALLENGE, EVERYTHING, a_query
from tests.support.registrations import DEMO_REGISTRY
from tests.support.running_accord import RunningAccord

MARKUP = r"<b>Free</b> money</h1><script>alert(1)</script> \u202elive\u2066 Bud\u200bget"
MARKUP_SEEN = printable_line("<b>Free</b> money</h1><script>alert(1)</script> \u202elive\u2066 Bud\u200bget")
WITHOUT_A_SPACE = "W" * 256
PURPOSE = ("To show all of your accounts in one place and to help you plan ahead. " * 15)[:1000]
APP = "com.budget.app:/callback"
LOANS_APP = "com.loans.app:/callback"


def both(english: str, french: str | None = None) -> str:
    """A text as it is registered; in both languages the same, where only one is given."""
    french = english if french is None else french
    return f'{{ en = "{english}", fr = "{french}" }}'


def edits() -> Iterator[tuple[str, str]]:
    """Everything is needed, for a purpose without end, by somebody who asks for somebody else and has no logo."""
    yield both("Maple Credit Union", "Caisse Érable"), both(WITHOUT_A_SPACE)
    yield both("Northern Bank", "Banque du Nord"), both(MARKUP)
    agent = '{ en = "مؤسسة الميزانية", fr = "מצפן תקציב" }'
    yield both("Budget Compass", "Boussole Budget"), f"{both(MARKUP)}\nagent = {agent}"
    yield both("Prairie Loans", "Prêts des Prairies"), both(WITHOUT_A_SPACE)
    yield '"2000" = "PENDING_ACTIVATION"', '"2000" = "ACTIVE"'
    yield "Alex Tremblay", "Wolfeschlegelstein" * 6
    yield 'logo = "budget.svg"\n', ""
    yield "http://localhost:8001/callback", APP
    yield 'needs = ["ACCOUNT_BASIC"]', f"needs = {sorted(map(str, EVERYTHING))}"
    yield "To show all your accounts in one place and help you plan your spending.", PURPOSE
    yield "Pour montrer tous vos comptes au même endroit et vous aider à planifier vos dépenses.", PURPOSE


ASKS_FOR_ALL = {"redirect_uri": APP, "scope": " ".join(EVERYTHING)}
ASKS_FOR_ONE = {
    "client_id": "dc-loans",
    "redirect_uri": LOANS_APP,
    "scope": "ACCOUNT_BASIC",
    "provider_id": "2000",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture(scope="module")
def accord(
    tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path, signing_keys: Path
) -> Iterator[RunningAccord]:
    """A server on which everybody has such a name."""
    folder = tmp_path_factory.mktemp("hostile-registry")
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    for old, new in edits():
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "registry.toml").write_text(text, encoding="utf-8")
    (folder / "ledger.sqlite3").write_bytes(empty_ledger.read_bytes())
    with (
        EmbeddedValkey(folder) as valkey,
        RunningAccord(
            folder / "accord.log",
            redis_url=valkey.url,
            ledger_url=f"sqlite:///{folder / 'ledger.sqlite3'}",
            signing_keys=signing_keys,
            ACCORD_REGISTRY=str(folder / "registry.toml"),
        ) as running,
    ):
        yield running


class Walk:
    """One tab, and what was said on its way."""

    def __init__(self, accord: RunningAccord, page: Page) -> None:
        self.origin = f"http://localhost:{accord.port}"
        self.page = page
        self.dialogs: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def go(self, address: str) -> None:
        self.page.goto(self.origin + address)

    def press(self, selector: str) -> None:
        with self.page.expect_navigation():
            self.page.locator(selector).first.click()

    def choose_accounts(self) -> None:
        for box in self.page.locator("[name=account]").all():
            box.check()
        self.press(CONTINUE)

    def look(self, *names: str) -> None:
        """Nothing scrolls sideways, nothing ran, nothing is hidden; the names are there as they were written."""
        page = self.page
        page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
        for width in (NARROW, WIDE):
            check_fits(page, width)
        assert self.dialogs == []
        expect(page.locator("h1")).to_have_count(1)
        expect(page.locator("script:not([src^='/static/'])")).to_have_count(0)
        expect(page.locator("main b, header b")).to_have_count(0)
        shown = " ".join(page.locator("body").inner_text().split())
        for name in names:
            assert name in shown, page.url
        assert not set(shown) & set("\u202e\u2066\u200b")


@pytest.fixture
def walk(accord: RunningAccord, browser: Browser) -> Iterator[Walk]:
    page = browser.new_page(reduced_motion="reduce")
    yield Walk(accord, page)
    page.close()


@pytest.mark.parametrize(
    ("asked", "recipient", "bank", "host"),
    [
        (ASKS_FOR_ALL, MARKUP_SEEN, WITHOUT_A_SPACE, "com.budget.app"),
        (ASKS_FOR_ONE, WITHOUT_A_SPACE, MARKUP_SEEN, "com.loans.app"),
    ],
    ids=["all eight needed, a purpose of 1,000 characters", "one cluster, names without a space"],
)
def test_from_the_request_to_the_end_of_sharing_nothing_breaks_or_lies(
    walk: Walk, lang: str, asked: dict[str, str], recipient: str, bank: str, host: str
) -> None:
    walk.go(f"/api/v1/authorize?{a_query(**asked, lang=lang)}")
    walk.look(recipient, bank)
    walk.page.fill("#user_name", "alex")
    walk.page.fill("#password", "wrong")
    walk.press("main form button")
    walk.look(recipient, bank)
    walk.page.fill("#password", "maple-syrup")
    walk.press("main form button")
    walk.look(recipient, bank)
    walk.choose_accounts()
    walk.look(recipient, bank, host)
    assert recipient in walk.page.title()
    form = walk.page.url
    walk.press(APPROVE)
    walk.look(recipient, bank)
    walk.page.goto(form)
    walk.look(recipient, bank)
    walk.press("#receipt")
    walk.look(recipient, bank)
    receipt = walk.page.url
    walk.press("a[href$='?stop=all']")
    walk.look(recipient, bank)
    walk.go("/connections")
    walk.look(recipient, bank)
    walk.page.goto(f"{receipt}?stop=all")
    walk.press("button[value=all]")
    walk.look(recipient, bank)


def test_an_answer_of_no_and_a_refused_form_have_such_names_too(walk: Walk, lang: str) -> None:
    walk.go(f"/api/v1/authorize?{a_query(**ASKS_FOR_ALL, lang=lang)}")
    walk.page.fill("#user_name", "morgan")
    walk.page.fill("#password", "maple-syrup")
    walk.press("main form button")
    walk.choose_accounts()
    walk.page.evaluate("document.querySelector('#decision [name=csrf_token]').value = 'another'")
    walk.press(APPROVE)
    walk.look(WITHOUT_A_SPACE)
    walk.press("#way-back")
    walk.press(DENY)
    walk.look(MARKUP_SEEN, WITHOUT_A_SPACE)
