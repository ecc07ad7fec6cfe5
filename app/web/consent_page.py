"""What the consent form says, and the pages that stand in its place after the answer."""

from collections.abc import Hashable

from flask import render_template

from app.domain.callback import has_private_scheme, host_of, origin_of
from app.domain.clusters import DataCluster, Scope, in_order
from app.domain.consent import (
    ConsentDecision,
    ConsentGrant,
    ConsentOffer,
    GrantStatus,
    ScopeDifference,
    compare,
)
from app.signin import Customer
from app.web import errors, language
from app.web.current import browser, services
from app.web.forms import DecisionForm, SignOutForm
from app.web.headers import allow_form_to_end_at
from app.web.pages import long_date
from app.web.pending import OpenRequest
from app.web.sections import ClusterSection


def consent_page(
    opened: OpenRequest, customer: Customer, *, checked: Scope, is_undecided: bool = False
) -> str:
    """The form. `is_undecided`: it came back without an answer, which the page says on top.

    Its text is in the ledger before anybody reads it, so that a decision can name it.
    """
    pending, parties = opened.pending, opened.parties
    redirect_uri = pending.request.redirect_uri
    _allow_answer_to_leave(redirect_uri)
    offer = parties.offer
    standing = _standing(opened, customer)
    difference = None if standing is None else compare(offer, standing.granted_scope)
    session_id = browser().id
    form = DecisionForm(session_id=session_id, request_id=pending.request_id)
    ends_at = services().clock() + parties.client.consent_duration
    html = render_template(
        "consent/form.html",
        request_id=pending.request_id,
        client=parties.client,
        provider=parties.provider,
        customer=customer,
        sections=[
            _section(cluster, offer, checked, difference)
            for cluster in in_order(offer.needed | offer.optional)
        ],
        unavailable=in_order(offer.unavailable),
        no_longer_asked=[] if difference is None else in_order(difference.no_longer_asked),
        standing=standing,
        takes_all_or_nothing=not parties.client.allow_subset,
        ends_at=ends_at,
        expires_at=pending.expires_at,
        callback_host=host_of(redirect_uri),
        form=form,
        sign_out=SignOutForm(session_id=session_id, request_id=pending.request_id),
        is_undecided=is_undecided,
    )
    parts = (
        parties.client.client_id,
        parties.provider.provider_id,
        pending.language,
        offer,
        difference,
        None if standing is None else long_date(standing.expires_at),
        long_date(ends_at),
        host_of(redirect_uri),
    )
    return form.bind_to_screen(html, _kept_screen(html, parts))


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


def _standing(opened: OpenRequest, customer: Customer) -> ConsentGrant | None:
    """What the customer shares with the same recipient already: an approval would replace it."""
    standing = services().connections.find_standing(
        provider_id=customer.provider_id,
        subject=customer.subject,
        client_id=opened.parties.client.client_id,
    )
    if standing is None or standing.status_at(services().clock()) is not GrantStatus.ACTIVE:
        return None
    return standing


def _kept_screen(html: str, parts: Hashable) -> str:
    """The hash of the page's text, which is in the ledger. Pages of the same parts say the same."""
    reader = services().screens
    known = reader.known_hash(parts)
    if known is not None:
        return known
    screen = reader.read(html, language.language())
    services().evidence.keep(screen, now=services().clock())
    reader.remember(parts, screen.screen_hash)
    return screen.screen_hash


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
        location=location,
        was_approved=was_approved,
    )


def _allow_answer_to_leave(redirect_uri: str) -> None:
    """An app's own scheme needs nothing: it is reached by a link. Loopback http is named exactly."""
    if has_private_scheme(redirect_uri):
        return
    if redirect_uri.startswith("http:"):
        allow_form_to_end_at("https:", origin_of(redirect_uri))
    else:
        allow_form_to_end_at("https:")
