"""Connects the settings, the stores and the rules with each other, into what the views call."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from app.accounts.bank_accounts import BankAccounts
from app.domain.registry import Registry
from app.flow.consent import ConsentFlow
from app.flow.live_tokens import LiveTokens
from app.flow.notices import NoticePolls
from app.flow.pushed import PushFlow
from app.flow.tokens import TokenFlow
from app.outgoing.bulkhead import Bulkhead
from app.recipient_keys import RecipientKeys
from app.registration.file import logos_beside
from app.registration.themes import theme_css
from app.settings import Settings
from app.sign_in.oidc import OidcSignIn
from app.sign_in.sandbox import SandboxSignIn
from app.signatures import make_signer
from app.startup import Parts
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.evidence import EvidenceStore
from app.stores.ledger.issuers import IssuerStore
from app.stores.ledger.notices import NoticeStore
from app.stores.readiness import Readiness
from app.stores.redis import client as redis
from app.stores.redis.attempts import AttemptStore
from app.stores.redis.codes import CodeStore
from app.stores.redis.once import OnceStore
from app.stores.redis.pushed import PushedStore
from app.stores.redis.rates import Rates
from app.stores.redis.requests import RequestStore
from app.stores.redis.sealed import SealedRecords
from app.stores.redis.sessions import SessionStore
from app.stores.redis.sign_ins import SignInStore
from app.web.current import Services
from app.web.edge.assets import Assets
from app.web.edge.session_cookie import RedisSessionInterface
from app.web.text.catalogues import Catalogues
from app.web.text.form_cache import FormCache

STATIC = Path(__file__).resolve().parent.parent / "static"


def make_services(
    settings: Settings, parts: Parts, texts: Catalogues, clock: Callable[[], datetime]
) -> Services:
    """Makes everything that views call. No store is connected to yet."""
    registry, keys, client, ledger = parts.registry, parts.keys, parts.redis, parts.ledger
    connections = ConnectionStore(ledger.database, registry.events_asked)
    records = SealedRecords(settings.secret_keys)
    once = OnceStore(client)
    pushed = PushedStore(client, records, once)
    codes = CodeStore(client, records, settings.secret_keys)
    flow = ConsentFlow(
        registry=registry,
        requests=RequestStore(client, records),
        codes=codes,
        ledger=ledger,
        pushed=pushed,
        request_lifetime=settings.request_lifetime,
        code_lifetime=settings.code_lifetime,
        clock=clock,
    )
    tokens = TokenFlow(
        issuer=settings.issuer,
        registry=registry,
        codes=codes,
        ledger=ledger,
        keys=keys,
        once=once,
        access_token_lifetime=settings.access_token_lifetime,
        refresh_token_idle=settings.refresh_token_idle,
        clock=clock,
    )
    live_tokens = LiveTokens(
        issuer=settings.issuer,
        registry=registry,
        ledger=ledger,
        connections=connections,
        keys=keys,
        refresh_token_idle=settings.refresh_token_idle,
        clock=clock,
    )
    bulkheads = {
        provider_id: Bulkhead(slots=settings.bank_waiting, timeout=settings.bank_timeout)
        for provider_id in registry.providers
    }
    bank_accounts = BankAccounts(bulkheads, clock=clock)

    def check_ready() -> None:
        redis.check(client)
        ledger.check()

    return Services(
        settings=settings,
        registry=registry,
        flow=flow,
        pushes=PushFlow(pushed=pushed, lifetime=settings.pushed_lifetime, clock=clock),
        tokens=tokens,
        live_tokens=live_tokens,
        polls=NoticePolls(
            issuer=settings.issuer, notices=NoticeStore(ledger.database), keys=keys, clock=clock
        ),
        connections=connections,
        evidence=EvidenceStore(ledger.database),
        catalogues=texts,
        assets=_make_assets(settings, registry),
        form_cache=FormCache(),
        attempts=AttemptStore(client, window=settings.sign_in_window),
        rates=Rates(client, clock=clock),
        once=once,
        recipient_keys=RecipientKeys(
            registry,
            slots=settings.bank_waiting,
            clock=clock,
            opened=settings.networks_of_recipients,
        ),
        keys=keys,
        form_signer=make_signer(settings.secret_keys, "form"),
        sandbox=SandboxSignIn(is_development=True) if settings.is_development else None,
        bank_sign_in=OidcSignIn(
            registry.providers.values(),
            callback=f"{settings.issuer}/sign-in/callback",
            bulkheads=bulkheads,
            ask_for_accounts=bank_accounts.ask_at_sign_in,
            clock=clock,
        ),
        sign_ins=SignInStore(client, records),
        bank_accounts=bank_accounts,
        issuers=IssuerStore(ledger.database),
        readiness=Readiness(check_ready),
        clock=clock,
    )


def make_session_interface(
    settings: Settings, parts: Parts, requests: RequestStore, clock: Callable[[], datetime]
) -> RedisSessionInterface:
    """The sessions of browsers.

    A customer who reads the form sends nothing that would keep the session alive: a session lasts at least as
    long as a request waits for its answer.
    """
    idle = max(settings.session_idle, settings.request_lifetime)
    return RedisSessionInterface(
        SessionStore(parts.redis, SealedRecords(settings.secret_keys), requests, idle=idle),
        settings.secret_keys,
        parts.registry.find_provider,
        is_https=settings.is_https,
        absolute=settings.session_absolute,
        clock=clock,
    )


def _make_assets(settings: Settings, registry: Registry) -> Assets:
    return Assets(
        STATIC,
        is_live=settings.is_development,
        others=_own_logos(settings.registry, registry),
        themes={provider.colour: theme_css(provider.colour) for provider in registry.providers.values()},
    )


def _own_logos(file: Path, registry: Registry) -> dict[str, Path]:
    """The registered logos in the folder beside the registration file; other files there are not served."""
    folder = logos_beside(file)
    of_recipients = {client.logo for client in registry.clients.values()}
    names = of_recipients | {provider.logo for provider in registry.providers.values()}
    return {f"logos/{name}": folder / name for name in names if name and (folder / name).is_file()}
