"""What a customer saw is on record: word for word, once for everybody who saw the same, without who they are."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from app.development.embedded import EmbeddedValkey
from app.domain.evidence import hash_text
from app.web.consent.visible_text import visible_text
from tests.support import texts
from tests.support.applications import Clock, a_browser
from tests.support.customer import (
    LOANS_APP_REQUEST,
    LOANS_REQUEST,
    BrowserCustomer,
    answer_params,
    hidden_fields,
)
from tests.support.expected_pages import check_error_page
from tests.support.ledger_tables import LedgerTables
from tests.support.machine_requests import failing_server, locked
from tests.support.page_contract import ContractClient, parse_page

Register = Callable[..., ContractClient]

EVERYTHING_ASKED = (
    "ACCOUNT_BASIC ACCOUNT_DETAILED ACCOUNT_PAYMENTS INVESTMENTS STATEMENTS CUSTOMER_CONTACT "
    "CUSTOMER_PERSONAL TRANSACTIONS"
)


def form_html(customer: BrowserCustomer, request_id: str) -> str:
    response = customer.client.get(f"/consent/{request_id}?go=change")
    assert response.status_code == 200, response.text
    return response.text


def screen_named_by(html: str, request_id: str) -> str:
    """The hash of the screen that the form's token names."""
    return hidden_fields(parse_page(html), f"/consent/{request_id}")["csrf_token"].partition(".")[0]


def check_token(html: str, request_id: str) -> str:
    """The hash of the screen that the form's token names, which is that of the page itself."""
    named = screen_named_by(html, request_id)
    assert named == hash_text(visible_text(html))
    return named


def kept(recorded: LedgerTables) -> dict[str, str]:
    """The texts in the ledger, by their hashes, which must be theirs."""
    screens = {row["screen_hash"]: row["text"] for row in recorded["screens"]}
    assert all(hash_text(text) == screen_hash for screen_hash, text in screens.items())
    return screens


# What a page says


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\ntwo\n"),
        ("<p>one\n   two <b>three</b>, <a href='/'>four</a></p>", "one two three, four\n"),
        ("<p>one<br>two<br/>three</p>", "one\ntwo\nthree\n"),
        ("<head><title>no</title><meta charset='utf-8'></head><p>yes</p>", "yes\n"),
        ("<script>no</script><style>no</style><template><p>no</p></template><p>yes</p>", "yes\n"),
        ("<p>yes</p><p data-varies>no <b>nor <i>this</i></b><br>nor that</p><p>again</p>", "yes\nagain\n"),
        ("<p>a <input data-varies> b <img data-varies src='/x' alt=''> c</p>", "a b c\n"),
        ("<svg><rect width='1'/><g><path d='M0'/></g></svg><p>one</p>", "one\n"),
        ("<p data-varies><svg><rect/><g></g></svg>no</p><p>yes</p>", "yes\n"),
        ("<details><summary>more</summary><p>folded</p></details>", "more\nfolded\n"),
        ("<p>Caf&eacute; &amp; &lt;b&gt; &#8217;</p>", "Café & <b> ’\n"),
        ("<p>Erreur\u00a0: «\u00a0oui\u00a0»</p>", "Erreur\u00a0: «\u00a0oui\u00a0»\n"),
        ("<p>Erreur&nbsp;: oui</p>", "Erreur\u00a0: oui\n"),
        ("<input type='checkbox' checked><label>box</label>", "[ ] box\n"),
        ("<input type='checkbox'> <label>box</label>", "[ ] box\n"),
        (
            "<p>a</p><input type='checkbox'>\n <div> <p>\n<label>box</label></p><p>b</p></div>",
            "a\n[ ] box\nb\n",
        ),
        ("<input type='hidden' value='no'><button value='no'>yes</button>", "yes\n"),
    ],
)
def test_the_text_of_a_page_is_what_it_says_to_its_reader(html: str, text: str) -> None:
    assert visible_text(html) == text


# What is kept


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scope": EVERYTHING_ASKED},
        {"scope": EVERYTHING_ASKED, "provider_id": "2000"},
        {"scope": "ACCOUNT_BASIC"},
        LOANS_REQUEST,
        LOANS_APP_REQUEST,
    ],
    ids=["two clusters", "all clusters", "another bank", "one cluster", "another recipient", "its app"],
)
def test_a_decision_is_on_record_with_the_very_text_of_the_page_that_it_answers(
    customer: BrowserCustomer, recorded: LedgerTables, changes: dict[str, str], lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang, **changes)
    html = form_html(customer, request_id)
    fields = hidden_fields(parse_page(html), f"/consent/{request_id}")
    customer.post_answer(request_id, fields, "approve", *EVERYTHING_ASKED.split())
    [decision] = recorded["decisions"]
    assert kept(recorded)[decision["screen_hash"]] == visible_text(html)
    [screen] = recorded["screens"]
    assert (screen["language"], decision["language"]) == (lang, lang)
    assert len(screen["catalogue_version"]) == 12


