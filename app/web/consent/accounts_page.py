"""The page of the accounts, and the page for a customer who has none that can be shared."""

from dataclasses import dataclass
from functools import partial

from flask import get_template_attribute, render_template
from markupsafe import Markup

from app.domain.account_choice import AccountKind, accounts_named
from app.domain.accounts import Account, AccountList
from app.domain.clusters import CUSTOMER_LEVEL
from app.domain.consent import ConsentGrant
from app.domain.evidence import Screen
from app.domain.language import Language
from app.domain.resources import clusters_by_account
from app.flow.consent import Parties
from app.sign_in import Customer
from app.web.consent.accounts_form import AccountsForm
from app.web.consent.cached_page import cached_page, time_values
from app.web.consent.open_request import OpenRequest
from app.web.consent.view import View
from app.web.edge.forms import SignOutForm
from app.web.edge.headers import allow_answer_to_leave
from app.web.text.account_words import KINDS, account_lines
from app.web.text.form_cache import CachedForm, placeholder
from app.web.text.template_filters import isolated_name


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichAccounts:
    """Everything that decides the text of the page, except the accounts: equal values give equal pages."""

    client_id: str
    provider_id: str
    language: Language
    view: View
    names_customer: bool
    asks_about_the_person: bool


PLACEHOLDERS = (
    "request_id",
    "customer",
    "sign_out_token",
    "accounts_token",
    "account_list",
    "expires_at",
    "seconds_left",
    "clock_time",
)


def accounts_page(
    opened: OpenRequest, customer: Customer, listed: AccountList, view: View, standing: ConsentGrant | None
) -> str:
    """The customer's accounts, with a box for each that can be shared, and a banner where it came back.

    Those of the connection in force, `standing`, are marked.
    """
    allow_answer_to_leave(opened.pending.request.redirect_uri)
    pending, page = opened.pending, _page(opened, customer, view)
    checked = accounts_named(listed, pending.checked_accounts)
    account_list = account_list_html(opened.parties, listed, checked, standing)
    return page.fill(
        {
            "request_id": pending.request_id,
            "customer": customer.display_name,
            "sign_out_token": _sign_out_token(opened),
            "accounts_token": AccountsForm(pending, customer).token(page.screen, listed.list_hash),
            "account_list": account_list,
            **time_values(pending),
        }
    )


def accounts_screen(opened: OpenRequest, customer: Customer, view: View) -> Screen:
    """What that page says, in the language of the request."""
    return _page(opened, customer, view).screen


def _page(opened: OpenRequest, customer: Customer, view: View) -> CachedForm:
    parties = opened.parties
    asked = WhichAccounts(
        client_id=parties.client.client_id,
        provider_id=parties.provider.provider_id,
        language=opened.pending.language,
        view=view,
        names_customer=bool(customer.display_name),
        asks_about_the_person=bool((parties.offer.needed | parties.offer.optional) & CUSTOMER_LEVEL),
    )
    return cached_page(asked, asked.language, partial(accounts_with_placeholders, asked, parties))


def accounts_with_placeholders(asked: WhichAccounts, parties: Parties) -> str:
    """The page, with placeholders for what is one customer's alone."""
    return render_template(
        "consent/accounts.html",
        client=parties.client,
        provider=parties.provider,
        banner=asked.view.banner,
        view_fields=asked.view.fields,
        names_customer=asked.names_customer,
        asks_about_the_person=asked.asks_about_the_person,
        **{name: placeholder(name) for name in PLACEHOLDERS},
    )


def account_list_html(
    parties: Parties, listed: AccountList, checked: tuple[Account, ...], standing: ConsentGrant | None
) -> Markup:
    """The accounts by their kind; those of the connection in force are marked."""
    shared = set() if standing is None else _account_ids(standing, listed)
    lines = account_lines(
        listed.shareable,
        have_boxes=True,
        checked=checked,
        shared=lambda account: account.account_id in shared,
    )
    kinds = [
        (kind.value, str(KINDS[kind]), [line for line in lines if line.kind is kind])
        for kind in AccountKind
        if any(line.kind is kind for line in lines)
    ]
    macro = get_template_attribute("macros/account.html", "account_list")
    html = macro(
        kinds,
        lines,
        account_lines(listed.unshareable),
        listed.is_cut_short,
        isolated_name(parties.provider.name),
    )
    return Markup(html)  # noqa: S704  # a template's


def _account_ids(grant: ConsentGrant, listed: AccountList) -> set[str]:
    """The accounts of `grant`, which are all of them where it is from before accounts were chosen."""
    if grant.resources is None:
        return {account.account_id for account in listed.shareable}
    return set(clusters_by_account(grant.resources))


def no_account_page(opened: OpenRequest, customer: Customer, listed: AccountList) -> str:
    """Why nothing is asked, and the way back without sharing."""
    return render_template(
        "consent/no_account.html",
        client=opened.parties.client,
        provider=opened.parties.provider,
        request_id=opened.pending.request_id,
        customer=customer.display_name,
        names_customer=bool(customer.display_name),
        sign_out_token=_sign_out_token(opened),
        lacks_investments=bool(listed.shareable),
        unshareable=account_lines(listed.unshareable),
        way_back=opened.denied_uri,
    )


def _sign_out_token(opened: OpenRequest) -> str:
    return SignOutForm.token(session_id=opened.session.id, request_id=opened.pending.request_id)
