"""What the consent form says, and the pages that stand in its place after the answer."""

from dataclasses import dataclass, replace
from math import ceil

from flask import render_template, request

from app.domain.agreement import make_agreement
from app.domain.callback import display_host, has_private_scheme, origin_of
from app.domain.clusters import DataCluster, Scope, in_order
from app.domain.consent import (
    ConsentDecision,
    ConsentGrant,
    ConsentOffer,
    GrantStatus,
    ScopeDifference,
    ShownConsent,
    StandingConsent,
    compare_scopes,
    is_renewal,
)
from app.domain.evidence import Screen
from app.domain.language import Language
from app.flow.consent import Parties
from app.sign_in import Customer
from app.web.consent.open_request import OpenRequest
from app.web.consent.view import View, Way
from app.web.consent.visible_text import visible_text
from app.web.current import services
from app.web.edge import errors
from app.web.edge.forms import DecisionForm, SignOutForm
from app.web.edge.headers import allow_form_redirects_to
from app.web.text.form_cache import CachedForm, placeholder
from app.web.text.template_filters import clock_time, long_date
from app.web.text.wording import ClusterSection

_ANSWER = ("csrf_token", "way", "notice", "decision", "scope")


def consent_page(opened: OpenRequest, customer: Customer, view: View) -> str:
    """The form, with a notice on top when it came back; or what is shared now, where nothing new is asked."""
    _allow_answer_to_leave(opened.pending.request.redirect_uri)
    if view.way is None:
        view = replace(view, way=Way.RENEW)
    page = _prepared(opened, customer, view).page
    return page.fill(_values(opened, customer, page.screen))


