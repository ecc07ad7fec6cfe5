"""Accord: the page on which a bank's customer decides what to share, and the OAuth 2.0 server behind it.

`create_app` makes the Flask application, and composition.py what its views call. Nothing else connects the
settings, the stores, the rules and the views with each other.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.wrappers import Response as BaseResponse

from app import loaded, logs
from app.clock import utc_now
from app.composition import make_services, make_session_interface
from app.domain.registry import Registry
from app.log_output import OUTPUT
from app.metrics import Metrics
from app.notices.waiting import WaitingNotices
from app.settings import ConfigurationError, Settings
from app.startup import Parts, open_parts
from app.stores.instrumentation import trace_with
from app.stores.ledger.notices import NoticeStore
from app.stores.redis import client as redis
from app.web.connections import complaints
from app.web.connections import views as connections
from app.web.consent import accounts, authorize, consent_form, decision
from app.web.current import EXTENSION, Services
from app.web.edge import assets, errors, headers, http_metrics, http_tracing, pseudo_locale
from app.web.edge.concurrency import limit_concurrency
from app.web.edge.middleware import accept_any_host, limit_chunked_bodies, normalize, trust_proxies
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
from app.web.text.catalogues import LiveCatalogues, PublishedCatalogues

TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"
LARGEST_BODY = 64 * 1024
"""Bytes of a request's body: a judgement, many times what the largest form or token request needs."""

_PAGES = (accounts, authorize, complaints, connections, consent_form, decision, sign_in)
_ENDPOINTS_FOR_PROGRAMS = (
    *(par, token, revoke, introspect),
    *(consent_record, consent_revocation, notices, wellknown),
)


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
    app = _new_flask(settings)
    texts = (LiveCatalogues if settings.is_development else PublishedCatalogues)(translations)
    catalogues.init_app(app, texts, time_zone=settings.time_zone)
    parts = open_parts(settings, registry)
    if settings.traces_endpoint is not None:
        _start_tracing(app, settings.traces_endpoint)
    metrics = None
    if settings.metrics_port is not None:
        metrics = _start_counting(settings, parts, clock)
        http_metrics.init_app(app, metrics)
    services = make_services(settings, parts, texts, clock)
    app.extensions[EXTENSION] = services
    app.session_interface = make_session_interface(settings, parts, services.flow.requests, clock)
    headers.init_app(app)
    errors.init_app(app)
    assets.init_app(app, services.assets)
    template_filters.init_app(app)
    for part in (*_PAGES, *_ENDPOINTS_FOR_PROGRAMS):
        app.register_blueprint(part.bp)
    if settings.is_development:
        from app.development import start  # the production image does not contain app/development
        from app.development.screens import gallery

        app.register_blueprint(start.bp)
        app.register_blueprint(gallery.bp)
        pseudo_locale.init_app(app, is_https=settings.is_https)
    _add_middleware(app, settings, metrics)
    return app


def _new_flask(settings: Settings) -> Flask:
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
    return app


def _add_middleware(app: Flask, settings: Settings, metrics: Metrics | None) -> None:
    """Wraps `app`, from the innermost to the outermost: a request comes through the last one first.

    The order matters. Every answer gets the security headers, so these are outermost. A duration includes the
    time in the queue, and a request for the metrics takes no slot. The client's address is known before
    anything is counted for it. The Host of a health check is replaced before `normalize` changes the case of
    the Host, and the queue and Flask compare paths that `normalize` has cleaned. A body is read by a request
    that has left the queue.
    """
    served = limit_chunked_bodies(app.wsgi_app, most=LARGEST_BODY)
    served = normalize(limit_concurrency(served, slots=settings.threads))
    served = accept_any_host(served, wellknown.HEALTH_PATHS, settings.hosts[0])
    served = trust_proxies(served, settings.trusted_proxies)
    if metrics is not None and settings.metrics_port is not None:
        served = http_metrics.serve_metrics(served, metrics, settings.metrics_port)
    app.wsgi_app = headers.add_security_headers(served, is_https=settings.is_https)  # type: ignore[assignment, method-assign]  # Flask's own way to add middleware


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


def _start_counting(settings: Settings, parts: Parts, clock: Callable[[], datetime]) -> Metrics:
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
    metrics.expose(loaded.LoadedMetrics(settings, parts.registry, parts.keys))
    with_address = parts.registry.receivers_with_address
    metrics.expose(WaitingNotices(NoticeStore(parts.ledger.database), with_address, clock))
    return metrics


def say_what_was_loaded(app: Flask) -> None:
    """Logs the version of `app`, and the fingerprints of its registration, keys and texts."""
    made: Services = app.extensions[EXTENSION]
    with app.app_context():  # the catalogues keep their state of a response in Flask's `g`
        loaded.say_what_was_loaded(made.settings, made.registry, made.keys, texts=made.catalogues.version())
