"""What the consent form says, and the pages that stand in its place after the answer."""

from dataclasses import dataclass

from flask import render_template

from app.domain.callback import has_private_scheme, host_of, origin_of
from app.domain.clusters import DataCluster, Scope, in_order
from app.domain.consent import ConsentDecision
from app.signin import Customer
from app.web import errors
from app.web.current import browser, services
from app.web.forms import DecisionForm, SignOutForm
from app.web.headers import allow_form_to_end_at
from app.web.pending import OpenRequest


@dataclass(frozen=True, slots=True)
class ClusterSection:
    """One fieldset of the form."""

    cluster: DataCluster
    is_needed: bool
    is_checked: bool


def consent_page(
    opened: OpenRequest, customer: Customer, *, checked: Scope, is_undecided: bool = False
) -> str:
    """The form. `is_undecided`: it came back without an answer, which the page says on top."""
    pending, parties = opened.pending, opened.parties
    redirect_uri = pending.request.redirect_uri
    _allow_answer_to_leave(redirect_uri)
    offer = parties.offer
    session_id = browser().id
    return render_template(
        "consent/form.html",
        request_id=pending.request_id,
        client=parties.client,
        provider=parties.provider,
        customer=customer,
        sections=[
            ClusterSection(cluster, is_needed=cluster in offer.needed, is_checked=cluster in checked)
            for cluster in in_order(offer.needed | offer.optional)
        ],
        unavailable=in_order(offer.unavailable),
        takes_all_or_nothing=not parties.client.allow_subset,
        ends_at=services().clock() + parties.client.consent_duration,
        expires_at=pending.expires_at,
        callback_host=host_of(redirect_uri),
        form=DecisionForm(session_id=session_id, request_id=pending.request_id),
        sign_out=SignOutForm(session_id=session_id, request_id=pending.request_id),
        is_undecided=is_undecided,
    )


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