def shown_consent(opened: OpenRequest, customer: Customer, view: View) -> ShownConsent:
    """What that page says now, in the language of the request, which boxes do not change."""
    unchecked = replace(opened, pending=replace(opened.pending, checked_clusters=frozenset()))
    prepared = _prepared(unchecked, customer, view)
    standing = None if prepared.standing is None else prepared.standing.grant
    keeps = standing.granted_scope if standing is not None and prepared.is_renewal else None
    return ShownConsent(prepared.page.screen, standing, keeps)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The page for everybody who is asked the same, and the connection that an approval would replace."""

    page: CachedForm
    standing: StandingConsent | None
    is_renewal: bool


def _prepared(opened: OpenRequest, customer: Customer, view: View) -> _Prepared:
    pending, parties = opened.pending, opened.parties
    standing = _find_standing(opened, customer)
    can_renew = standing is not None and is_renewal(
        parties.offer,
        standing,
        agreement=make_agreement(parties.client, parties.provider),
        lasts=pending.consent_ends_at - pending.begun_at,
    )
    if not can_renew:
        view = replace(view, way=None)
    asked = WhatIsAsked(
        client_id=parties.client.client_id,
        provider_id=parties.provider.provider_id,
        language=pending.language,
        offer=parties.offer,
        shared=None if standing is None else Shared.of(standing.grant),
        ends_on=long_date(pending.consent_ends_at),
        callback_host=display_host(pending.request.redirect_uri),
        checked=pending.checked_clusters,
        view=view,
        names_customer=bool(customer.display_name),
    )
    catalogues = services().catalogues
    version = catalogues.version()
    key = (version, catalogues.faults(), services().assets.version(), asked)
    page = services().form_cache.find(key)
    if page is None:
        html = form_with_placeholders(asked, parties)
        page = CachedForm(html, Screen(visible_text(html), asked.language, version))
        services().form_cache.keep(key, page)
    return _Prepared(page, standing, asked.is_renewal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the customer shares with the recipient already, until when."""

    scope: Scope
    until: str

    @classmethod
    def of(cls, standing: ConsentGrant) -> "Shared":
        return cls(scope=standing.granted_scope, until=long_date(standing.expires_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIsAsked:
    """All that decides what the form says. Two customers who are asked the same see the same."""

    client_id: str
    provider_id: str
    language: Language
    offer: ConsentOffer
    shared: Shared | None
    ends_on: str
    callback_host: str
    checked: Scope
    view: View
    names_customer: bool

    @property
    def is_renewal(self) -> bool:
        """Whether the page keeps what is shared now, instead of asking with boxes."""
        return self.view.way is Way.RENEW


def form_with_placeholders(asked: WhatIsAsked, parties: Parties) -> str:
    """The page, with placeholders for what is one customer's alone."""
    offer = asked.offer
    clusters = in_order(offer.needed | offer.optional)
    difference = None if asked.shared is None else compare_scopes(offer, asked.shared.scope)
    shared_until = None if asked.shared is None else asked.shared.until
    sections = [_section(cluster, offer, asked.checked, difference) for cluster in clusters]
    if asked.is_renewal:
        template = "consent/renewal.html"
        states = {
            "kept": [_kept(section) for section in sections if section.is_shared],
            "left_out": [section for section in sections if not section.is_shared],
            "choices": bool(offer.optional),
        }
    else:
        template = "consent/form.html"
        states = {
            "sections": sections,
            "unavailable": in_order(offer.unavailable),
            "no_longer_asked": [] if difference is None else in_order(difference.no_longer_asked),
            "takes_all_or_nothing": not parties.client.allow_subset,
        }
    return render_template(
        template,
        client=parties.client,
        provider=parties.provider,
        shared_until=shared_until,
        ends_on=asked.ends_on,
        history_months=parties.client.history_months_of(offer.needed | offer.optional),
        callback_host=asked.callback_host,
        names_customer=asked.names_customer,
        notice=asked.view.notice,
        view_fields=asked.view.fields,
        **states,
        **{name: placeholder(name) for name in PLACEHOLDERS},
    )


PLACEHOLDERS = (
    "request_id",
    "customer",
    "sign_out_token",
    "decision_token",
    "expires_at",
    "seconds_left",
    "clock_time",
)


def _values(opened: OpenRequest, customer: Customer, screen: Screen) -> dict[str, str]:
    """What stands in the placeholders of the form."""
    request_id, expires_at = opened.pending.request_id, opened.pending.expires_at
    sign_out_token = SignOutForm.token(session_id=opened.session.id, request_id=request_id)
    return {
        "request_id": request_id,
        "customer": customer.display_name,
        "sign_out_token": sign_out_token,
        "decision_token": DecisionForm(opened.pending, customer).token(screen),
        "expires_at": expires_at.isoformat(),
        # Never less than there is: the page must not say that it is over while an answer still counts.
        "seconds_left": str(ceil((expires_at - services().clock()).total_seconds())),
        "clock_time": clock_time(expires_at),
    }


def _section(
    cluster: DataCluster, offer: ConsentOffer, checked: Scope, difference: ScopeDifference | None
) -> ClusterSection:
    return ClusterSection(
        cluster,
        is_needed=cluster in offer.needed,
        is_checked=cluster in checked,
        is_new=difference is not None and cluster in difference.new,
        is_shared=difference is not None and cluster in difference.already_shared,
    )


def _kept(section: ClusterSection) -> ClusterSection:
    """The section of what is kept: there is no box, and nothing beside its name."""
    return replace(section, is_needed=True, is_shared=False)


def _find_standing(opened: OpenRequest, customer: Customer) -> StandingConsent | None:
    """The connection in force that an approval would replace."""
    standing = services().connections.find_standing(
        provider_id=customer.provider_id,
        subject=customer.subject,
        client_id=opened.parties.client.client_id,
    )
    if standing is None or standing.grant.status_at(services().clock()) is not GrantStatus.ACTIVE:
        return None
    return standing


def page_instead(opened: OpenRequest) -> str | None:
    """What stands in the place of the form once the request has its answer; None while it is open.

    Raises Problem (410) when it has expired without one.
    """
    decision = services().flow.find_answer(opened.pending.request_id)
    if decision is not None:
        return answered_page(opened, decision)
    opened.require_time_left()
    return None


def answered_page(opened: OpenRequest, decision: ConsentDecision) -> str:
    """What was answered, and when. Raises Problem (404) for anybody but the customer who answered."""
    customer = opened.customer
    if customer is None or customer.subject != decision.subject:
        raise errors.request_lost()
    return render_template(
        "consent/answered.html",
        client=opened.parties.client,
        provider=opened.parties.provider,
        decision=decision,
        granted=in_order(decision.granted_scope),
    )


def continue_page(opened: OpenRequest, location: str, *, was_approved: bool) -> str:
    """The link to an app on the device, whose address browsers would not follow after a POST (RFC 8252)."""
    return render_template(
        "consent/continue.html",
        client=opened.parties.client,
        provider=opened.parties.provider,
        request_id=opened.pending.request_id,
        fields=[(name, value) for name in _ANSWER for value in request.form.getlist(name)],
        location=location,
        was_approved=was_approved,
    )


def _allow_answer_to_leave(redirect_uri: str) -> None:
    """An app's own scheme needs nothing: it is reached by a link. Loopback http is named exactly.

    Of an IPv6 address only the port: a policy has no way to write the rest (CSP 3, host-source).
    """
    if has_private_scheme(redirect_uri):
        return
    if redirect_uri.startswith("http:"):
        allow_form_redirects_to("https:", origin_of(redirect_uri).replace("[::1]", "*"))
    else:
        allow_form_redirects_to("https:")
