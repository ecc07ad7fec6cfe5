"""Accord: the page on which a bank's customer decides what to share, and the OAuth 2.0 server behind it.

`create_app` is the composition root: the only function that connects the settings, the stores, the rules and
the views with each other.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.wrappers import Response as BaseResponse

from app import loaded, logs
from app.accounts.bank_accounts import BankAccounts
from app.clock import utc_now
from app.domain.registry import Registry
from app.flow.consent import ConsentFlow
from app.flow.live_tokens import LiveTokens
from app.flow.notices import NoticePolls
from app.flow.pushed import PushFlow
from app.flow.tokens import TokenFlow
from app.log_output import OUTPUT
from app.metrics import Metrics
from app.notices.waiting import WaitingNotices
from app.outgoing.bulkhead import Bulkhead
from app.recipient_keys import RecipientKeys
from app.registration.file import logos_beside
from app.registration.themes import theme_css
from app.settings import ConfigurationError, Settings
from app.sign_in.oidc import OidcSignIn
from app.sign_in.sandbox import SandboxSignIn
from app.signatures import make_signer
from app.startup import Parts, open_parts
from app.stores.instrumentation import trace_with
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
from app.web.connections import complaints
from app.web.connections import views as connections
from app.web.consent import accounts, authorize, consent_form, decision
from app.web.current import EXTENSION, Services
from app.web.edge import assets, errors, headers, http_metrics, http_tracing, pseudo_locale
from app.web.edge.concurrency import limit_concurrency
from app.web.edge.middleware import accept_any_host, limit_chunked_bodies, normalize, trust_proxies
from app.web.edge.session_cookie import RedisSessionInterface
from app.web.machines import (
    consent_record,
    consent_revocation,
    introspect,
    notices,
    par,
    revoke,
    token,
    wellknown,
)
from app.web.sign_in import views as sign_in
from app.web.text import catalogues, template_filters
from app.web.text.catalogues import Catalogues, LiveCatalogues, PublishedCatalogues
from app.web.text.form_cache import FormCache

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "translations"
STATIC = ROOT / "static"
LARGEST_BODY = 64 * 1024
"""Bytes of a request's body: a judgement, many times what the largest form or token request needs."""


