"""Notices that are due reach the recipients that have registered an address, whatever these do."""

import contextlib
import socket
import sqlite3
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.domain.history import Actor
from app.domain.notice_registration import NoticesRegistration, receiver_of_bank
from app.notices import deliverer
from app.notices.deliverer import AHEAD, IN_FLIGHT
from app.stores.key_rotation import PUBLISHED_BEFORE, rotate_signing_keys
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.deliveries import PAUSED_AFTER, DeliveryStore
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.statements import DatabaseConnection
from app.stores.signing_keys import SigningKeys
from tests.notices.conftest import Deliver
from tests.support.applications import Clock, Logged
from tests.support.builders import NOON, a_client, a_decision, a_grant, a_registry
from tests.support.delivering import ISSUER, bank_told_at, client_told_at, put_due
from tests.support.ledger_tables import LedgerTables
from tests.support.ports import free_port
from tests.support.receiver import TAKE, Receiver, ReceiverHandler, answer, claims_of, hang
from tests.support.waiting import wait_until


def states(database: LedgerTables) -> list[str]:
    return sorted(row["state"] for row in database["notices"])


def test_a_stop_is_told_as_a_signed_event_about_the_consent(
    deliver: Deliver, ledger: Ledger, database: LedgerTables, keys: Path, logged: Logged
) -> None:
    ledger.record_decision(a_decision(), a_grant())
    ConnectionStore(ledger.database).withdraw("consent-1", None, actor=Actor.CUSTOMER, now=NOON)
    with Receiver() as recipient:
        deliver(client_told_at(recipient)).once()
    (token,) = recipient.sent
    decoded = jwt.decode(token, KeySet.import_key_set(SigningKeys(keys).public), algorithms=["ES256"])  # type: ignore[arg-type]
    (row,) = database["notices"]
    assert decoded.header["typ"] == "secevent+jwt"
    assert (decoded.claims["iss"], decoded.claims["aud"]) == (ISSUER, "dc-budget")
    assert (decoded.claims["jti"], decoded.claims["sub_id"]["id"]) == (row["notice_id"], "consent-1")
    assert (row["state"], row["attempts"]) == ("delivered", 1)
    assert database.rows("events", kind="notified")[0]["detail"] == "push CONSENT_REVOKED"
    (line,) = (entry for entry in logged() if entry["event"] == "notice_delivered")
    assert (line["client_id"], line["type"]) == ("dc-budget", "CONSENT_REVOKED")
    assert (line["provider_id"], line["consent_id"]) == ("1000", "consent-1")
    assert (line["correlation_id"], line["attempts"]) == ("correlation-1", 1)


def test_a_bank_and_a_recipient_of_the_same_name_each_get_their_own(
    deliver: Deliver, database: LedgerTables, logged: Logged
) -> None:
    put_due(database, "to-the-bank", client_id=receiver_of_bank("1000"))
    put_due(database, "to-the-recipient", client_id="1000")
    with Receiver() as bank, Receiver() as recipient:
        deliver(client_told_at(recipient, "1000"), bank_told_at(bank, "1000")).once()
        assert (bank.ids(), recipient.ids()) == (["to-the-bank"], ["to-the-recipient"])
        assert claims_of(bank.sent[0])["aud"] == claims_of(recipient.sent[0])["aud"] == "1000"
    assert states(database) == ["delivered", "delivered"]
    assert [row["consent_id"] for row in database.rows("events", kind="notified")] == [
        "consent-of-to-the-recipient"
    ], "what a bank took is no evidence of what the recipient got"
    lines = {entry["notice_id"]: entry for entry in logged() if entry["event"] == "notice_delivered"}
    told_bank, told_recipient = lines["to-the-bank"], lines["to-the-recipient"]
    assert (told_bank["provider_id"], "client_id" in told_bank) == ("1000", False)
    assert (told_recipient["client_id"], told_recipient["provider_id"]) == ("1000", "1000")


