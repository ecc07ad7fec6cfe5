"""Typed access to what app/composition.py made, and to the state of the request that is being served.

Flask keeps them in places without types, `app.extensions`, `g` and `request_ctx`; no other file of `app/web`
looks there. Flask documents `request_ctx` as internal: pyproject.toml bounds the version of Flask for it, and
tests/test_private_names.py names it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

from flask import current_app, g
from flask.globals import request_ctx
from itsdangerous import Signer

from app.accounts.bank_accounts import BankAccounts
from app.domain.language import Language
from app.domain.registry import Registry
from app.flow.consent import ConsentFlow
from app.flow.live_tokens import LiveTokens
from app.flow.notices import NoticePolls
from app.flow.pushed import PushFlow
from app.flow.tokens import TokenFlow
from app.recipient_keys import RecipientKeys
from app.settings import Settings
from app.sign_in import Customer, SignIn
from app.sign_in.sandbox import SandboxSignIn
from app.stores.ledger.connections import ConnectionStore
from app.stores.ledger.evidence import EvidenceStore
from app.stores.ledger.issuers import IssuerStore
from app.stores.readiness import Readiness
from app.stores.redis.attempts import AttemptStore
from app.stores.redis.once import OnceStore
from app.stores.redis.rates import Rates
from app.stores.redis.sign_ins import SignInStore
from app.stores.signing_keys import SigningKeys

if TYPE_CHECKING:  # these files import this one
    from contextlib import AbstractContextManager

    from babel.support import NullTranslations
    from opentelemetry.trace import Span  # an extra

    from app.web.edge.assets import Assets
    from app.web.edge.pseudo_locale import CatalogueView, PseudoCatalogue
    from app.web.edge.sessions import BrowserSession
    from app.web.text.catalogues import Catalogues
    from app.web.text.form_cache import FormCache

EXTENSION = "accord"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a view may call, made once for each application."""

    settings: Settings
    registry: Registry
    flow: ConsentFlow
    pushes: PushFlow
    tokens: TokenFlow
    live_tokens: LiveTokens
    polls: NoticePolls
    connections: ConnectionStore
    evidence: EvidenceStore
    catalogues: "Catalogues"
    assets: "Assets"
    form_cache: "FormCache"
    attempts: AttemptStore
    rates: Rates
    once: OnceStore
    recipient_keys: RecipientKeys
    keys: SigningKeys
    form_signer: Signer
    sandbox: SandboxSignIn | None
    bank_sign_in: SignIn
    sign_ins: SignInStore
    bank_accounts: BankAccounts
    issuers: IssuerStore
    readiness: Readiness
    clock: Callable[[], datetime]


@dataclass(slots=True)
class RequestState:
    """What one HTTP request carries from its first line to its last header. Every field begins empty.

    `trace_id` is given by `headers.assign_trace_id` before anything else happens. `policy_changes` are the
    directives of this response's Content-Security-Policy that differ from everybody's.
    """

    trace_id: str = ""
    correlation_id: str | None = None
    policy_changes: tuple[tuple[str, str], ...] = ()
    language: Language | None = None
    catalogue_view: "CatalogueView | None" = None
    catalogue: "NullTranslations | PseudoCatalogue | None" = None
    has_looked_at_catalogues: bool = False
    span: "Span | None" = None
    open_span: "AbstractContextManager[Span] | None" = None


def request_state() -> RequestState:
    """The state of the request that this thread is serving."""
    state: RequestState | None = g.get("state")
    if state is None:
        state = g.state = RequestState()
    return state


def services() -> Services:
    """The services of the application that is serving this request."""
    return cast("Services", current_app.extensions[EXTENSION])


def browser() -> "BrowserSession":
    """This browser's session, which is loaded from Redis when something of it is first read."""
    return cast("BrowserSession", request_ctx.session)


def allowed_methods() -> Collection[str] | None:
    """The methods that the path of this request accepts; None for a request whose Host is not ours."""
    adapter = request_ctx.url_adapter
    return None if adapter is None else set(adapter.allowed_methods())


def customers() -> list[Customer]:
    """The customers who are signed in in this browser, one for each provider at most."""
    signed_in = (browser().customer_of(provider_id) for provider_id in services().registry.providers)
    return [customer for customer in signed_in if customer is not None]


def trace_id() -> str:
    """32 hexadecimal digits that name this HTTP request in its `ob-trace-id` header and in the log."""
    return request_state().trace_id


def reference() -> str:
    """The reference number on error pages: the first twelve digits of the trace id, in groups of four."""
    digits = trace_id()[:12].upper()
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"
