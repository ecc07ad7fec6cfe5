"""Whose subjects the ledger has under a provider's id: one issuer's, until its registration says otherwise."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.domain.registry import DataProvider, OidcRegistration
from app.stores.ledger.issuers import IssuerStore
from app.stores.ledger.ledger import Ledger
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import NOON, a_provider
from tests.support.ledger_tables import LedgerTables

FIRST, SECOND, THIRD = (f"https://{name}.example" for name in ("first", "second", "third"))


def a_bank(issuer: str, *former: str, **changes: Any) -> DataProvider:
    oidc = OidcRegistration(
        issuer=issuer,
        client_id="accord",
        client_secret="secret",
        scopes=("openid",),
        former_issuers=frozenset(former),
    )
    return a_provider(oidc=oidc, **changes)


@pytest.fixture
def store(ledger: Ledger) -> IssuerStore:
    return IssuerStore(ledger.database)


def accepted(store: IssuerStore, *banks: DataProvider) -> list[bool]:
    return [store.accept(bank, now=NOON) for bank in banks]


def test_the_first_issuer_is_the_one_and_no_other_is(store: IssuerStore, database: LedgerTables) -> None:
    assert accepted(store, a_bank(FIRST), a_bank(FIRST), a_bank(SECOND), a_bank(FIRST)) == [
        True,
        True,
        False,
        True,
    ]
    assert [(row["provider_id"], row["issuer"]) for row in database.rows("issuers")] == [("1000", FIRST)]


def test_another_follows_where_the_registration_says_that_its_subjects_are_the_same_peoples(
    store: IssuerStore,
) -> None:
    assert accepted(
        store,
        a_bank(FIRST),
        a_bank(SECOND, THIRD),
        a_bank(SECOND, FIRST),
        a_bank(SECOND),
        a_bank(FIRST),
        a_bank(THIRD, FIRST),
        a_bank(THIRD, FIRST, SECOND),
        a_bank(FIRST, THIRD),
    ) == [True, False, True, True, False, False, True, True]


def test_every_provider_has_its_own(store: IssuerStore) -> None:
    assert accepted(store, a_bank(FIRST), a_bank(SECOND, provider_id="2000")) == [True, True]


def test_of_two_first_issuers_at_once_one_is_the_one(store: IssuerStore) -> None:
    banks = [a_bank(FIRST), a_bank(SECOND)] * 5
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda bank: store.accept(bank, now=NOON), banks))
    assert sorted(found) == [False] * 5 + [True] * 5
    assert len({bank.issuer for bank, is_accepted in zip(banks, found, strict=True) if is_accepted}) == 1


def test_without_a_ledger_it_says_so(open_ledger: Callable[[str], Ledger]) -> None:
    store = IssuerStore(open_ledger("sqlite:////nowhere/ledger").database)
    with pytest.raises(StoreUnavailable):
        store.accept(a_bank(FIRST), now=NOON)
