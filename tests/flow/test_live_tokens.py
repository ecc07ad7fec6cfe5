"""The life of tokens that are presented, as the flow promises it to whichever endpoint asks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.caller import Caller, PresentedToken
from app.domain.clusters import DataCluster
from app.domain.errors import ErrorCode, OAuthError
from app.domain.history import Actor
from app.domain.narrowing import Withdrawn
from app.domain.registry import ResourceServer, Status
from app.domain.tokens import ADMIN_SCOPE, TokenResponse
from app.flow.live_tokens import LiveTokens
from app.flow.tokens import TokenFlow
from tests.flow.issuing import BUDGET, LOANS, refresh, refused
from tests.support.applications import Clock
from tests.support.builders import a_client, a_registry

TRANSACTIONS = frozenset({DataCluster.TRANSACTIONS})


def test_what_was_taken_out_of_a_connection_is_in_no_token_any_more(
    token_flow: TokenFlow, live_tokens: LiveTokens, tokens: TokenResponse, clock: Clock
) -> None:
    assert tokens.consent_id is not None
    live_tokens.connections.withdraw(
        tokens.consent_id, Withdrawn(TRANSACTIONS), actor=Actor.CUSTOMER, now=clock()
    )
    live = live_tokens.find_live(tokens.access_token)
    assert live is not None
    assert "TRANSACTIONS" not in live.claims["scope"].split()
    assert "TRANSACTIONS" not in refresh(token_flow, tokens.refresh_token).scope.split()
    with pytest.raises(OAuthError) as nothing_left:
        refresh(token_flow, tokens.refresh_token, scope=TRANSACTIONS)
    assert refused(nothing_left) is ErrorCode.INVALID_SCOPE


def test_a_token_dies_with_its_time_and_a_refresh_gives_the_next(
    token_flow: TokenFlow, live_tokens: LiveTokens, tokens: TokenResponse, clock: Clock
) -> None:
    clock.advance(timedelta(minutes=10))
    assert live_tokens.find_live(tokens.access_token) is None
    assert live_tokens.find_live(refresh(token_flow, tokens.refresh_token).access_token) is not None


def test_no_token_works_of_a_client_that_is_suspended_at_the_bank(
    token_flow: TokenFlow, live_tokens: LiveTokens, tokens: TokenResponse
) -> None:
    suspended = a_client(statuses={"1000": Status.SUSPENDED})
    registry = a_registry(suspended)
    later = replace(live_tokens, registry=registry)
    assert later.find_live(tokens.access_token) is None
    assert later.introspect(tokens.refresh_token or "", suspended) == {"active": False}
    with pytest.raises(OAuthError) as not_active:
        refresh(replace(token_flow, registry=registry), tokens.refresh_token, suspended)
    assert refused(not_active) is ErrorCode.UNAUTHORIZED_CLIENT


def test_introspection_tells_a_client_of_its_own_tokens_and_a_resource_server_of_those_for_it(
    live_tokens: LiveTokens, tokens: TokenResponse
) -> None:
    bank = ResourceServer(server_id="rs-maple", secret_hash="", audience="https://api.maple.example")
    other = ResourceServer(server_id="rs-prairie", secret_hash="", audience="https://api.prairie.example")
    access, refresh_token = tokens.access_token, tokens.refresh_token or ""
    assert live_tokens.introspect(access, BUDGET)["consent_id"] == tokens.consent_id
    assert live_tokens.introspect(access, bank)["token_type"] == "Bearer"
    assert live_tokens.introspect(refresh_token, BUDGET)["token_type"] == "refresh_token"
    for token, asker in ((access, LOANS), (access, other), (refresh_token, LOANS), (refresh_token, bank)):
        assert live_tokens.introspect(token, asker) == {"active": False}


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_either_token_of_a_connection_ends_it_for_its_client_and_for_no_other(
    live_tokens: LiveTokens, tokens: TokenResponse, which: str
) -> None:
    token = getattr(tokens, which)
    live_tokens.revoke(token, LOANS)
    assert live_tokens.find_live(tokens.access_token) is not None
    live_tokens.revoke(token, BUDGET)
    live_tokens.revoke(token, BUDGET)  # a retry after a lost answer
    assert live_tokens.find_live(tokens.access_token) is None


def test_a_connection_ends_by_its_token_alone_unless_its_client_wants_to_be_asked(
    live_tokens: LiveTokens, tokens: TokenResponse
) -> None:
    careful = a_registry(a_client(revocation_requires_client_authentication=True))
    with pytest.raises(OAuthError) as needs_client:
        replace(live_tokens, registry=careful).revoke_connection(PresentedToken(tokens.access_token))
    assert refused(needs_client) is ErrorCode.UNAUTHORIZED_CLIENT
    assert not live_tokens.revoke_connection(PresentedToken("no.token.ofours"))
    assert live_tokens.revoke_connection(PresentedToken(tokens.access_token))
    assert live_tokens.revoke_connection(PresentedToken(tokens.access_token)), "it is over"


def test_a_clients_own_token_has_no_connection_and_cannot_be_revoked(
    token_flow: TokenFlow, live_tokens: LiveTokens
) -> None:
    administered = token_flow.administer(Caller(BUDGET))
    live = live_tokens.find_live(administered.access_token)
    assert live is not None
    assert (live.client_id, live.connection, live.claims["scope"]) == ("dc-budget", None, ADMIN_SCOPE)
    assert not live_tokens.revoke_connection(PresentedToken(administered.access_token))
    with pytest.raises(OAuthError) as told:
        live_tokens.revoke(administered.access_token, BUDGET)
    assert refused(told) is ErrorCode.UNSUPPORTED_TOKEN_TYPE


def test_a_token_of_another_issuer_with_the_same_keys_is_none_of_ours(
    live_tokens: LiveTokens, tokens: TokenResponse
) -> None:
    elsewhere = replace(live_tokens, issuer="https://another.example")
    assert elsewhere.find_live(tokens.access_token) is None
    assert not elsewhere.revoke_connection(PresentedToken(tokens.access_token))