class _Application(Flask):
    def redirect(self, location: str, code: int = 302) -> BaseResponse:
        """A redirect with an empty body. Werkzeug's body is in English and repeats an authorization code."""
        return self.response_class(status=code, headers={"Location": location})


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    translations: Path = TRANSLATIONS,
    registry: Registry | None = None,
) -> Flask:
    """The Flask application for `settings`, with the texts in the folder `translations`.

    The `registry` is given where its file has been read before. It opens no connection yet. Raises
    ConfigurationError with every fault in the files and addresses that the settings name.
    """
    logs.set_up_logging()
    app = _Application(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value(),
        TRUSTED_HOSTS=settings.hosts,
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY,
        PROVIDE_AUTOMATIC_OPTIONS=False,  # OPTIONS is for CORS, which no endpoint offers
        WTF_I18N_ENABLED=False,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    texts = (LiveCatalogues if settings.is_development else PublishedCatalogues)(translations)
    catalogues.init_app(app, texts, time_zone=settings.time_zone)
    parts = open_parts(settings, registry)
    if settings.traces_endpoint is not None:
        _start_tracing(app, settings.traces_endpoint)
    metrics = _start_counting(parts) if settings.metrics_port is not None else None
    if metrics is not None:
        metrics.expose(loaded.LoadedMetrics(settings, parts.registry, parts.keys))
        metrics.expose(WaitingNotices(NoticeStore(parts.ledger.database), parts.registry, clock))
        http_metrics.init_app(app, metrics)
    files = assets.Assets(
        STATIC,
        is_live=settings.is_development,
        others=_own_logos(settings.registry, parts.registry),
        themes={
            provider.colour: theme_css(provider.colour) for provider in parts.registry.providers.values()
        },
    )
    services = _make_services(settings, parts, clock, texts, files)
    app.extensions[EXTENSION] = services
    app.session_interface = RedisSessionInterface(
        # A customer who reads the form sends nothing that would keep the session alive: a session lasts at
        # least as long as a request waits for its answer.
        SessionStore(
            parts.redis,
            SealedRecords(settings.secret_keys),
            services.flow.requests,
            idle=max(settings.session_idle, settings.request_lifetime),
        ),
        settings.secret_keys,
        parts.registry.find_provider,
        is_https=settings.is_https,
        absolute=settings.session_absolute,
        clock=clock,
    )
    headers.init_app(app)
    errors.init_app(app)
    assets.init_app(app, files)
    template_filters.init_app(app)
    pages_of_people = (accounts, authorize, complaints, connections, consent_form, decision, sign_in)
    endpoints_of_machines = (
        *(par, token, revoke, introspect),
        *(consent_record, consent_revocation, notices, wellknown),
    )
    for part in (*pages_of_people, *endpoints_of_machines):
        app.register_blueprint(part.bp)
    if settings.is_development:
        from app.development import start  # the production image does not contain app/development
        from app.development.screens import gallery

        app.register_blueprint(start.bp)
        app.register_blueprint(gallery.bp)
        pseudo_locale.init_app(app, is_https=settings.is_https)
    served = limit_chunked_bodies(app.wsgi_app, most=LARGEST_BODY)
    served = normalize(limit_concurrency(served, slots=settings.threads))
    served = accept_any_host(served, wellknown.HEALTH_PATHS, settings.hosts[0])
    served = trust_proxies(served, settings.trusted_proxies)
    if metrics is not None and settings.metrics_port is not None:
        served = http_metrics.serve_metrics(served, metrics, settings.metrics_port)
    app.wsgi_app = headers.add_security_headers(served, is_https=settings.is_https)  # type: ignore[assignment, method-assign]  # Flask's own way to add middleware
    return app


def _start_tracing(app: Flask, endpoint: str) -> None:
    """Sends traces to `endpoint`. Raises ConfigurationError where accord[tracing] is not installed."""
    try:
        from app.tracing import Tracing  # needs the extra accord[tracing], and is slow to import
    except ImportError as error:
        raise ConfigurationError(
            f"ACCORD_TRACES_ENDPOINT needs accord[tracing]: {error.name} is not installed"
        ) from error
    tracing = Tracing(endpoint)
    trace_with(tracing.store)
    http_tracing.init_app(app, tracing)


def _start_counting(parts: Parts) -> Metrics:
    """Makes the metrics, which count events of the log from now on.

    Raises ConfigurationError where the folder for the counts cannot be written.
    """
    samples = {
        "redis": lambda: redis.connections_in_use(parts.redis),
        "ledger": parts.ledger.database.connections_in_use,
    }
    try:
        metrics = Metrics(parts.registry, samples, lost_lines=lambda: OUTPUT.lost)
    except OSError as error:
        raise ConfigurationError(
            f"ACCORD_METRICS_ADDRESS needs room for counts in {error.filename}: {error.strerror}"
        ) from error
    logs.set_up_logging(metrics.count_event)
    return metrics


def _make_services(
    settings: Settings,
    parts: Parts,
    clock: Callable[[], datetime],
    texts: Catalogues,
    files: assets.Assets,
) -> Services:
    registry, keys, client, ledger = parts.registry, parts.keys, parts.redis, parts.ledger
    connections = ConnectionStore(ledger.database, registry.events_asked)
    records = SealedRecords(settings.secret_keys)
    once = OnceStore(client)
    pushed = PushedStore(client, records, once)
    codes = CodeStore(client, records, settings.secret_keys)
    attempts = AttemptStore(client, window=settings.sign_in_window)
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
        assets=files,
        form_cache=FormCache(),
        attempts=attempts,
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


def _own_logos(file: Path, registry: Registry) -> dict[str, Path]:
    """The registered logos in the folder beside the registration file; other files there are not served."""
    folder = logos_beside(file)
    of_recipients = {client.logo for client in registry.clients.values()}
    names = of_recipients | {provider.logo for provider in registry.providers.values()}
    return {f"logos/{name}": folder / name for name in names if name and (folder / name).is_file()}


def say_what_was_loaded(app: Flask) -> None:
    """Logs the version of `app`, and the fingerprints of its registration, keys and texts."""
    made: Services = app.extensions[EXTENSION]
    with app.app_context():  # the catalogues keep their state of a response in Flask's `g`
        loaded.say_what_was_loaded(made.settings, made.registry, made.keys, texts=made.catalogues.version())
