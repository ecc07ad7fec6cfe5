"""How long a pending request waits for its answer, and what of it changes meanwhile."""

from dataclasses import replace

from app.domain.language import Language
from tests.support.builders import BASIC, a_pending_request


def test_a_pending_request_expires_at_its_deadline_and_not_before() -> None:
    pending = a_pending_request()
    almost = pending.expires_at - pending.expires_at.resolution
    assert not pending.is_expired_at(pending.begun_at)
    assert not pending.is_expired_at(almost)
    assert pending.is_expired_at(pending.expires_at)


def test_more_time_is_a_lifetime_from_now_ten_times_over_and_never_less_than_there_was() -> None:
    pending = a_pending_request()
    lifetime = pending.expires_at - pending.begun_at
    latest = pending.begun_at + 11 * lifetime
    for now, expected in (
        (pending.begun_at, pending.expires_at),
        (pending.begun_at + lifetime / 2, pending.begun_at + 1.5 * lifetime),
        (pending.begun_at + 10 * lifetime, latest),
        (pending.begun_at + 10.5 * lifetime, latest),
    ):
        extended = pending.extended_at(now, lifetime)
        assert extended.expires_at == expected
        assert replace(extended, expires_at=pending.expires_at) == pending
    late = replace(pending, expires_at=latest + lifetime)
    assert late.extended_at(pending.begun_at, lifetime) == late, "no click takes time away"


def test_a_pending_request_changes_its_language_and_nothing_else() -> None:
    pending = a_pending_request(checked_clusters=BASIC)
    in_french = pending.in_language(Language.FR)
    assert in_french.language is Language.FR
    assert in_french.in_language(Language.EN) == pending
