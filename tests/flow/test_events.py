"""A line of the log says what happened to which consent, and nothing of the customer."""

import pytest
from structlog.testing import capture_logs

from app.domain.consent import Answer
from app.domain.history import EventKind
from app.domain.language import Language
from app.flow.events import log_administered, log_event
from tests.support.builders import a_client, a_decision, a_grant

# What nobody does to a consent is no line of its own: it is counted with the request, or found by the ledger.
NEVER_LOGGED = {EventKind.ASKED, EventKind.EXPIRED, EventKind.NOTIFIED, EventKind.RENEWAL_DUE}


def test_an_answer_is_logged_with_its_language_and_without_its_customer() -> None:
    decision = a_decision(language=Language.FR, subject="maple-0001")
    with capture_logs() as lines:
        log_event(EventKind.APPROVED, decision)
    assert lines == [
        {
            "event": "approved",
            "log_level": "info",
            "consent_id": "consent-1",
            "client_id": "dc-budget",
            "provider_id": "1000",
            "correlation_id": "correlation-1",
            "granted_scope": "ACCOUNT_BASIC",
            "outcome": "code",
            "language": "fr",
        }
    ]


def test_what_becomes_of_a_grant_has_no_language() -> None:
    with capture_logs() as lines:
        log_event(EventKind.REFRESHED, a_grant())
    (line,) = lines
    assert "language" not in line
    assert line["outcome"] == "tokens"
    assert "maple-0001" not in repr(line)


@pytest.mark.parametrize("kind", sorted(set(EventKind) - NEVER_LOGGED))
def test_every_event_has_an_outcome(kind: EventKind) -> None:
    decision = a_decision(answer=Answer.DENY, granted_scope=frozenset())
    with capture_logs() as lines:
        log_event(kind, decision)
    (line,) = lines
    assert line["event"] == kind.value
    assert line["outcome"] in {"code", "access_denied", "tokens", "ended", "narrowed"}


def test_a_client_that_asks_for_itself_is_named_and_no_consent_is() -> None:
    with capture_logs() as lines:
        log_administered(a_client())
    (line,) = lines
    assert line == {
        "event": "administered",
        "log_level": "info",
        "client_id": "dc-budget",
        "outcome": "tokens",
    }
