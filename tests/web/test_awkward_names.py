"""A recipient and a bank with names that somebody made to lie or to break: the whole way, and what is left of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.support.applications import Clock
from tests.support.customer import BrowserCustomer
from tests.support.page_contract import ContractClient, Element, parse_page

Register = Callable[..., ContractClient]

NAMES = {
    "markup": ("<b>Bold</b><img src=x onerror=alert(1)>", "<b>Bold</b><img src=x onerror=alert(1)>"),
    "fields": ("%(recipient)s {{ 7*7 }} %s &amp;", "%(recipient)s {{ 7*7 }} %s &amp;"),
    "bidi": (r"Bank\u202e evil \u2066x", "Bank evil x"),
    "zero width": (r"Bud\u200bget\u2060 \ufeffCompass", "Budget Compass"),
    "lines": (r"Two\r\nLines: X\u2028and more", "Two Lines: X and more"),
    "calendar": (r"A;B,C\\nD", r"A;B,C\nD"),
    "another script": ("مؤسسة الميزانية", "مؤسسة الميزانية"),
    "as long as can be": ("W" * 256, "W" * 256),
}


@pytest.fixture(params=NAMES)
def named(request: pytest.FixtureRequest, register: Register) -> tuple[BrowserCustomer, str]:
    """A customer of a server at which both parties have the name, and how it reads."""
    written, seen = NAMES[request.param]
    both = f'{{ en = "{written}", fr = "{written}" }}'
    client = register(
        ('name = { en = "Budget Compass", fr = "Boussole Budget" }', f"name = {both}"),
        ('name = { en = "Maple Credit Union", fr = "Caisse Érable" }', f"name = {both}"),
        ('{ en = "Budget Compass Technologies Inc.", fr = "Technologies Boussole Budget inc." }', both),
    )
    return BrowserCustomer(client), seen


def check(page: Element, seen: str) -> None:
    """The name is on the page as text, and changes nothing of the page."""
    assert " ".join(seen.split()) in " ".join(page.text.split())
    assert len(page.all("script")) == 1
    assert all(picture.attributes["src"].startswith("/static/") for picture in page.all("img"))
    assert not set(page.text) & set("\u202e\u2066\u200b\u2060\ufeff\u2028\r")
    assert "49" not in page.one("h1").text


def test_every_page_on_the_way_shows_it_as_text(
    named: tuple[BrowserCustomer, str], lang: str, capfd: pytest.CaptureFixture[str]
) -> None:
    customer, seen = named
    client = customer.client
    request_id = customer.begin(lang=lang, scope="ACCOUNT_BASIC TRANSACTIONS")
    check(parse_page(client.get(f"/sign-in/{request_id}").text), seen)
    customer.sign_in(request_id)
    form = customer.form(request_id)
    check(form, seen)
    assert "localhost:8001" in form.text
    customer.answer(request_id, "approve", "TRANSACTIONS")
    check(parse_page(client.get(f"/consent/{request_id}").text), seen)
    check(parse_page(client.get("/connections").text), seen)
    [consent_id] = customer.connections()
    check(parse_page(client.get(f"/connections/{consent_id}").text), seen)
    check(parse_page(client.get(f"/connections/{consent_id}?stop=all").text), seen)
    receipt = client.get(f"/connections/{consent_id}/receipt.json").get_json()
    assert receipt[lang]["recipient"] == receipt[lang]["provider"] == seen
    calendar = client.get(f"/connections/{consent_id}/end-date.ics").text
    names = {line.split(":")[0].split(";")[0] for line in calendar.replace("\r\n ", "").splitlines()}
    assert names <= {
        "BEGIN",
        "END",
        "VERSION",
        "PRODID",
        "UID",
        "DTSTAMP",
        "DTSTART",
        "DTEND",
        "SUMMARY",
        "URL",
        "DESCRIPTION",
        "CLASS",
        "TRANSP",
        "LAST-MODIFIED",
        "SEQUENCE",
        "TRIGGER",
        "ACTION",
    }
    customer.stop(consent_id)
    check(parse_page(client.get(f"/connections/{consent_id}").text), seen)
    logged = capfd.readouterr().err
    assert all(line.startswith("{") and line.endswith("}") for line in logged.splitlines())


def test_what_has_expired_shows_it_as_text(named: tuple[BrowserCustomer, str], clock: Clock) -> None:
    customer, seen = named
    request_id = customer.signed_in_request()
    clock.advance(timedelta(minutes=15))
    check(parse_page(customer.client.get(f"/consent/{request_id}").text), seen)
