"""What happens once, and what lasts. Every test runs on SQLite and on PostgreSQL."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from app.domain.agreement import make_agreement
from app.domain.consent import Answer, ConsentDecision, ConsentGrant, GrantStatus, ShownConsent
from app.domain.evidence import Screen
from app.domain.language import Language
from app.domain.tokens import hash_secret
from app.stores.ledger.decisions import ConnectionChanged
from app.stores.ledger.ledger import Ledger, NotRedeemable, Redeemed, Replayed
from app.stores.ledger.rows import Answered
from app.stores.ledger.schema import metadata
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import EVERYTHING, NOON, a_client, a_decision, a_grant, a_provider
from tests.support.ledger_tables import LedgerTables
from tests.support.parallel import all_at_once

MANY = 20
IDLE = timedelta(days=30)
SECOND = timedelta(seconds=1)
INSTANT = timedelta.resolution
TOKEN = hash_secret("a refresh token")


def an_approval(number: int = 1, **changes: Any) -> tuple[ConsentDecision, ConsentGrant]:
    """An answer and the grant it creates; without `changes` of the same customer, recipient and provider."""
    at = NOON + number * SECOND
    names = {"request_id": f"request-{number}", "consent_id": f"consent-{number}", **changes}
    return a_decision(**names, decided_at=at), a_grant(**names, approved_at=at)


def a_denial(number: int = 1, **changes: Any) -> ConsentDecision:
    names = {"request_id": f"request-{number}", "consent_id": f"consent-{number}", **changes}
    return a_decision(**names, answer=Answer.DENY, granted_scope=frozenset())


def redeem(ledger: Ledger, **changes: Any) -> Redeemed | Replayed | NotRedeemable:
    values: dict[str, Any] = {"client_id": "dc-budget", "token_hash": TOKEN, "now": NOON + SECOND}
    request_id = changes.pop("request_id", "request-1")
    return ledger.redeem(request_id, **{**values, **changes})


def refreshable(ledger: Ledger, **changes: Any) -> ConsentGrant | None:
    values: dict[str, Any] = {"client_id": "dc-budget", "idle": IDLE, "now": NOON + SECOND}
    token_hash = changes.pop("token_hash", TOKEN)
    return ledger.find_refreshable(token_hash, **{**values, **changes})


def standing_grant(ledger: Ledger, request_id: str = "request-1") -> ConsentGrant:
    answered = ledger.find_answer(request_id)
    assert answered is not None
    assert answered.grant is not None
    return answered.grant


# One answer per request


def test_an_approval_is_found_again_as_it_was(ledger: Ledger) -> None:
    decision = a_decision(
        language=Language.FR,
        requested_scope=EVERYTHING,
        asked_at=NOON - timedelta(minutes=3, microseconds=1),
        decided_at=NOON,
    )
    recorded = ledger.record_decision(decision, a_grant())
    assert recorded.decision is decision
    assert ledger.find_answer("request-1") == recorded == Answered(decision, a_grant())


def test_a_denial_is_found_again_and_creates_no_grant(ledger: Ledger, database: LedgerTables) -> None:
    decision = a_denial()
    assert ledger.record_decision(decision, None) == Answered(decision, None)
    assert ledger.find_answer("request-1") == Answered(decision, None)
    assert database.rows("grants") == []
    assert database.events() == [("consent-1", "asked"), ("consent-1", "denied")]


def test_moments_are_kept_to_the_microsecond_and_in_utc(ledger: Ledger) -> None:
    at = datetime.fromisoformat("2026-11-24T07:00:00.123456-05:00")
    ledger.record_decision(a_decision(decided_at=at), a_grant(approved_at=at))
    answered = ledger.find_answer("request-1")
    assert answered is not None
    assert answered.decision.decided_at == at
    assert answered.decision.decided_at.isoformat() == "2026-11-24T12:00:00.123456+00:00"


def test_a_request_that_nobody_answered_has_no_answer(ledger: Ledger) -> None:
    ledger.record_decision(*an_approval())
    assert ledger.find_answer("request-2") is None
    assert ledger.find_answer("") is None
    assert ledger.find_answer("consent-1") is None


@pytest.mark.parametrize(
    "first", [an_approval(), (a_denial(), None)], ids=["after an approval", "after a denial"]
)
@pytest.mark.parametrize(
    "later",
    [
        an_approval(consent_id="consent-2", granted_scope=EVERYTHING),
        an_approval(consent_id="consent-2", subject="maple-0002"),
        (a_denial(consent_id="consent-2"), None),
    ],
    ids=["another approval", "somebody else's approval", "a denial"],
)
def test_the_first_answer_wins_for_ever(
    ledger: Ledger,
    database: LedgerTables,
    first: tuple[ConsentDecision, ConsentGrant | None],
    later: tuple[ConsentDecision, ConsentGrant | None],
) -> None:
    ledger.record_decision(*first)
    on_record = [database.rows(table) for table in metadata.tables]
    assert ledger.record_decision(*later) == Answered(*first)
    assert [database.rows(table) for table in metadata.tables] == on_record


def test_of_twenty_parallel_answers_one_is_recorded_and_all_learn_which(
    ledger: Ledger, database: LedgerTables
) -> None:
    answers = [an_approval(consent_id=f"consent-{number}") for number in range(MANY)]
    results = all_at_once(*[partial(ledger.record_decision, *answer) for answer in answers])
    winners = [
        result for result, (decision, _) in zip(results, answers, strict=True) if result.decision is decision
    ]
    assert len(winners) == 1
    assert all(result == winners[0] for result in results)
    assert [row["consent_id"] for row in database.rows("decisions")] == [winners[0].decision.consent_id]
    assert len(database.rows("grants")) == 1
    assert len(database.events()) == 2


def test_of_parallel_approvals_and_denials_one_stands(ledger: Ledger, database: LedgerTables) -> None:
    approvals = [an_approval(consent_id=f"approved-{number}") for number in range(MANY // 2)]
    denials = [(a_denial(consent_id=f"denied-{number}"), None) for number in range(MANY // 2)]
    results = all_at_once(*[partial(ledger.record_decision, *answer) for answer in (*approvals, *denials)])
    assert len({result.decision.consent_id for result in results}) == 1
    was_approved = results[0].decision.answer is Answer.APPROVE
    assert len(database.rows("decisions")) == 1
    assert len(database.rows("grants")) == was_approved


# One redemption per code


def test_a_redemption_keeps_the_hash_of_the_refresh_token(ledger: Ledger, database: LedgerTables) -> None:
    ledger.record_decision(*an_approval())
    assert redeem(ledger) == Redeemed(standing_grant(ledger))
    assert standing_grant(ledger).redeemed_at == NOON + SECOND
    assert [row["token_hash"] for row in database.rows("refresh_tokens")] == [TOKEN]
    assert database.events()[-1] == ("consent-1", "redeemed")
    assert refreshable(ledger) == standing_grant(ledger)


def test_of_twenty_parallel_redemptions_exactly_one_succeeds_and_the_others_are_replays(
    ledger: Ledger, database: LedgerTables
) -> None:
    ledger.record_decision(*an_approval())
    hashes = [hash_secret(f"token {number}") for number in range(MANY)]
    results = all_at_once(*[partial(redeem, ledger, token_hash=token_hash) for token_hash in hashes])
    assert sorted(type(result).__name__ for result in results) == ["Redeemed"] + ["Replayed"] * (MANY - 1)
    issued = [row["token_hash"] for row in database.rows("refresh_tokens")]
    winner = next(
        token_hash for token_hash, result in zip(hashes, results, strict=True) if isinstance(result, Redeemed)
    )
    assert issued == [winner]
    assert refreshable(ledger, token_hash=winner) is None


def test_a_replay_ends_the_grant_and_its_refresh_token(ledger: Ledger, database: LedgerTables) -> None:
    ledger.record_decision(*an_approval())
    redeem(ledger)
    later = NOON + timedelta(days=3)
    replayed = redeem(ledger, token_hash=hash_secret("another"), now=later)
    assert isinstance(replayed, Replayed)
    assert replayed.ended_now
    assert standing_grant(ledger).ended_at == later
    assert standing_grant(ledger).status_at(later) is GrantStatus.REVOKED
    assert [row["revoked_at"] for row in database.rows("refresh_tokens")] == [later]
    assert refreshable(ledger) is None
    assert database.events()[-1] == ("consent-1", "replayed")


def test_a_replay_of_a_replay_changes_no_moment(ledger: Ledger) -> None:
    ledger.record_decision(*an_approval())
    redeem(ledger)
    redeem(ledger, now=NOON + 5 * SECOND)
    again = redeem(ledger, now=NOON + 9 * SECOND)
    assert isinstance(again, Replayed)
    assert not again.ended_now
    assert not ledger.end_replayed(standing_grant(ledger), now=NOON + 9 * SECOND)
    assert standing_grant(ledger).ended_at == NOON + 5 * SECOND


def test_a_code_that_is_presented_again_when_its_record_is_gone_ends_the_grant_too(ledger: Ledger) -> None:
    ledger.record_decision(*an_approval())
    redeem(ledger)
    ledger.end_replayed(standing_grant(ledger), now=NOON + 9 * SECOND)
    assert standing_grant(ledger).ended_at == NOON + 9 * SECOND
    assert refreshable(ledger) is None


def test_a_redemption_takes_the_place_of_one_whose_token_nobody_was_given(
    ledger: Ledger, database: LedgerTables
) -> None:
    ledger.record_decision(*an_approval())
    redeem(ledger)
    later = NOON + 9 * SECOND
    lost = frozenset({TOKEN, hash_secret("of a call that never happened")})
    again = redeem(ledger, token_hash=hash_secret("another"), unanswered=lost, now=later)
    assert again == Redeemed(standing_grant(ledger))
    assert standing_grant(ledger).ended_at is None
    assert refreshable(ledger) is None
    assert refreshable(ledger, token_hash=hash_secret("another")) == standing_grant(ledger)
    (token,) = database.rows("refresh_tokens")
    assert (token["issued_at"], token["last_used_at"]) == (later, later)
    assert [kind for _, kind in database.events()].count("redeemed") == 1


@pytest.mark.parametrize("why", ["it was used", "it is another", "nothing went unanswered", "it has ended"])
def test_a_token_that_somebody_was_given_makes_the_next_redemption_a_replay(ledger: Ledger, why: str) -> None:
    ledger.record_decision(*an_approval())
    redeem(ledger)
    unanswered = frozenset({TOKEN})
    if why == "it was used":
        ledger.record_refresh(TOKEN, "consent-1", now=NOON + 2 * SECOND)
    elif why == "it is another":
        unanswered = frozenset({hash_secret("of a call that never happened")})
    elif why == "nothing went unanswered":
        unanswered = frozenset()
    else:
        ledger.record_decision(*an_approval(2))
    again = redeem(ledger, token_hash=hash_secret("x"), unanswered=unanswered, now=NOON + 9 * SECOND)
    assert isinstance(again, Replayed)
    assert refreshable(ledger, token_hash=hash_secret("x")) is None
    assert refreshable(ledger) is None
    assert standing_grant(ledger).ended_at is not None


def test_of_twenty_parallel_retries_exactly_one_succeeds(ledger: Ledger, database: LedgerTables) -> None:
    ledger.record_decision(*an_approval())
    redeem(ledger)
    retries = [
        partial(redeem, ledger, token_hash=hash_secret(f"token {number}"), unanswered=frozenset({TOKEN}))
        for number in range(MANY)
    ]
    results = all_at_once(*retries)
    assert [isinstance(result, Redeemed) for result in results].count(True) == 1
    assert len(database.rows("refresh_tokens")) == 1


@pytest.mark.parametrize("is_redeemed", [False, True], ids=["before", "after"])
def test_another_clients_redemption_changes_nothing(
    ledger: Ledger, database: LedgerTables, is_redeemed: bool
) -> None:
    ledger.record_decision(*an_approval())
    if is_redeemed:
        redeem(ledger)
    on_record = [database.rows(table) for table in metadata.tables]
    assert redeem(ledger, client_id="dc-loans", token_hash=hash_secret("x")) == NotRedeemable()
    assert [database.rows(table) for table in metadata.tables] == on_record


def test_what_was_never_granted_cannot_be_redeemed(ledger: Ledger, database: LedgerTables) -> None:
    ledger.record_decision(a_denial(), None)
    assert redeem(ledger) == NotRedeemable()
    assert redeem(ledger, request_id="request-9") == NotRedeemable()
    assert database.rows("refresh_tokens") == []


def test_a_grant_cannot_be_redeemed_from_the_very_instant_at_which_it_expires(ledger: Ledger) -> None:
    decision, grant = an_approval()
    ledger.record_decision(decision, grant)
    assert redeem(ledger, now=grant.expires_at) == NotRedeemable()
    assert isinstance(redeem(ledger, now=grant.expires_at - INSTANT), Redeemed)


def test_a_superseded_grant_cannot_be_redeemed(ledger: Ledger, database: LedgerTables) -> None:
    ledger.record_decision(*an_approval(1))
    ledger.record_decision(*an_approval(2))
    assert redeem(ledger) == NotRedeemable()
    assert database.rows("refresh_tokens") == []
    assert isinstance(redeem(ledger, request_id="request-2"), Redeemed)


# One connection per customer, recipient and provider


def test_a_new_approval_supersedes_the_connection_and_its_refresh_token(
    ledger: Ledger, database: LedgerTables
) -> None:
    ledger.record_decision(*an_approval(1))
    redeem(ledger)
    _, grant = an_approval(2)
    ledger.record_decision(*an_approval(2))
    assert standing_grant(ledger).ended_at == grant.approved_at
    assert refreshable(ledger) is None
    assert standing_grant(ledger, "request-2") == grant
    assert database.events() == [
        ("consent-1", "asked"),
        ("consent-1", "approved"),
        ("consent-1", "redeemed"),
        ("consent-2", "asked"),
        ("consent-2", "approved"),
        ("consent-1", "superseded"),
    ]


@pytest.mark.parametrize(
    "changes", [{"subject": "maple-0002"}, {"provider_id": "2000"}, {"client_id": "dc-loans"}]
)
def test_another_customers_recipients_or_providers_connection_stays(
    ledger: Ledger, changes: dict[str, str]
) -> None:
    ledger.record_decision(*an_approval(1))
    ledger.record_decision(*an_approval(2, **changes))
    assert standing_grant(ledger).ended_at is None
    assert standing_grant(ledger, "request-2").ended_at is None


def test_a_denial_leaves_the_connection_and_its_refresh_token(ledger: Ledger) -> None:
    ledger.record_decision(*an_approval(1))
    redeem(ledger)
    ledger.record_decision(a_denial(2), None)
    assert standing_grant(ledger).ended_at is None
    assert refreshable(ledger) == standing_grant(ledger)


def recorded_ids(results: Iterable[Answered]) -> list[str]:
    """The consents that were recorded, of which none was approved before the one that it replaced."""
    results = list(results)
    for result in results:
        assert result.grant is not None
        assert result.grant.approved_at == result.decision.decided_at
        if result.replaced is not None:
            assert result.replaced.ended_at == result.grant.approved_at >= result.replaced.approved_at
    return [result.decision.consent_id for result in results]


def test_a_successor_is_approved_no_earlier_than_its_predecessor_whatever_the_clocks(ledger: Ledger) -> None:
    """The first was approved at a machine whose clock is ahead."""
    ahead = NOON + timedelta(seconds=40)
    ledger.record_decision(
        a_decision(decided_at=ahead), a_grant(approved_at=ahead, expires_at=NOON + timedelta(days=9))
    )
    answered = ledger.record_decision(*an_approval(2))
    assert answered.grant is not None
    assert (answered.grant.approved_at, answered.decision.decided_at) == (ahead, ahead)
    assert standing_grant(ledger).ended_at == ahead
    assert standing_grant(ledger, "request-2") == answered.grant


def page_that_shows(standing: ConsentGrant | None) -> ShownConsent:
    return ShownConsent(Screen("what was on the page", Language.EN, "catalogue-1"), standing)


def test_an_approval_replaces_the_connection_that_its_page_showed(
    ledger: Ledger, database: LedgerTables
) -> None:
    first = ledger.record_decision(*an_approval(1), page_that_shows(None)).grant
    second = ledger.record_decision(*an_approval(2), page_that_shows(first)).grant
    assert second is not None
    assert standing_grant(ledger).ended_at == second.approved_at
    [screen] = database.rows("screens")
    assert screen["text"] == "what was on the page"


@pytest.mark.parametrize("shown", ["none", "another", "wider"])
def test_an_approval_that_would_replace_what_its_page_did_not_show_is_not_recorded(
    ledger: Ledger, database: LedgerTables, shown: str
) -> None:
    _, first = an_approval(1)
    ledger.record_decision(*an_approval(1))
    standing = {
        "none": None,
        "another": replace(first, consent_id="consent-9"),
        "wider": replace(first, granted_scope=EVERYTHING),
    }[shown]
    with pytest.raises(ConnectionChanged):
        ledger.record_decision(*an_approval(2), page_that_shows(standing))
    assert standing_grant(ledger) == first
    assert len(database.rows("decisions")) == 1
    assert database.rows("screens") == []


def test_an_approval_whose_page_showed_a_connection_that_was_stopped_is_not_recorded(
    ledger: Ledger, database: LedgerTables
) -> None:
    _, first = an_approval(1)
    with pytest.raises(ConnectionChanged):
        ledger.record_decision(*an_approval(2), page_that_shows(first))
    assert database.rows("decisions") == []


def test_the_same_approval_again_is_the_one_on_record_whatever_its_page_showed(ledger: Ledger) -> None:
    decision, grant = an_approval(1)
    ledger.record_decision(decision, grant, page_that_shows(None))
    again = replace(decision, consent_id="consent-9")
    assert grant is not None
    answered = ledger.record_decision(again, replace(grant, consent_id="consent-9"), page_that_shows(None))
    assert answered.decision.consent_id == decision.consent_id


def test_what_was_agreed_is_on_record_once_for_all_who_agreed_to_the_same(
    ledger: Ledger, database: LedgerTables
) -> None:
    agreement = make_agreement(a_client(), a_provider())
    for number in (1, 2):
        decision, grant = an_approval(number, subject=f"maple-{number}")
        ledger.record_decision(replace(decision, agreement=agreement), grant)
        answered = ledger.find_answer(decision.request_id)
        assert answered is not None
        assert answered.decision.agreement == agreement
    [row] = database.rows("agreements")
    assert row["agreement_hash"] == agreement.agreement_hash


def test_two_requests_approved_at_the_same_moment_leave_one_connection(
    ledger: Ledger, database: LedgerTables
) -> None:
    for number in range(1, 20, 2):
        pair = [an_approval(number), an_approval(number + 1)]
        results = all_at_once(*[partial(ledger.record_decision, *answer) for answer in pair])
        assert recorded_ids(results) == [decision.consent_id for decision, _ in pair]
        assert len(database.rows("grants", ended_at=None)) == 1
    assert len(database.rows("grants")) == 20
    assert [kind for _, kind in database.events()].count("superseded") == 19


def test_of_thirty_requests_approved_at_the_same_moment_all_are_recorded_and_one_connection_stands(
    ledger: Ledger, database: LedgerTables
) -> None:
    answers = [an_approval(number) for number in range(1, 31)]
    results = all_at_once(*[partial(ledger.record_decision, *answer) for answer in answers])
    assert recorded_ids(results) == [decision.consent_id for decision, _ in answers]
    assert len(database.rows("grants", ended_at=None)) == 1
    assert [kind for _, kind in database.events()].count("superseded") == 29


def test_a_connection_is_superseded_in_the_transaction_that_records_the_new_one_or_not_at_all(
    ledger: Ledger, database: LedgerTables
) -> None:
    ledger.record_decision(*an_approval(1))
    redeem(ledger)
    on_record = [database.rows(table) for table in metadata.tables]
    decision, _ = an_approval(2)
    impossible = a_grant(request_id="request-2", consent_id="consent-1")  # that name is taken
    with pytest.raises(StoreUnavailable):
        ledger.record_decision(decision, impossible)
    assert [database.rows(table) for table in metadata.tables] == on_record
    assert refreshable(ledger) is not None


# Refresh tokens


def redeemed_grant(ledger: Ledger) -> ConsentGrant:
    ledger.record_decision(*an_approval())
    redeem(ledger)
    return standing_grant(ledger)


def test_a_refresh_token_dies_after_thirty_idle_days_to_the_instant(ledger: Ledger) -> None:
    grant = redeemed_grant(ledger)
    issued_at = NOON + SECOND
    assert refreshable(ledger, now=issued_at + IDLE - INSTANT) == grant
    assert refreshable(ledger, now=issued_at + IDLE) is None


def test_every_use_begins_the_idle_period_anew(ledger: Ledger, database: LedgerTables) -> None:
    grant = redeemed_grant(ledger)
    used_at = NOON + IDLE
    assert ledger.record_refresh(TOKEN, grant.consent_id, now=used_at)
    assert refreshable(ledger, now=used_at + IDLE - INSTANT) == grant
    assert refreshable(ledger, now=used_at + IDLE) is None
    assert database.events()[-1] == ("consent-1", "refreshed")


def test_twenty_parallel_refreshes_all_work(ledger: Ledger, database: LedgerTables) -> None:
    grant = redeemed_grant(ledger)
    refreshes = [
        partial(ledger.record_refresh, TOKEN, grant.consent_id, now=NOON + number * SECOND)
        for number in range(1, MANY + 1)
    ]
    assert all(all_at_once(*refreshes))
    assert [kind for _, kind in database.events()].count("refreshed") == 1
    assert database.rows("refresh_tokens")[0]["last_used_at"] == NOON + MANY * SECOND


def test_the_first_use_of_a_token_and_the_first_of_each_day_are_events(
    ledger: Ledger, database: LedgerTables
) -> None:
    grant = redeemed_grant(ledger)
    midnight = NOON + timedelta(hours=12)
    used_at = [
        NOON + 2 * SECOND,
        midnight - INSTANT,
        midnight,
        midnight + SECOND,
        midnight + timedelta(days=2),
    ]
    for moment in used_at:
        assert ledger.record_refresh(TOKEN, grant.consent_id, now=moment)
    refreshed = database.rows("events", kind="refreshed")
    assert [row["happened_at"] for row in refreshed] == [used_at[0], midnight, used_at[-1]]
    assert [row["last_used_at"] for row in database.rows("refresh_tokens")] == [used_at[-1]]


@pytest.mark.parametrize("first_use", [timedelta(0), -INSTANT, -SECOND])
def test_a_token_used_no_later_than_it_was_issued_has_been_used(
    ledger: Ledger, database: LedgerTables, first_use: timedelta
) -> None:
    """The clock that dates the use may be behind the one that dated the token, or stand still between them."""
    grant = redeemed_grant(ledger)
    issued_at = NOON + SECOND
    for used_at in (issued_at + first_use, issued_at, issued_at, issued_at + SECOND):
        assert ledger.record_refresh(TOKEN, grant.consent_id, now=used_at)
    assert [kind for _, kind in database.events()].count("refreshed") == 1
    assert redeem(ledger, token_hash=hash_secret("another"), unanswered=frozenset({TOKEN})) == Replayed(
        grant, ended_now=True
    )


def test_servers_whose_clocks_differ_at_midnight_write_one_event_for_the_day(
    ledger: Ledger, database: LedgerTables
) -> None:
    grant = redeemed_grant(ledger)
    midnight = NOON + timedelta(hours=12)
    ledger.record_refresh(TOKEN, grant.consent_id, now=NOON + 2 * SECOND)
    for _ in range(5):
        for moment in (midnight + SECOND, midnight - SECOND):
            assert ledger.record_refresh(TOKEN, grant.consent_id, now=moment)
    assert len(database.rows("events", kind="refreshed")) == 2
    assert [row["last_used_at"] for row in database.rows("refresh_tokens")] == [midnight + SECOND]


def test_a_refresh_token_works_for_nobody_else_and_a_wrong_one_for_nobody(ledger: Ledger) -> None:
    redeemed_grant(ledger)
    assert refreshable(ledger, client_id="dc-loans") is None
    assert refreshable(ledger, token_hash=hash_secret("another")) is None
    assert refreshable(ledger, token_hash="a refresh token") is None
    assert refreshable(ledger, token_hash=TOKEN.upper()) is None


def test_a_refresh_token_dies_with_its_consent(ledger: Ledger) -> None:
    grant = redeemed_grant(ledger)
    whenever = timedelta(days=3650)
    assert refreshable(ledger, idle=whenever, now=grant.expires_at - INSTANT) == grant
    assert refreshable(ledger, idle=whenever, now=grant.expires_at) is None


def test_a_token_that_is_revoked_between_finding_and_using_it_does_not_work(
    ledger: Ledger, database: LedgerTables
) -> None:
    grant = redeemed_grant(ledger)
    assert refreshable(ledger) == grant
    ledger.end_replayed(grant, now=NOON + 2 * SECOND)
    assert not ledger.record_refresh(TOKEN, grant.consent_id, now=NOON + 3 * SECOND)
    assert database.events()[-1] == ("consent-1", "replayed")
    assert not ledger.record_refresh(hash_secret("another"), grant.consent_id, now=NOON)


# What is never recorded


def test_a_grant_without_its_decision_is_refused_and_neither_is_recorded(
    ledger: Ledger, database: LedgerTables
) -> None:
    decision, _ = an_approval(1)
    _, of_another_request = an_approval(2)
    with pytest.raises(StoreUnavailable):
        ledger.record_decision(decision, of_another_request)
    assert all(database.rows(table) == [] for table in metadata.tables)


def test_nothing_of_a_refresh_token_or_a_code_is_in_the_ledger(
    ledger: Ledger, database: LedgerTables
) -> None:
    ledger.record_decision(*an_approval())
    redeem(ledger)
    kept = repr([database.rows(table) for table in metadata.tables])
    assert "a refresh token" not in kept
    assert TOKEN in kept


# One answer per pushed request


@pytest.mark.parametrize("first", ["approve", "deny"])
@pytest.mark.parametrize("later", ["approve", "deny"])
def test_of_all_browsers_that_open_one_pushed_request_the_first_answers_it(
    ledger: Ledger, database: LedgerTables, first: str, later: str
) -> None:
    def answer(number: int, answered: str, **changes: Any) -> Answered:
        if answered == "deny":
            return ledger.record_decision(a_denial(number, pushed_id="pushed-1", **changes), None)
        decision, grant = an_approval(number, **changes)
        return ledger.record_decision(replace(decision, pushed_id="pushed-1"), grant)

    recorded = answer(1, first)
    assert answer(2, later, subject="maple-0002").decision.consent_id == recorded.decision.consent_id
    assert answer(3, later).decision.consent_id == recorded.decision.consent_id
    for request_id in ("request-1", "request-2", "request-9"):
        found = ledger.find_answer(request_id, pushed_id="pushed-1")
        assert found is not None
        assert found.decision.consent_id == recorded.decision.consent_id
    assert [row["request_id"] for row in database.rows("decisions")] == ["request-1"]
    assert len(database.rows("grants")) == (1 if first == "approve" else 0)


def test_requests_that_nobody_pushed_have_nothing_to_do_with_each_other(ledger: Ledger) -> None:
    for number in (1, 2):
        ledger.record_decision(a_denial(number), None)
    assert ledger.find_answer("request-2") is not None