def test_whoever_was_asked_whether_no_box_was_meant_has_that_question_on_record(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    customer.answer(request_id, "approve")
    [decision] = recorded["decisions"]
    asked = (
        texts.YOU_CHECKED_NO_BOX,
        texts.WOULD_GET_ONLY.of(recipient=texts.BUDGET_COMPASS, clusters=texts.ACCOUNT_BASIC),
        texts.ALSO_ASKED_FOR.of(num=1),
    )
    on_record = " ".join(kept(recorded)[decision["screen_hash"]].split())
    assert " ".join(words[lang] for words in asked) in on_record


def test_whoever_keeps_what_is_shared_has_the_page_that_lists_it_on_record(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    customer.approve("TRANSACTIONS")
    request_id = customer.signed_in_request(lang=lang)
    html = customer.client.get(f"/consent/{request_id}").text
    fields = hidden_fields(parse_page(html), f"/consent/{request_id}")
    customer.post_answer(request_id, fields, "approve")
    [decision] = [row for row in recorded["decisions"] if row["request_id"] == request_id]
    assert kept(recorded)[decision["screen_hash"]] == visible_text(html)
    assert texts.WHAT_YOU_SHARE_NOW[lang] in visible_text(html)


def test_a_denial_is_on_record_with_its_text_as_well(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    html = form_html(customer, request_id)
    customer.answer(request_id, "deny")
    [decision] = recorded["decisions"]
    assert kept(recorded)[decision["screen_hash"]] == visible_text(html)


def test_pages_that_say_the_same_share_one_text_whoever_sees_them(
    customer: BrowserCustomer, app: Flask, clock: Clock, recorded: LedgerTables, lang: str
) -> None:
    """Another person, another visit, later that day, boxes checked, an answer forgotten: and each page says
    what its token names."""
    first = customer.signed_in_request(lang=lang)
    pages = [(form_html(customer, first), first)]
    clock.advance(timedelta(minutes=7))
    other = BrowserCustomer(a_browser(app))
    second = other.begin(lang=lang)
    other.sign_in(second, "sam")
    pages.append((form_html(other, second), second))
    fields = hidden_fields(parse_page(pages[1][0]), f"/consent/{second}")
    address = f"/consent/{second}"
    undecided = other.client.post(address, data={**fields, "scope": "TRANSACTIONS"}, follow_redirects=True)
    assert "Error: " in undecided.text or "Erreur" in undecided.text
    pages.append((undecided.text, second))
    assert len({check_token(html, request_id) for html, request_id in pages}) == 1
    for one, request_id in ((customer, first), (other, second)):
        one.answer(request_id, "approve", "TRANSACTIONS")
    assert list(kept(recorded).values()) == [visible_text(pages[0][0])]


def test_a_server_that_has_not_read_the_page_yet_names_the_same_text(
    customer: BrowserCustomer, register: Register
) -> None:
    request_id = customer.signed_in_request()
    named = screen_named_by(form_html(customer, request_id), request_id)
    server = BrowserCustomer(register(browser=customer.client))
    assert check_token(form_html(server, request_id), request_id) == named


def test_the_switch_of_language_is_another_text(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    form_html(customer, request_id)
    other = {"en": "fr", "fr": "en"}[lang]
    html = customer.client.get(f"/consent/{request_id}?lang={other}").text
    customer.answer(request_id, "approve", "TRANSACTIONS")
    [decision] = recorded["decisions"]
    assert len(recorded["screens"]) == 1
    assert decision["language"] == other
    assert kept(recorded)[decision["screen_hash"]] == visible_text(html)


@pytest.mark.parametrize(
    "edit",
    [
        ('"To show all your accounts in one place', '"To look at all your accounts in one place'),
        ('en = "Budget Compass Technologies Inc."', 'en = "Budget Compass Limited"'),
        ('en = "Maple Credit Union"', 'en = "Maple Bank"'),
        ("history_months = 24", "history_months = 6"),
        ('needs = ["ACCOUNT_BASIC"]', 'needs = ["ACCOUNT_BASIC", "TRANSACTIONS"]'),
        ('needs = ["ACCOUNT_BASIC"]', 'needs = ["ACCOUNT_BASIC"]\nallow_subset = false'),
    ],
    ids=["purpose", "legal name", "bank", "history", "what is needed", "all or nothing"],
)
def test_whatever_changes_on_the_page_makes_another_text(
    customer: BrowserCustomer, register: Register, edit: tuple[str, str]
) -> None:
    request_id = customer.signed_in_request()
    before = screen_named_by(form_html(customer, request_id), request_id)
    server = BrowserCustomer(register(edit, browser=customer.client))
    assert check_token(form_html(server, request_id), request_id) != before


def test_another_end_date_and_a_difference_are_other_texts(
    customer: BrowserCustomer, clock: Clock, lang: str
) -> None:
    """All in one server, which remembers the pages that it has read."""
    seen = []
    for boxes in ([], ["TRANSACTIONS"], []):
        request_id = customer.signed_in_request(lang=lang)
        seen.append(check_token(form_html(customer, request_id), request_id))
        customer.answer(request_id, "approve", *boxes)
    clock.advance(timedelta(days=1))
    request_id = customer.signed_in_request(lang=lang)
    seen.append(check_token(form_html(customer, request_id), request_id))
    assert len(set(seen)) == 4


def test_one_server_tells_the_pages_of_all_requests_apart(customer: BrowserCustomer, lang: str) -> None:
    asked = [
        {"provider_id": provider_id, "scope": scope}
        for provider_id in ("1000", "2000")
        for scope in ("ACCOUNT_BASIC", "ACCOUNT_BASIC TRANSACTIONS", "ACCOUNT_BASIC STATEMENTS")
    ]
    named = set()
    for changes in asked:
        request_id = customer.signed_in_request(lang=lang, **changes)
        named.add(check_token(form_html(customer, request_id), request_id))
    assert len(named) == len(asked)


def test_customers_who_share_since_another_day_and_callbacks_elsewhere_are_other_texts(
    customer: BrowserCustomer, app: Flask, clock: Clock, lang: str
) -> None:
    sam = BrowserCustomer(a_browser(app))
    sam.sign_in(sam.begin(), "sam")
    sam.approve()
    clock.advance(timedelta(days=1))
    customer.approve()
    sam.sign_in(sam.begin(), "sam")
    pages = [(one, one.signed_in_request(lang=lang)) for one in (customer, sam)]
    asked = (LOANS_REQUEST, LOANS_APP_REQUEST)
    pages += [(customer, customer.signed_in_request(lang=lang, **changes)) for changes in asked]
    named = set()
    for one, request_id in pages:
        named.add(check_token(form_html(one, request_id), request_id))
    assert len(named) == 4


def test_nothing_of_the_person_is_in_a_text(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang, state="state-of-alex", correlation_id="corr-of-alex")
    page = parse_page(form_html(customer, request_id))
    customer.answer(request_id, "approve")
    [text] = kept(recorded).values()
    assert "Alex Tremblay" in page.text
    for personal in ("Alex", "Tremblay", "alex", "maple-0001", "state-of-alex", "corr-of-alex", request_id):
        assert personal not in text
    for varying in ("15 minutes", "7:15", "07 h 15"):
        assert varying not in text


# Which text a decision names


def test_a_token_for_another_screen_decides_nothing(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    """The screen of the same request in the other language, and one that nobody was ever shown."""
    request_id = customer.signed_in_request(lang=lang)
    token = hidden_fields(customer.form(request_id), f"/consent/{request_id}")["csrf_token"]
    other = {"en": "fr", "fr": "en"}[lang]
    html = customer.client.get(f"/consent/{request_id}?lang={other}").text
    customer.client.get(f"/consent/{request_id}?lang={lang}")
    elsewhere = screen_named_by(html, request_id)
    for screen_hash in (elsewhere, hash_text("what nobody saw"), ""):
        forged = {"csrf_token": f"{screen_hash}.{token.partition('.')[2]}"}
        response = customer.post_answer(request_id, forged, "approve")
        check_error_page(response, "form_refused", lang, status=400, assurance=texts.NOTHING_RECORDED)
    assert recorded.nothing_happened
    assert "code" in answer_params(customer.post_answer(request_id, {"csrf_token": token}, "approve"))


def test_a_text_is_on_record_with_its_decision_and_not_before(
    customer: BrowserCustomer, recorded: LedgerTables, lang: str
) -> None:
    request_id = customer.signed_in_request(lang=lang)
    form_html(customer, request_id)
    assert recorded["screens"] == []
    customer.answer(request_id, "approve")
    assert len(recorded["screens"]) == 1


def test_the_port_of_a_loopback_callback_is_no_part_of_the_text(
    customer: BrowserCustomer, register: Register
) -> None:
    """It may be another one each time (RFC 8252 7.3)."""
    added = ("redirect_uris = [", 'redirect_uris = ["http://127.0.0.1/callback", ')
    native = BrowserCustomer(register(added))
    named = set()
    for port in (50001, 50002):
        request_id = native.signed_in_request(redirect_uri=f"http://127.0.0.1:{port}/callback")
        html = form_html(native, request_id)
        assert "127.0.0.1" in visible_text(html)
        named.add(check_token(html, request_id))
    assert len(named) == 1


def test_a_text_that_cannot_be_kept_is_not_answered(
    customer: BrowserCustomer,
    valkey: EmbeddedValkey,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    recorded: LedgerTables,
) -> None:
    request_id = customer.begin()
    customer.sign_in(request_id)
    client = failing_server(valkey.url, ledger_url, signing_keys, clock)
    client.bring_cookies_of(customer.client)
    server = BrowserCustomer(client)
    fields = hidden_fields(server.form(request_id), f"/consent/{request_id}")
    with locked(ledger_url):
        response = server.post_answer(request_id, fields, "approve")
    assert (response.status_code, int(response.headers["Retry-After"]) > 0) == (503, True)
    assert recorded["screens"] == []
    assert "code" in answer_params(server.post_answer(request_id, fields, "approve"))
    assert len(recorded["screens"]) == 1
