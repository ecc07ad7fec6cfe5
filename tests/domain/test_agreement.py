"""What was agreed is kept as one text, which reads back as it was for as long as it is kept."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.agreement import Agreement, effective_agreement, make_agreement, parse_agreement
from app.domain.clusters import DataCluster, Scope
from tests.support.builders import a_client, a_provider, both

FULL: dict[str, Any] = {
    "agent": both("Data Bridge"),
    "purpose": both("To plan your spending."),
    "cluster_purposes": {
        "TRANSACTIONS": both("To sort what you spend."),
        "STATEMENTS": both("To know your name."),
    },
    "history_months": 24,
}
# As it stands in ledgers: another text for the same agreement would be another agreement.
RECORDED = (
    '{"agent":null,"cluster_purposes":{"TRANSACTIONS":{"en":"Why","fr":"Pourquoi — l’été"}},'
    '"history_months":null,"provider_legal_name":null,'
    '"provider_name":{"en":"Maple Credit Union","fr":"Maple Credit Union (fr)"},"purpose":null,'
    '"recipient_legal_name":{"en":"Budget Compass Inc.","fr":"Budget Compass Inc. (fr)"},'
    '"recipient_name":{"en":"Budget Compass","fr":"Budget Compass (fr)"},'
    '"recipient_site":{"en":"https://budget.example","fr":"https://budget.example (fr)"}}'
)

_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    _LEAVES,
    lambda each: (
        st.lists(each, max_size=2)
        | st.dictionaries(st.sampled_from(["en", "fr", "TRANSACTIONS"]), each, max_size=3)
    ),
    max_leaves=6,
)


def an_agreement(**changes: Any) -> Agreement:
    return make_agreement(a_client(**changes), a_provider())


@pytest.mark.parametrize("changes", [{}, FULL], ids=["the least", "everything"])
def test_it_reads_back_as_it_was_written(changes: dict[str, Any]) -> None:
    agreement = an_agreement(**changes)
    assert parse_agreement(agreement.document) == agreement


def test_its_text_stays_what_it_is_in_every_ledger() -> None:
    why = replace(both("Why"), fr="Pourquoi — l’été")
    agreement = an_agreement(cluster_purposes={"TRANSACTIONS": why})
    assert agreement.document == RECORDED
    assert parse_agreement(RECORDED) == agreement


def recorded_with(**changes: Any) -> str:
    return json.dumps({**json.loads(RECORDED), **changes})


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{}",
        "[]",
        "null",
        "5",
        "[" * 100_000,
        RECORDED[:-1],
        recorded_with(recipient_name=None),
        recorded_with(recipient_name="Budget Compass"),
        recorded_with(recipient_name={"en": "Budget Compass"}),
        recorded_with(recipient_name={"en": "Budget Compass", "fr": 5}),
        recorded_with(purpose=5),
        recorded_with(cluster_purposes=None),
        recorded_with(cluster_purposes=[]),
        recorded_with(cluster_purposes={"TRANSACTIONS": "Why"}),
        recorded_with(history_months="24"),
        recorded_with(history_months=True),
    ],
    ids=range(17),
)
def test_a_text_that_is_no_agreement_is_a_value_error(document: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # which one is json's own, or says what was wrong
        parse_agreement(document)


@given(st.dictionaries(st.sampled_from(sorted(json.loads(RECORDED))), JSON))
def test_a_changed_agreement_is_read_or_is_a_value_error(changes: dict[str, Any]) -> None:
    try:
        agreement = parse_agreement(recorded_with(**changes))
    except ValueError:
        return
    assert parse_agreement(agreement.document) == agreement


def test_the_same_agreement_has_the_same_hash_in_whatever_order_it_was_registered() -> None:
    backwards = dict(reversed(FULL["cluster_purposes"].items()))
    assert (
        an_agreement(**{**FULL, "cluster_purposes": backwards}).agreement_hash
        == an_agreement(**FULL).agreement_hash
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"name": both("Pilot")},
        {"legal_name": both("Pilot Inc.")},
        {"site": both("https://pilot.example")},
        {"agent": None},
        {"purpose": both("To sell your data.")},
        {"cluster_purposes": {}},
        {"history_months": 12},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_agreement_has_another_hash(changed: dict[str, Any]) -> None:
    assert an_agreement(**{**FULL, **changed}).agreement_hash != an_agreement(**FULL).agreement_hash


def test_the_bank_is_part_of_it() -> None:
    other = make_agreement(a_client(), a_provider(legal_name=both("Maple Credit Union Ltd.")))
    assert other.agreement_hash != an_agreement().agreement_hash


@pytest.mark.parametrize(
    ("scope", "months"),
    [
        ({DataCluster.TRANSACTIONS}, 24),
        ({DataCluster.ACCOUNT_BASIC, DataCluster.STATEMENTS}, 24),
        ({DataCluster.ACCOUNT_BASIC, DataCluster.INVESTMENTS}, None),
        (set(), None),
    ],
)
def test_it_says_how_far_back_only_of_what_has_a_past(scope: Scope, months: int | None) -> None:
    assert an_agreement(**FULL).history_months_of(frozenset(scope)) == months
    assert an_agreement().history_months_of(frozenset(scope)) is None


def test_what_was_recorded_stands_whatever_is_registered_now() -> None:
    recorded = an_agreement()
    assert effective_agreement(recorded, a_client(name=both("Pilot")), a_provider()) is recorded
    assert effective_agreement(recorded, None, None) is recorded


def test_without_a_record_it_is_what_is_registered_now_if_both_still_are() -> None:
    client, provider = a_client(), a_provider()
    assert effective_agreement(None, client, provider) == make_agreement(client, provider)
    assert effective_agreement(None, None, provider) is None
    assert effective_agreement(None, client, None) is None
