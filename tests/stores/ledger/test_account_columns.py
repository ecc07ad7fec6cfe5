"""What the ledger has about accounts is read as it was written, and null as it was meant before."""

import json

from app.domain.accounts import AccountCategory, ChosenAccounts
from app.domain.clusters import DataCluster
from app.domain.resources import AccountGroup
from app.stores.ledger.account_columns import (
    account_ids_column,
    account_ids_from,
    chosen_column,
    chosen_from,
    resources_column,
    resources_from,
)
from app.stores.ledger.ledger import Ledger
from tests.support.builders import BASIC, a_decision, a_grant, an_account
from tests.support.ledger_tables import LedgerTables

TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})
CHOSEN = ChosenAccounts(
    (
        an_account(name="Épargne \U0001f3e0", product="Savings", holder="Alex", is_joint=True),
        an_account(account_id="!~", name="", last_digits="", category=AccountCategory.LOAN_ACCOUNT),
    ),
    offered=5,
    unshareable=2,
)
GROUPS = (AccountGroup(BASIC | TRANSACTIONS, ("acc-1",)), AccountGroup(BASIC, ("!~",)))


def test_what_was_chosen_is_read_as_it_was_shown() -> None:
    column = chosen_column(CHOSEN)
    assert column is not None
    assert "Épargne" in column
    assert chosen_from(column) == CHOSEN


def test_groups_are_read_as_they_were_written() -> None:
    assert resources_from(resources_column(GROUPS), BASIC | TRANSACTIONS) == GROUPS


def test_groups_stand_in_ledgers_in_this_form() -> None:
    """Auditors and later versions read it."""
    assert json.loads(resources_column(GROUPS) or "") == [
        {"clusters": "ACCOUNT_BASIC TRANSACTIONS", "accounts": ["acc-1"]},
        {"clusters": "ACCOUNT_BASIC", "accounts": ["!~"]},
    ]


def test_the_accounts_of_an_event_are_read_as_they_were_written() -> None:
    assert account_ids_column({"b", "a"}) == '["a","b"]'
    assert account_ids_from('["a","b"]') == {"a", "b"}
    assert account_ids_column(()) is None


def test_null_is_every_account() -> None:
    assert (chosen_column(None), chosen_from(None)) == (None, None)
    assert (resources_column(None), resources_from(None, BASIC)) == (None, None)
    assert account_ids_from(None) == frozenset()


def test_an_answer_for_accounts_is_found_as_it_was_given(ledger: Ledger, database: LedgerTables) -> None:
    scope = BASIC | TRANSACTIONS
    decision = a_decision(granted_scope=scope, accounts=CHOSEN)
    grant = a_grant(granted_scope=scope, resources=GROUPS)
    ledger.record_decision(decision, grant)
    found = ledger.find_answer("request-1")
    assert found is not None
    assert (found.decision, found.grant) == (decision, grant)
    [row] = database.rows("grants")
    assert json.loads(row["resources"])[0]["accounts"] == ["acc-1"]


def test_an_answer_from_before_accounts_were_chosen_is_for_every_account(
    ledger: Ledger, database: LedgerTables
) -> None:
    ledger.record_decision(a_decision(), a_grant())
    assert (database.rows("decisions")[0]["accounts"], database.rows("grants")[0]["resources"]) == (
        None,
        None,
    )
    found = ledger.find_consent("consent-1")
    assert found is not None
    assert found.grant is not None
    assert (found.decision.accounts, found.grant.resources) == (None, None)