def test_a_bank_whose_address_is_gone_gets_nothing_more_and_recipients_do(
    deliver: Deliver, database: LedgerTables, logged: Logged
) -> None:
    bank_name = receiver_of_bank("1000")
    put_due(database, "a", client_id=bank_name)
    with Receiver(answer(410)) as bank, Receiver() as recipient:
        delivering = deliver(client_told_at(recipient), bank_told_at(bank))
        delivering.once()
        put_due(database, "b", client_id=bank_name)
        put_due(database, "c")
        delivering.once()
        assert (bank.ids(), recipient.ids()) == (["a"], ["c"])
    assert [row["client_id"] for row in database["notice_endpoints"]] == [bank_name]
    (line,) = (entry for entry in logged() if entry["event"] == "notice_endpoint_disabled")
    assert line["provider_id"] == "1000"


def test_who_has_registered_no_address_is_sent_nothing(deliver: Deliver, database: LedgerTables) -> None:
    put_due(database, "a")
    deliver(a_client(client_id="dc-budget")).once()
    assert [(row["state"], row["attempts"]) for row in database["notices"]] == [("waiting", 0)]


def test_a_registration_is_replaced_while_it_runs(deliver: Deliver, database: LedgerTables) -> None:
    put_due(database, "a")
    with Receiver() as recipient:
        told = client_told_at(recipient)
        delivering = deliver(replace(told, notices=NoticesRegistration()))
        delivering.once()
        assert recipient.sent == []
        delivering.deliverer.registry = a_registry(told)
        delivering.once()
    assert recipient.ids() == ["a"]


def test_a_recipient_that_is_suspended_is_told_all_the_same(deliver: Deliver, database: LedgerTables) -> None:
    """That a consent has ended, its bank has to tell it (CBDA 91(2)(c)). No customer is named."""
    put_due(database, "a")
    with Receiver() as recipient:
        deliver(replace(client_told_at(recipient), is_suspended=True)).once()
    assert recipient.ids() == ["a"]


def test_after_a_failure_it_waits_and_is_signed_anew(
    deliver: Deliver, database: LedgerTables, keys: Path, clock: Clock, logged: Logged
) -> None:
    """Also when the keys were changed between the tries."""
    put_due(database, "a")
    with Receiver(answer(500)) as recipient:
        delivering = deliver(client_told_at(recipient))
        delivering.once()
        (row,) = database["notices"]
        assert (row["state"], row["attempts"], row["last_outcome"]) == ("waiting", 1, "500")
        assert timedelta(seconds=4) <= row["next_try_at"] - NOON <= timedelta(seconds=6)
        rotate_signing_keys(keys, now=clock.now)
        clock.advance(PUBLISHED_BEFORE)
        recipient.answers = TAKE
        delivering.once()
    published = KeySet.import_key_set(SigningKeys(keys).public)  # type: ignore[arg-type]
    first, second = (jwt.decode(token, published, algorithms=["ES256"]) for token in recipient.sent)
    assert first.header["kid"] != second.header["kid"]
    assert first.claims["jti"] == second.claims["jti"] == "a"
    assert second.claims["iat"] - first.claims["iat"] == PUBLISHED_BEFORE.total_seconds()
    assert states(database) == ["delivered"]
    assert [entry["outcome"] for entry in logged() if entry["event"] == "notice_failed"] == ["500"]


def test_what_the_recipient_refuses_is_not_sent_again(
    deliver: Deliver, database: LedgerTables, logged: Logged
) -> None:
    put_due(database, "a")
    with Receiver(answer(400, b'{"err": "invalid_audience", "description": "secret words"}')) as recipient:
        deliver(client_told_at(recipient)).once()
    (row,) = database["notices"]
    assert (row["state"], row["last_outcome"]) == ("dead", "invalid_audience")
    entries = logged()
    assert [entry["err"] for entry in entries if entry["event"] == "notice_refused"] == ["invalid_audience"]
    assert "secret words" not in str(entries)


