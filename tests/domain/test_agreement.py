"""What was agreed is kept as one text, which reads back as it was for as long as it is kept."""

from dataclasses import replace
from typing import Any

import pytest

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
