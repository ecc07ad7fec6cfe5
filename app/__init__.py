"""Accord: the page on which a bank's customer decides what to share, and the OAuth 2.0 server behind it.

`create_app` is the one place where the parts meet.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from flask import Flask
from flask_babel import Babel
from jinja2 import StrictUndefined
from werkzeug.wrappers import Response as BaseResponse

from app import loaded, logs
from app.clock import utc_now
from app.domain.registry import Registry
from app.flow.consent import ConsentFlow
from app.flow.tokens import TokenFlow
from app.log_output import OUTPUT
from app.metrics import Metrics
from app.registration.file import RegistryError, logos_beside, read_registry
from app.settings import ConfigurationError, Environment, Settings
from app.signatures import make_signer
from app.signin.oidc import OidcSignIn
from app.signin.sandbox import SandboxSignIn
from app.stores.instrumentation import trace_with
from app.stores.keys import SigningKeys
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.evidence import EvidenceStore
from app.stores.ledger.issuers import IssuerStore
from app.stores.ledger.ledger import Ledger
from app.stores.readiness import Readiness
from app.stores.redis import client as redis
from app.stores.redis.attempts import AttemptStore
from app.stores.redis.codes import CodeStore
from app.stores.redis.rates import Rates
from app.stores.redis.requests import RequestStore
from app.stores.redis.sealed import SealedRecords
from app.stores.redis.sessions import SessionStore
from app.stores.redis.sign_ins import SignInStore
from app.stores.unavailable import StoreUnavailable, UnsuitableStore
from app.web.connections import complaints
from app.web.connections import views as connections
from app.web.consent import authorize, consent_form, decision
from app.web.current import EXTENSION, Services
from app.web.edge import assets, errors, headers, http_metrics, http_tracing, language, pseudo_locale
from app.web.edge.concurrency import limit_concurrency
from app.web.edge.middleware import for_any_host, measure_bodies, normalize, trust_proxies
from app.web.edge.sessions import RedisSessionInterface
from app.web.machines import consent_record, introspect, revoke, token, wellknown
from app.web.signin import views as signin
from app.web.text import template_filters
from app.web.text.catalogues import Catalogues, LiveCatalogues, PublishedCatalogues
from app.web.text.form_cache import FormCache

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "translations"
STATIC = ROOT / "static"
T = TypeVar("T")
LARGEST_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the settings name, found sound; nothing has been connected to."""

    registry: Registry
    keys: SigningKeys
    redis: redis.Redis
    ledger: Ledger


class _Application(Flask):
    def redirect(self, location: str, code: int = 302) -> BaseResponse:
        """Without Werkzeug's page, which would be in English, and repeat an authorization code."""
        return self.response_class(status=code, headers={"Location": location})


