"""What an answer to a notice means, and when it is sent again."""

from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.notices.answers import (
    BACK_OFF,
    DAILY,
    TRIED_FOR,
    Failed,
    Gone,
    Meaning,
    meaning_of,
    next_try,
    pause_after,
)
from app.notices.sending import PushAnswer
from app.stores.ledger.deliveries import Delivered, GaveUp, Refused, TryAgain
from tests.support.builders import NOON

SECOND = timedelta(seconds=1)
ATTEMPTS = st.integers(1, 500)
JITTER = st.floats(-1, 1)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (PushAnswer(202), Delivered()),
        (PushAnswer(200), Delivered()),
        (PushAnswer(204), Delivered()),
        (PushAnswer(400, "invalid_audience"), Refused("invalid_audience")),
        (PushAnswer(400), Failed("400")),
        (PushAnswer(401), Failed("401")),
        (PushAnswer(404), Failed("404")),
        (PushAnswer(410), Gone()),
        (PushAnswer(301), Failed("301")),
        (PushAnswer(307, None, "5"), Failed("307")),
        (PushAnswer(500, None, "5"), Failed("500")),
        (PushAnswer(429), Failed("429")),
        (PushAnswer(429, None, "120"), Failed("429", timedelta(seconds=120))),
        (PushAnswer(503, None, "120"), Failed("503", timedelta(seconds=120))),
    ],
)
def test_an_answer_means(answer: PushAnswer, meaning: Meaning) -> None:
    assert meaning_of(answer, now=NOON) == meaning


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("1", SECOND),
        (" 60 ", timedelta(minutes=1)),
        ("86401", DAILY),
        ("9" * 5000, DAILY),
        (format_datetime(NOON + 90 * SECOND, usegmt=True), 90 * SECOND),
        (format_datetime(NOON + timedelta(days=400), usegmt=True), DAILY),
        ("Wed, 01 Jan 2025 00:00:00 -0000", None),
        ("0", None),
        ("-5", None),
        ("٣", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_recipient_may_ask_for_time_up_to_a_day(header: str, wait: timedelta | None) -> None:
    assert meaning_of(PushAnswer(429, None, header), now=NOON) == Failed("429", wait)


HEADERS = st.text("0123456789 :,+-.GMTJanWed", max_size=40)


@given(
    st.integers(100, 999) | st.sampled_from([400, 410, 429, 503]), st.sampled_from([None, "jwtAud"]), HEADERS
)
def test_every_answer_has_a_meaning(status: int, err: str | None, retry_after: str) -> None:
    meaning = meaning_of(PushAnswer(status, err, retry_after), now=NOON)
    assert isinstance(meaning, Delivered) == (200 <= status < 300)
    assert isinstance(meaning, Gone) == (status == 410)
    assert isinstance(meaning, Refused) == (status == 400 and err is not None)
    if isinstance(meaning, Failed) and meaning.wait is not None:
        assert status in (429, 503)
        assert timedelta() < meaning.wait <= DAILY


@given(ATTEMPTS, JITTER)
def test_each_wait_is_that_of_its_try_a_fifth_more_or_less(attempts: int, jitter: float) -> None:
    tried = next_try(Failed("503"), attempts=attempts, happened_at=NOON, now=NOON, jitter=jitter)
    assert isinstance(tried, TryAgain)
    planned = BACK_OFF[attempts - 1] if attempts <= len(BACK_OFF) else DAILY
    assert planned * 0.8 - SECOND <= tried.at - NOON <= planned * 1.2 + SECOND
    assert tried.outcome == "503"


@given(ATTEMPTS, JITTER, st.integers(1, 86400))
def test_a_wait_that_was_asked_for_is_kept_exactly(attempts: int, jitter: float, seconds: int) -> None:
    failed = Failed("429", seconds * SECOND)
    tried = next_try(failed, attempts=attempts, happened_at=NOON, now=NOON, jitter=jitter)
    assert tried == TryAgain("429", NOON + seconds * SECOND)


@given(JITTER)
def test_after_seven_days_it_is_sent_no_more(jitter: float) -> None:
    now: datetime = NOON
    for attempts in range(1, 100):
        tried = next_try(Failed("timeout"), attempts=attempts, happened_at=NOON, now=now, jitter=jitter)
        if isinstance(tried, GaveUp):
            break
        now = tried.at
    assert tried == GaveUp("timeout")
    assert TRIED_FOR - 1.2 * DAILY <= now - NOON <= TRIED_FOR
    assert 12 <= attempts <= 17


def test_what_was_kept_back_for_long_is_still_tried_a_few_times() -> None:
    """While a recipient is paused its notices wait untried, and an operator may have one sent again later."""
    for attempts in range(1, len(BACK_OFF) + 1):
        late = NOON + timedelta(days=30)
        tried = next_try(Failed("503"), attempts=attempts, happened_at=NOON, now=late, jitter=0)
        assert tried == TryAgain("503", late + BACK_OFF[attempts - 1])


def test_a_recipient_that_goes_on_failing_is_left_alone_for_longer() -> None:
    pauses = [pause_after(failures, paused_after=10, wait=None) for failures in (10, 11, 12, 13, 500)]
    assert pauses == [timedelta(minutes=number) for number in (1, 5, 30, 30, 30)]
    assert pause_after(10, paused_after=10, wait=timedelta(hours=1)) == timedelta(hours=1)