def test_an_address_that_is_gone_is_sent_nothing_until_an_operator_says_so(
    deliver: Deliver, database: LedgerTables, clock: Clock, logged: Logged
) -> None:
    put_due(database, "a")
    with Receiver(answer(410)) as recipient:
        delivering = deliver(client_told_at(recipient))
        delivering.once()
        clock.advance(timedelta(days=2))
        delivering.once()
    assert len(recipient.sent) == 1
    assert [row["disabled_why"] for row in database["notice_endpoints"]] == ["410 Gone"]
    assert states(database) == ["waiting"]
    assert "notice_endpoint_disabled" in [entry["event"] for entry in logged()]


def test_who_asks_for_time_gets_it(
    deliver: Deliver, database: LedgerTables, clock: Clock, logged: Logged
) -> None:
    """Of its server, not of one notice."""
    put_due(database, *(f"n{number}" for number in range(9)))
    with Receiver(answer(429, Retry_After="3600")) as recipient:
        delivering = deliver(client_told_at(recipient))
        delivering.once()
        sent = len(recipient.sent)
        assert sent <= IN_FLIGHT
        clock.advance(timedelta(minutes=59))
        delivering.once()
        assert len(recipient.sent) == sent
        recipient.answers = TAKE
        clock.advance(timedelta(minutes=1))
        delivering.once()
        assert states(database).count("delivered") == 1
        delivering.once()
    assert states(database).count("delivered") > 1
    paused = [entry["seconds"] for entry in logged() if entry["event"] == "notice_endpoint_paused"]
    assert set(paused) == {3600}


def test_what_was_claimed_for_who_asks_for_time_is_given_back(
    deliver: Deliver, database: LedgerTables
) -> None:
    put_due(database, *(f"n{number:02}" for number in range(2 * AHEAD)))

    def ask_for_time(handler: ReceiverHandler) -> None:
        """After it has taken so many that more are claimed for it ahead."""
        (TAKE if len(handler.receiver.sent) <= AHEAD else answer(503, Retry_After="60"))(handler)

    with Receiver(ask_for_time) as recipient, deliver(client_told_at(recipient)).running():
        wait_until(lambda: database["notice_endpoints"] and not any(leases_of(database)))
        assert len(recipient.sent) <= AHEAD + 2 * IN_FLIGHT


def test_a_notice_that_was_under_way_beside_it_ends_no_pause(
    deliver: Deliver, database: LedgerTables
) -> None:
    """Of the two that are under way to one receiver, one is to be sent later, and then the other is taken."""
    put_due(database, *(f"n{number:02}" for number in range(2 * AHEAD)))

    def take_one_late(handler: ReceiverHandler) -> None:
        sent = len(handler.receiver.sent)
        if sent == AHEAD + 1:
            answer(503, Retry_After="3600")(handler)
        else:
            if sent > AHEAD + 1:
                wait_until(lambda: database["notice_endpoints"])
            TAKE(handler)

    with Receiver(take_one_late) as recipient, deliver(client_told_at(recipient)).running():
        wait_until(lambda: database["notice_endpoints"] and not any(leases_of(database)))
        assert len(recipient.sent) <= AHEAD + 1 + IN_FLIGHT
        assert database["notice_endpoints"], "the pause stands"


def leases_of(database: LedgerTables) -> list[datetime | None]:
    return [row["leased_until"] for row in database["notices"]]


