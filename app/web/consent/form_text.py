"""The text of the form: everything that decides it, and its page with placeholders."""

from dataclasses import dataclass, replace

from flask import render_template

from app.domain.clusters import DataCluster, Scope, in_order
from app.domain.consent import ConsentGrant, ConsentOffer, ScopeDifference, compare_scopes
from app.domain.language import Language
from app.flow.consent import Parties
from app.web.consent.view import RepeatView, View
from app.web.text.form_cache import placeholder
from app.web.text.template_filters import long_date
from app.web.text.wording import ClusterSection


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The scope that the connection in force shares, and its end date as text."""

    scope: Scope
    until: str

    @classmethod
    def of(cls, standing: ConsentGrant) -> "Shared":
        return cls(scope=standing.granted_scope, until=long_date(standing.expires_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIsAsked:
    """Everything that decides the text of the form: equal values give equal forms."""

    client_id: str
    provider_id: str
    language: Language
    offer: ConsentOffer
    absent: Scope
    names_accounts: bool
    shared: Shared | None
    ends_on: str
    callback_host: str
    checked: Scope
    view: View
    names_customer: bool

    @property
    def is_renewal(self) -> bool:
        """Whether the page keeps what is shared now, instead of asking with boxes."""
        return self.view.repeat is RepeatView.RENEW


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
        absent=in_order(asked.absent),
        names_accounts=asked.names_accounts,
        names_customer=asked.names_customer,
        banner=asked.view.banner,
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
    "chosen_accounts",
)


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
