"""What the page said is what is granted, whatever changes between reading and answering."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from app.web.consent.visible_text import visible_text
from tests.support import texts
from tests.support.applications import Clock, a_browser
from tests.support.customer import BrowserCustomer, answer_params, hidden_fields
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, parse_page
from tests.support.registrations import DEMO_REGISTRY

Register = Callable[..., ContractClient]

# Neither sandbox bank lists accounts.
UNLISTED = [('accounts = { from = "sandbox" }\n', "")] * 2


class ReadForm:
    """A form as it was read, which its tab sends whatever happens elsewhere."""

    def __init__(self, customer: BrowserCustomer, **changes: str | None) -> None:
        self.customer = customer
        self.request_id = customer.signed_in_request(**changes)
        self.address = f"/consent/{self.request_id}"
        self.html = customer.client.get(f"{self.address}?go=change").text
        self.fields = hidden_fields(parse_page(self.html), self.address)

    def send(self, decision: str, *boxes: str, server: BrowserCustomer | None = None) -> dict[str, str]:
        """What the answer carries back to the recipient."""
        response = (server or self.customer).post_answer(self.request_id, self.fields, decision, *boxes)
        return answer_params(response)

    def comes_back(self, lang: str, *boxes: str, server: BrowserCustomer | None = None) -> BrowserCustomer:
        """Approves, and reads that the form has changed, with the boxes as they were."""
        asked = server or self.customer
        response = asked.post_answer(self.request_id, self.fields, "approve", *boxes)
        way = "go=change&" if "repeat" in self.fields else ""
        assert (response.status_code, response.location) == (303, f"{self.address}?{way}answer=changed")
        page = parse_page(asked.client.get(response.location).text)
        assert texts.REQUEST_HAS_CHANGED[lang] in page.text
        checked = [box.attributes["value"] for box in page.all("input", type="checkbox", checked="")]
        assert set(checked) <= set(boxes)
        return asked


def ends_of(recorded: LedgerTables) -> list[datetime]:
    return sorted(grant["expires_at"].replace(tzinfo=UTC) for grant in recorded["grants"])


# When it ends


def test_a_form_that_was_read_before_midnight_ends_when_it_said(
    customer: BrowserCustomer, clock: Clock, recorded: LedgerTables
) -> None:
    """Read at 23:58, answered at 00:08, in Toronto."""
    clock.advance(timedelta(hours=16, minutes=58))
    form = ReadForm(customer)
    assert "Until\nNovember\N{NO-BREAK SPACE}24, 2027" in visible_text(form.html)
    begun_at = clock.now
    clock.advance(timedelta(minutes=10))
    code = form.send("approve", "TRANSACTIONS")["code"]
    assert ends_of(recorded) == [begun_at + timedelta(days=365)]
    [decision] = recorded["decisions"]
    [screen] = recorded["screens"]
    assert decision["screen_hash"] == screen["screen_hash"]
    assert screen["text"] == visible_text(form.html)
    consent_id = customer.connections()[0]
    receipt = customer.client.get(f"/connections/{consent_id}/receipt.json").get_json()
    assert receipt["en"]["ends_on"] == "November\N{NO-BREAK SPACE}24, 2027"
    customer.redeem(code)
    assert "20271124" in customer.client.get(f"/connections/{consent_id}/end-date.ics").text


def test_more_time_to_answer_is_no_more_time_to_share(
    customer: BrowserCustomer, clock: Clock, recorded: LedgerTables
) -> None:
    form = ReadForm(customer)
    begun_at = clock.now
    clock.advance(timedelta(minutes=14))
    more = customer.client.post(form.address, data={**form.fields, "extend": "yes"})
    assert more.status_code == 303
    clock.advance(timedelta(minutes=14))
    form.send("approve")
    assert ends_of(recorded) == [begun_at + timedelta(days=365)]


@pytest.mark.parametrize("days", [30, 90])
def test_another_duration_that_is_registered_meanwhile_counts_for_new_requests_only(
    customer: BrowserCustomer, register: Register, clock: Clock, recorded: LedgerTables, days: int
) -> None:
    form = ReadForm(customer)
    server = BrowserCustomer(
        register(("consent_days = 365", f"consent_days = {days}"), browser=customer.client)
    )
    form.send("approve", server=server)
    server.approve()
    assert ends_of(recorded) == [clock.now + timedelta(days=days), clock.now + timedelta(days=365)]


# What is shared


@pytest.mark.parametrize(
    "edit",
    [
        ('needs = ["ACCOUNT_BASIC"]', 'needs = ["ACCOUNT_BASIC", "TRANSACTIONS"]'),
        ('needs = ["ACCOUNT_BASIC"]', 'needs = ["ACCOUNT_BASIC"]\nallow_subset = false'),
        ("history_months = 24", "history_months = 84"),
        ('"To show all your accounts in one place', '"To sell all your data, and to show your accounts'),
        ('en = "Budget Compass Technologies Inc."', 'en = "Somebody Else Inc."'),
    ],
    ids=["what is needed", "all or nothing", "history", "purpose", "legal name"],
)
def test_what_was_not_on_the_page_is_not_approved_by_it(
    customer: BrowserCustomer, register: Register, recorded: LedgerTables, edit: tuple[str, str], lang: str
) -> None:
    edit = edit if lang == "en" else in_french(edit)
    form = ReadForm(customer, lang=lang)
    server = BrowserCustomer(register(edit, browser=customer.client))
    form.comes_back(lang, "TRANSACTIONS", server=server)
    assert recorded.nothing_happened
    assert "code" in answer_params(server.answer(form.request_id, "approve"))


def in_french(edit: tuple[str, str]) -> tuple[str, str]:
    """The same edit where the French page says it."""
    french = {
        '"To show all your accounts in one place': ('fr = "Pour', 'fr = "Pour vendre vos données, et pour'),
        'en = "Budget Compass Technologies Inc."': (
            'fr = "Technologies Boussole Budget inc."',
            'fr = "Une autre inc."',
        ),
    }
    return french.get(edit[0], edit)


def test_what_was_not_available_is_not_granted_when_it_is(
    customer: BrowserCustomer, register: Register, recorded: LedgerTables
) -> None:
    """The bank serves a cluster more, all of which the recipient may take, since the page was read."""
    all_or_nothing = ('needs = ["ACCOUNT_BASIC"]', 'needs = ["ACCOUNT_BASIC"]\nallow_subset = false')
    asked = {"scope": "ACCOUNT_BASIC INVESTMENTS", "provider_id": "2000"}
    before = BrowserCustomer(register(all_or_nothing, *UNLISTED, browser=customer.client))
    form = ReadForm(before, **asked)
    assert "not available at" in visible_text(form.html)
    after = BrowserCustomer(
        register(
            all_or_nothing,
            *UNLISTED,
            (northern_clusters(), northern_clusters().replace("[", '["INVESTMENTS", ', 1)),
            browser=before.client,
        )
    )
    form.comes_back("en", server=after)
    assert recorded.nothing_happened


def northern_clusters() -> str:
    """The line of the demo's registration that says what its second bank serves."""
    bank = DEMO_REGISTRY.read_text(encoding="utf-8").partition('provider_id = "2000"')[2]
    start = bank.index("clusters = [")
    return bank[start : bank.index("]", start) + 1]


