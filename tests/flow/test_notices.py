"""A recipient gets what it has not taken, and what it says becomes of a notice is logged once."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from structlog.testing import capture_logs

from app.domain.notice_poll import Poll
from app.flow.notices import NoticePolls
from app.stores.key_rotation import rotate_signing_keys
from app.stores.ledger.ledger import Ledger
from app.stores.ledger.notices import NoticeStore
from app.stores.signing_keys import SigningKeys
from tests.support.applications import Clock
from tests.support.ledger_tables import LedgerTables
from tests.support.notices import put_notices

ISSUER = "https://consent.bank.example"


@pytest.fixture
def polls(ledger: Ledger, signing_keys: Path, clock: Clock) -> Iterator[NoticePolls]:
    with closing(ledger):
        yield NoticePolls(
            issuer=ISSUER, notices=NoticeStore(ledger.database), keys=SigningKeys(signing_keys), clock=clock
        )


def test_pages_follow_one_another_as_they_are_acknowledged(
    polls: NoticePolls, recorded: LedgerTables
) -> None:
    put_notices(recorded, *(f"n{number}" for number in range(5)))
    given, more, taken = [], True, frozenset[str]()
    while more:
        answer = polls.answer("dc-budget", Poll(2, taken))
        given.append(sorted(answer.sets))
        more, taken = answer.has_more, frozenset(answer.sets)
    assert given == [["n0", "n1"], ["n2", "n3"], ["n4"]]
    assert polls.answer("dc-budget", Poll(0, taken)).sets == {}
    assert len(recorded.rows("events", kind="notified")) == 5


def test_what_is_not_acknowledged_comes_again_signed_by_the_key_of_then(
    polls: NoticePolls, recorded: LedgerTables, signing_keys: Path, clock: Clock
) -> None:
    put_notices(recorded, "n")
    first = polls.answer("dc-budget", Poll()).sets["n"]
    kid, signs_from, _ = rotate_signing_keys(signing_keys, now=clock())
    clock.now = signs_from + timedelta(seconds=1)
    again = polls.answer("dc-budget", Poll()).sets["n"]
    keys = KeySet.import_key_set(json.loads(json.dumps(polls.keys.public)))
    before, after = (jwt.decode(token, keys, algorithms=["ES256"]) for token in (first, again))
    assert before.header["kid"] != after.header["kid"] == kid
    assert before.claims["jti"] == after.claims["jti"] == "n"
    assert before.claims["iat"] < after.claims["iat"]
    assert before.claims["toe"] == after.claims["toe"]


def test_what_is_taken_or_refused_is_logged_once_and_names_no_customer(
    polls: NoticePolls, recorded: LedgerTables
) -> None:
    put_notices(recorded, "a", "b")
    with capture_logs() as lines:
        for _ in range(2):
            polls.answer("dc-budget", Poll(0, frozenset({"a", "unknown"}), {"b": "invalid_audience"}))
    common = {"type": "CONSENT_REVOKED", "client_id": "dc-budget", "provider_id": "1000", "log_level": "info"}
    assert lines == [
        {
            "event": "notice_acknowledged",
            "consent_id": "consent-of-a",
            "correlation_id": "correlation-of-a",
            "notice_id": "a",
            "outcome": "acknowledged",
            **common,
        },
        {
            "event": "notice_refused",
            "consent_id": "consent-of-b",
            "correlation_id": "correlation-of-b",
            "notice_id": "b",
            "outcome": "dead",
            "err": "invalid_audience",
            **common,
        },
    ]
