"""What is forgotten, and above all what is not, on both databases."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import insert

from app.domain.agreement import Agreement, make_agreement
from app.domain.consent import Answer, ConsentGrant
from app.domain.evidence import Screen, hash_text
from app.domain.history import Actor
from app.domain.language import Language
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.retention import MOST_AT_ONCE, Forgettable, Policy, RetentionStore
from app.stores.ledger.rows import agreement_row, screen_row
from app.stores.ledger.schema import agreements, screens
from tests.support.builders import NOON, a_client, a_decision, a_grant, a_provider
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices

YEAR = timedelta(days=365)
DAY = timedelta(days=1)
POLICY = Policy(records=7 * YEAR, tokens=365 * DAY, token_idle=30 * DAY)
SECOND = timedelta(seconds=1)
AGREEMENT = make_agreement(a_client(), a_provider())
EVERY_TABLE = ("decisions", "grants", "events", "refresh_tokens")


@dataclass(frozen=True)
class Kept:
    """A ledger with a few consents, of which each test ends some."""

    ledger: Ledger
    store: RetentionStore

    def approve(
        self,
        name: str,
        *,
        shown: str | None = None,
        agreement: Agreement | None = None,
        redeemed: bool = True,
    ) -> ConsentGrant:
        """A consent of NOON that lasts a year, with a refresh token."""
        names = {"request_id": f"r-{name}", "consent_id": f"c-{name}", "subject": f"s-{name}"}
        grant = a_grant(**names)
        decision = a_decision(**names, screen_hash=shown and hash_text(shown), agreement=agreement)
        self.ledger.record_decision(decision, grant)
        if redeemed:
            self.ledger.redeem(grant.request_id, grant.client_id, token_hash=f"t-{name}", now=NOON)
        return grant

    def deny(self, name: str) -> None:
        names = {"request_id": f"r-{name}", "consent_id": f"c-{name}"}
        self.ledger.record_decision(a_decision(**names, answer=Answer.DENY, granted_scope=frozenset()), None)

    def withdraw(self, name: str, after: timedelta) -> None:
        ConnectionStore(self.ledger.database).withdraw(
            f"c-{name}", None, actor=Actor.CUSTOMER, now=NOON + after
        )

    def show(self, text: str, after: timedelta = timedelta(0)) -> None:
        screen = Screen(text, Language.EN, "catalogue-1")
        with self.ledger.database.writing() as connection:
            connection.change(insert(screens), **screen_row(screen, NOON + after))

    def leave_agreement(self, agreement: Agreement, after: timedelta = timedelta(0)) -> None:
        """As where every decision about it has been forgotten."""
        with self.ledger.database.writing() as connection:
            connection.change(insert(agreements), **agreement_row(agreement, NOON + after))

    def forget(self, after: timedelta) -> Forgettable:
        """What is deleted at that time, which is what was announced."""
        announced = self.store.count(now=NOON + after)
        assert sum(self.store.forget(now=NOON + after), Forgettable()) == announced
        return announced


@pytest.fixture
def kept(ledger: Ledger) -> Kept:
    return Kept(ledger, RetentionStore(ledger.database, POLICY))


def test_a_consent_is_kept_for_years_after_it_ran_out_and_then_forgotten_entirely(
    kept: Kept, database: LedgerTables
) -> None:
    kept.approve("a")
    assert kept.forget(8 * YEAR - SECOND).consents == 0
    assert len(database.rows("decisions")) == len(database.rows("grants")) == 1
    assert kept.forget(8 * YEAR).consents == 1
    assert [database.rows(table) for table in EVERY_TABLE] == [[]] * 4


def test_the_years_of_a_consent_that_was_withdrawn_begin_there(kept: Kept, database: LedgerTables) -> None:
    kept.approve("a")
    kept.approve("b")
    kept.withdraw("a", after=10 * DAY)
    assert kept.forget(7 * YEAR + 10 * DAY - SECOND).consents == 0
    assert kept.forget(7 * YEAR + 10 * DAY).consents == 1
    assert [row["consent_id"] for row in database.rows("decisions")] == ["c-b"]
    assert {consent_id for consent_id, _ in database.events()} == {"c-b"}


def test_a_denial_is_kept_for_years_too(kept: Kept, database: LedgerTables) -> None:
    kept.deny("a")
    assert kept.forget(7 * YEAR - SECOND) == Forgettable()
    assert kept.forget(7 * YEAR) == Forgettable(consents=1, events=2)
    assert database.rows("decisions") == database.rows("events") == []


@pytest.mark.parametrize("after", [timedelta(0), 364 * DAY, YEAR - SECOND])
def test_nothing_of_a_consent_in_force_is_ever_forgotten(
    ledger: Ledger, database: LedgerTables, after: timedelta
) -> None:
    impatient = Policy(records=timedelta(0), tokens=timedelta(0), token_idle=YEAR)
    kept = Kept(ledger, RetentionStore(ledger.database, impatient))
    kept.approve("a", shown="the page", agreement=AGREEMENT)
    kept.show("the page")
    before = [database.rows(table) for table in (*EVERY_TABLE, "screens", "agreements")]
    assert all(before)
    assert kept.forget(after) == Forgettable()
    assert [database.rows(table) for table in (*EVERY_TABLE, "screens", "agreements")] == before


@pytest.mark.parametrize(
    ("withdrawn_after", "dead_after"),
    [(None, 365 * DAY + 30 * DAY), (10 * DAY, 365 * DAY + 10 * DAY)],
    ids=["idle for thirty days", "revoked"],
)
def test_a_refresh_token_is_forgotten_a_year_after_it_died_and_its_consent_is_not(
    kept: Kept, database: LedgerTables, withdrawn_after: timedelta | None, dead_after: timedelta
) -> None:
    kept.approve("a")
    if withdrawn_after is not None:
        kept.withdraw("a", withdrawn_after)
    told = 0 if withdrawn_after is None else 1
    assert kept.forget(dead_after - SECOND) == Forgettable(notices=told)
    assert kept.forget(dead_after) == Forgettable(refresh_tokens=1)
    assert database.rows("refresh_tokens") == []
    assert len(database.rows("grants")) == 1


def test_a_refresh_token_that_is_used_lives(kept: Kept, database: LedgerTables) -> None:
    kept.approve("a")
    kept.ledger.record_refresh("t-a", "c-a", now=NOON + 300 * DAY)
    assert kept.forget(600 * DAY) == Forgettable()
    assert len(database.rows("refresh_tokens")) == 1


def test_a_page_is_kept_while_an_answer_refers_to_it(kept: Kept, database: LedgerTables) -> None:
    kept.show("the page")
    kept.approve("a", shown="the page", redeemed=False)
    assert kept.forget(8 * YEAR - SECOND).screens == 0
    assert kept.forget(8 * YEAR).screens == 1
    assert database.rows("screens") == []


def test_a_page_that_nobody_answered_is_kept_for_thirty_days(kept: Kept, database: LedgerTables) -> None:
    kept.show("old")
    kept.show("new", after=2 * DAY)
    assert kept.forget(30 * DAY - SECOND) == Forgettable()
    assert kept.forget(30 * DAY) == Forgettable(screens=1)
    assert [row["text"] for row in database.rows("screens")] == ["new"]


def test_what_was_agreed_is_kept_while_an_answer_refers_to_it(kept: Kept, database: LedgerTables) -> None:
    """Two consents agree to the same, of which the second ends a year later."""
    kept.approve("a", agreement=AGREEMENT, redeemed=False)
    kept.approve("b", agreement=AGREEMENT, redeemed=False)
    kept.withdraw("a", after=DAY)
    assert kept.forget(8 * YEAR - SECOND) == Forgettable(consents=1, events=3, notices=1)
    assert len(database.rows("agreements")) == 1
    assert kept.forget(8 * YEAR).agreements == 1
    assert database.rows("agreements") == []


def test_what_was_agreed_and_nobody_refers_to_is_kept_for_thirty_days(
    kept: Kept, database: LedgerTables
) -> None:
    new = make_agreement(a_client(history_months=12), a_provider())
    kept.leave_agreement(AGREEMENT)
    kept.leave_agreement(new, after=2 * DAY)
    assert kept.forget(30 * DAY - SECOND) == Forgettable()
    assert kept.forget(30 * DAY) == Forgettable(agreements=1)
    assert [row["agreement_hash"] for row in database.rows("agreements")] == [new.agreement_hash]


def test_a_notice_is_forgotten_after_ninety_days_taken_or_not_and_the_event_stays(
    kept: Kept, database: LedgerTables
) -> None:
    kept.approve("a")
    kept.withdraw("a", after=DAY)
    put_notices(database, "taken", state="delivered", settled_at=NOON)
    assert kept.forget(90 * DAY) == Forgettable()
    assert kept.forget(91 * DAY) == Forgettable(notices=1)
    assert kept.forget(91 * DAY + SECOND) == Forgettable(notices=1)
    assert database["notices"] == []
    assert ("c-a", "withdrawn") in database.events()


def test_more_than_one_portion_is_forgotten_in_several_transactions(
    kept: Kept, database: LedgerTables
) -> None:
    for number in range(MOST_AT_ONCE + 3):
        kept.deny(str(number))
    steps = list(kept.store.forget(now=NOON + 7 * YEAR))
    assert [step.consents for step in steps if step.consents] == [MOST_AT_ONCE, 3]
    assert database.rows("decisions") == []


def test_what_was_announced_is_only_announced(kept: Kept, database: LedgerTables) -> None:
    kept.deny("a")
    assert kept.store.count(now=NOON + 9 * YEAR).consents == 1
    assert len(database.rows("decisions")) == 1