def test_a_denial_is_one_whatever_has_changed(
    customer: BrowserCustomer, register: Register, recorded: LedgerTables
) -> None:
    form = ReadForm(customer)
    edit = ('needs = ["ACCOUNT_BASIC"]', 'needs = ["ACCOUNT_BASIC", "TRANSACTIONS"]')
    server = BrowserCustomer(register(edit, browser=customer.client))
    assert form.send("deny", server=server)["error"] == "access_denied"
    [decision] = recorded["decisions"]
    assert decision["answer"] == "deny"


# What it replaces


def test_a_page_that_knew_of_no_connection_ends_none(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    first, second = ReadForm(customer, lang=lang), ReadForm(customer, lang=lang)
    second.send("approve", "TRANSACTIONS")
    first.comes_back(lang, "TRANSACTIONS")
    [grant] = recorded["grants"]
    assert (grant["ended_at"], grant["granted_scope"]) == (None, "ACCOUNT_BASIC TRANSACTIONS")
    assert "code" in answer_params(customer.answer(first.request_id, "approve"))
    assert len([grant for grant in recorded["grants"] if grant["ended_at"] is None]) == 1


def test_a_page_that_showed_a_connection_is_told_when_that_has_ended(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    customer.approve("TRANSACTIONS")
    form = ReadForm(customer)
    customer.stop(customer.connections()[0])
    form.comes_back("en", "TRANSACTIONS")
    assert len(recorded["grants"]) == 1


def test_a_page_that_showed_a_connection_is_told_when_that_was_narrowed(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    customer.approve("TRANSACTIONS")
    form = ReadForm(customer)
    customer.stop(customer.connections()[0], "TRANSACTIONS")
    form.comes_back("en", "TRANSACTIONS")
    assert len(recorded["grants"]) == 1


def test_the_same_answer_twice_gets_one_code_although_it_made_a_connection(customer: BrowserCustomer) -> None:
    form = ReadForm(customer)
    assert form.send("approve", "TRANSACTIONS") == form.send("approve", "TRANSACTIONS")


# In which language, and by whom


def test_the_language_on_record_is_that_of_the_page_that_was_answered(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    form = ReadForm(customer, lang=lang)
    other = {"en": "fr", "fr": "en"}[lang]
    customer.client.get(f"{form.address}?lang={other}")
    form.send("approve", "TRANSACTIONS")
    [decision] = recorded["decisions"]
    [screen] = recorded["screens"]
    assert (decision["language"], screen["language"]) == (lang, lang)
    assert screen["text"] == visible_text(form.html)


def test_a_form_stays_good_when_its_customer_signs_in_at_another_bank(
    customer: BrowserCustomer, recorded: LedgerTables
) -> None:
    form = ReadForm(customer)
    customer.sign_in(customer.begin(provider_id="2000"))
    assert "code" in form.send("approve")
    assert len(recorded["decisions"]) == 1


def test_a_form_is_for_the_person_who_read_it(app: Flask, customer: BrowserCustomer) -> None:
    """Another form of the same browser's, and one of another person's at another browser, are no use."""
    form, other_form = ReadForm(customer), ReadForm(customer)
    client = a_browser(app)
    sam = BrowserCustomer(client)
    request_id = sam.begin()
    sam.sign_in(request_id, "sam")
    sams = hidden_fields(sam.form(request_id), f"/consent/{request_id}")
    for fields in (other_form.fields, sams):
        response = customer.post_answer(form.request_id, fields, "approve")
        assert response.status_code == 400
