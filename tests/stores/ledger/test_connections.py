"""How a connection ends or is narrowed, and what stays of it. On SQLite and on PostgreSQL."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, update

from app.domain.accounts import Account, AccountCategory
from app.domain.clusters import DataCluster, Scope
from app.domain.consent import ConsentGrant, GrantStatus, make_grant
from app.domain.history import Actor, Event, EventKind, Reason
from app.domain.language import Language
from app.domain.narrowing import Withdrawn
from app.domain.resources import AccountGroup, applicable_scope
from app.domain.tokens import hash_secret
from app.stores.ledger.connection_queries import AT_ONCE
from app.stores.ledger.connections import Connection, ConnectionStore
from app.stores.ledger.ledger import Ledger, NotRedeemable, Redeemed
from app.stores.ledger.schema import grants
from app.stores.unavailable import StoreUnavailable
from tests.support.builders import BASIC, EVERYTHING, NOON, YEAR, a_decision, a_grant, an_account, chosen
from tests.support.ledger_tables import LedgerTables
from tests.support.parallel import all_at_once

MANY = 12
SECOND = timedelta(seconds=1)
INSTANT = timedelta.resolution
IDLE = timedelta(days=30)
TOKEN = hash_secret("a refresh token")
TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})
SHARED = BASIC | TRANSACTIONS | {DataCluster.STATEMENTS}


@pytest.fixture
def connections(ledger: Ledger) -> ConnectionStore:
    return ConnectionStore(ledger.database)


def connect(ledger: Ledger, number: int = 1, *, at: datetime = NOON, **changes: Any) -> ConsentGrant:
    """An approval on record; without `changes` always of the same customer, recipient and provider."""
    names = {"request_id": f"request-{number}", "consent_id": f"consent-{number}", **changes}
    decision = a_decision(**names, granted_scope=SHARED, asked_at=at, decided_at=at)
    grant = a_grant(**names, granted_scope=SHARED, approved_at=at, expires_at=at + YEAR)
    assert ledger.record_decision(decision, grant).grant is grant
    return grant


def redeem(ledger: Ledger, request_id: str = "request-1", **changes: Any) -> Any:
    values = {"token_hash": TOKEN, "now": NOON + SECOND, **changes}
    return ledger.redeem(request_id, "dc-budget", **values)


def refreshable(ledger: Ledger, now: datetime = NOON + SECOND) -> ConsentGrant | None:
    return ledger.find_refreshable(TOKEN, "dc-budget", idle=IDLE, now=now)


def withdraw(
    connections: ConnectionStore,
    withdrawn: Scope | None = None,
    *,
    accounts: tuple[str, ...] = (),
    consent_id: str = "consent-1",
    actor: Actor = Actor.CUSTOMER,
    now: datetime = NOON + SECOND,
) -> ConsentGrant | None:
    """Withdraws clusters, or accounts; without either, everything."""
    part = (
        None
        if withdrawn is None and not accounts
        else Withdrawn(withdrawn or frozenset(), frozenset(accounts))
    )
    return connections.withdraw(consent_id, part, actor=actor, now=now)


def load(connections: ConnectionStore, consent_id: str = "consent-1") -> Connection:
    found = connections.find_connection(consent_id)
    assert found is not None
    return found


def happened(connections: ConnectionStore, consent_id: str = "consent-1") -> list[str]:
    return [event.kind.value for event in connections.history(consent_id)]


# Finding


def test_a_connection_is_found_with_what_was_asked_and_answered(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    grant = connect(ledger)
    assert connections.find_connection("consent-1") == Connection(
        grant=grant,
        requested_scope=EVERYTHING,
        approved_scope=SHARED,
        language=Language.EN,
        screen_hash=None,
        agreement=None,
        accounts_column=None,
        last_used_at=None,
        narrowed_at=None,
        ending=None,
    )
    for unknown in ("consent-2", "", "\0", "consent-1\0", "x" * 10_000, "é"):
        assert connections.find_connection(unknown) is None


def test_last_use_is_the_last_refresh(ledger: Ledger, connections: ConnectionStore) -> None:
    connect(ledger)
    redeem(ledger, now=NOON + SECOND)
    assert load(connections).last_used_at == NOON + SECOND
    ledger.record_refresh(TOKEN, "consent-1", now=NOON + 5 * SECOND)
    assert load(connections).last_used_at == NOON + 5 * SECOND


def test_a_customer_sees_their_own_connections_the_newest_first(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    for number, client_id in enumerate(("dc-a", "dc-b", "dc-c", "dc-a"), 1):
        connect(ledger, number, at=NOON + number * SECOND, client_id=client_id)
    connect(ledger, 5, subject="maple-0002")
    connect(ledger, 6, provider_id="2000")
    mine = list(connections.of(provider_id="1000", subject="maple-0001"))
    assert [one.grant.consent_id for one in mine] == ["consent-4", "consent-3", "consent-2", "consent-1"]
    now = NOON + 9 * SECOND
    assert [one.status_at(now) for one in mine] == [*[GrantStatus.ACTIVE] * 3, GrantStatus.REVOKED]
    assert list(connections.of(provider_id="1000", subject="nobody")) == []
    assert list(connections.of(provider_id="9000", subject="maple-0001")) == []


def test_a_recipient_has_every_connection_of_its_own(ledger: Ledger, connections: ConnectionStore) -> None:
    connect(ledger, 1, subject="maple-0001")
    connect(ledger, 2, subject="maple-0002", at=NOON + SECOND)
    connect(ledger, 3, client_id="dc-loans")
    found = connections.of(client_id="dc-budget")
    assert [one.grant.consent_id for one in found] == ["consent-2", "consent-1"]


def test_however_many_have_ended_since_what_is_shared_is_found(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    connect(ledger, 0, client_id="dc-first")
    many = AT_ONCE + 2
    for number in range(1, many + 1):
        connect(ledger, number, at=NOON + number * SECOND)
    now = NOON + timedelta(hours=1)
    shared = connections.active_of("1000", "maple-0001", now=now)
    assert [one.grant.consent_id for one in shared] == [f"consent-{many}", "consent-0"]
    assert len(list(connections.of(provider_id="1000", subject="maple-0001"))) == many + 1
    page = connections.ended_of("1000", "maple-0001", now=now, most=3)
    assert [one.grant.consent_id for one in page] == [f"consent-{many - number}" for number in (1, 2, 3)]
    last = connections.ended_of(
        "1000", "maple-0001", now=now, most=3, older_than=load(connections, "consent-3").grant
    )
    assert [one.grant.consent_id for one in last] == ["consent-2", "consent-1"]


def test_of_connections_that_were_approved_at_one_moment_none_is_left_out_between_two_pages(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    for number in range(5):
        connect(ledger, number, client_id=f"dc-{number}")
        withdraw(connections, consent_id=f"consent-{number}")
    seen: list[str] = []
    last: ConsentGrant | None = None
    while page := connections.ended_of("1000", "maple-0001", now=NOON, most=2, older_than=last):
        seen += [one.grant.consent_id for one in page]
        last = page[-1].grant
    assert seen == [f"consent-{number}" for number in (4, 3, 2, 1, 0)]


def test_what_has_run_out_is_no_longer_shared_although_nobody_wrote_it_down(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    grant = connect(ledger)
    for now, is_shared in ((grant.expires_at - INSTANT, True), (grant.expires_at, False)):
        assert bool(connections.active_of("1000", "maple-0001", now=now)) is is_shared
        assert bool(connections.ended_of("1000", "maple-0001", now=now, most=1)) is not is_shared


def test_what_a_repeat_request_would_replace_is_the_standing_connection(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    find = partial(connections.find_standing, provider_id="1000", subject="maple-0001", client_id="dc-budget")
    assert find() is None
    connect(ledger, 1)
    second = connect(ledger, 2, at=NOON + SECOND)
    found = find()
    assert found is not None
    assert found.grant == second
    withdraw(connections, consent_id="consent-2", now=NOON + 2 * SECOND)
    assert find() is None


# All of it


@pytest.mark.parametrize(
    ("actor", "kind", "reason"),
    [
        (Actor.CUSTOMER, EventKind.WITHDRAWN, Reason.USER_ACTION),
        (Actor.CLIENT, EventKind.REVOKED, Reason.BUSINESS_RULE),
        (Actor.OPERATOR, EventKind.WITHDRAWN, Reason.BUSINESS_RULE),
    ],
)
def test_whoever_ends_a_connection_ends_it_at_once_and_is_on_record(
    ledger: Ledger, connections: ConnectionStore, actor: Actor, kind: EventKind, reason: Reason
) -> None:
    connect(ledger)
    redeem(ledger)
    now = NOON + 2 * SECOND
    ended = withdraw(connections, actor=actor, now=now)
    assert ended is not None
    assert ended.ended_at == now
    assert ended.status_at(now) is GrantStatus.REVOKED
    assert refreshable(ledger, now) is None
    assert ledger.record_refresh(TOKEN, "consent-1", now=now) is None
    assert load(connections).ending == Event(
        consent_id="consent-1",
        kind=kind,
        actor=actor,
        reason=reason,
        correlation_id="correlation-1",
        happened_at=now,
    )


def test_a_code_on_its_way_cannot_be_redeemed_after_a_withdrawal(
    ledger: Ledger, connections: ConnectionStore, database: LedgerTables
) -> None:
    connect(ledger)
    withdraw(connections)
    assert redeem(ledger) == NotRedeemable()
    assert database.rows("refresh_tokens") == []


def test_what_has_ended_or_never_was_cannot_be_withdrawn(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    connect(ledger)
    assert withdraw(connections, consent_id="consent-2") is None
    withdraw(connections)
    for withdrawn in (None, TRANSACTIONS):
        assert withdraw(connections, withdrawn, now=NOON + 5 * SECOND) is None
    assert happened(connections) == ["asked", "approved", "withdrawn"]
    assert load(connections).grant.ended_at == NOON + SECOND


def test_other_connections_of_the_same_customer_live_on(ledger: Ledger, connections: ConnectionStore) -> None:
    connect(ledger, 1)
    connect(ledger, 2, client_id="dc-loans")
    withdraw(connections)
    assert load(connections, "consent-2").status_at(NOON + 9 * SECOND) is GrantStatus.ACTIVE


# One cluster


def test_a_withdrawn_cluster_is_gone_for_refresh_and_for_a_code_on_its_way(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    connect(ledger)
    narrowed = withdraw(connections, TRANSACTIONS)
    assert narrowed is not None
    assert narrowed.granted_scope == SHARED - TRANSACTIONS
    assert narrowed.status_at(NOON + SECOND) is GrantStatus.ACTIVE
    redeemed = redeem(ledger)
    assert isinstance(redeemed, Redeemed)
    assert redeemed.grant.granted_scope == SHARED - TRANSACTIONS
    withdraw(connections, frozenset({DataCluster.STATEMENTS}))
    found = refreshable(ledger)
    assert found is not None
    assert found.granted_scope == BASIC
    refreshed = ledger.record_refresh(TOKEN, "consent-1", now=NOON + SECOND)
    assert refreshed is not None
    assert refreshed.granted_scope == BASIC


def test_a_narrowing_is_on_record_with_what_it_took_and_the_approval_stays_as_it_was(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    connect(ledger)
    withdraw(connections, TRANSACTIONS | {DataCluster.INVESTMENTS})
    [*_, narrowed] = connections.history("consent-1")
    assert (narrowed.kind, narrowed.actor, narrowed.reason) == (
        EventKind.NARROWED,
        Actor.CUSTOMER,
        Reason.USER_ACTION,
    )
    assert narrowed.detail == "TRANSACTIONS"
    assert load(connections).approved_scope == SHARED
    answered = ledger.find_answer("request-1")
    assert answered is not None
    assert answered.decision.granted_scope == SHARED


def test_withdrawing_what_is_not_shared_changes_nothing(ledger: Ledger, connections: ConnectionStore) -> None:
    grant = connect(ledger)
    for withdrawn in (frozenset({DataCluster.INVESTMENTS}), frozenset[DataCluster]()):
        assert withdraw(connections, withdrawn) == grant
    assert happened(connections) == ["asked", "approved"]


@pytest.mark.parametrize("withdrawn", [BASIC, EVERYTHING, BASIC | TRANSACTIONS])
def test_without_account_basic_there_is_no_connection(
    ledger: Ledger, connections: ConnectionStore, withdrawn: Scope
) -> None:
    connect(ledger)
    redeem(ledger)
    ended = withdraw(connections, withdrawn)
    assert ended is not None
    assert ended.status_at(NOON + SECOND) is GrantStatus.REVOKED
    assert ended.granted_scope == SHARED
    assert refreshable(ledger) is None
    assert happened(connections)[-1] == "withdrawn"


# One account


CHEQUING, SAVINGS = an_account(account_id="a-1"), an_account(account_id="a-2", name="Épargne")
TFSA = an_account(account_id="a-3", category=AccountCategory.INVESTMENT_ACCOUNT)
WITH_INVESTMENTS = SHARED | {DataCluster.INVESTMENTS}


def connect_accounts(ledger: Ledger, *accounts: Account) -> ConsentGrant:
    """An approval on record for chosen accounts."""
    picked = chosen(*accounts)
    decision = a_decision(granted_scope=applicable_scope(WITH_INVESTMENTS, accounts), accounts=picked)
    grant = make_grant(decision, ends_at=NOON + YEAR)
    ledger.record_decision(decision, grant)
    return grant


def test_a_withdrawn_account_is_gone_at_once_and_on_record_and_the_choice_stays_as_it_was(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    connect_accounts(ledger, CHEQUING, SAVINGS)
    redeem(ledger)
    assert load(connections).narrowed_at is None
    narrowed = withdraw(connections, accounts=("a-1", "another"), now=NOON + 2 * SECOND)
    assert narrowed is not None
    assert narrowed.resources == (AccountGroup(SHARED, ("a-2",)),)
    assert narrowed.granted_scope == SHARED
    found = load(connections)
    assert found.grant == narrowed == refreshable(ledger)
    assert (found.accounts, found.narrowed_at) == (chosen(CHEQUING, SAVINGS), NOON + 2 * SECOND)
    [*_, event] = connections.history("consent-1")
    assert (event.kind, event.accounts, event.detail) == (EventKind.NARROWED, frozenset({"a-1"}), None)


def test_with_the_only_account_that_has_investments_they_are_on_record_as_taken_out_too(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    connect_accounts(ledger, CHEQUING, TFSA)
    narrowed = withdraw(connections, accounts=("a-3",))
    assert narrowed is not None
    assert narrowed.granted_scope == SHARED
    [*_, event] = connections.history("consent-1")
    assert (event.accounts, event.detail) == (frozenset({"a-3"}), "INVESTMENTS")


def test_a_withdrawn_cluster_is_gone_from_every_account(ledger: Ledger, connections: ConnectionStore) -> None:
    connect_accounts(ledger, CHEQUING, TFSA)
    narrowed = withdraw(connections, TRANSACTIONS)
    assert narrowed is not None
    assert narrowed.resources == (
        AccountGroup(SHARED - TRANSACTIONS, ("a-1",)),
        AccountGroup(WITH_INVESTMENTS - TRANSACTIONS, ("a-3",)),
    )


def test_with_the_last_account_everything_ends(ledger: Ledger, connections: ConnectionStore) -> None:
    connect_accounts(ledger, CHEQUING, SAVINGS)
    redeem(ledger)
    withdraw(connections, accounts=("a-1",))
    ended = withdraw(connections, accounts=("a-2",))
    assert ended is not None
    assert ended.status_at(NOON + SECOND) is GrantStatus.REVOKED
    assert refreshable(ledger) is None
    assert happened(connections)[-2:] == ["narrowed", "withdrawn"]


def test_of_a_grant_for_every_account_none_can_be_taken_out(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    grant = connect(ledger)
    assert withdraw(connections, accounts=("a-1",)) == grant
    assert happened(connections) == ["asked", "approved"]


def test_of_parts_that_are_withdrawn_at_once_none_is_lost(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    names = [f"a-{number}" for number in range(MANY)]
    connect_accounts(ledger, *(an_account(account_id=name) for name in names))
    parts = [partial(withdraw, connections, accounts=(name,)) for name in names[1:]]
    parts.append(partial(withdraw, connections, TRANSACTIONS))
    all_at_once(*parts)
    found = load(connections)
    assert found.grant.resources == (AccountGroup(SHARED - TRANSACTIONS, ("a-0",)),)
    assert happened(connections).count("narrowed") == len(parts)


def test_what_an_older_version_takes_out_of_the_scope_is_out_of_every_account(
    ledger: Ledger, connections: ConnectionStore, database: LedgerTables
) -> None:
    """It serves beside this one during an upgrade, and does not know the column of the accounts."""
    connect_accounts(ledger, CHEQUING, TFSA)
    with create_engine(database.url, poolclass=NullPool).begin() as connection:
        connection.execute(update(grants).values(granted_scope="ACCOUNT_BASIC STATEMENTS"))
    found = load(connections)
    assert found.grant.resources == (AccountGroup(SHARED - TRANSACTIONS, ("a-1", "a-3")),)
    assert withdraw(connections, TRANSACTIONS) == found.grant
    assert "narrowed" not in happened(connections)


# The end date


def test_a_connection_expires_to_the_second_and_whoever_ends_it_later_finds_it_expired(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    grant = connect(ledger)
    redeem(ledger)
    ledger.record_refresh(TOKEN, "consent-1", now=grant.expires_at - INSTANT)
    assert refreshable(ledger, grant.expires_at - INSTANT) is not None
    assert refreshable(ledger, grant.expires_at) is None
    for withdrawn in (TRANSACTIONS, None):
        withdraw(connections, withdrawn, now=grant.expires_at)
    found = load(connections)
    assert found.status_at(grant.expires_at) is GrantStatus.EXPIRED
    assert found.grant.granted_scope == SHARED
    assert found.ending is not None
    assert (found.ending.kind, found.ending.actor) == (EventKind.EXPIRED, Actor.ACCORD)
    assert found.ending.happened_at == grant.expires_at
    assert happened(connections).count("expired") == 1


def test_one_instant_before_the_end_it_can_still_be_withdrawn(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    grant = connect(ledger)
    ended = withdraw(connections, now=grant.expires_at - INSTANT)
    assert ended is not None
    assert ended.status_at(grant.expires_at) is GrantStatus.REVOKED


def test_what_has_run_out_is_written_down_once(ledger: Ledger, connections: ConnectionStore) -> None:
    first = connect(ledger, 1, subject="maple-0001")
    connect(ledger, 2, subject="maple-0002", at=NOON + SECOND)
    connect(ledger, 3, subject="maple-0003")
    withdraw(connections, consent_id="consent-3")
    assert connections.record_expired(now=first.expires_at - INSTANT) == 0
    assert connections.record_expired(now=first.expires_at) == 1
    assert connections.record_expired(now=first.expires_at) == 0
    later = first.expires_at + YEAR
    assert connections.record_expired(now=later) == 1
    assert happened(connections, "consent-1") == ["asked", "approved", "expired"]
    assert load(connections, "consent-2").grant.ended_at == first.expires_at + SECOND
    assert happened(connections, "consent-3") == ["asked", "approved", "withdrawn"]


def test_what_has_run_out_is_written_down_in_portions(ledger: Ledger, connections: ConnectionStore) -> None:
    for number in range(5):
        connect(ledger, number, subject=f"maple-{number}")
    assert [connections.record_expired(now=NOON + YEAR, most=2) for _ in range(4)] == [2, 2, 1, 0]


# The record


def test_events_are_appended_and_what_was_written_is_never_changed(
    ledger: Ledger, connections: ConnectionStore, database: LedgerTables
) -> None:
    seen: list[dict[str, Any]] = []

    def then(act: Callable[[], object]) -> None:
        act()
        rows = database.rows("events")
        assert rows[: len(seen)] == seen
        assert len(rows) > len(seen)
        seen[:] = rows

    then(lambda: connect(ledger))
    then(lambda: redeem(ledger))
    then(lambda: ledger.record_refresh(TOKEN, "consent-1", now=NOON + SECOND))
    then(lambda: withdraw(connections, TRANSACTIONS))
    then(lambda: connect(ledger, 2, at=NOON + 2 * SECOND))
    then(lambda: withdraw(connections, consent_id="consent-2", now=NOON + 3 * SECOND))
    assert happened(connections) == ["asked", "approved", "redeemed", "refreshed", "narrowed", "superseded"]
    assert happened(connections, "consent-2") == ["asked", "approved", "withdrawn"]


# All at once


def test_of_many_withdrawals_at_once_one_counts(ledger: Ledger, connections: ConnectionStore) -> None:
    connect(ledger)
    results = all_at_once(*[partial(withdraw, connections, actor=actor) for actor in [*Actor] * 3])
    assert [result is not None for result in results].count(True) == 1
    assert len(happened(connections)) == 3


def test_of_many_narrowings_at_once_none_is_lost(ledger: Ledger, connections: ConnectionStore) -> None:
    connect(ledger)
    optional = sorted(SHARED - BASIC)
    all_at_once(*[partial(withdraw, connections, frozenset({one})) for one in optional * 4])
    assert load(connections).grant.granted_scope == BASIC
    assert sorted(event.detail or "" for event in connections.history("consent-1"))[2:] == optional


def test_a_redemption_and_a_withdrawal_at_once_leave_no_token_that_works(
    ledger: Ledger, connections: ConnectionStore
) -> None:
    for number in range(MANY):
        connect(ledger, number, subject=f"maple-{number}")
        token = hash_secret(f"token {number}")
        calls: list[Callable[[], object]] = [
            partial(redeem, ledger, f"request-{number}", token_hash=token),
            partial(withdraw, connections, consent_id=f"consent-{number}"),
        ]
        all_at_once(*calls)
        assert ledger.find_refreshable(token, "dc-budget", idle=IDLE, now=NOON + SECOND) is None
        assert ledger.record_refresh(token, f"consent-{number}", now=NOON + SECOND) is None


# When the database does not answer


def test_every_method_says_so(open_ledger: Callable[[str], Ledger], tmp_path: Any) -> None:
    connections = ConnectionStore(open_ledger(f"sqlite:///{tmp_path}/no-such-folder/x").database)
    for call in (
        lambda: connections.find_connection("consent-1"),
        lambda: list(connections.of(provider_id="1000", subject="maple-0001")),
        lambda: connections.active_of("1000", "maple-0001", now=NOON),
        lambda: connections.ended_of("1000", "maple-0001", now=NOON, most=20),
        lambda: connections.standing(client_id="dc-budget"),
        lambda: connections.end_all(["consent-1"], operator="Robin", note="why", now=NOON),
        lambda: list(connections.of(client_id="dc-budget")),
        lambda: connections.history("consent-1"),
        lambda: connections.record_expired(now=NOON),
        lambda: withdraw(connections),
    ):
        with pytest.raises(StoreUnavailable):
            call()
