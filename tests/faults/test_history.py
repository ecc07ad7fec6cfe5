"""The check of a history finds every kind of breach: each forged history here has one."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from json import dumps
from typing import Any

import pytest

from app.domain.consent import Answer
from app.domain.tokens import hash_secret
from app.stores.ledger.ledger import Ledger
from tests.faults.history import Exchange, violations
from tests.support.builders import NOON, a_decision, a_grant
from tests.support.ledger_tables import LedgerTables

SUBJECTS = {"c0": "maple-0001", "c1": "maple-0002"}


def an_exchange(step: str, **changes: Any) -> Exchange:
    values: dict[str, Any] = {
        "customer": "c0",
        "step": step,
        "began": 0.0,
        "took": 0.1,
        "status": 200,
        "request_id": "request-1",
        **changes,
    }
    return Exchange(**values)


def an_access_token(**claims: str) -> str:
    told = {"consent_id": "consent-1", "client_id": "dc-budget", "sub": "maple-0001", **claims}
    return f"head.{urlsafe_b64encode(dumps(told).encode()).decode().rstrip('=')}.signature"


APPROVE = an_exchange("approve", status=302, code="the-code")
REDEEM = an_exchange(
    "redeem",
    code="the-code",
    request_id="",
    answer={"access_token": an_access_token(), "refresh_token": "the-refresh-token"},
)
INTROSPECT = an_exchange("introspect", expected=True, answer={"active": True, "sub": "maple-0001"})
HONEST = [APPROVE, REDEEM, INTROSPECT]


@pytest.fixture
def check(ledger: Ledger, recorded: LedgerTables) -> Callable[[list[Exchange]], list[str]]:
    """What the check says of a history, of which the ledger has one approval, redeemed."""
    ledger.record_decision(a_decision(), a_grant())
    ledger.redeem(
        "request-1",
        "dc-budget",
        token_hash=hash_secret("the-refresh-token"),
        now=NOON + timedelta(seconds=1),
    )
    return lambda history: violations(history, recorded, subjects=SUBJECTS)


Check = Callable[[list[Exchange]], list[str]]


def test_an_honest_history_has_no_violation(check: Check) -> None:
    assert check(HONEST) == []


def answering(**changes: Any) -> Exchange:
    return replace(REDEEM, answer={**REDEEM.answer, **changes})


@pytest.mark.parametrize(
    ("forged", "breach"),
    [
        pytest.param([*HONEST, REDEEM], "2 sets of tokens came from one code", id="two token sets"),
        pytest.param(
            [APPROVE, answering(access_token=an_access_token(consent_id="consent-9"))],
            "c0: an access token without a redeemed grant on record",
            id="token without a row",
        ),
        pytest.param(
            [APPROVE, answering(refresh_token="another")],
            "c0: a refresh token that is not on record",
            id="refresh token without a row",
        ),
        pytest.param(
            [APPROVE, answering(access_token=an_access_token(client_id="dc-loans"))],
            "c0: an access token that says something else than its grant",
            id="somebody else's client",
        ),
        pytest.param(
            [replace(APPROVE, step="deny", code="")],
            "a grant of maple-0001 is on record, and nobody approved it",
            id="grant without a click",
        ),
        pytest.param(
            [replace(APPROVE, customer="c1")],
            "a grant of maple-0001 is on record, and nobody approved it",
            id="somebody else's click",
        ),
        pytest.param(
            [*HONEST, an_exchange("form", names=frozenset({"c1"}))],
            "c0 was shown a page with the name of c1",
            id="somebody else's page",
        ),
        pytest.param(
            [*HONEST, replace(INTROSPECT, answer={"active": True, "sub": "maple-0002"})],
            "c0: an answer about maple-0002",
            id="somebody else's token",
        ),
        pytest.param(
            [*HONEST, replace(APPROVE, request_id="request-2")],
            "c0 was sent back with a code that is not on record",
            id="code that is not on record",
        ),
        pytest.param(
            [*HONEST, an_exchange("deny", status=302, request_id="request-2", error="access_denied")],
            "c0 was told of a denial that is not on record",
            id="denial that is not on record",
        ),
        pytest.param(
            [*HONEST, an_exchange("revoke", answer={"consent_id": "consent-1"})],
            "c0: a token was called revoked, and its grant stands",
            id="revocation that ended nothing",
        ),
        pytest.param(
            [APPROVE, REDEEM, replace(INTROSPECT, answer={"active": False})],
            "c0: a token is active=False without cause",
            id="token that is dead at once",
        ),
    ],
)
def test_a_forged_history_is_found_out(check: Check, forged: list[Exchange], breach: str) -> None:
    assert breach in check(forged)


def test_a_denial_on_record_that_nobody_clicked_is_found_out(check: Check, ledger: Ledger) -> None:
    denial = a_decision(
        request_id="request-2", consent_id="consent-2", answer=Answer.DENY, granted_scope=frozenset()
    )
    ledger.record_decision(denial, None)
    assert check(HONEST) == ["deny of maple-0001 is on record, and nobody clicked it"]