def create_app(
    settings: Settings, *, clock: Callable[[], datetime] = utc_now, translations: Path = TRANSLATIONS
) -> Flask:
    """The application for `settings`, in the texts of `translations`. Connects to nothing yet.

    Raises ConfigurationError with every fault in the files and addresses that the settings name.
    """
    logs.set_up_logging()
    app = _Application(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value(),
        TRUSTED_HOSTS=settings.hosts,
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY,
        PROVIDE_AUTOMATIC_OPTIONS=False,  # there is no CORS here, and nothing else asks
        WTF_I18N_ENABLED=False,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    babel = Babel(
        app,
        default_timezone=settings.time_zone,
        locale_selector=language.locale,
    )
    catalogues = (LiveCatalogues if settings.is_development else PublishedCatalogues)(translations)
    babel.domain_instance = catalogues
    parts = _open_parts(settings)
    if settings.traces_endpoint is not None:
        _start_tracing(app, settings.traces_endpoint)
    metrics = _start_counting(parts) if settings.metrics_port is not None else None
    if metrics is not None:
        metrics.expose(loaded.LoadedMetrics(settings, parts.registry, parts.keys))
        http_metrics.init_app(app, metrics)
    files = assets.Assets(
        STATIC, is_live=settings.is_development, others=_own_logos(settings.registry, parts.registry)
    )
    app.extensions[EXTENSION] = _make_services(settings, parts, clock, catalogues, files)
    app.session_interface = RedisSessionInterface(
        # Reading uses no session, so that one lasts at least as long as a request may be read.
        SessionStore(
            parts.redis,
            SealedRecords(settings.secret_keys),
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
    pages_of_people = (authorize, complaints, connections, consent_form, decision, signin)
    endpoints_of_machines = (token, revoke, introspect, consent_record, wellknown)
    for part in (*pages_of_people, *endpoints_of_machines):
        app.register_blueprint(part.bp)
    if settings.is_development:
        from app.development import start  # production has neither of them
        from app.development.screens import gallery

        app.register_blueprint(start.bp)
        app.register_blueprint(gallery.bp)
        pseudo_locale.init_app(app, is_https=settings.is_https)
    served = measure_bodies(app.wsgi_app, most=LARGEST_BODY)
    served = normalize(limit_concurrency(served, slots=settings.threads))
    served = for_any_host(served, wellknown.HEALTH_PATHS, settings.hosts[0])
    served = trust_proxies(served, settings.trusted_proxies)
    if metrics is not None and settings.metrics_port is not None:
        served = http_metrics.serve_metrics(served, metrics, settings.metrics_port)
    app.wsgi_app = headers.secure(served, is_https=settings.is_https)  # type: ignore[assignment, method-assign]  # Flask's own way to add middleware
    return app


def require_suitable_stores(settings: Settings) -> None:
    """Asks the stores once whether they will ever do, and keeps no connection to them.

    Raises ConfigurationError where one never will. One that does not answer now may do so later: `/readyz`
    says when.
    """
    timeout, faults = settings.store_timeout, []
    client = redis.connect(settings.redis_url.get_secret_value(), timeout=timeout)
    ledger = Ledger(settings.ledger_url.get_secret_value(), timeout=timeout, connections=1)
    with closing(client), closing(ledger):
        questions = (partial(redis.require_suitable, client), ledger.database.require_suitable)
        for ask in questions:
            try:
                ask()
            except UnsuitableStore as error:
                faults.append(str(error))
            except StoreUnavailable:
                continue
    if faults:
        raise ConfigurationError("\n".join(faults))


def _start_tracing(app: Flask, endpoint: str) -> None:
    """Raises ConfigurationError where what it needs is not installed."""
    try:
        from app.tracing import Tracing  # an extra, and slow to import
    except ImportError as error:
        raise ConfigurationError(
            f"ACCORD_TRACES_ENDPOINT needs accord[tracing]: {error.name} is not installed"
        ) from error
    tracing = Tracing(endpoint)
    trace_with(tracing.store)
    http_tracing.init_app(app, tracing)


def _start_counting(parts: _Parts) -> Metrics:
    """Counts from now on what the log says, too. Raises ConfigurationError where there is no room for it."""
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
    logs.set_up_logging(metrics.note)
    return metrics


def _make_services(
    settings: Settings,
    parts: _Parts,
    clock: Callable[[], datetime],
    catalogues: Catalogues,
    files: assets.Assets,
) -> Services:
    registry, keys, client, ledger = parts.registry, parts.keys, parts.redis, parts.ledger
    connections = ConnectionStore(ledger.database)
    records = SealedRecords(settings.secret_keys)
    codes = CodeStore(client, records, settings.secret_keys)
    attempts = AttemptStore(client, window=settings.sign_in_window)
    flow = ConsentFlow(
        registry=registry,
        requests=RequestStore(client, records),
        codes=codes,
        ledger=ledger,
        request_lifetime=settings.request_lifetime,
        code_lifetime=settings.code_lifetime,
        clock=clock,
    )
    tokens = TokenFlow(
        issuer=settings.issuer,
        registry=registry,
        codes=codes,
        ledger=ledger,
        connections=connections,
        keys=keys,
        access_token_lifetime=settings.access_token_lifetime,
        refresh_token_idle=settings.refresh_token_idle,
        clock=clock,
    )

    def check_ready() -> None:
        redis.check(client)
        ledger.check()

    return Services(
        settings=settings,
        registry=registry,
        flow=flow,
        tokens=tokens,
        connections=connections,
        evidence=EvidenceStore(ledger.database),
        catalogues=catalogues,
        assets=files,
        form_cache=FormCache(),
        attempts=attempts,
        rates=Rates(client, clock=clock),
        keys=keys,
        form_signer=make_signer(settings.secret_keys, "form"),
        sandbox=SandboxSignIn(is_development=True) if settings.is_development else None,
        bank_sign_in=OidcSignIn(
            registry.providers.values(),
            callback=f"{settings.issuer}/sign-in/callback",
            slots=settings.bank_waiting,
            patience=settings.bank_timeout,
            clock=clock,
        ),
        sign_ins=SignInStore(client, records),
        issuers=IssuerStore(ledger.database),
        readiness=Readiness(check_ready),
        clock=clock,
    )


def _open_parts(settings: Settings) -> _Parts:
    """The files and stores that the settings name. Raises ConfigurationError with every fault in them."""
    faults: list[str] = []
    timeout = settings.store_timeout
    registry = _attempt(lambda: read_registry(settings.registry, allow_demo=settings.is_development), faults)
    keys = _attempt(lambda: SigningKeys(settings.signing_keys), faults)
    client = _attempt(lambda: redis.connect(settings.redis_url.get_secret_value(), timeout=timeout), faults)
    ledger = _attempt(
        lambda: Ledger(
            settings.ledger_url.get_secret_value(), timeout=timeout, connections=settings.ledger_connections
        ),
        faults,
    )
    if registry is None or keys is None or client is None or ledger is None:
        raise ConfigurationError("\n".join(faults))
    return _Parts(registry, keys, client, ledger)


def _own_logos(file: Path, registry: Registry) -> dict[str, Path]:
    """The registered logos that stand beside the registration file, and nothing else of that folder."""
    folder = logos_beside(file)
    of_recipients = {client.logo for client in registry.clients.values()}
    names = of_recipients | {provider.logo for provider in registry.providers.values()}
    return {f"logos/{name}": folder / name for name in names if name and (folder / name).is_file()}


def say_what_was_loaded(app: Flask) -> None:
    """Into the log: of which version, registration, keys and texts `app` is."""
    made: Services = app.extensions[EXTENSION]
    with app.app_context():  # texts are looked at once for each response
        loaded.say_what_was_loaded(made.settings, made.registry, made.keys, texts=made.catalogues.version())


def faults_in_places(sound: Mapping[str, str]) -> list[str]:
    """The faults in the files and addresses among `sound` settings, where other settings are at fault."""
    faults: list[str] = []
    allow_demo = sound.get("environment") == Environment.DEVELOPMENT
    attempts: dict[str, Callable[[str], object]] = {
        "registry": lambda path: read_registry(Path(path), allow_demo=allow_demo),
        "signing_keys": lambda path: SigningKeys(Path(path)),
        "redis_url": lambda url: redis.connect(url, timeout=timedelta(seconds=1)),
        "ledger_url": lambda url: Ledger(url, timeout=timedelta(seconds=1)),
    }
    for field, attempt in attempts.items():
        if field in sound:
            _attempt(partial(attempt, sound[field]), faults)
    return faults


def _attempt(make: Callable[[], T], faults: list[str]) -> T | None:
    try:
        return make()
    except (RegistryError, ValueError) as error:
        faults += str(error).splitlines()
        return None
