"""The whole ledger, read in a fixed order and in portions, on both databases."""

from datetime import timedelta

from sqlalchemy import insert

from app.domain.agreement import make_agreement
from app.domain.evidence import Screen
from app.domain.language import Language
from app.stores.ledger.audit import AT_ONCE, Audit
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.rows import screen_row
from app.stores.ledger.schema import agreements, decisions, events, grants, screens
from tests.support.builders import NOON, a_client, a_decision, a_grant, a_provider

HOUR = timedelta(hours=1)
AGREEMENT = make_agreement(a_client(), a_provider())


def approve(ledger: Ledger, name: str, *, after: timedelta = timedelta(0)) -> None:
    names = {"request_id": f"r-{name}", "consent_id": f"c-{name}", "subject": f"s-{name}"}
    at = NOON + after
    grant = a_grant(**names, approved_at=at, expires_at=at + timedelta(days=9))
    ledger.record_decision(a_decision(**names, asked_at=at, decided_at=at, agreement=AGREEMENT), grant)


def keep_screen(ledger: Ledger, screen: Screen) -> None:
    with ledger.database.writing() as connection:
        connection.change(insert(screens), **screen_row(screen, NOON))


def test_everything_but_tokens_is_read_in_the_order_in_which_it_was_made(ledger: Ledger) -> None:
    approve(ledger, "b")
    approve(ledger, "a", after=HOUR)
    ledger.redeem("r-a", "dc-budget", token_hash="the-hash", now=NOON + HOUR)
    keep_screen(ledger, Screen("the page", Language.FR, "catalogue-1"))
    records = list(Audit(ledger.database).records())
    assert [(record.kind, record.values.get("consent_id")) for record in records] == [
        ("screen", None),
        ("agreement", None),
        *(("decision", consent_id) for consent_id in ("c-b", "c-a")),
        *(("grant", consent_id) for consent_id in ("c-b", "c-a")),
        *(("event", consent_id) for consent_id in ("c-b", "c-b", "c-a", "c-a", "c-a")),
    ]
    assert "the-hash" not in str(records)
    assert records == list(Audit(ledger.database).records())


def test_only_what_was_made_since_then_is_read(ledger: Ledger) -> None:
    approve(ledger, "old")
    approve(ledger, "new", after=HOUR)
    records = list(Audit(ledger.database).records(since=NOON + HOUR))
    assert {record.values["consent_id"] for record in records} == {"c-new"}
    assert [record.kind for record in records] == ["decision", "grant", "event", "event"]


def test_a_record_has_the_columns_of_its_table_and_no_others(ledger: Ledger) -> None:
    approve(ledger, "a")
    keep_screen(ledger, Screen("the page", Language.FR, "catalogue-1"))
    tables = {
        "screen": screens,
        "agreement": agreements,
        "decision": decisions,
        "grant": grants,
        "event": events,
    }
    records = list(Audit(ledger.database).records())
    assert {record.kind for record in records} == set(tables)
    for record in records:
        assert list(record.values) == tables[record.kind].columns.keys()


def test_several_portions_of_one_moment_leave_nothing_out_and_repeat_nothing(ledger: Ledger) -> None:
    for number in range(AT_ONCE + 7):
        approve(ledger, f"{number:04}")
    decisions = [record for record in Audit(ledger.database).records() if record.kind == "decision"]
    assert [record.values["request_id"] for record in decisions] == [
        f"r-{number:04}" for number in range(AT_ONCE + 7)
    ]


def test_portions_that_end_between_two_moments_leave_nothing_out(ledger: Ledger) -> None:
    made = AT_ONCE + 7
    for number in range(made):
        approve(ledger, f"{number:04}", after=HOUR - timedelta(seconds=number))
    records = list(Audit(ledger.database).records())
    names = [f"r-{number:04}" for number in reversed(range(made))]
    assert [record.values["request_id"] for record in records if record.kind == "decision"] == names
    assert [record.values["request_id"] for record in records if record.kind == "grant"] == names
    assert len([record for record in records if record.kind == "event"]) == 2 * made


def test_a_code_that_nobody_redeemed_is_found_once_it_has_expired(ledger: Ledger) -> None:
    for name in ("reached", "lost", "recent"):
        approve(ledger, name, after=HOUR if name == "recent" else timedelta(0))
    ledger.redeem("r-reached", "dc-budget", token_hash="t", now=NOON)
    audit = Audit(ledger.database)
    assert [grant.consent_id for grant in audit.unredeemed(approved_before=NOON + HOUR)] == ["c-lost"]
    later = audit.unredeemed(approved_before=NOON + 2 * HOUR, since=NOON + HOUR)
    assert [grant.consent_id for grant in later] == ["c-recent"]
