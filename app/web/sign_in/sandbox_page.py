"""The sign-in form of the sandbox, and the limits for wrong passwords."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog
from flask import Response, redirect, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from app.domain.account_sources import SandboxSource
from app.domain.accounts import AccountList
from app.domain.registry import SandboxCustomer, SandboxTrouble
from app.sign_in import Customer, SignInFailed
from app.stores.redis.attempts import Allowance
from app.web.current import services
from app.web.edge.addresses import network_of, peer_of
from app.web.edge.forms import SignInForm
from app.web.sign_in.purpose import SignInPurpose

_log = structlog.get_logger()

# How many wrong passwords are allowed in one window (ACCORD_SIGN_IN_WINDOW), all of them judgements: for a
# customer from one address, for a customer from all addresses (guessing from many addresses), and from one
# address for all customers (one password tried on many customers).
_MOST_PER_CUSTOMER_AND_ADDRESS = 5
_MOST_PER_CUSTOMER = 25
_MOST_PER_ADDRESS = 100

_MOST_LISTED = 5
"""How many test customers the page names: a judgement, since a registration may have hundreds of them."""


def sandbox_page(
    purpose: SignInPurpose,
    form: SignInForm | None = None,
    *,
    has_failed: bool = False,
    wait: timedelta | None = None,
) -> str:
    """The form. `has_failed` shows it after a wrong password, and `wait` after too many of them."""
    return render_template(
        "sign_in/sandbox.html",
        address=purpose.address(),
        client=purpose.client,
        provider=purpose.provider,
        listed=_listed(purpose.provider.sandbox_customers),
        form=form or sign_in_form(purpose),
        has_failed=has_failed,
        wait=wait,
        way_back=purpose.way_back,
    )


def _listed(customers: Sequence[SandboxCustomer]) -> list[SandboxCustomer]:
    """The test customers that the page names: the first one with each trouble, and then others."""
    one_of_each: dict[SandboxTrouble | None, SandboxCustomer] = {}
    for customer in customers:
        one_of_each.setdefault(customer.trouble, customer)
    others = [customer for customer in customers if one_of_each[customer.trouble] is not customer]
    return [*one_of_each.values(), *others][:_MOST_LISTED]


def sign_in_form(purpose: SignInPurpose) -> SignInForm:
    return SignInForm(session_id=purpose.session.id, request_id=purpose.bound_to)


def check_password(purpose: SignInPurpose, form: SignInForm) -> BaseResponse:
    """Signs the customer in and redirects, or shows the form again; 429 after too many wrong passwords.

    Raises SignInFailed for a test customer whom the bank refuses although the password is correct.
    """
    provider_id = purpose.provider.provider_id
    allowances = _allowances(purpose, form)
    wait = services().attempts.count(allowances)
    if wait is not None:
        _log.warning("rate_limited", provider_id=provider_id, limit="sign_in", outcome="refused")
        response = Response(sandbox_page(purpose, form, wait=wait), 429)
        response.headers["Retry-After"] = str(int(wait.total_seconds()))
        return response
    try:
        customer = _find_customer(purpose, form)
    except SignInFailed:
        services().attempts.take_back(allowances)
        raise
    if customer is None:
        _log.info("sign_in_failed", provider_id=provider_id, outcome="refused")
        return Response(sandbox_page(purpose, form, has_failed=True), 400)
    services().attempts.take_back(allowances)
    _as_long_as_it_lasts(purpose, customer).welcome(customer, _accounts_of(purpose, customer))
    return redirect(purpose.next_address, 303)


def _accounts_of(purpose: SignInPurpose, customer: Customer) -> AccountList | None:
    """The customer's accounts, for a request at a bank of which they are asked without waiting."""
    registration = purpose.provider.accounts
    if purpose.opened is None or registration is None or not isinstance(registration.source, SandboxSource):
        return None
    return services().bank_accounts.find_accounts(purpose.provider, customer)


def _as_long_as_it_lasts(purpose: SignInPurpose, customer: Customer) -> SignInPurpose:
    """The purpose with a shorter consent, where `customer` has the trouble `brief`; else `purpose` itself."""
    sandbox = services().sandbox
    lifetime = None if sandbox is None else sandbox.consent_lifetime_of(purpose.provider, customer)
    if purpose.opened is None or lifetime is None:
        return purpose
    pending = purpose.opened.pending.ending_at(services().clock() + lifetime)
    services().flow.keep(pending)
    return replace(purpose, opened=replace(purpose.opened, pending=pending))


def _find_customer(purpose: SignInPurpose, form: SignInForm) -> Customer | None:
    sandbox = services().sandbox
    if sandbox is None:
        raise NotFound
    if not form.is_complete:
        return None
    return sandbox.find_customer(purpose.provider, form.user_name.data or "", form.password.data or "")


def _allowances(purpose: SignInPurpose, form: SignInForm) -> list[Allowance]:
    customer = (purpose.provider.provider_id, (form.user_name.data or "").casefold())
    address = network_of(peer_of(request.remote_addr))
    return [
        Allowance((*customer, address), _MOST_PER_CUSTOMER_AND_ADDRESS),
        Allowance(customer, _MOST_PER_CUSTOMER),
        Allowance((address,), _MOST_PER_ADDRESS),
    ]
