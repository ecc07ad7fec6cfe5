"""The life of tokens, as the flow promises it to whichever endpoint asks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain.caller import Caller, PresentedToken
from app.domain.clusters import DataCluster
from app.domain.consent import Answer, ShownConsent
from app.domain.errors import ErrorCode, OAuthError
from app.domain.evidence import Screen
from app.domain.history import Actor
from app.domain.language import Language
from app.domain.narrowing import Withdrawn
from app.domain.registry import Client, ResourceServer, Status
from app.domain.tokens import ADMIN_SCOPE, RedemptionRequest, RefreshRequest, TokenResponse, hash_secret
from app.flow.consent import Approved, ConsentFlow
from app.flow.tokens import TokenFlow
from app.stores.unavailable import StoreUnavailable
from tests.support.applications import Clock
from tests.support.builders import CALLBACK, EVERYTHING, a_client, a_registry, a_request
from tests.support.ledger_tables import LedgerTables

BUDGET, LOANS = a_client(), a_client(client_id="dc-loans")
SHOWN = ShownConsent(Screen("the form", Language.EN, "catalogue-1"), None)
TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})


def approved_code(flow: ConsentFlow) -> str:
    """The code of an approval of everything."""
    pending = flow.begin(a_request(requested_scope=EVERYTHING), "browser-1")
    parties = flow.parties(pending)
    assert parties is not None
    answer = flow.answer(
        pending,
        parties,
        Answer.APPROVE,
        checked=EVERYTHING,
        subject="maple-0001",
        screen_hash=SHOWN.screen.screen_hash,
        shown=SHOWN,
    )
    assert isinstance(answer, Approved)
    return answer.code


def redeem(
    flow: TokenFlow, code: str, client: Client = BUDGET, redirect_uri: str = CALLBACK
) -> TokenResponse:
    return flow.redeem(Caller(client), RedemptionRequest(code, redirect_uri, None))


def refresh(flow: TokenFlow, token: str | None, client: Client = BUDGET, **changes: Any) -> TokenResponse:
    assert token is not None
    return flow.refresh(Caller(client), replace(RefreshRequest(token, None), **changes))


def refused(error: pytest.ExceptionInfo[OAuthError]) -> ErrorCode:
    return error.value.error


@pytest.fixture
def tokens(consent_flow: ConsentFlow, token_flow: TokenFlow) -> TokenResponse:
    return redeem(token_flow, approved_code(consent_flow))


def test_a_code_gives_tokens_once_and_its_second_redemption_ends_them(
    consent_flow: ConsentFlow, token_flow: TokenFlow
) -> None:
    code = approved_code(consent_flow)
    with capture_logs() as lines:
        first = redeem(token_flow, code)
        with pytest.raises(OAuthError) as again:
            redeem(token_flow, code)
    assert refused(again) is ErrorCode.INVALID_GRANT
    assert [line["event"] for line in lines] == ["redeemed", "replayed"]
    assert token_flow.find_live(first.access_token) is None
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
    consent_flow: ConsentFlow, token_flow: TokenFlow, clock: Clock
) -> None:
    code = approved_code(consent_flow)
    tokens = redeem(token_flow, code)
    clock.advance(timedelta(minutes=2))
    with pytest.raises(OAuthError):
        redeem(token_flow, code)
    assert token_flow.find_live(tokens.access_token) is None


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


def test_what_was_taken_out_of_a_connection_is_in_no_token_any_more(
    token_flow: TokenFlow, tokens: TokenResponse, clock: Clock
) -> None:
    assert tokens.consent_id is not None
    token_flow.connections.withdraw(
        tokens.consent_id, Withdrawn(TRANSACTIONS), actor=Actor.CUSTOMER, now=clock()
    )
    live = token_flow.find_live(tokens.access_token)
    assert live is not None
    assert "TRANSACTIONS" not in live.claims["scope"].split()
    assert "TRANSACTIONS" not in refresh(token_flow, tokens.refresh_token).scope.split()
    with pytest.raises(OAuthError) as nothing_left:
        refresh(token_flow, tokens.refresh_token, scope=TRANSACTIONS)
    assert refused(nothing_left) is ErrorCode.INVALID_SCOPE


def test_a_token_dies_with_its_time_and_a_refresh_gives_the_next(
    token_flow: TokenFlow, tokens: TokenResponse, clock: Clock
) -> None:
    clock.advance(timedelta(minutes=10))
    assert token_flow.find_live(tokens.access_token) is None
    assert token_flow.find_live(refresh(token_flow, tokens.refresh_token).access_token) is not None


def test_no_token_works_of_a_client_that_is_suspended_at_the_bank(
    token_flow: TokenFlow, tokens: TokenResponse
) -> None:
    suspended = a_client(statuses={"1000": Status.SUSPENDED})
    later = replace(token_flow, registry=a_registry(suspended))
    assert later.find_live(tokens.access_token) is None
    assert later.introspect(tokens.refresh_token or "", suspended) == {"active": False}
    with pytest.raises(OAuthError) as not_active:
        refresh(later, tokens.refresh_token, suspended)
    assert refused(not_active) is ErrorCode.UNAUTHORIZED_CLIENT


def test_introspection_tells_a_client_of_its_own_tokens_and_a_resource_server_of_those_for_it(
    token_flow: TokenFlow, tokens: TokenResponse
) -> None:
    bank = ResourceServer(server_id="rs-maple", secret_hash="", audience="https://api.maple.example")
    other = ResourceServer(server_id="rs-prairie", secret_hash="", audience="https://api.prairie.example")
    access, refresh_token = tokens.access_token, tokens.refresh_token or ""
    assert token_flow.introspect(access, BUDGET)["consent_id"] == tokens.consent_id
    assert token_flow.introspect(access, bank)["token_type"] == "Bearer"
    assert token_flow.introspect(refresh_token, BUDGET)["token_type"] == "refresh_token"
    for token, asker in ((access, LOANS), (access, other), (refresh_token, LOANS), (refresh_token, bank)):
        assert token_flow.introspect(token, asker) == {"active": False}


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_either_token_of_a_connection_ends_it_for_its_client_and_for_no_other(
    token_flow: TokenFlow, tokens: TokenResponse, which: str
) -> None:
    token = getattr(tokens, which)
    token_flow.revoke(token, LOANS)
    assert token_flow.find_live(tokens.access_token) is not None
    token_flow.revoke(token, BUDGET)
    token_flow.revoke(token, BUDGET)  # a retry after a lost answer
    assert token_flow.find_live(tokens.access_token) is None


def test_a_connection_ends_by_its_token_alone_unless_its_client_wants_to_be_asked(
    token_flow: TokenFlow, tokens: TokenResponse
) -> None:
    careful = a_registry(a_client(revocation_requires_client_authentication=True))
    with pytest.raises(OAuthError) as needs_client:
        replace(token_flow, registry=careful).revoke_connection(PresentedToken(tokens.access_token))
    assert refused(needs_client) is ErrorCode.UNAUTHORIZED_CLIENT
    assert not token_flow.revoke_connection(PresentedToken("no.token.ofours"))
    assert token_flow.revoke_connection(PresentedToken(tokens.access_token))
    assert token_flow.revoke_connection(PresentedToken(tokens.access_token)), "it is over"


def test_a_clients_own_token_has_no_connection_and_cannot_be_revoked(token_flow: TokenFlow) -> None:
    administered = token_flow.administer(Caller(BUDGET))
    live = token_flow.find_live(administered.access_token)
    assert live is not None
    assert (live.client_id, live.connection, live.claims["scope"]) == ("dc-budget", None, ADMIN_SCOPE)
    assert not token_flow.revoke_connection(PresentedToken(administered.access_token))
    with pytest.raises(OAuthError) as told:
        token_flow.revoke(administered.access_token, BUDGET)
    assert refused(told) is ErrorCode.UNSUPPORTED_TOKEN_TYPE


def test_a_token_of_another_issuer_with_the_same_keys_is_none_of_ours(
    token_flow: TokenFlow, tokens: TokenResponse
) -> None:
    elsewhere = replace(token_flow, issuer="https://another.example")
    assert elsewhere.find_live(tokens.access_token) is None
    assert not elsewhere.revoke_connection(PresentedToken(tokens.access_token))