def test_a_recipient_that_is_away_costs_one_request_for_each_pause(
    deliver: Deliver, database: LedgerTables, clock: Clock, logged: Logged
) -> None:
    put_due(database, *(f"n{number:02}" for number in range(40)))
    with Receiver(answer(503)) as recipient:
        delivering = deliver(client_told_at(recipient))
        for _ in range(PAUSED_AFTER // IN_FLIGHT):
            delivering.once()
        assert len(recipient.sent) == PAUSED_AFTER
        assert database["notice_endpoints"][0]["paused_until"] is not None
        for _ in range(3):
            clock.advance(timedelta(hours=1))
            delivering.once()
        assert len(recipient.sent) == PAUSED_AFTER + 3
        recipient.answers = TAKE
        clock.advance(timedelta(hours=1))
        delivering.once()
        assert states(database).count("delivered") == 1
        delivering.once()
        assert states(database).count("delivered") > 1
    assert "notice_endpoint_paused" in [entry["event"] for entry in logged()]


def test_what_a_recipient_that_is_away_has_not_taken_for_a_week_is_given_up(
    deliver: Deliver, database: LedgerTables, clock: Clock, logged: Logged
) -> None:
    """Although most of it was never tried: one notice at a time is tried for all."""
    put_due(database, *(f"n{number:02}" for number in range(60)))
    with Receiver(answer(503)) as recipient:
        delivering = deliver(client_told_at(recipient))
        for _ in range(PAUSED_AFTER // IN_FLIGHT):
            delivering.once()
        for _ in range(13):
            clock.advance(timedelta(hours=12))
            delivering.once()
        assert states(database) == ["waiting"] * 60
        clock.advance(timedelta(hours=12))
        delivering.once()
    assert states(database) == ["dead"] * 60
    given_up = [entry for entry in logged() if entry["event"] == "notice_given_up"]
    assert len({entry["notice_id"] for entry in given_up}) == 60
    assert {entry["outcome"] for entry in given_up} == {"503"}


def test_a_recipient_that_hangs_does_not_keep_the_others_waiting(
    deliver: Deliver, database: LedgerTables
) -> None:
    put_due(database, *(f"h{number}" for number in range(9)), client_id="dc-hangs")
    put_due(database, *(f"w{number}" for number in range(30)), client_id="dc-works")
    with Receiver() as works, contextlib.ExitStack() as stack:
        hangs = stack.enter_context(Receiver(hang))
        with deliver(client_told_at(hangs, "dc-hangs"), client_told_at(works, "dc-works")).running():
            wait_until(lambda: len(works.sent) == 30)
            assert len(hangs.sent) < 9, "it has waited for the other"
            stack.close()
    assert sorted(works.ids()) == sorted(f"w{number}" for number in range(30))


def test_what_this_process_cannot_send_is_no_failure_of_the_receiver(
    deliver: Deliver, database: LedgerTables, clock: Clock, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Look-ups of a name that hang hold the calls to its receiver for longer than these are waited for."""
    put_due(database, "a", "b", "c")
    looked_up, find = threading.Event(), socket.getaddrinfo

    def hang_at_first(*args: Any, **options: Any) -> Any:
        looked_up.wait(20)
        return find(*args, **options)

    monkeypatch.setattr(deliverer, "PUSH", timedelta(seconds=0.2))
    monkeypatch.setattr(socket, "getaddrinfo", hang_at_first)
    with Receiver() as recipient:
        delivering = deliver(client_told_at(recipient))
        delivering.once()
        delivering.once()
        rows = {row["notice_id"]: row for row in database["notices"]}
        assert [rows[name]["last_outcome"] for name in "abc"] == ["timeout", "timeout", "no_slot"]
        assert rows["c"]["attempts"] == 0
        assert [row["failures"] for row in database["notice_endpoints"]] == [IN_FLIGHT]
        (line,) = (entry for entry in logged() if entry["event"] == "notice_postponed")
        assert (line["notice_id"], line["outcome"]) == ("c", "no_slot")
        looked_up.set()

        def is_delivered_later() -> bool:
            clock.advance(timedelta(seconds=10))
            delivering.once()
            return "delivered" in states(database)

        wait_until(is_delivered_later)


def test_one_that_nobody_answers_for_is_a_failure_like_any_other(
    deliver: Deliver, database: LedgerTables
) -> None:
    put_due(database, "a")
    receiver = Receiver(port=free_port())
    deliver(client_told_at(receiver)).once()
    assert [row["last_outcome"] for row in database["notices"]] == ["connection"]


def test_a_deliverer_that_dies_between_sending_and_recording_sends_it_twice_with_one_name(
    deliver: Deliver, database: LedgerTables, ledger: Ledger, clock: Clock
) -> None:
    """The first has claimed it and sent it, and is heard of no more: its lease runs out."""
    put_due(database, "a")
    with Receiver() as recipient:
        delivering = deliver(client_told_at(recipient))
        (lost,) = DeliveryStore(ledger.database).claim({"dc-budget": 1}, now=clock.now)
        delivering.once()
        assert recipient.sent == [], "it is the other's for as long as its lease lasts"
        clock.advance(lost.until - clock.now)
        delivering.once()
    assert recipient.ids() == ["a"]
    assert [(row["state"], row["attempts"]) for row in database["notices"]] == [("delivered", 2)]
    assert len(database.rows("events", kind="notified")) == 1


def test_a_commit_whose_answer_was_lost_has_recorded_it(
    deliver: Deliver, database: LedgerTables, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_due(database, "a")
    commit, is_lost = DatabaseConnection.commit, threading.Event()

    def lose_the_answer(connection: DatabaseConnection) -> None:
        commit(connection)
        if states(database) == ["delivered"] and not is_lost.is_set():
            is_lost.set()
            raise sqlite3.OperationalError("lost")

    monkeypatch.setattr(DatabaseConnection, "commit", lose_the_answer)
    lines: list[dict[str, object]] = []

    def is_said() -> bool:
        lines.extend(entry for entry in logged() if entry["event"] == "notice_delivered")
        return bool(lines)

    with Receiver() as recipient, deliver(client_told_at(recipient)).running():
        wait_until(is_said)
    assert is_lost.is_set()
    (line,) = lines
    assert "is_recorded" not in line
    assert len(database.rows("events", kind="notified")) == 1


def test_four_deliverers_send_each_notice_once(deliver: Deliver, database: LedgerTables) -> None:
    names = [f"n{number:02}" for number in range(40)]
    for client_id in ("dc-a", "dc-b"):
        put_due(database, *(f"{client_id}-{name}" for name in names), client_id=client_id)
    with Receiver() as one, Receiver() as other:
        clients = client_told_at(one, "dc-a"), client_told_at(other, "dc-b")
        with contextlib.ExitStack() as four:
            for _ in range(4):
                four.enter_context(deliver(*clients).running())
            wait_until(lambda: states(database).count("delivered") == 80)
    assert sorted(one.ids()) == [f"dc-a-{name}" for name in names]
    assert sorted(other.ids()) == [f"dc-b-{name}" for name in names]
    assert len(database.rows("events", kind="notified")) == 80


def test_whoever_stops_finishes_what_is_under_way_and_gives_the_rest_back(
    deliver: Deliver, database: LedgerTables
) -> None:
    put_due(database, *(f"n{number:02}" for number in range(2 * AHEAD)))
    is_held, go_on = threading.Event(), threading.Event()

    def take_a_few(handler: ReceiverHandler) -> None:
        if len(handler.receiver.sent) > IN_FLIGHT:
            is_held.set()
            go_on.wait(20)
        TAKE(handler)

    def leased() -> int:
        return sum(row["leased_until"] is not None for row in database["notices"])

    with Receiver(take_a_few) as recipient, deliver(client_told_at(recipient)).running():
        wait_until(lambda: is_held.is_set() and leased() > IN_FLIGHT)
        # The block ends here: it is told to stop while two are under way.
        threading.Timer(0.05, go_on.set).start()
    assert leased() == 0
    waiting = [row for row in database["notices"] if row["state"] == "waiting"]
    assert len(waiting) + len(set(recipient.ids())) == 2 * AHEAD
    assert {row["attempts"] for row in waiting} <= {0}


def test_while_the_ledger_does_not_answer_it_waits_and_then_goes_on(
    deliver: Deliver, database: LedgerTables, ledger_url: str, logged: Logged
) -> None:
    put_due(database, "a")
    entries: list[dict[str, object]] = []

    def has_said(event: str) -> bool:
        entries.extend(logged())
        return event in [entry["event"] for entry in entries]

    path = ledger_url.removeprefix("sqlite:///")
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
        Receiver() as recipient,
    ):
        other.execute("BEGIN EXCLUSIVE")
        with deliver(client_told_at(recipient)).running():
            wait_until(lambda: has_said("store_unavailable"))
            other.execute("ROLLBACK")
            wait_until(lambda: recipient.sent)
            wait_until(lambda: has_said("store_available_again"))
    assert states(database) == ["delivered"]
    assert [claims_of(token)["jti"] for token in recipient.sent] == ["a"]
