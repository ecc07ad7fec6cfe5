"""A list of connections with a long past, page by page; and the page of one, from top to bottom."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import create_engine, update

from app.domain.history import Actor
from app.stores.ledger.schema import metadata
from app.web.connections.pages import MOST_ENDED
from tests.support import texts
from tests.support.applications import services_of
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.customer import BrowserCustomer
from tests.support.expected_pages import check_page
from tests.support.machine_requests import connect, end
from tests.support.page_contract import Element
from tests.web.connections.connection_pages import (
    STOPPED_TODAY,
    THREE,
    detail_page,
    list_page,
    own_links,
    sign_in_at,
)


def ended_before(app: Flask, many: int) -> list[str]:
    """So many that have ended, and before them one that is still active; the ended ones, the newest first."""
    store, ledger = services_of(app).connections, services_of(app).tokens.ledger
    for number in range(many + 1):
        at = NOON - timedelta(minutes=many + 1 - number)
        client_id = "dc-budget" if number == 0 else "dc-gone"
        names = {"request_id": f"r-{number}", "consent_id": f"c-{number:03}", "client_id": client_id}
        ledger.record_decision(
            a_decision(**names, asked_at=at, decided_at=at),
            a_grant(**names, approved_at=at, expires_at=at + timedelta(days=365)),
        )
    store.withdraw(f"c-{many:03}", None, actor=Actor.CUSTOMER, now=NOON)
    return [f"c-{number:03}" for number in range(many, 0, -1)]


def listed(page: Element) -> list[str]:
    links = [link for link in own_links(page) if "?" not in link]
    return [link.removeprefix("/connections/") for link in links]


def pages(customer: BrowserCustomer, lang: str) -> Iterator[Element]:
    """The pages of the list, by following the link to what is older."""
    address = f"/connections?lang={lang}"
    while True:
        page = check_page(customer.client.get(address), "connections", lang)
        yield page
        older = [
            link.attributes["href"] for link in page.one("main").all("a") if link.text == texts.OLDER[lang]
        ]
        if not older:
            return
        (address,) = older


@pytest.mark.parametrize("many", [MOST_ENDED, MOST_ENDED + 1, 2 * MOST_ENDED + 5])
def test_what_is_active_is_on_every_page_and_what_has_ended_on_one(
    customer: BrowserCustomer, app: Flask, lang: str, many: int
) -> None:
    ended = ended_before(app, many)
    sign_in_at(customer, "1000", lang)
    seen = [listed(page) for page in pages(customer, lang)]
    assert [page[0] for page in seen] == ["c-000"] * len(seen)
    assert [one for page in seen for one in page[1:]] == ended
    assert all(len(page) <= 1 + MOST_ENDED for page in seen)


def test_the_page_of_a_long_past_leads_back_to_its_beginning(
    customer: BrowserCustomer, app: Flask, lang: str
) -> None:
    ended_before(app, MOST_ENDED + 1)
    sign_in_at(customer, "1000", lang)
    first, last = pages(customer, lang)
    newest = texts.NEWEST[lang]
    assert newest not in first.text
    (back,) = [link for link in last.one("main").all("a") if link.text == newest]
    assert back.attributes["href"] == "/connections#ended"


@pytest.mark.parametrize("older_than", ["", "unknown", "%00", "c-somebody-else"])
def test_what_is_older_than_nothing_of_ones_own_is_the_first_page(
    customer: BrowserCustomer, app: Flask, lang: str, older_than: str
) -> None:
    ended = ended_before(app, MOST_ENDED + 1)
    names = {"request_id": "r-x", "consent_id": "c-somebody-else", "subject": "maple-0002"}
    before = NOON - timedelta(days=1)
    services_of(app).tokens.ledger.record_decision(
        a_decision(**names), a_grant(**names, approved_at=before, expires_at=NOON)
    )
    sign_in_at(customer, "1000", lang)
    assert (
        listed(list_page(customer, lang, f"?lang={lang}&older_than={older_than}"))[1:] == ended[:MOST_ENDED]
    )


def test_what_has_ended_at_two_banks_is_one_list(customer: BrowserCustomer, app: Flask, lang: str) -> None:
    ended = ended_before(app, MOST_ENDED + 4)
    engine = create_engine(services_of(app).settings.ledger_url.get_secret_value())
    with engine.begin() as connection:
        for table in (metadata.tables["grants"], metadata.tables["decisions"]):
            elsewhere = update(table).where(table.c.consent_id.in_(["c-003", "c-022"]))
            connection.execute(elsewhere.values(provider_id="2000", subject="northern-0001"))
    engine.dispose()
    sign_in_at(customer, "1000", lang)
    sign_in_at(customer, "2000", lang)
    assert [one for page in pages(customer, lang) for one in listed(page)[1:]] == ended


# The page of one connection


def headings(page: Element) -> list[str]:
    """Those of the page in its own language: the receipts in others are sections, which come last."""
    elsewhere = [heading.text for part in page.all("section") for heading in part.all("h2")]
    own = [heading.text for heading in page.one("main").all("h2")]
    assert own[len(own) - len(elsewhere) :] == elsewhere
    return own[: len(own) - len(elsewhere)]


def panel(page: Element) -> Element:
    """What has just happened: the link after a stop leads there, and takes the focus along."""
    said = page.one("main").one("p", id="stopped")
    assert said.attributes["tabindex"] == "-1"
    return said


def test_one_page_says_until_when_then_what_then_how_to_stop_and_has_the_receipt_below(
    customer: BrowserCustomer, lang: str
) -> None:
    consent_id = connect(customer, "TRANSACTIONS", lang=lang)["consent_id"]
    page = detail_page(customer, consent_id, lang)
    main = page.one("main")
    first = main.all("p", **{"class": "lead"})[0].text
    until = texts.CAN_GET_YOUR_DATA.of(
        recipient=texts.BUDGET_COMPASS, provider=texts.MAPLE, end_date=texts.IN_A_YEAR
    )
    assert first == until[lang]
    assert headings(page) == [
        texts.WHAT_YOU_SHARE_NOW[lang],
        texts.STOP_SHARING[lang],
        texts.RECEIPT[lang],
        texts.HISTORY[lang],
    ]
    stop = main.text.index(texts.STOP_ALL_SHARING[lang])
    assert main.text.index(first) < main.text.index(texts.TRANSACTIONS[lang]) < stop
    assert stop < main.text.index(texts.WHO_GETS_THE_DATA[lang])
    assert main.all("p", id="stopped") == []


def test_what_the_customer_stopped_is_confirmed_in_a_panel_above_everything_else(
    customer: BrowserCustomer, lang: str
) -> None:
    consent_id = connect(customer, "TRANSACTIONS", "STATEMENTS", scope=THREE, lang=lang)["consent_id"]
    stopped = customer.stop(consent_id, "STATEMENTS")
    assert stopped.location == f"/connections/{consent_id}#stopped"
    page = detail_page(customer, consent_id, lang)
    part = texts.YOU_STOPPED_A_PART.of(clusters=texts.STATEMENTS, date=texts.TODAY)
    assert (panel(page).text, panel(page).attributes["class"]) == (part[lang], "lead done")
    assert headings(page)[0] == texts.WHAT_YOU_SHARE_NOW[lang]
    assert customer.stop(consent_id).location == f"/connections/{consent_id}#stopped"
    page = detail_page(customer, consent_id, lang, "ended")
    assert (panel(page).text, panel(page).attributes["class"]) == (STOPPED_TODAY[lang], "lead done")
    assert headings(page) == [texts.RECEIPT[lang], texts.HISTORY[lang]]
    assert texts.STOP_ALL_SHARING[lang] not in page.one("main").text


def test_what_somebody_else_ended_is_said_there_and_not_confirmed(
    customer: BrowserCustomer, lang: str
) -> None:
    tokens = connect(customer, "TRANSACTIONS", lang=lang)
    end(customer.client, tokens["access_token"])
    page = detail_page(customer, tokens["consent_id"], lang, "ended")
    ended = texts.RECIPIENT_ENDED_IT.of(recipient=texts.BUDGET_COMPASS, date=texts.TODAY)
    assert (panel(page).text, panel(page).attributes["class"]) == (ended[lang], "lead")
