"""`/connections`: what is shared, with whom, until when; and how it stops, in both languages."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from app.development.embedded import EmbeddedValkey
from app.domain.history import Actor, EventKind, Reason
from app.domain.notice_registration import NoticeType
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.deliveries import DeliveryStore
from app.stores.ledger.events import append_events
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.notices import NoticeStore
from app.stores.ledger.renewals import RenewalStore
from app.stores.ledger.rows import event_row
from tests.support import texts
from tests.support.applications import Clock, a_browser, services_of
from tests.support.customer import BUDGET, LOANS, LOANS_REQUEST, BrowserCustomer, basic, hidden_fields
from tests.support.expected_pages import check_error_page, check_page
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import (
    Serve,
    admin_token,
    connect,
    end,
    failing_server,
    introspect,
    locked,
    poll,
)
from tests.support.page_contract import ContractClient, Element, parse_page
from tests.web.connections.connection_pages import (
    STOPPED_TODAY,
    THREE,
    detail_page,
    facts,
    leads,
    list_page,
    own_links,
    shown,
    sign_in_at,
)

NOTHING_CHANGED = texts.NOTHING_CHANGED
NOT_STOPPED_BY_FORM = texts.NOT_STOPPED_BY_FORM
NOT_RECORDED = texts.MAYBE_STILL_SHARED
TRANSACTIONS = texts.TRANSACTIONS
FROM = texts.BANK
BANKS = {
    "1000": texts.MAPLE,
    "2000": texts.NORTHERN,
}


# Who may see what


def test_nobody_who_is_signed_out_sees_anything_but_the_choice_of_a_bank(
    client: ContractClient, lang: str
) -> None:
    page = check_page(client.get(f"/connections?lang={lang}"), "choose", lang)
    links = {link.attributes["href"]: link.text for link in page.one("main").all("a")}
    for provider_id, name in BANKS.items():
        assert links[f"/connections/sign-in/{provider_id}?lang={lang}"] == name[lang]


def test_signing_in_without_a_request_leads_to_what_one_shares(customer: BrowserCustomer, lang: str) -> None:
    assert sign_in_at(customer, "1000", lang).location == "/connections"
    page = list_page(customer, lang)
    assert texts.YOU_SHARE_NOTHING[lang] in page.text
    assert "Alex Tremblay" in page.text
    assert shown(page) == []


@pytest.mark.parametrize("whose", ["another customer's", "a stranger's", "nobody's", "another bank's"])
@pytest.mark.parametrize("part", ["", "/receipt.json", "/end-date.ics", "?stop=all"])
def test_what_is_not_ones_own_is_as_unknown_as_what_does_not_exist(
    customer: BrowserCustomer, app: Flask, whose: str, part: str, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    other = BrowserCustomer(a_browser(app))
    if whose == "another customer's":
        sign_in_at(other, "1000", lang, "sam")
    elif whose == "another bank's":
        sign_in_at(other, "2000", lang)
    elif whose == "nobody's":
        other, consent_id = customer, "00000000-0000-4000-8000-000000000000"
    separator = "&" if "?" in part else "?"
    response = other.client.get(f"/connections/{consent_id}{part}{separator}lang={lang}")
    page = check_error_page(response, "connection_unknown", lang, status=404, assurance=NOTHING_CHANGED)
    assert page.one("a", id="way-back").attributes["href"] == "/connections"
    assert "Budget" not in page.text


def test_another_customers_connections_are_not_on_the_list(
    customer: BrowserCustomer, app: Flask, lang: str
) -> None:
    connect(customer)
    other = BrowserCustomer(a_browser(app))
    sign_in_at(other, "1000", lang, "sam")
    assert shown(list_page(other, lang)) == []


def test_nobody_stops_what_is_another_customers(customer: BrowserCustomer, app: Flask, lang: str) -> None:
    tokens = connect(customer)
    other = BrowserCustomer(a_browser(app))
    sign_in_at(other, "1000", lang, "sam")
    response = other.client.post(f"/connections/{tokens['consent_id']}", data={"stop": "all"})
    check_error_page(response, "connection_unknown", lang, status=404, assurance=NOTHING_CHANGED)
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


def test_signing_out_ends_what_one_can_see(customer: BrowserCustomer, lang: str) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    page = list_page(customer, lang)
    assert page.one("form").one("button").text == texts.SIGN_OUT[lang]
    response = customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    said = check_page(response, "signed_out", lang).one("main").text
    assert [name[lang] in said for name in BANKS.values()] == [True, False]
    check_page(customer.client.get("/connections"), "choose", lang)
    assert customer.client.get(f"/connections/{consent_id}").status_code == 404


def test_a_bank_that_is_no_longer_registered_has_no_connections(
    customer: BrowserCustomer, register: Callable[..., ContractClient]
) -> None:
    consent_id = connect(customer)["consent_id"]
    server = register(
        ('provider_id = "1000"', 'provider_id = "1001"'),
        *[('"1000" = "ACTIVE"', '"1001" = "ACTIVE"')] * 4,
        ('default_provider = "1000"', 'default_provider = "1001"'),
        browser=customer.client,
    )
    assert server.get(f"/connections/{consent_id}").status_code == 404
    check_page(server.get("/connections"), "choose", "en")


# The list


def test_the_list_says_what_with_whom_since_until_and_when_it_was_last_used(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    tokens = connect(customer, "TRANSACTIONS", lang=lang)
    clock.advance(timedelta(days=3))
    customer.refresh(tokens["refresh_token"])
    sign_in_at(customer, "1000", lang)
    [one] = shown(list_page(customer, lang))
    assert one.one("h3").text == texts.BUDGET_COMPASS[lang]
    found = facts(one)
    assert found.pop(texts.FROM_WHICH_ACCOUNTS[lang]).startswith("Everyday chequing ••3416")
    assert found == {
        texts.DATA[lang]: f"{texts.ACCOUNT_BASIC[lang]} {texts.TRANSACTIONS[lang]}",
        texts.BANK[lang]: texts.MAPLE[lang],
        texts.STARTED[lang]: texts.TODAY[lang],
        texts.ENDS[lang]: texts.IN_A_YEAR[lang],
        texts.LAST_USED[lang]: {"en": "November 27, 2026", "fr": "27 novembre 2026"}[lang],
    }
    links = [link.attributes["href"] for link in one.all("a")]
    assert links == [
        f"/connections/{tokens['consent_id']}",
        f"/connections/{tokens['consent_id']}?stop=all",
    ]


def test_what_was_never_used_says_so(customer: BrowserCustomer, lang: str) -> None:
    customer.approve(lang=lang)
    [one] = shown(list_page(customer, lang))
    assert f"{texts.LAST_USED[lang]} {texts.NOT_YET[lang]}" in one.text


def test_all_banks_at_which_one_is_signed_in_are_on_one_page(customer: BrowserCustomer, lang: str) -> None:
    connect(customer, lang=lang)
    customer.approve(provider_id="2000", lang=lang)
    page = list_page(customer, lang)
    assert {facts(one)[FROM[lang]] for one in shown(page)} == {name[lang] for name in BANKS.values()}
    for provider_id, name in BANKS.items():
        assert texts.SIGNED_IN_AT.of(customer="Alex Tremblay", provider=name)[lang] in page.text
        assert not page.all("a", href=f"/connections/sign-in/{provider_id}?lang={lang}")
    complaints = [link.attributes["href"] for link in page.all("a", rel="noreferrer")]
    word = {"en": "/complaints", "fr": "/plaintes"}[lang]
    assert [address.endswith(word) for address in complaints] == [True, True]
    button = texts.SIGN_OUT_AT_ALL
    assert page.one("form").one("button").text == button[lang]
    signed_out = customer.client.post("/sign-out", data=hidden_fields(page, "/sign-out"))
    said = check_page(signed_out, "signed_out", lang).one("main").text
    assert all(name[lang] in said for name in BANKS.values())


def _stop(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    customer.stop(tokens["consent_id"])


def _revoke(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    assert end(customer.client, tokens["access_token"]).status_code == 204


def _replace(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    customer.approve()


def _replay(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    customer.redeem(tokens["code"])


def _end_by_bank(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    ConnectionStore(ledger.database).withdraw(tokens["consent_id"], None, actor=Actor.OPERATOR, now=clock())


def _run_out(customer: BrowserCustomer, tokens: dict[str, str], ledger: Ledger, clock: Clock) -> None:
    clock.advance(timedelta(days=365))


@pytest.mark.parametrize(
    ("happen", "said"),
    [
        (_stop, STOPPED_TODAY),
        (
            _revoke,
            texts.RECIPIENT_ENDED_IT.of(recipient=texts.BUDGET_COMPASS, date=texts.TODAY),
        ),
        (
            _replace,
            texts.REPLACED.of(date=texts.TODAY),
        ),
        (
            _replay,
            texts.ENDED_TO_PROTECT.of(date=texts.TODAY),
        ),
        (
            _end_by_bank,
            texts.BANK_ENDED_IT.of(provider=texts.MAPLE, recipient=texts.BUDGET_COMPASS, date=texts.TODAY),
        ),
        (
            _run_out,
            texts.ENDED_AS_PLANNED.of(recipient=texts.BUDGET_COMPASS, date=texts.IN_A_YEAR),
        ),
    ],
    ids=["stopped", "revoked", "replaced", "replayed", "ended by the bank", "run out"],
)
def test_what_has_ended_is_apart_and_says_how(
    customer: BrowserCustomer,
    ledger: Ledger,
    clock: Clock,
    happen: Callable[[BrowserCustomer, dict[str, str], Ledger, Clock], None],
    said: Mapping[str, str],
    lang: str,
) -> None:
    code = customer.approve("TRANSACTIONS")
    tokens = customer.redeem(code).get_json()
    [consent_id] = customer.connections()
    happen(customer, {**tokens, "code": code, "consent_id": consent_id}, ledger, clock)
    sign_in_at(customer, "1000", lang)
    page = list_page(customer, lang, f"?lang={lang}")
    assert texts.WHAT_HAS_ENDED[lang] in [h.text for h in page.all("h2")]
    [one] = [one for one in shown(page) if said[lang] in one.text]
    assert f"/connections/{consent_id}" in [link.attributes["href"] for link in one.all("a")]
    assert f"/connections/{consent_id}?stop=all" not in [link.attributes["href"] for link in one.all("a")]
    detail = detail_page(customer, consent_id, lang, "ended")
    assert leads(detail)[0].startswith(said[lang])
    assert not detail.all("div", id="stop")


# Stopping


TELLING = texts.WE_ARE_TELLING.of(recipient=texts.PRAIRIE_LOANS)
TOLD = texts.GOT_OUR_NOTICE.of(recipient=texts.PRAIRIE_LOANS)
ASKS_FOR_REMINDERS = (
    'notices = { address = "http://localhost:8001/notices" }',
    'notices = { events = ["CONSENT_REVOKED", "RENEWAL_DUE"] }',
)
"""Of dc-budget, which comes first."""
LISTENS = ('client_id = "dc-loans"\n', 'client_id = "dc-loans"\nnotices = {}\n')


def stop_loans(customer: BrowserCustomer, lang: str) -> str:
    """Lends nothing any more: the consent that has ended."""
    customer.answer(customer.signed_in_request(**LOANS_REQUEST, lang=lang), "approve")
    [consent_id] = customer.connections()
    customer.stop(consent_id)
    return consent_id


def test_who_listens_is_being_told_until_the_notice_has_arrived(register: Serve, lang: str) -> None:
    client = register(LISTENS)
    customer = BrowserCustomer(client)
    consent_id = stop_loans(customer, lang)
    page = detail_page(customer, consent_id, lang, "ended")
    assert TELLING[lang] in page.text
    assert TOLD[lang] not in page.text
    admin = admin_token(client, LOANS)
    poll(client, admin, ack=list(poll(client, admin).get_json()["sets"]))
    page = detail_page(customer, consent_id, lang, "ended")
    assert TELLING[lang] not in page.text
    assert page.text.count(TOLD[lang]) == 2, "at the top, and in the history"


def test_a_reminder_is_in_the_history_and_is_not_the_notice_that_the_customer_stopped(
    register: Serve, ledger: Ledger, clock: Clock, lang: str
) -> None:
    """Nor when the recipient takes it, before the customer stops or as late as it can."""
    client = register(ASKS_FOR_REMINDERS)
    customer = BrowserCustomer(client)
    consent_id = connect(customer, lang=lang)["consent_id"]
    clock.now += timedelta(days=200)
    renewals = RenewalStore(ledger.database, lambda _client_id: frozenset(NoticeType))
    assert renewals.record_due("dc-budget", now=clock.now, before=timedelta(days=180)) == 1
    sign_in_at(customer, "1000", lang)
    reminder = texts.A_REMINDER.of(recipient=texts.BUDGET_COMPASS)[lang]
    got = texts.GOT_OUR_NOTICE.of(recipient=texts.BUDGET_COMPASS)[lang]
    admin = admin_token(client, BUDGET)
    poll(client, admin, ack=list(poll(client, admin).get_json()["sets"]))
    for is_over in (False, True):
        page = detail_page(customer, consent_id, lang, "ended" if is_over else "active")
        assert page.text.count(reminder) == 1
        assert got not in page.text
        if not is_over:
            customer.stop(consent_id)
    poll(client, admin, ack=list(poll(client, admin).get_json()["sets"]))
    assert detail_page(customer, consent_id, lang, "ended").text.count(got) == 2


def test_an_update_that_was_taken_late_is_not_the_notice_that_the_customer_stopped(
    register: Serve, ledger: Ledger, clock: Clock
) -> None:
    customer = BrowserCustomer(register(LISTENS))
    consent_id = stop_loans(customer, "en")
    found = ConnectionStore(ledger.database).find_connection(consent_id)
    assert found is not None
    why = (EventKind.NOTIFIED, Actor.ACCORD, Reason.BUSINESS_RULE)
    with ledger.database.writing() as connection:
        append_events(connection, event_row(found.grant, *why, clock.now, "poll CONSENT_UPDATED"))
    page = detail_page(customer, consent_id, "en", "ended")
    assert TELLING["en"] in page.text
    assert page.text.count(TOLD["en"]) == 1, "in the history"


def test_who_has_refused_the_notice_or_is_away_is_not_being_told(
    register: Serve, recorded: LedgerTables, ledger: Ledger, clock: Clock, lang: str
) -> None:
    client = register(LISTENS)
    customer = BrowserCustomer(client)
    consent_id = stop_loans(customer, lang)
    deliveries, notices = DeliveryStore(ledger.database), NoticeStore(ledger.database)
    deliveries.disable_endpoint("dc-loans", "410 Gone", now=clock.now)
    assert TELLING[lang] not in detail_page(customer, consent_id, lang, "ended").text
    assert notices.enable("dc-loans", now=clock.now)
    assert TELLING[lang] in detail_page(customer, consent_id, lang, "ended").text
    admin = admin_token(client, LOANS)
    poll(client, admin, setErrs={row["notice_id"]: {"err": "jwtAud"} for row in recorded["notices"]})
    page = detail_page(customer, consent_id, lang, "ended")
    assert TELLING[lang] not in page.text
    assert TOLD[lang] not in page.text


@pytest.mark.parametrize("listens", ["{}", '{ address = "https://loans.example/notices" }'])
def test_who_is_suspended_is_sent_its_notices_and_cannot_ask_for_them(register: Serve, listens: str) -> None:
    before = register(LISTENS)
    consent_id = stop_loans(BrowserCustomer(before), "en")
    suspended = f'client_id = "dc-loans"\nsuspended = true\nnotices = {listens}\n'
    client = register((LISTENS[0], suspended), browser=before)
    page = detail_page(BrowserCustomer(client), consent_id, "en", "ended")
    assert (TELLING["en"] in page.text) is ("address" in listens)


def test_nobody_is_said_to_be_told_who_does_not_listen(customer: BrowserCustomer, lang: str) -> None:
    page = detail_page(customer, stop_loans(customer, lang), lang, "ended")
    assert TELLING[lang] not in page.text
    assert TOLD[lang] not in page.text


def test_after_a_week_nobody_is_being_told_any_more(register: Serve, clock: Clock) -> None:
    customer = BrowserCustomer(register(LISTENS))
    consent_id = stop_loans(customer, "en")
    for days, is_said in ((6, True), (1, False)):
        clock.now += timedelta(days=days)
        sign_in_at(customer, "1000", "en")
        page = detail_page(customer, consent_id, "en", "ended")
        assert (TELLING["en"] in page.text) is is_said


def test_what_follows_is_said_before_anything_stops(customer: BrowserCustomer, lang: str) -> None:
    tokens = connect(customer, "TRANSACTIONS", "STATEMENTS", scope=THREE, lang=lang)
    response = customer.client.get(f"/connections/{tokens['consent_id']}?stop=TRANSACTIONS")
    page = check_page(response, "stop_one", lang)
    assert TRANSACTIONS[lang] in page.one("h1").text
    stopping, _, left = page.all("ul")
    assert [item.text for item in stopping.all("li")] == [TRANSACTIONS[lang]]
    assert len(left.all("li")) == 2
    for said in (
        texts.WILL_STOP_GETTING.of(recipient=texts.BUDGET_COMPASS),
        texts.STOPS_AT_ONCE,
        texts.KEEPS_OLD_DATA.of(recipient=texts.BUDGET_COMPASS, contact=texts.BUDGET_COMPASS),
        texts.STATEMENTS_STILL_SHOW,
    ):
        assert said[lang] in page.text
    keep, stop = page.one("div", role="group").all("button")
    assert (keep.attributes["value"], stop.attributes["value"]) == ("nothing", "TRANSACTIONS")
    assert keep.attributes.keys() == stop.attributes.keys()
    assert customer.refresh(tokens["refresh_token"]).get_json()["scope"].count("TRANSACTIONS") == 1


def test_keeping_keeps(customer: BrowserCustomer, lang: str) -> None:
    tokens = connect(customer, lang=lang)
    address = f"/connections/{tokens['consent_id']}"
    page = parse_page(customer.client.get(f"{address}?stop=all").text)
    response = customer.client.post(address, data={**hidden_fields(page, address), "stop": "nothing"})
    assert (response.status_code, response.location) == (303, address)
    detail_page(customer, tokens["consent_id"], lang)
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


def test_the_way_of_a_connection_from_approval_to_its_end(
    customer: BrowserCustomer, client: ContractClient, recorded: LedgerTables, lang: str
) -> None:
    tokens = connect(customer, "TRANSACTIONS", "STATEMENTS", scope=THREE, lang=lang)
    consent_id = tokens["consent_id"]
    assert customer.connections() == [consent_id]

    response = customer.stop(consent_id, "TRANSACTIONS")
    assert (response.status_code, response.location) == (303, f"/connections/{consent_id}#stopped")
    page = detail_page(customer, consent_id, lang)
    assert page.one("p", id="stopped").text in leads(page)
    assert texts.YOU_STOPPED_A_PART.of(date=texts.TODAY, clusters=texts.TRANSACTIONS)[lang] in leads(page)
    assert customer.refresh(tokens["refresh_token"]).get_json()["scope"] == "ACCOUNT_BASIC STATEMENTS"
    assert introspect(client, tokens["access_token"])["scope"] == "ACCOUNT_BASIC STATEMENTS"

    customer.stop(consent_id)
    page = detail_page(customer, consent_id, lang, "ended")
    assert leads(page)[0] == STOPPED_TODAY[lang]
    refused = customer.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_grant")
    assert introspect(client, tokens["access_token"]) == {"active": False}
    kinds = [event["kind"] for event in recorded["events"]]
    assert kinds == ["asked", "approved", "redeemed", "narrowed", "refreshed", "withdrawn"]
    assert {event["actor"] for event in recorded["events"] if event["kind"] in ("narrowed", "withdrawn")} == {
        "customer"
    }


def test_an_outstanding_code_is_dead_once_sharing_has_stopped(customer: BrowserCustomer) -> None:
    code = customer.approve()
    customer.stop(customer.connections()[0])
    response = customer.redeem(code)
    assert (response.status_code, response.get_json()["error"]) == (400, "invalid_grant")


def test_a_code_redeemed_after_a_part_was_stopped_gives_the_rest(customer: BrowserCustomer) -> None:
    code = customer.approve("TRANSACTIONS", "STATEMENTS", scope=THREE)
    customer.stop(customer.connections()[0], "STATEMENTS")
    assert customer.redeem(code).get_json()["scope"] == "ACCOUNT_BASIC TRANSACTIONS"


def test_without_the_basic_data_nothing_is_left(customer: BrowserCustomer, lang: str) -> None:
    tokens = connect(customer, "TRANSACTIONS", lang=lang)
    address = f"/connections/{tokens['consent_id']}"
    page = check_page(customer.client.get(f"{address}?stop=ACCOUNT_BASIC"), "stop", lang)
    assert len(page.all("ul")[0].all("li")) == 2
    said = texts.WILL_STOP_GETTING.of(recipient=texts.BUDGET_COMPASS)[lang]
    assert said in page.text
    assert texts.ALL_OF_IT_STOPS.of(cluster=texts.ACCOUNT_BASIC)[lang] in page.text
    fields = hidden_fields(page, address)
    assert customer.client.post(address, data={**fields, "stop": "ACCOUNT_BASIC"}).status_code == 303
    detail_page(customer, tokens["consent_id"], lang, "ended")
    assert customer.refresh(tokens["refresh_token"]).status_code == 400


def test_what_the_recipient_needs_can_be_stopped_and_the_page_says_that_it_is_needed(
    customer: BrowserCustomer, lang: str
) -> None:
    request_id = customer.signed_in_request(**LOANS_REQUEST, lang=lang)
    customer.answer(request_id, "approve")
    [consent_id] = customer.connections()
    response = customer.client.get(f"/connections/{consent_id}?stop=TRANSACTIONS")
    page = check_page(response, "stop_one", lang)
    assert texts.NEEDED_BY_RECIPIENT.of(recipient=texts.PRAIRIE_LOANS)[lang] in page.text
    assert customer.stop(consent_id, "TRANSACTIONS").status_code == 303
    detail_page(customer, consent_id, lang)


@pytest.mark.parametrize("what", ["", "TRANSACTIONS", "INVESTMENTS", "nonsense", "everything"])
def test_what_is_not_shared_cannot_be_stopped(customer: BrowserCustomer, what: str, lang: str) -> None:
    tokens = connect(customer, lang=lang)
    address = f"/connections/{tokens['consent_id']}"
    check_page(customer.client.get(f"{address}?stop={what}"), "active", lang)
    fields = hidden_fields(parse_page(customer.client.get(f"{address}?stop=all").text), address)
    assert customer.client.post(address, data={**fields, "stop": what}).location == address
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


def test_stopping_twice_says_what_is_so_and_records_it_once(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    address = f"/connections/{consent_id}"
    fields = hidden_fields(parse_page(customer.client.get(f"{address}?stop=all").text), address)
    for _ in range(2):
        assert customer.client.post(address, data={**fields, "stop": "all"}).location == f"{address}#stopped"
    page = check_page(customer.client.get(f"{address}?stop=all"), "ended", lang)
    assert leads(page)[0] == STOPPED_TODAY[lang]
    assert [event["kind"] for event in recorded["events"]].count("withdrawn") == 1


@pytest.mark.parametrize(
    "whose", ["nobody's", "another connection's", "the sign-out form's", "another session's"]
)
def test_a_form_that_is_not_of_this_session_and_connection_stops_nothing(
    customer: BrowserCustomer, whose: str, lang: str
) -> None:
    tokens = connect(customer, lang=lang)
    address = f"/connections/{tokens['consent_id']}"
    token = ""
    if whose == "another connection's":
        customer.approve(provider_id="2000", lang=lang)
        [other] = {f"/connections/{consent_id}" for consent_id in customer.connections()} - {address}
        page = parse_page(customer.client.get(f"{other}?stop=all").text)
        token = hidden_fields(page, other)["csrf_token"]
    elif whose == "the sign-out form's":
        token = hidden_fields(list_page(customer, lang), "/sign-out")["csrf_token"]
    elif whose == "another session's":
        page = parse_page(customer.client.get(f"{address}?stop=all").text)
        token = hidden_fields(page, address)["csrf_token"]
        customer.client.post("/sign-out", data=hidden_fields(list_page(customer, lang), "/sign-out"))
        sign_in_at(customer, "1000", lang)
    response = customer.client.post(address, data={"csrf_token": token, "stop": "all"})
    page = check_error_page(response, "stop_refused", lang, status=400, assurance=NOT_STOPPED_BY_FORM)
    assert page.one("a", id="way-back").attributes["href"] == address
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


def test_a_link_stops_nothing(customer: BrowserCustomer) -> None:
    tokens = connect(customer)
    for what in ("all", "ACCOUNT_BASIC"):
        customer.client.get(f"/connections/{tokens['consent_id']}?stop={what}")
        customer.client.head(f"/connections/{tokens['consent_id']}?stop={what}")
    assert customer.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("what", ["all", "TRANSACTIONS"])
def test_a_ledger_that_cannot_be_written_stops_nothing_and_nobody_is_told_that_it_did(
    customer: BrowserCustomer,
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    what: str,
    lang: str,
) -> None:
    tokens = connect(customer, "TRANSACTIONS", lang=lang)
    server = BrowserCustomer(failing_server(valkey.url, ledger_url, signing_keys, clock))
    server.client.bring_cookies_of(customer.client)
    with locked(ledger_url):
        response = server.stop(tokens["consent_id"], what)
    page = check_error_page(response, "not_stopped", lang, status=503, assurance=NOT_RECORDED)
    assert int(response.headers["Retry-After"]) > 0
    assert page.one("a", id="way-back").attributes["href"] == f"/connections/{tokens['consent_id']}"
    detail_page(customer, tokens["consent_id"], lang)
    assert "TRANSACTIONS" in customer.refresh(tokens["refresh_token"]).get_json()["scope"]
    assert server.stop(tokens["consent_id"], what).status_code == 303


def test_a_ledger_that_is_gone_is_not_told_as_a_stop_either(
    customer: BrowserCustomer, ledger_url: str, tmp_path: Path, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    address = f"/connections/{consent_id}"
    fields = hidden_fields(parse_page(customer.client.get(f"{address}?stop=all").text), address)
    path = Path(ledger_url.removeprefix("sqlite:///"))
    services_of(customer.client.application).flow.ledger.close()
    for part in path.parent.glob(f"{path.name}*"):
        part.rename(tmp_path / f"away-{part.name}")
    path.mkdir()
    response = customer.client.post(address, data={**fields, "stop": "all"})
    check_error_page(response, "not_stopped", lang, status=503, assurance=NOT_RECORDED)
    assert customer.client.get("/connections").status_code == 503


# The end


def test_a_connection_ends_on_its_end_date_to_the_second(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    tokens = connect(customer, lang=lang)
    clock.advance(timedelta(days=365) - timedelta(seconds=1))
    sign_in_at(customer, "1000", lang)
    detail_page(customer, tokens["consent_id"], lang)
    clock.advance(timedelta(seconds=1))
    page = detail_page(customer, tokens["consent_id"], lang, "ended")
    assert (
        leads(page)[0]
        == texts.ENDED_AS_PLANNED.of(recipient=texts.BUDGET_COMPASS, date=texts.IN_A_YEAR)[lang]
    )
    assert not page.all("button")
    assert customer.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"


# Two languages


@pytest.mark.parametrize("part", ["/connections", "/connections/{id}", "/connections/{id}?stop=TRANSACTIONS"])
def test_the_switch_shows_the_same_in_the_other_language_and_is_remembered(
    customer: BrowserCustomer, part: str, lang: str
) -> None:
    consent_id = connect(customer, "TRANSACTIONS", lang=lang)["consent_id"]
    address = part.format(id=consent_id)
    here = parse_page(customer.client.get(address).text)
    other = {"en": "fr", "fr": "en"}[lang]
    there = parse_page(customer.client.get(here.one("a", hreflang=other).attributes["href"]).text)
    assert there.one("html").attributes["lang"] == f"{other}-CA"
    again = customer.client.get(address)
    assert parse_page(again.text).one("html").attributes["lang"] == f"{other}-CA"
    assert own_links(there) == own_links(here)


# Another server's clock


def test_what_was_stopped_on_a_server_whose_clock_is_ahead_is_over_on_every_other(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    tokens = connect(customer, lang=lang)
    clock.advance(timedelta(seconds=40))
    customer.stop(tokens["consent_id"])
    clock.advance(timedelta(seconds=-40))
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    page = list_page(customer, lang)
    assert STOPPED_TODAY[lang] in page.text
    assert all("stop=all" not in link for link in own_links(page))
    assert customer.client.get(f"/api/v1/consents/{tokens['consent_id']}", headers=bearer).status_code == 401
    introspected = customer.client.post(
        "/api/v1/introspect", data={"token": tokens["access_token"]}, headers=basic(*BUDGET)
    )
    assert introspected.get_json() == {"active": False}
    assert customer.refresh(tokens["refresh_token"]).status_code == 400
    admin = customer.client.post(
        "/api/v1/token",
        data={"grant_type": "client_credentials", "scope": "client:admin"},
        headers=basic(*BUDGET),
    ).get_json()
    own = {"Authorization": f"Bearer {admin['access_token']}"}
    record = customer.client.get(f"/api/v1/consents/{tokens['consent_id']}", headers=own).get_json()
    assert record["status"] == "REVOKED"


# A request that waits for an answer


def ways_to_requests(page: Element) -> list[str]:
    return [link.attributes["href"] for link in page.all("a") if "/consent/" in link.attributes["href"]]


@pytest.mark.parametrize("where", ["", "/{consent_id}", "/{consent_id}?stop=all"])
def test_while_a_request_waits_every_page_leads_back_to_it(
    customer: BrowserCustomer, clock: Clock, where: str, lang: str
) -> None:
    consent_id = connect(customer, "TRANSACTIONS", lang=lang)["consent_id"]
    address = f"/connections{where.format(consent_id=consent_id)}"
    assert ways_to_requests(parse_page(customer.client.get(address).text)) == [], "it was answered"
    older, newer = customer.begin(lang=lang), customer.begin(lang=lang)
    for waiting in (newer, older):
        page = parse_page(customer.client.get(address).text)
        assert ways_to_requests(page) == [f"/consent/{waiting}"]
        assert texts.WAITS_FOR_YOU.of(recipient=texts.BUDGET_COMPASS)[lang] in page.text
        assert texts.GO_BACK_TO_REQUEST[lang] in page.text
        assert customer.answer(waiting, "deny").status_code == 302
    assert ways_to_requests(parse_page(customer.client.get(address).text)) == []


def test_a_request_that_has_expired_or_is_another_browsers_does_not_wait(
    customer: BrowserCustomer, app: Flask, clock: Clock, lang: str
) -> None:
    customer.signed_in_request(lang=lang)
    other = BrowserCustomer(a_browser(app))
    sign_in_at(other, "1000", lang)
    assert ways_to_requests(list_page(other, lang)) == []
    assert ways_to_requests(list_page(customer, lang)) != []
    clock.advance(timedelta(minutes=16))
    assert ways_to_requests(list_page(customer, lang)) == []


def test_who_is_told_to_contact_the_recipient_is_given_its_address(
    customer: BrowserCustomer, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    site = {"en": "https://budget.example", "fr": "https://budget.example/fr"}[lang]
    stop = parse_page(customer.client.get(f"/connections/{consent_id}?stop=all").text)
    customer.stop(consent_id)
    ended = detail_page(customer, consent_id, lang, "ended")
    for page in (stop, ended):
        (link,) = page.one("main").all("a", href=site)
        assert link.text == texts.BUDGET_COMPASS[lang]
        assert link.attributes["rel"] == "noreferrer"


def test_once_it_has_ended_the_receipt_says_when_and_no_other_end(
    customer: BrowserCustomer, lang: str
) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    customer.stop(consent_id)
    page = detail_page(customer, consent_id, lang, "ended")
    said = facts(page.one("main").all("dl")[0])
    assert said[texts.ENDED[lang]] == texts.TODAY[lang]
    assert "2027" not in page.text
    heading = texts.UNTIL_IN_HEADING.of(recipient=texts.BUDGET_COMPASS, date=texts.TODAY)
    assert [section.one("h3").text for section in shown(list_page(customer, lang))] == [heading[lang]]


def test_a_page_about_two_banks_is_signed_by_both(customer: BrowserCustomer, lang: str) -> None:
    sign_in_at(customer, "1000", lang)
    sign_in_at(customer, "2000", lang)
    brand = list_page(customer, lang).one("p", **{"class": "brand"})
    assert brand.text == " · ".join(BANKS[provider_id][lang] for provider_id in ("1000", "2000"))
