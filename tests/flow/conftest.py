"""The flow on real stores, for one bank and two recipients, at the time of the test."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.registry import Registry
from app.domain.tokens import TokenResponse
from app.flow.consent import ConsentFlow
from app.flow.live_tokens import LiveTokens
from app.flow.tokens import TokenFlow
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.ledger import Ledger
from app.stores.redis.client import Redis
from app.stores.redis.codes import CodeStore
from app.stores.redis.once import OnceStore
from app.stores.redis.pushed import PushedStore
from app.stores.redis.requests import RequestStore
from app.stores.signing_keys import SigningKeys
from tests.flow.issuing import approved_code, redeem
from tests.support.applications import Clock
from tests.support.builders import RECORDS, SECRET_KEY, a_client, a_registry


@pytest.fixture
def registry() -> Registry:
    return a_registry(a_client(), a_client(client_id="dc-loans"))


@pytest.fixture
def consent_flow(
    redis_client: Redis, ledger: Ledger, registry: Registry, clock: Clock
) -> Iterator[ConsentFlow]:
    once = OnceStore(redis_client)
    with closing(ledger):
        yield ConsentFlow(
            registry=registry,
            requests=RequestStore(redis_client, RECORDS),
            codes=CodeStore(redis_client, RECORDS, [SECRET_KEY]),
            ledger=ledger,
            pushed=PushedStore(redis_client, RECORDS, once),
            request_lifetime=timedelta(minutes=15),
            code_lifetime=timedelta(minutes=1),
            clock=clock,
        )


@pytest.fixture
def token_flow(consent_flow: ConsentFlow, redis_client: Redis, signing_keys: Path, clock: Clock) -> TokenFlow:
    return TokenFlow(
        issuer="https://consent.example",
        registry=consent_flow.registry,
        codes=consent_flow.codes,
        ledger=consent_flow.ledger,
        keys=SigningKeys(signing_keys),
        once=OnceStore(redis_client),
        access_token_lifetime=timedelta(minutes=10),
        refresh_token_idle=timedelta(days=30),
        clock=clock,
    )


@pytest.fixture
def live_tokens(token_flow: TokenFlow) -> LiveTokens:
    return LiveTokens(
        issuer=token_flow.issuer,
        registry=token_flow.registry,
        ledger=token_flow.ledger,
        connections=ConnectionStore(token_flow.ledger.database),
        keys=token_flow.keys,
        refresh_token_idle=token_flow.refresh_token_idle,
        clock=token_flow.clock,
    )


@pytest.fixture
def tokens(consent_flow: ConsentFlow, token_flow: TokenFlow) -> TokenResponse:
    return redeem(token_flow, approved_code(consent_flow))
