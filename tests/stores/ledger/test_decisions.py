"""What is recorded with an answer, inside a transaction."""

from datetime import timedelta

import pytest

from app.domain.agreement import make_agreement
from app.domain.consent import Answer, ConsentGrant, ShownConsent, make_grant
from app.domain.evidence import Screen
from app.domain.history import Actor
from app.domain.language import Language
from app.domain.narrowing import Withdrawn
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.database import UniqueViolation
from app.stores.ledger.decisions import (
    ConnectionChanged,
    find_answer_to,
    find_answer_under,
    insert_decision,
)
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.rows import Answered
from tests.support.builders import NOON, YEAR, a_client, a_decision, a_grant, a_provider, an_account, chosen
from tests.support.ledger_tables import LedgerTables

HOUR = timedelta(hours=1)


def shown(standing: ConsentGrant | None) -> ShownConsent:
    return ShownConsent(Screen("the form", Language.EN, "catalogue-1"), standing)


def test_an_answer_is_found_by_its_request_and_by_its_consent(ledger: Ledger) -> None:
    decision = a_decision(agreement=make_agreement(a_client(), a_provider()))
    with ledger.database.writing() as connection:
        recorded = insert_decision(connection, decision, a_grant(), None)
        assert recorded == Answered(decision, a_grant())
        assert find_answer_to(connection, "request-1") == recorded
        assert find_answer_under(connection, "consent-1") == recorded
        assert find_answer_to(connection, "consent-1") is None
        assert find_answer_under(connection, "request-1") is None


def test_a_denial_is_found_under_its_consent_too_and_has_no_grant(
    ledger: Ledger, database: LedgerTables
) -> None:
    denial = a_decision(answer=Answer.DENY, granted_scope=frozenset())
    with ledger.database.writing() as connection:
        insert_decision(connection, denial, None, None)
        assert find_answer_under(connection, "consent-1") == Answered(denial, None)
    assert [kind for _, kind in database.events()] == ["asked", "denied"]


def test_what_was_shown_and_agreed_is_kept_with_the_answer(ledger: Ledger, database: LedgerTables) -> None:
    agreement = make_agreement(a_client(), a_provider())
    page = shown(None)
    decision = a_decision(agreement=agreement, screen_hash=page.screen.screen_hash)
    with ledger.database.writing() as connection:
        insert_decision(connection, decision, a_grant(), page)
    assert [row["text"] for row in database["screens"]] == ["the form"]
    assert [row["document"] for row in database["agreements"]] == [agreement.document]


def test_a_second_answer_is_refused_with_all_that_came_before_it_in_the_transaction(
    ledger: Ledger, database: LedgerTables
) -> None:
    ledger.record_decision(a_decision(), a_grant())
    before = [database[table] for table in ("decisions", "grants", "screens", "events")]
    again = a_decision(consent_id="consent-2", answer=Answer.DENY, granted_scope=frozenset())
    with pytest.raises(UniqueViolation), ledger.database.writing() as connection:
        insert_decision(connection, again, None, shown(None))
    assert [database[table] for table in ("decisions", "grants", "screens", "events")] == before


def test_a_successor_is_recorded_with_what_it_replaced_if_its_page_said_so(
    ledger: Ledger, database: LedgerTables
) -> None:
    ledger.record_decision(a_decision(), a_grant())
    later = {"request_id": "request-2", "consent_id": "consent-2"}
    decision = a_decision(**later, decided_at=NOON + HOUR)
    grant = a_grant(**later, approved_at=NOON + HOUR)
    with pytest.raises(ConnectionChanged), ledger.database.writing() as connection:
        insert_decision(connection, decision, grant, shown(None))
    with ledger.database.writing() as connection:
        recorded = insert_decision(connection, decision, grant, shown(a_grant()))
    assert recorded.replaced is not None
    assert recorded.replaced.consent_id == "consent-1"
    assert database.events()[-3:] == [
        ("consent-2", "asked"),
        ("consent-2", "approved"),
        ("consent-1", "superseded"),
    ]


def test_a_page_that_showed_other_accounts_than_are_shared_replaces_nothing(ledger: Ledger) -> None:
    both = chosen(an_account(), an_account(account_id="acc-2"))
    first = a_decision(accounts=both)
    grant = make_grant(first, ends_at=NOON + YEAR)
    ledger.record_decision(first, grant)
    part = Withdrawn(accounts=frozenset({"acc-2"}))
    left = ConnectionStore(ledger.database).withdraw("consent-1", part, actor=Actor.CUSTOMER, now=NOON)
    later = a_decision(request_id="request-2", consent_id="consent-2", accounts=both, decided_at=NOON + HOUR)
    successor = make_grant(later, ends_at=NOON + YEAR)
    with pytest.raises(ConnectionChanged), ledger.database.writing() as connection:
        insert_decision(connection, later, successor, shown(grant))
    with ledger.database.writing() as connection:
        assert insert_decision(connection, later, successor, shown(left)).grant == successor


def test_a_connection_that_has_run_out_is_replaced_without_a_word_on_the_page(ledger: Ledger) -> None:
    ledger.record_decision(a_decision(), a_grant(expires_at=NOON + HOUR))
    later = {"request_id": "request-2", "consent_id": "consent-2"}
    at = NOON + 2 * HOUR
    with ledger.database.writing() as connection:
        decision, grant = a_decision(**later, decided_at=at), a_grant(**later, approved_at=at)
        recorded = insert_decision(connection, decision, grant, shown(None))
    assert recorded.replaced is not None
