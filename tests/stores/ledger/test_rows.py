"""What is written as a row is read back as the same value, through either database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from app.domain.agreement import make_agreement
from app.domain.clusters import DataCluster
from app.domain.consent import Answer, ConsentGrant
from app.domain.evidence import Screen, hash_text
from app.domain.history import Actor, Event, EventKind, Reason
from app.domain.language import Language
from app.domain.resources import AccountGroup
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.rows import (
    agreement_from,
    agreement_row,
    decision_row,
    event_from,
    event_row,
    grant_from,
    grant_row,
    screen_row,
)
from app.stores.ledger.schema import agreements, decisions, events, grants
from tests.support.builders import BASIC, EVERYTHING, NOON, a_client, a_decision, a_grant, a_provider

CONTACT = frozenset({DataCluster.CUSTOMER_CONTACT})
LATER = NOON + timedelta(hours=1)


def written_and_read(ledger: Ledger, table: Any, row: Any) -> Any:
    with ledger.database.writing() as connection:
        connection.change(insert(table), **row)
        return connection.first(select(table))


def test_a_grant_is_read_as_it_was_made_and_later_as_what_became_of_it(ledger: Ledger) -> None:
    with ledger.database.writing() as connection:
        connection.change(insert(decisions), **decision_row(a_decision()))
    grant = a_grant(granted_scope=BASIC | CONTACT, resources=(AccountGroup(BASIC, ("a-1", "a-2")),))
    row = written_and_read(ledger, grants, grant_row(grant))
    assert grant_from(row) == grant
    ended = grant_from(row._replace(redeemed_at=NOON, ended_at=LATER, granted_scope="ACCOUNT_BASIC"))
    assert (ended.redeemed_at, ended.ended_at) == (NOON, LATER)
    assert isinstance(ended, ConsentGrant)
    assert ended.granted_scope < grant.granted_scope


@pytest.mark.parametrize("operator", [None, "operator-7"])
def test_an_event_is_read_as_what_happened_by_whom_and_why(ledger: Ledger, operator: str | None) -> None:
    account_ids = frozenset() if operator is None else frozenset({"a-2", "a-1"})
    row = event_row(
        a_grant(),
        EventKind.WITHDRAWN,
        Actor.OPERATOR,
        Reason.BUSINESS_RULE,
        LATER,
        "a detail",
        accounts=account_ids,
        operator=operator,
        note=operator and "asked by telephone",
    )
    assert event_from(written_and_read(ledger, events, row)) == Event(
        consent_id="consent-1",
        kind=EventKind.WITHDRAWN,
        actor=Actor.OPERATOR,
        reason=Reason.BUSINESS_RULE,
        correlation_id="correlation-1",
        happened_at=LATER,
        detail="a detail",
        accounts=account_ids,
        operator=operator,
        note=operator and "asked by telephone",
    )


def test_an_agreement_is_read_as_what_was_agreed(ledger: Ledger) -> None:
    agreement = make_agreement(a_client(), a_provider())
    row = written_and_read(ledger, agreements, agreement_row(agreement, NOON))
    assert agreement_from(row) == agreement
    assert agreement_from(row._replace(document=None)) is None


def test_a_decision_names_the_texts_by_their_hashes_and_the_language_by_its_code() -> None:
    agreement = make_agreement(a_client(), a_provider())
    decision = a_decision(language=Language.FR, screen_hash="ab" * 32, agreement=agreement)
    row = decision_row(decision)
    assert (row["language"], row["screen_hash"]) == ("fr", "ab" * 32)
    assert row["agreement_hash"] == agreement_row(agreement, NOON)["agreement_hash"]
    assert decision_row(replace(decision, agreement=None))["agreement_hash"] is None


@pytest.mark.parametrize("answer", Answer)
def test_every_column_of_a_decision_is_written(answer: Answer) -> None:
    scope = frozenset() if answer is Answer.DENY else EVERYTHING
    row = decision_row(a_decision(answer=answer, granted_scope=scope))
    assert row.keys() == set(decisions.c.keys())
    assert row["answer"] == answer.value


def test_every_column_of_the_other_tables_is_written_but_what_comes_later() -> None:
    assert grant_row(a_grant()).keys() == set(grants.c.keys()) - {"redeemed_at", "reminded_at", "ended_at"}
    happened = event_row(a_grant(), EventKind.REDEEMED, Actor.CLIENT, Reason.USER_ACTION, NOON)
    assert happened.keys() == set(events.c.keys()) - {"event_id"}
    assert agreement_row(make_agreement(a_client(), a_provider()), NOON).keys() == set(agreements.c.keys())
    assert screen_row(Screen("a form", Language.FR, "c"), NOON) == {
        "screen_hash": hash_text("a form"),
        "language": "fr",
        "catalogue_version": "c",
        "text": "a form",
        "first_shown_at": NOON,
    }
