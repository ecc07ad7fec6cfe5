"""What the way of a consent promises whoever calls it, page or not."""

from datetime import timedelta

from flask import Flask

from app.domain.consent import Answer, ShownConsent
from app.domain.evidence import Screen
from app.domain.language import Language
from app.flow.consent import Approved, ConsentFlow, Expired, SentAnswer
from tests.support.applications import Clock, services_of
from tests.support.builders import a_request
from tests.support.ledger_tables import LedgerTables


def answer(flow: ConsentFlow, clock: Clock, *times: timedelta) -> list[object]:
    """What comes of an approval that is given anew after each of `times`."""
    pending = flow.begin(a_request(), "browser-1")
    parties = flow.parties(pending.request)
    assert parties is not None
    shown = ShownConsent(Screen("the form", Language.EN, "catalogue-1"), None)
    sent = SentAnswer(answer=Answer.APPROVE, subject="maple-0001", screen_hash=shown.screen.screen_hash)
    results: list[object] = []
    for span in times:
        clock.advance(span)
        results.append(flow.answer(pending, parties, sent, shown))
    return results


def test_what_has_expired_gets_no_answer(app: Flask, clock: Clock, recorded: LedgerTables) -> None:
    assert answer(services_of(app).flow, clock, timedelta(minutes=15)) == [Expired()]
    assert recorded.nothing_happened


def test_what_was_answered_in_time_gets_the_same_answer_a_moment_later(app: Flask, clock: Clock) -> None:
    almost = timedelta(minutes=14, seconds=59)
    first, again = answer(services_of(app).flow, clock, almost, timedelta(seconds=2))
    assert isinstance(first, Approved)
    assert again == first


def test_a_clock_that_is_behind_the_one_that_began_the_request_keeps_nobody_from_an_answer(
    app: Flask, clock: Clock, recorded: LedgerTables
) -> None:
    (result,) = answer(services_of(app).flow, clock, timedelta(seconds=-90))
    assert isinstance(result, Approved)
    assert result.decision.decided_at == result.decision.asked_at
    (grant,) = recorded["grants"]
    assert grant["expires_at"] - grant["approved_at"] == timedelta(days=365)
