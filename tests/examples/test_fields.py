"""The allow-list: whatever a bank's API answers, no more leaves than the granted clusters open."""

from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.bank.fields import FieldFilter, NotAllowed
from examples.bank.guard import CALLS, Decision

FIELDS = FieldFilter.read()
SUBJECT = "maple-0001"
OF_ACCOUNTS = ("ACCOUNT_BASIC", "ACCOUNT_DETAILED", "INVESTMENTS")
OF_CUSTOMERS = ("CUSTOMER_CONTACT", "CUSTOMER_PERSONAL")

# Names that matter, and others: a random answer has both.
KNOWN = sorted(
    set(
        chain.from_iterable(
            FIELDS.allowed(name, frozenset([cluster]))
            for name, clusters in {
                "account": OF_ACCOUNTS,
                "contact": OF_CUSTOMERS,
                "holder": OF_CUSTOMERS,
                "customer": OF_CUSTOMERS,
            }.items()
            for cluster in clusters
        )
    )
)
NUMBERS = [
    "accountNumber",
    "routingTransitNumber",
    "bankTransferCode",
    "identifier",
    "cardNumber",
    "taxIdNumber",
    "Number",
]
names = st.sampled_from([*KNOWN, *NUMBERS, "taxId", "secret"]) | st.text(max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)
account_ids = st.sampled_from(["a", "b", "c"])
descriptors = st.builds(
    lambda members, account_id: {**members, "accountId": account_id},
    st.dictionaries(names, values, max_size=12),
    account_ids,
)
accounts = descriptors | descriptors.map(lambda account: {"depositAccount": account})


def names_in(value: Any) -> set[str]:
    """The name of every member, however deep."""
    if isinstance(value, dict):
        return set(value) | set().union(*(names_in(inner) for inner in value.values()))
    return set().union(*(names_in(inner) for inner in value)) if isinstance(value, list) else set()


def a_decision(fields: str, **changes: Any) -> Decision:
    return Decision(allowed=True, subject=SUBJECT, fields=fields, **changes)


def descriptor_of(account: dict[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = account.get("depositAccount", account)
    return inner


@given(
    st.lists(accounts, max_size=5),
    st.dictionaries(names, values, max_size=4),
    st.dictionaries(
        account_ids, st.sets(st.sampled_from(OF_ACCOUNTS), min_size=1).map(frozenset), max_size=3
    ),
)
def test_of_a_list_only_the_accounts_and_members_that_were_granted_are_left(
    found: list[dict[str, Any]], around: dict[str, Any], granted: dict[str, frozenset[str]]
) -> None:
    decision = a_decision("accounts", accounts=granted)
    reduced = FIELDS.reduce({**around, "accounts": found}, decision)
    assert reduced.keys() <= {"page", "accounts"}
    left = [descriptor_of(account) for account in reduced["accounts"]]
    assert [account["accountId"] for account in left if "accountId" in account] == [
        descriptor_of(account)["accountId"]
        for account in found
        if "ACCOUNT_BASIC" in granted.get(descriptor_of(account)["accountId"], ())
    ]
    of_found = [
        granted[descriptor_of(account)["accountId"]]
        for account in found
        if descriptor_of(account)["accountId"] in granted
    ]
    assert len(left) == len(of_found)
    for account, clusters in zip(left, of_found, strict=True):
        assert account.keys() <= FIELDS.allowed("account", clusters)
    assert not names_in(reduced) & set(NUMBERS)


@given(accounts, st.sets(st.sampled_from(OF_ACCOUNTS), min_size=1).map(frozenset))
def test_of_an_account_only_the_members_that_were_granted_are_left(
    found: dict[str, Any], clusters: frozenset[str]
) -> None:
    account_id = descriptor_of(found)["accountId"]
    reduced = FIELDS.reduce(found, a_decision("account", accounts={account_id: clusters}))
    assert descriptor_of(reduced).keys() <= FIELDS.allowed("account", clusters)
    assert not names_in(reduced) & set(NUMBERS)
    kept = {
        name: value
        for name, value in descriptor_of(found).items()
        if name in FIELDS.allowed("account", clusters)
    }
    assert descriptor_of(reduced).keys() == kept.keys(), "what was granted is all there"


@given(
    st.dictionaries(names, values, max_size=12),
    st.sets(st.sampled_from(OF_CUSTOMERS), min_size=1).map(frozenset),
)
def test_of_a_customer_only_the_members_that_were_granted_are_left(
    found: dict[str, Any], clusters: frozenset[str]
) -> None:
    reduced = FIELDS.reduce(found, a_decision("customer", clusters=clusters))
    assert reduced.keys() <= FIELDS.allowed("customer", clusters)
    assert not names_in(reduced) & set(NUMBERS)


holders = st.builds(
    lambda members, customer_id: {**members, "customerId": customer_id},
    st.dictionaries(names, values, max_size=8),
    st.sampled_from([SUBJECT, "somebody-else", None]),
)


@given(
    st.lists(holders, max_size=3),
    st.dictionaries(names, values, max_size=6),
    st.sets(st.sampled_from(OF_CUSTOMERS), min_size=1).map(frozenset),
)
def test_of_holders_other_than_the_customer_the_name_is_left(
    found: list[dict[str, Any]], around: dict[str, Any], clusters: frozenset[str]
) -> None:
    reduced = FIELDS.reduce({**around, "holders": found}, a_decision("contact", clusters=clusters))
    assert reduced.keys() <= FIELDS.allowed("contact", clusters)
    for before, after in zip(found, reduced["holders"], strict=True):
        own = before["customerId"] == SUBJECT
        allowed = FIELDS.allowed("holder", clusters) if own else {"type", "relationship", "name"}
        assert after.keys() <= allowed
    assert not names_in(reduced) & set(NUMBERS)


@given(values)
def test_no_account_number_is_in_what_is_passed_on_whole(found: Any) -> None:
    assert not names_in(FIELDS.reduce(found, a_decision("whole"))) & set(NUMBERS)
    assert FIELDS.reduce(found, a_decision("payment-networks")) == found


@given(values)
def test_what_has_not_the_shape_of_fdx_does_not_pass(found: Any) -> None:
    for fields in ("accounts", "account", "contact", "customer"):
        try:
            reduced = FIELDS.reduce(found, a_decision(fields, accounts={}))
        except NotAllowed:
            continue
        assert fields in ("contact", "customer") or reduced.get("accounts") == []


def test_another_account_than_was_asked_for_does_not_pass() -> None:
    decision = a_decision("account", accounts={"a": frozenset(OF_ACCOUNTS)})
    answers: list[Any] = [
        {"accountId": "b"},
        {"loanAccount": {"accountId": "b"}},
        {"nickname": "x"},
        {},
        [],
        "a",
        None,
    ]
    for answer in answers:
        with pytest.raises(NotAllowed):
            FIELDS.reduce(answer, decision)


def test_a_cheque_has_a_number_and_an_account_has_none() -> None:
    transaction = {
        "checkNumber": 12,
        "accountNumber": "1",
        "payee": {"routingTransitNumber": "2", "name": "ACME"},
    }
    reduced = FIELDS.reduce({"transactions": [transaction]}, a_decision("whole"))
    assert reduced == {"transactions": [{"checkNumber": 12, "payee": {"name": "ACME"}}]}


def test_there_is_a_way_to_reduce_the_answer_to_every_call() -> None:
    for call in CALLS.values():
        try:
            FIELDS.reduce({"accounts": []}, a_decision(call.fields))
        except NotAllowed:
            assert call.fields == "account"
