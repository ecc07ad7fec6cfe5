"""What tests of the connections read on their pages."""

from werkzeug.test import TestResponse

from tests.support import texts
from tests.support.customer import BrowserCustomer, hidden_fields
from tests.support.expected_pages import check_page
from tests.support.page_contract import Element, parse_page

THREE = "ACCOUNT_BASIC TRANSACTIONS STATEMENTS"
STOPPED_TODAY = texts.YOU_STOPPED.of(recipient=texts.BUDGET_COMPASS, date=texts.TODAY)


def sign_in_at(
    customer: BrowserCustomer, provider_id: str, lang: str, user_name: str = "alex"
) -> TestResponse:
    """Without any request in progress; nothing to do when that customer is signed in."""
    address = f"/connections/sign-in/{provider_id}"
    response = customer.client.get(f"{address}?lang={lang}")
    if response.status_code == 302:
        return response
    page = parse_page(response.text)
    fields = {**hidden_fields(page, address), "user_name": user_name, "password": "maple-syrup"}
    return customer.client.post(address, data=fields)


def list_page(customer: BrowserCustomer, lang: str, query: str = "") -> Element:
    return check_page(customer.client.get(f"/connections{query}"), "connections", lang)


def detail_page(customer: BrowserCustomer, consent_id: str, lang: str, name: str = "active") -> Element:
    return check_page(customer.client.get(f"/connections/{consent_id}"), name, lang)


def shown(page: Element) -> list[Element]:
    return page.all("section", **{"class": "connection"})


def leads(page: Element) -> list[str]:
    """What a page says first."""
    paragraphs = page.one("main").all("p")
    return [each.text for each in paragraphs if each.attributes.get("class") in ("lead", "lead done")]


def facts(page: Element) -> dict[str, str]:
    labels, values = page.all("dt"), page.all("dd")
    return {label.text: value.text for label, value in zip(labels, values, strict=True)}


def own_links(page: Element) -> list[str]:
    """Where the page leads within this customer's own connections."""
    addresses = [link.attributes["href"] for link in page.one("main").all("a")]
    return [address for address in addresses if "/connections/" in address and "/sign-in/" not in address]
