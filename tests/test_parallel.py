"""What must happen once happens once, however many ask for it at the same moment, through two workers."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import psutil
import pytest
import requests

from app.clock import utc_now
from app.development.embedded import EmbeddedValkey
from app.stores.ledger import migrations
from tests.support import fapi, texts
from tests.support.builders import CALLBACK, CHALLENGE, a_query
from tests.support.customer import carried_params, hidden_fields
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import parse_page
from tests.support.parallel import all_at_once
from tests.support.running_accord import PATIENCE, RunningAccord, ServedForm, ask_for_tokens, redeem_at

T = TypeVar("T")

MANY = 50
DPOP_KEY = fapi.a_key(kid=None)


@pytest.fixture(scope="module")
def ledger_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('parallel') / 'ledger.sqlite3'}"
    migrations.upgrade(url)
    return url


@pytest.fixture(scope="module")
def accord(
    tmp_path_factory: pytest.TempPathFactory, ledger_url: str, signing_keys: Path
) -> Iterator[RunningAccord]:
    """One for all tests here: each has a request of its own."""
    directory = tmp_path_factory.mktemp("accord")
    with (
        EmbeddedValkey(directory / "valkey") as valkey,
        RunningAccord(
            directory / "accord.log", redis_url=valkey.url, ledger_url=ledger_url, signing_keys=signing_keys
        ) as running,
    ):
        assert len(running.workers()) == 2
        yield running


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def locations(answers: Sequence[requests.Response]) -> set[str]:
    return {answer.headers["Location"] for answer in answers}


def of_request(recorded: LedgerTables, table: str, request_id: str) -> list[dict[str, object]]:
    return [row for row in recorded[table] if row["request_id"] == request_id]


def refresh(accord: RunningAccord, refresh_token: str) -> requests.Response:
    fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return ask_for_tokens(accord, fields)


def test_fifty_approvals_of_one_request_mint_one_code_and_all_land_at_the_callback(
    accord: RunningAccord, browser: requests.Session, recorded: LedgerTables
) -> None:
    form = ServedForm(accord, browser)
    answers = all_at_once(*[lambda: form.send("approve", "TRANSACTIONS")] * MANY)
    assert Counter(answer.status_code for answer in answers) == {302: MANY}
    (location,) = locations(answers)
    code = carried_params(location)["code"]
    assert len(of_request(recorded, "decisions", form.request_id)) == 1
    assert len(of_request(recorded, "grants", form.request_id)) == 1
    assert redeem_at(accord, code).status_code == 200


def test_fifty_denials_of_one_request_are_one_and_all_land_at_the_callback(
    accord: RunningAccord, browser: requests.Session, recorded: LedgerTables
) -> None:
    form = ServedForm(accord, browser)
    answers = all_at_once(*[lambda: form.send("deny")] * MANY)
    assert Counter(answer.status_code for answer in answers) == {302: MANY}
    (location,) = locations(answers)
    assert carried_params(location)["error"] == "access_denied"
    assert len(of_request(recorded, "decisions", form.request_id)) == 1
    assert of_request(recorded, "grants", form.request_id) == []


def test_of_approvals_and_denials_that_race_one_wins_and_the_others_are_told_which(
    accord: RunningAccord, browser: requests.Session, recorded: LedgerTables
) -> None:
    form = ServedForm(accord, browser)
    sent = ["approve", "deny"] * (MANY // 2)
    answers = all_at_once(
        *[lambda decision=decision: form.send(decision, "TRANSACTIONS") for decision in sent]
    )
    (decision,) = of_request(recorded, "decisions", form.request_id)
    winners = [answer for decided, answer in zip(sent, answers, strict=True) if decided == decision["answer"]]
    losers = [answer for decided, answer in zip(sent, answers, strict=True) if decided != decision["answer"]]
    assert Counter(answer.status_code for answer in winners) == {302: MANY // 2}
    (location,) = locations(winners)
    assert ("code" in carried_params(location)) == (decision["answer"] == "approve")
    assert Counter(answer.status_code for answer in losers) == {200: MANY // 2}
    for answer in losers:
        assert parse_page(answer.text).one("h1").text == texts.ALREADY_ANSWERED["en"]
        assert "Location" not in answer.headers
    grants = of_request(recorded, "grants", form.request_id)
    assert len(grants) == (1 if decision["answer"] == "approve" else 0)


def test_of_approvals_with_different_boxes_one_wins(
    accord: RunningAccord, browser: requests.Session, recorded: LedgerTables
) -> None:
    form = ServedForm(accord, browser, scope="ACCOUNT_BASIC TRANSACTIONS STATEMENTS")
    boxes = [["STATEMENTS"], ["TRANSACTIONS"]] * (MANY // 2)
    answers = all_at_once(*[lambda ticked=ticked: form.send("approve", *ticked) for ticked in boxes])
    (grant,) = of_request(recorded, "grants", form.request_id)
    winning = str(grant["granted_scope"]).split()[1:]
    for ticked, answer in zip(boxes, answers, strict=True):
        assert answer.status_code == (302 if ticked == winning else 200)
    assert len(locations([answer for answer in answers if answer.status_code == 302])) == 1


def test_of_fifty_redemptions_exactly_one_succeeds_and_its_refresh_token_is_dead(
    accord: RunningAccord, browser: requests.Session, recorded: LedgerTables
) -> None:
    form = ServedForm(accord, browser)
    code = carried_params(form.send("approve", "TRANSACTIONS").headers["Location"])["code"]
    answers = all_at_once(*[lambda: redeem_at(accord, code)] * MANY)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: MANY - 1}
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_grant"}
    (tokens,) = [answer.json() for answer in answers if answer.status_code == 200]
    refused = refresh(accord, tokens["refresh_token"])
    assert refused.status_code == 400
    assert refused.json()["error"] == "invalid_grant"
    (grant,) = of_request(recorded, "grants", form.request_id)
    kinds = Counter(row["kind"] for row in recorded["events"] if row["consent_id"] == grant["consent_id"])
    assert kinds["redeemed"] == 1
    assert kinds["replayed"] >= 1


def test_of_ten_requests_of_one_customer_approved_at_once_one_makes_a_connection(
    accord: RunningAccord, browser: requests.Session, recorded: LedgerTables
) -> None:
    """None of the pages knew of a connection: the others come back, and each can then replace what there is."""
    forms = [ServedForm(accord, browser, provider_id="2000") for _ in range(10)]
    answers = all_at_once(*[lambda form=form: form.send("approve", "TRANSACTIONS") for form in forms])
    assert Counter(answer.status_code for answer in answers) == {302: 1, 303: 9}
    again = [form for form, answer in zip(forms, answers, strict=True) if answer.status_code == 303]
    assert locations(answers) >= {f"/consent/{form.request_id}?answer=changed" for form in again}
    assert len(grants_at(recorded, "2000")) == 1
    for form in again:
        form.read(browser)
        assert form.send("approve", "TRANSACTIONS").status_code == 302
    grants = grants_at(recorded, "2000")
    assert len(grants) == 10
    assert [grant["request_id"] for grant in grants if grant["ended_at"] is None] == [again[-1].request_id]
    assert all(grant["ended_at"] is None or grant["ended_at"] >= grant["approved_at"] for grant in grants)


def grants_at(recorded: LedgerTables, provider_id: str) -> list[dict[str, Any]]:
    return [grant for grant in recorded["grants"] if grant["provider_id"] == provider_id]


def test_a_form_without_a_length_is_read_whole_or_refused(
    accord: RunningAccord, browser: requests.Session
) -> None:
    """Nothing is on record without the boxes at its end."""
    form = ServedForm(accord, browser)

    def send(padding: int) -> requests.Response:
        fields = {**form.fields, "decision": "deny", "nothing": "x" * padding}
        return requests.post(
            form.address,
            data=iter([urlencode(fields).encode()]),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            cookies=form.cookies,
            allow_redirects=False,
            timeout=PATIENCE,
        )

    assert send(70_000).status_code == requests.codes.request_entity_too_large
    assert send(50_000).status_code == requests.codes.found


def test_guessing_in_parallel_does_not_slip_past_the_limit(
    accord: RunningAccord, browser: requests.Session
) -> None:
    asked = f"{accord.address}/api/v1/authorize?{a_query()}"
    address = browser.get(asked, timeout=PATIENCE).url
    page = parse_page(browser.get(address, timeout=PATIENCE).text)
    fields = {**hidden_fields(page, urlsplit(address).path), "user_name": "sam", "password": "wrong"}
    cookies = browser.cookies.get_dict()

    def guess() -> requests.Response:
        return requests.post(address, data=fields, cookies=cookies, timeout=PATIENCE)

    answers = all_at_once(*[guess] * MANY)
    assert Counter(answer.status_code for answer in answers) == {400: 5, 429: MANY - 5}


def test_a_worker_that_is_killed_in_the_middle_leaves_a_request_that_ends_well(
    accord: RunningAccord, browser: requests.Session, recorded: LedgerTables
) -> None:
    form = ServedForm(accord, browser)
    victim = accord.workers()[0]

    def send() -> None:
        with contextlib.suppress(requests.ConnectionError):
            form.send("approve", "TRANSACTIONS")

    all_at_once(*[send] * 10, victim.kill, *[send] * 10)
    retried = form.send("approve", "TRANSACTIONS")
    assert retried.status_code == 302
    code = carried_params(retried.headers["Location"])["code"]
    assert len(of_request(recorded, "grants", form.request_id)) == 1
    assert redeem_at(accord, code).status_code == 200
    psutil.wait_procs([victim], PATIENCE)


# FAPI 2.0: what works once


def a_push(accord: RunningAccord) -> str:
    """The request_uri of a pushed request."""
    fields = {
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "ACCOUNT_BASIC TRANSACTIONS",
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **fapi.authenticated(now=utc_now(), aud=accord.issuer),
    }
    pushed = requests.post(f"{accord.address}{fapi.PAR}", data=fields, timeout=PATIENCE)
    assert pushed.status_code == requests.codes.created, pushed.text
    return str(pushed.json()["request_uri"])


def administer(accord: RunningAccord, assertion: dict[str, str], proof: str) -> requests.Response:
    fields = {"grant_type": "client_credentials", "scope": "client:admin", **assertion}
    address = f"{accord.address}{fapi.TOKEN}"
    return requests.post(address, data=fields, headers={"DPoP": proof}, timeout=PATIENCE)


def a_fresh_proof(accord: RunningAccord) -> str:
    claims = fapi.proof_claims("POST", fapi.TOKEN, now=utc_now(), htu=f"{accord.issuer}{fapi.TOKEN}")
    return fapi.a_proof(DPOP_KEY, claims)


def a_fresh_assertion(accord: RunningAccord) -> dict[str, str]:
    return fapi.authenticated(now=utc_now(), aud=accord.issuer)


def test_of_fifty_uses_of_one_assertion_exactly_one_is_taken(accord: RunningAccord) -> None:
    assertion, proofs = a_fresh_assertion(accord), [a_fresh_proof(accord) for _ in range(MANY)]
    answers = all_at_once(*[partial(administer, accord, assertion, proof) for proof in proofs])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: MANY - 1}
    assert {answer.json().get("error") for answer in answers} == {None, "invalid_client"}


def test_of_fifty_uses_of_one_proof_exactly_one_is_taken(accord: RunningAccord) -> None:
    assertions, proof = [a_fresh_assertion(accord) for _ in range(MANY)], a_fresh_proof(accord)
    answers = all_at_once(*[partial(administer, accord, assertion, proof) for assertion in assertions])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: MANY - 1}
    assert {answer.json().get("error") for answer in answers} == {None, "invalid_dpop_proof"}


def test_of_fifty_answers_to_one_pushed_request_one_counts(accord: RunningAccord, ledger_url: str) -> None:
    """In ten browsers, half of which say no: there is one decision, and one code at the most."""
    before = len(LedgerTables(ledger_url).rows("decisions"))
    request_uri, forms = a_push(accord), []
    for _ in range(10):
        with requests.Session() as browser:
            forms.append(ServedForm(accord, browser, client_id=fapi.FAPI, request_uri=request_uri))
    calls = [
        partial(form.send, "approve" if number % 2 else "deny", "TRANSACTIONS")
        for number, form in enumerate(forms)
        for _ in range(MANY // 10)
    ]
    answers = all_at_once(*calls)
    assert len(LedgerTables(ledger_url).rows("decisions")) == before + 1
    sent_back = {answer.headers["Location"] for answer in answers if answer.status_code == 303}
    assert len(sent_back) == 1, sent_back
    assert {answer.status_code for answer in answers} <= {200, 303}
    again = requests.get(
        f"{accord.address}/api/v1/authorize?{urlencode({'client_id': fapi.FAPI, 'request_uri': request_uri})}",
        timeout=PATIENCE,
    )
    assert again.status_code == requests.codes.bad_request
