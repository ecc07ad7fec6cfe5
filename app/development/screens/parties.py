"""The example values of the screens: banks, recipients, a customer, and the present time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from app.domain.authorization import AuthorizationRequest
from app.domain.clusters import DataCluster, Scope
from app.domain.consent import make_offer
from app.domain.display_text import printable_line
from app.domain.language import Bilingual
from app.domain.pending_request import PendingRequest
from app.domain.registry import Client, DataProvider, SandboxCustomer, Status
from app.flow.consent import Parties
from app.sign_in import Customer
from app.web.edge import language

NOW: Final = datetime(2026, 3, 3, 15, 45, tzinfo=UTC)
CONSENT_ID: Final = "5f2a6f0e-7f63-4a0e-9a54-2b9d6b3a2c11"
REQUEST_ID: Final = "8GkQ0c3m3nYt1l5vWz7xR2aB4dE6fH9j"
EVERYTHING: Final = frozenset(DataCluster)
_BASIC: Final = frozenset({DataCluster.ACCOUNT_BASIC})
_MARKUP: Final = "<b>Share</b> & <script>alert(1)</script> \u202eevil\u202c \u200b\u200d"
_LONGEST_NAME: Final = f"{_MARKUP} Compagnie de gestion budgétaire " * 8
_LONGEST_PURPOSE: Final = "To show all of your accounts in one place and to help you plan ahead. " * 13

MAPLE: Final = DataProvider(
    provider_id="1000",
    name=Bilingual("Maple Credit Union", "Caisse Érable"),
    clusters=EVERYTHING,
    audience="https://api.maple.example",
    colour="#8c1d2f",
    complaints=Bilingual("https://maple.example/complaints", "https://maple.example/fr/plaintes"),
    help=Bilingual("https://maple.example/help", "https://maple.example/fr/aide"),
    logo="maple.svg",
    sandbox_customers=(
        SandboxCustomer(
            user_name="alex",
            password="maple-syrup",  # noqa: S106  # a demo value
            subject="maple-0001",
            display_name="Alex Tremblay",
        ),
    ),
)
NORTHERN: Final = replace(
    MAPLE,
    provider_id="2000",
    name=Bilingual("Northern Bank", "Banque du Nord"),
    colour="#0b4f6c",
    logo="northern.svg",
    clusters=EVERYTHING - {DataCluster.INVESTMENTS},
)
PLAIN: Final = replace(
    NORTHERN, provider_id="3000", name=Bilingual("Harbour Bank", "Banque du Port"), logo=None
)
PROVIDERS: Final = {provider.provider_id: provider for provider in (MAPLE, NORTHERN, PLAIN)}

BUDGET: Final = Client(
    client_id="dc-budget",
    secret_hash="",
    name=Bilingual("Budget Compass", "Boussole Budget"),
    legal_name=Bilingual("Budget Compass Technologies Inc.", "Technologies Boussole Budget inc."),
    site=Bilingual("https://budget.example", "https://budget.example/fr"),
    privacy_policy=Bilingual("https://budget.example/privacy", "https://budget.example/fr/confidentialite"),
    terms=Bilingual("https://budget.example/terms", "https://budget.example/fr/conditions"),
    redirect_uris=frozenset({"https://budget.example/callback"}),
    clusters=EVERYTHING,
    needed_clusters=_BASIC,
    consent_duration=timedelta(days=365),
    statuses=dict.fromkeys(PROVIDERS, Status.ACTIVE),
    logo="budget.svg",
    purpose=Bilingual(
        "To show all your accounts in one place and help you plan your spending.",
        "Pour montrer tous vos comptes au même endroit et vous aider à planifier vos dépenses.",
    ),
    history_months=24,
)
LOANS: Final = replace(
    BUDGET,
    client_id="dc-loans",
    name=Bilingual("Prairie Loans", "Prêts des Prairies"),
    legal_name=Bilingual("Prairie Loans Ltd.", "Prêts des Prairies ltée"),
    logo="loans.svg",
    needed_clusters=_BASIC | {DataCluster.ACCOUNT_DETAILED, DataCluster.TRANSACTIONS},
    cluster_purposes={
        DataCluster.TRANSACTIONS: Bilingual(
            "To see if your income is regular.", "Pour voir si vos revenus sont réguliers."
        )
    },
    consent_duration=timedelta(days=90),
    history_months=1,
)
THROUGH_AN_AGENT: Final = replace(BUDGET, agent=Bilingual("Data Bridge", "Pont de données"))
WITHOUT_PURPOSE: Final = replace(BUDGET, purpose=None, logo=None, history_months=None)
ALL_OR_NOTHING: Final = replace(BUDGET, allow_subset=False)
NEEDS_EVERYTHING: Final = replace(BUDGET, needed_clusters=EVERYTHING)
LONG_PURPOSE: Final = replace(BUDGET, purpose=Bilingual(_LONGEST_PURPOSE[:1000], _LONGEST_PURPOSE[:1000]))
# The names are as the reader of a registration returns them: without invisible characters.
HOSTILE: Final = replace(
    BUDGET,
    name=Bilingual(printable_line(_LONGEST_NAME)[:256], printable_line(_LONGEST_NAME)[:256]),
    legal_name=Bilingual("W" * 256, "É" * 256),
    agent=Bilingual("مؤسسة الميزانية", "מצפן תקציב"),
)

ALEX: Final = Customer(provider_id="1000", issuer="", subject="maple-0001", display_name="Alex Tremblay")
NAMELESS: Final = replace(ALEX, display_name="")


def pending(
    client: Client, *, requested: Scope = EVERYTHING, provider: DataProvider = MAPLE
) -> PendingRequest:
    """A pending request of `client` that has just begun."""
    spoken = language.current_language()
    request = AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri="https://budget.example/callback",
        state="af0ifjsldkj",
        requested_scope=requested,
        provider_id=provider.provider_id,
        correlation_id=CONSENT_ID,
        language=spoken,
        code_challenge=None,
    )
    return PendingRequest(
        request_id=REQUEST_ID,
        browser_id="browser",
        request=request,
        begun_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
        consent_ends_at=NOW + client.consent_duration,
        language=spoken,
    )


def parties(client: Client, *, requested: Scope = EVERYTHING, provider: DataProvider = MAPLE) -> Parties:
    return Parties(client, provider, make_offer(requested, client, provider))
