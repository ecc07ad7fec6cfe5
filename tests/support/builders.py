"""Values for tests: everything valid, so that a test says only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from app.domain.accounts import Account, AccountCategory, AccountList, ChosenAccounts
from app.domain.authorization import AuthorizationRequest
from app.domain.clusters import DataCluster
from app.domain.consent import Answer, ConsentDecision, ConsentGrant
from app.domain.language import Bilingual, Language
from app.domain.pending_request import PendingRequest
from app.domain.registry import Client, DataProvider, Registry, Status
from app.domain.tokens import hash_secret
from app.stores.redis.sealed import SealedRecords

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
EVERYTHING = frozenset(DataCluster)
BASIC = frozenset({DataCluster.ACCOUNT_BASIC})
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636, appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CALLBACK = "http://localhost:8001/callback"
SECRET_KEY = "a secret key of the tests, long enough"
RECORDS = SealedRecords([SECRET_KEY])


def both(text: str) -> Bilingual:
    return Bilingual(en=text, fr=f"{text} (fr)")


def a_client(**changes: Any) -> Client:
    values: dict[str, Any] = {
        "client_id": "dc-budget",
        "secret_hash": hash_secret("budget-demo-secret"),
        "name": both("Budget Compass"),
        "legal_name": both("Budget Compass Inc."),
        "site": both("https://budget.example"),
        "privacy_policy": both("https://budget.example/privacy"),
        "terms": both("https://budget.example/terms"),
        "redirect_uris": frozenset({CALLBACK}),
        "clusters": EVERYTHING,
        "needed_clusters": BASIC,
        "consent_duration": timedelta(days=365),
        "statuses": {"1000": Status.ACTIVE},
    }
    return Client(**{**values, **changes})


def a_provider(**changes: Any) -> DataProvider:
    values: dict[str, Any] = {
        "provider_id": "1000",
        "name": both("Maple Credit Union"),
        "clusters": EVERYTHING,
        "audience": "https://api.maple.example",
        "colour": "#8c1d2f",
        "complaints": both("https://maple.example/complaints"),
    }
    return DataProvider(**{**values, **changes})


def a_registry(*parties: Client | DataProvider) -> Registry:
    clients = [party for party in parties if isinstance(party, Client)] or [a_client()]
    providers = [party for party in parties if isinstance(party, DataProvider)] or [a_provider()]
    return Registry(
        {client.client_id: client for client in clients},
        {provider.provider_id: provider for provider in providers},
    )


def an_account(**changes: Any) -> Account:
    values: dict[str, Any] = {
        "account_id": "acc-1",
        "category": AccountCategory.DEPOSIT_ACCOUNT,
        "type": "CHECKING",
        "name": "Everyday chequing",
        "last_digits": "4821",
    }
    return Account(**{**values, **changes})


def an_account_list(*accounts: Account) -> AccountList:
    return AccountList(accounts or (an_account(),), fetched_at=NOON)


def chosen(*accounts: Account) -> ChosenAccounts:
    """The choice of all `accounts`, of as many."""
    return ChosenAccounts(accounts, offered=len(accounts), unshareable=0)


def query_params(**changes: str | None) -> dict[str, str]:
    """The parameters of a good authorization request; None leaves one out."""
    values: dict[str, str | None] = {
        "client_id": "dc-budget",
        "redirect_uri": CALLBACK,
        "state": "af0ifjsldkj",
        "response_type": "code",
        "scope": "ACCOUNT_BASIC TRANSACTIONS",
        "provider_id": "1000",
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def a_query(**changes: str | None) -> str:
    return urlencode(query_params(**changes))


def a_request(**changes: Any) -> AuthorizationRequest:
    values: dict[str, Any] = {
        "client_id": "dc-budget",
        "redirect_uri": CALLBACK,
        "state": "af0ifjsldkj",
        "requested_scope": EVERYTHING,
        "provider_id": "1000",
        "correlation_id": "correlation-1",
        "language": Language.EN,
        "code_challenge": None,
    }
    return AuthorizationRequest(**{**values, **changes})


def a_pending_request(**changes: Any) -> PendingRequest:
    values: dict[str, Any] = {
        "request_id": "request-1",
        "browser_id": "browser-1",
        "request": a_request(),
        "begun_at": NOON,
        "expires_at": NOON + timedelta(minutes=15),
        "consent_ends_at": NOON + timedelta(days=365),
        "language": Language.EN,
    }
    return PendingRequest(**{**values, **changes})


def a_decision(**changes: Any) -> ConsentDecision:
    values: dict[str, Any] = {
        "request_id": "request-1",
        "consent_id": "consent-1",
        "client_id": "dc-budget",
        "provider_id": "1000",
        "subject": "maple-0001",
        "answer": Answer.APPROVE,
        "requested_scope": EVERYTHING,
        "granted_scope": BASIC,
        "language": Language.EN,
        "correlation_id": "correlation-1",
        "asked_at": NOON,
        "decided_at": NOON,
    }
    return ConsentDecision(**{**values, **changes})


def a_grant(**changes: Any) -> ConsentGrant:
    values: dict[str, Any] = {
        "consent_id": "consent-1",
        "request_id": "request-1",
        "client_id": "dc-budget",
        "provider_id": "1000",
        "subject": "maple-0001",
        "granted_scope": BASIC,
        "correlation_id": "correlation-1",
        "approved_at": NOON,
        "expires_at": NOON + timedelta(days=365),
    }
    return ConsentGrant(**{**values, **changes})
