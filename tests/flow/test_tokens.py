"""What tokens are issued for, as the flow promises it to whichever endpoint asks."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.domain.clusters import DataCluster
from app.domain.errors import ErrorCode, OAuthError
from app.domain.registry import Client
from app.domain.tokens import TokenResponse, hash_secret
from app.flow.consent import ConsentFlow
from app.flow.live_tokens import LiveTokens
from app.flow.tokens import TokenFlow
from app.stores.unavailable import StoreUnavailable
from tests.flow.issuing import BUDGET, LOANS, approved_code, redeem, refresh, refused
from tests.support.applications import Clock
from tests.support.builders import CALLBACK
from tests.support.ledger_tables import LedgerTables

TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})


def test_a_code_gives_tokens_once_and_its_second_redemption_ends_them(
    consent_flow: ConsentFlow, token_flow: TokenFlow, live_tokens: LiveTokens
) -> None:
    code = approved_code(consent_flow)
    with capture_logs() as lines:
        first = redeem(token_flow, code)
        with pytest.raises(OAuthError) as again:
            redeem(token_flow, code)
    assert refused(again) is ErrorCode.INVALID_GRANT
    assert [line["event"] for line in lines] == ["redeemed", "replayed"]
    assert live_tokens.find_live(first.access_token) is None
    with pytest.raises(OAuthError):
        refresh(token_flow, first.refresh_token)


@pytest.mark.parametrize(
    ("client", "redirect_uri"), [(LOANS, CALLBACK), (BUDGET, "http://localhost:8001/another")]
)
def test_a_code_is_good_for_its_client_at_its_address_and_a_wrong_try_burns_nothing(
    consent_flow: ConsentFlow, token_flow: TokenFlow, client: Client, redirect_uri: str
) -> None:
    code = approved_code(consent_flow)
    with pytest.raises(OAuthError) as wrong:
        redeem(token_flow, code, client, redirect_uri)
    assert refused(wrong) is ErrorCode.INVALID_GRANT
    assert redeem(token_flow, code).refresh_token is not None


def test_a_code_that_nobody_redeemed_in_time_is_refused(
    consent_flow: ConsentFlow, token_flow: TokenFlow, clock: Clock, recorded: LedgerTables
) -> None:
    code = approved_code(consent_flow)
    clock.advance(timedelta(minutes=1))
    with pytest.raises(OAuthError) as too_late:
        redeem(token_flow, code)
    assert refused(too_late) is ErrorCode.INVALID_GRANT
    assert recorded["refresh_tokens"] == []
    assert [row["ended_at"] for row in recorded["grants"]] == [None], "nobody had redeemed it"


def test_a_redeemed_code_that_comes_again_after_its_time_ends_what_it_gave(
    consent_flow: ConsentFlow,
    token_flow: TokenFlow,
    live_tokens: LiveTokens,
    clock: Clock,
) -> None:
    code = approved_code(consent_flow)
    tokens = redeem(token_flow, code)
    clock.advance(timedelta(minutes=2))
    with pytest.raises(OAuthError):
        redeem(token_flow, code)
    assert live_tokens.find_live(tokens.access_token) is None


def test_a_redemption_that_got_no_answer_may_be_made_again(
    consent_flow: ConsentFlow, token_flow: TokenFlow, recorded: LedgerTables
) -> None:
    code = approved_code(consent_flow)
    with (
        pytest.raises(StoreUnavailable),
        token_flow.ledger.database.writing(),  # somebody else has the turn, for longer than anybody waits
    ):
        redeem(token_flow, code)
    record = token_flow.codes.find_code(token_flow.codes.request_id_of(code) or "")
    assert record is not None
    assert len(record.unanswered) == 1
    tokens = redeem(token_flow, code)
    assert [row["token_hash"] for row in recorded["refresh_tokens"]] == [
        hash_secret(tokens.refresh_token or "")
    ]


def test_a_refresh_repeats_its_token_and_narrows_what_it_is_asked_to(
    token_flow: TokenFlow, tokens: TokenResponse
) -> None:
    narrowed = refresh(token_flow, tokens.refresh_token, scope=TRANSACTIONS)
    assert (narrowed.refresh_token, narrowed.scope) == (tokens.refresh_token, "TRANSACTIONS")
    assert refresh(token_flow, tokens.refresh_token).scope == tokens.scope
    with pytest.raises(OAuthError) as anothers:
        refresh(token_flow, tokens.refresh_token, LOANS)
    assert refused(anothers) is ErrorCode.INVALID_GRANT
