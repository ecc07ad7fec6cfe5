"""What is offered, what a click decides, and how long it lasts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.agreement import make_agreement
from app.domain.clusters import DataCluster, Scope
from app.domain.consent import (
    Answer,
    ConsentDecision,
    ConsentOffer,
    GrantStatus,
    OptionalShare,
    StandingConsent,
    is_renewal,
    make_decision,
    make_grant,
    make_offer,
    optional_share,
)
from app.domain.language import Language
from tests.support.builders import (
    BASIC,
    EVERYTHING,
    NOON,
    YEAR,
    a_client,
    a_decision,
    a_grant,
    a_pending_request,
    a_provider,
    a_request,
    an_account,
    chosen,
)

NOTHING: Scope = frozenset()
TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})
STATEMENTS = frozenset({DataCluster.STATEMENTS})
INVESTMENTS = frozenset({DataCluster.INVESTMENTS})
OFFER = ConsentOffer(needed=BASIC, optional=TRANSACTIONS | STATEMENTS, unavailable=INVESTMENTS)
INSTANT = timedelta.resolution


def decided(answer: Answer, checked: Scope, offer: ConsentOffer = OFFER) -> ConsentDecision:
    return make_decision(
        a_pending_request(),
        offer,
        answer,
        checked=checked,
        subject="maple-0001",
        consent_id="consent-1",
        now=NOON,
    )


# The offer


@pytest.mark.parametrize(
    ("requested", "served", "needed_by_client", "allow_subset", "offer"),
    [
        # What the recipient cannot work without comes along; the rest has a box.
        (BASIC | TRANSACTIONS, EVERYTHING, BASIC, True, ConsentOffer(BASIC, TRANSACTIONS, NOTHING)),
        (
            BASIC | TRANSACTIONS,
            EVERYTHING,
            BASIC | TRANSACTIONS,
            True,
            ConsentOffer(BASIC | TRANSACTIONS, NOTHING, NOTHING),
        ),
        # A needed cluster that was not asked for is not offered.
        (BASIC, EVERYTHING, BASIC | TRANSACTIONS, True, ConsentOffer(BASIC, NOTHING, NOTHING)),
        # What the bank lacks is named, never a choice.
        (
            BASIC | INVESTMENTS,
            EVERYTHING - INVESTMENTS,
            BASIC,
            True,
            ConsentOffer(BASIC, NOTHING, INVESTMENTS),
        ),
        # A bank's other clusters are nobody's business.
        (BASIC, BASIC | TRANSACTIONS, BASIC, True, ConsentOffer(BASIC, NOTHING, NOTHING)),
        # All or nothing: no boxes, of what the bank has.
        (
            BASIC | TRANSACTIONS,
            EVERYTHING,
            BASIC,
            False,
            ConsentOffer(BASIC | TRANSACTIONS, NOTHING, NOTHING),
        ),
        (
            BASIC | INVESTMENTS,
            EVERYTHING - INVESTMENTS,
            BASIC,
            False,
            ConsentOffer(BASIC, NOTHING, INVESTMENTS),
        ),
    ],
)
def test_the_offer_sorts_what_was_asked_for_by_what_can_be_done_about_it(
    requested: Scope, served: Scope, needed_by_client: Scope, allow_subset: bool, offer: ConsentOffer
) -> None:
    client = a_client(needed_clusters=needed_by_client, allow_subset=allow_subset)
    assert make_offer(requested, client, a_provider(clusters=served)) == offer


SCOPES = st.frozensets(st.sampled_from(DataCluster))


@given(SCOPES, SCOPES, SCOPES, st.booleans())
def test_an_offer_is_all_of_the_request_each_cluster_once(
    requested: Scope, served: Scope, needed: Scope, allow_subset: bool
) -> None:
    client = a_client(needed_clusters=needed, allow_subset=allow_subset)
    offer = make_offer(requested, client, a_provider(clusters=served))
    parts = [offer.needed, offer.optional, offer.unavailable]
    assert sum(map(len, parts)) == len(requested)
    assert frozenset().union(*parts) == requested
    assert offer.needed | offer.optional == requested & served


# The decision


@pytest.mark.parametrize(
    ("answer", "checked", "granted"),
    [
        (Answer.APPROVE, NOTHING, BASIC),
        (Answer.APPROVE, TRANSACTIONS, BASIC | TRANSACTIONS),
        (Answer.APPROVE, TRANSACTIONS | STATEMENTS, BASIC | TRANSACTIONS | STATEMENTS),
        (Answer.APPROVE, BASIC, BASIC),
        # A box that was not on the form counts for nothing, whoever sends it.
        (Answer.APPROVE, INVESTMENTS, BASIC),
        (Answer.APPROVE, EVERYTHING, BASIC | TRANSACTIONS | STATEMENTS),
        # A denial grants nothing, whatever is checked.
        (Answer.DENY, NOTHING, NOTHING),
        (Answer.DENY, EVERYTHING, NOTHING),
    ],
)
def test_what_is_needed_comes_along_and_of_the_boxes_only_those_offered_count(
    answer: Answer, checked: Scope, granted: Scope
) -> None:
    decision = decided(answer, checked)
    assert decision.granted_scope == granted
    assert decision.answer is answer


@pytest.mark.parametrize("checked", [NOTHING, TRANSACTIONS, EVERYTHING])
def test_without_subsets_an_approval_is_for_the_whole_whatever_is_checked(checked: Scope) -> None:
    client, provider = a_client(allow_subset=False), a_provider(clusters=EVERYTHING - INVESTMENTS)
    offer = make_offer(BASIC | TRANSACTIONS | INVESTMENTS, client, provider)
    assert decided(Answer.APPROVE, checked, offer).granted_scope == BASIC | TRANSACTIONS


@given(SCOPES, SCOPES, SCOPES, SCOPES)
def test_nothing_is_ever_granted_that_was_not_requested_served_and_either_needed_or_checked(
    requested: Scope, served: Scope, needed: Scope, checked: Scope
) -> None:
    requested |= BASIC
    offer = make_offer(
        requested, a_client(needed_clusters=needed | BASIC), a_provider(clusters=served | BASIC)
    )
    pending = a_pending_request(request=a_request(requested_scope=requested))
    decision = make_decision(
        pending, offer, Answer.APPROVE, checked=checked, subject="s", consent_id="c", now=NOON
    )
    assert decision.granted_scope == requested & (served | BASIC) & (needed | BASIC | checked)


def test_a_decision_says_who_answered_what_when_and_in_which_language() -> None:
    pending = a_pending_request(language=Language.FR, begun_at=NOON - timedelta(minutes=5))
    decision = make_decision(
        pending,
        OFFER,
        Answer.APPROVE,
        checked=NOTHING,
        subject="maple-0001",
        consent_id="consent-1",
        now=NOON,
    )
    assert decision == a_decision(language=Language.FR, asked_at=NOON - timedelta(minutes=5))


@pytest.mark.parametrize(
    "changes",
    [
        {"requested_scope": BASIC, "granted_scope": BASIC | TRANSACTIONS},
        {"requested_scope": BASIC, "granted_scope": TRANSACTIONS},
        {"answer": Answer.APPROVE, "granted_scope": NOTHING},
        {"answer": Answer.DENY, "granted_scope": BASIC},
    ],
)
def test_a_decision_that_grants_too_much_or_contradicts_itself_cannot_exist(
    changes: dict[str, object],
) -> None:
    with pytest.raises(ValueError, match="grant"):
        a_decision(**changes)


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({}, True),
        ({"consent_id": "consent-2", "decided_at": NOON + INSTANT, "language": Language.FR}, True),
        ({"granted_scope": BASIC | TRANSACTIONS}, False),
        ({"answer": Answer.DENY, "granted_scope": NOTHING}, False),
        ({"subject": "maple-0002"}, False),
        ({"request_id": "request-2"}, False),
        ({"accounts": chosen(an_account())}, False),
    ],
)
def test_the_same_answer_is_the_same_choice_by_the_same_customer(
    changes: dict[str, object], is_same: bool
) -> None:
    assert a_decision().is_same_answer_as(a_decision(**changes)) is is_same


def test_the_same_answer_is_for_the_same_accounts_in_whatever_order() -> None:
    one, other = an_account(), an_account(account_id="acc-2")
    decision = a_decision(accounts=chosen(one, other))
    assert decision.is_same_answer_as(a_decision(accounts=chosen(other, one), consent_id="consent-2"))
    assert not decision.is_same_answer_as(a_decision(accounts=chosen(one)))
    assert not decision.is_same_answer_as(a_decision())


def test_a_denial_for_accounts_cannot_exist() -> None:
    with pytest.raises(ValueError, match="accounts"):
        a_decision(answer=Answer.DENY, granted_scope=NOTHING, accounts=chosen(an_account()))


# The grant


@pytest.mark.parametrize(
    ("optional", "granted", "share"),
    [
        (frozenset(), BASIC, None),
        (TRANSACTIONS, BASIC, OptionalShare.NONE),
        (TRANSACTIONS | INVESTMENTS, BASIC | INVESTMENTS, OptionalShare.SOME),
        (TRANSACTIONS | INVESTMENTS, BASIC | TRANSACTIONS | INVESTMENTS, OptionalShare.ALL),
    ],
)
def test_how_much_is_shared_of_what_could_be_left_out(
    optional: Scope, granted: Scope, share: OptionalShare | None
) -> None:
    offer = ConsentOffer(needed=BASIC, optional=optional, unavailable=frozenset())
    assert optional_share(offer, granted) is share


AGREEMENT = make_agreement(a_client(), a_provider())
STANDING = StandingConsent(
    grant=a_grant(granted_scope=BASIC | TRANSACTIONS, approved_at=NOON, expires_at=NOON + YEAR),
    requested_scope=BASIC | TRANSACTIONS | INVESTMENTS,
    asked_at=NOON,
    agreement_hash=AGREEMENT.agreement_hash,
)


@pytest.mark.parametrize(
    ("needed", "optional", "changes", "lasts", "expected"),
    [
        (BASIC, TRANSACTIONS, {}, YEAR, True),
        (BASIC, TRANSACTIONS | INVESTMENTS, {}, YEAR, True),
        (BASIC | TRANSACTIONS, frozenset(), {}, YEAR - timedelta(days=1), True),
        (BASIC, TRANSACTIONS, {}, YEAR + timedelta(seconds=1), False),
        (BASIC, frozenset(), {}, YEAR, False),
        (BASIC | INVESTMENTS, TRANSACTIONS, {}, YEAR, False),
        (BASIC, TRANSACTIONS | INVESTMENTS, {"requested_scope": BASIC | TRANSACTIONS}, YEAR, False),
        (BASIC, TRANSACTIONS, {"agreement_hash": "0" * 64}, YEAR, False),
        (BASIC, TRANSACTIONS, {"agreement_hash": None}, YEAR, False),
    ],
    ids=[
        "the same",
        "what was left out before",
        "for a shorter time",
        "for a longer time",
        "no longer asked",
        "needed and not shared",
        "never asked before",
        "other texts",
        "from before texts were recorded",
    ],
)
def test_a_renewal_asks_for_nothing_new(
    needed: Scope, optional: Scope, changes: dict[str, Any], lasts: timedelta, expected: bool
) -> None:
    offer = ConsentOffer(needed=needed, optional=optional, unavailable=frozenset())
    standing = replace(STANDING, **changes)
    assert is_renewal(offer, standing, agreement=AGREEMENT, lasts=lasts) is expected


def test_a_grant_ends_when_its_request_said_however_late_the_answer_comes() -> None:
    grant = make_grant(a_decision(), ends_at=NOON + timedelta(days=90))
    assert grant == a_grant(expires_at=NOON + timedelta(days=90))


@pytest.mark.parametrize("lasts", [INSTANT, timedelta(days=365)])
def test_a_grant_may_last_up_to_365_days(lasts: timedelta) -> None:
    assert a_grant(expires_at=NOON + lasts).status_at(NOON) is GrantStatus.ACTIVE


@pytest.mark.parametrize("lasts", [timedelta(0), -INSTANT, timedelta(days=365) + INSTANT])
def test_a_grant_that_lasts_longer_or_not_at_all_cannot_exist(lasts: timedelta) -> None:
    with pytest.raises(ValueError, match="365 days"):
        a_grant(expires_at=NOON + lasts)


EXPIRY = NOON + timedelta(days=365)
ENDED = NOON + timedelta(days=10)


@pytest.mark.parametrize(
    ("ended_at", "now", "status"),
    [
        (None, NOON, GrantStatus.ACTIVE),
        (None, EXPIRY - INSTANT, GrantStatus.ACTIVE),
        (None, EXPIRY, GrantStatus.EXPIRED),
        (None, EXPIRY + INSTANT, GrantStatus.EXPIRED),
        # Whoever ended it may have a clock that is ahead.
        (ENDED, ENDED - timedelta(seconds=40), GrantStatus.REVOKED),
        (ENDED, ENDED, GrantStatus.REVOKED),
        (EXPIRY, EXPIRY - timedelta(seconds=40), GrantStatus.EXPIRED),
        (ENDED, EXPIRY, GrantStatus.REVOKED),
    ],
)
def test_a_grant_is_active_until_it_is_ended_or_the_very_instant_at_which_it_runs_out(
    ended_at: object, now: object, status: GrantStatus
) -> None:
    assert a_grant(ended_at=ended_at).status_at(now) is status  # type: ignore[arg-type]
