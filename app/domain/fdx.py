"""A consent as the Financial Data Exchange (FDX) writes it: a ConsentGrant, and what a token is for.

The names of the parties are the English ones, whatever language the customer reads: the record is for
machines.
"""

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import NotRequired, TypedDict

from app.domain.agreement import Agreement
from app.domain.clusters import CUSTOMER_LEVEL, DataCluster, Scope, in_order
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.history import Actor, Event, EventKind, Reason
from app.domain.resources import clusters_by_account

# The FDX party type of each actor. Accord and its operator act for the bank.
_INITIATORS = {
    Actor.CUSTOMER: "INDIVIDUAL",
    Actor.CLIENT: "DATA_RECIPIENT",
    Actor.OPERATOR: "DATA_PROVIDER",
    Actor.ACCORD: "DATA_PROVIDER",
}


class Party(TypedDict):
    """A party of a consent (FDX)."""

    name: str
    type: str
    registry: str
    registeredEntityId: str
    registeredEntityName: NotRequired[str]
    homeUri: NotRequired[str]


class Resource(TypedDict):
    """The data that a consent is for (FDX): clusters of one account, or of the customer.

    Where no account is named, those of the customer are for every account.
    """

    resourceType: str
    resourceId: str
    dataClusters: list[DataCluster]


class ConsentRequest(TypedDict):
    """The granted resources, in the member that FDX names after the request for them."""

    resources: list[Resource]


class AuthorizationDetail(TypedDict):
    """The authorization details of a token (RFC 9396 2), of the type that FDX defines."""

    type: str
    consentRequest: ConsentRequest


class TokenDetails(TypedDict):
    """What introspection says of the consent behind a token (RFC 9396 9.2). The period is days."""

    fdxConsentId: str
    authorization_details: list[AuthorizationDetail]
    lookbackPeriod: NotRequired[int]


class Revocation(TypedDict):
    """How a consent was ended before its time (FDX). Times are RFC 3339."""

    reason: str
    initiator: str
    updatedTime: str
    otherReason: NotRequired[str]
    supersededBy: NotRequired[str]


class ConsentGrantRecord(TypedDict):
    """The members of an FDX ConsentGrant. Times are RFC 3339, periods are days."""

    id: str
    status: GrantStatus
    createdTime: str
    expirationTime: str
    durationType: str
    durationPeriod: int
    parties: list[Party]
    resources: list[Resource]
    lookbackPeriod: NotRequired[int]
    updatedTime: NotRequired[str]
    revocation: NotRequired[Revocation]


def consent_grant(
    grant: ConsentGrant,
    *,
    agreement: Agreement | None,
    narrowed_at: datetime | None,
    ending: Event | None,
    now: datetime,
) -> ConsentGrantRecord:
    """The FDX ConsentGrant for `grant` as of `now`, ready for JSON.

    `narrowed_at` is when a part was last taken out, `ending` the event that ended it; None where nothing did.
    Without an `agreement` the parties are named by their identifiers alone.
    """
    status = grant.status_at(now)
    record: ConsentGrantRecord = {
        "id": grant.consent_id,
        "status": status,
        "createdTime": timestamp(grant.approved_at),
        "expirationTime": timestamp(grant.expires_at),
        "durationType": "TIME_BOUND",
        "durationPeriod": ceil((grant.expires_at - grant.approved_at) / timedelta(days=1)),
        "parties": [
            recipient_party(grant.client_id, agreement),
            provider_party(grant.provider_id, agreement),
        ],
        "resources": _resources(grant, grant.granted_scope),
    }
    lookback = _lookback(agreement, grant.granted_scope)
    if lookback is not None:
        record["lookbackPeriod"] = lookback
    if narrowed_at is not None:
        record["updatedTime"] = timestamp(narrowed_at)
    if status is GrantStatus.REVOKED and ending is not None:
        record["revocation"] = _revocation(ending)
    return record


def token_details(grant: ConsentGrant, scope: Scope, *, agreement: Agreement | None) -> TokenDetails:
    """The details of a token with `scope`, whose clusters are all granted now."""
    details: TokenDetails = {
        "fdxConsentId": grant.consent_id,
        "authorization_details": [
            {"type": "fdx_v1.0", "consentRequest": {"resources": _resources(grant, scope)}}
        ],
    }
    lookback = _lookback(agreement, scope)
    if lookback is not None:
        details["lookbackPeriod"] = lookback
    return details


def _resources(grant: ConsentGrant, scope: Scope) -> list[Resource]:
    """What `grant` shares of `scope`: each account by itself, then what is about the customer."""
    if grant.resources is None:
        return [_resource("CUSTOMER", grant.subject, scope)]
    shared = clusters_by_account(grant.resources).items()
    resources = [_resource("ACCOUNT", account_id, of_it & scope) for account_id, of_it in shared]
    resources.append(_resource("CUSTOMER", grant.subject, scope & CUSTOMER_LEVEL))
    return [resource for resource in resources if resource["dataClusters"]]


def _resource(kind: str, resource_id: str, clusters: Scope) -> Resource:
    return {"resourceType": kind, "resourceId": resource_id, "dataClusters": in_order(clusters)}


def _lookback(agreement: Agreement | None, scope: Scope) -> int | None:
    """The days of history that `scope` shares, as agreed; None where it has none, or no limit was named."""
    months = None if agreement is None else agreement.history_months_of(scope)
    return None if months is None else days_of_history(months)


def _revocation(ending: Event) -> Revocation:
    """How and by whom the grant was ended. For a superseded one it names the newer consent, where known."""
    revocation: Revocation = {
        "reason": ending.reason.value,
        "initiator": _INITIATORS[ending.actor],
        "updatedTime": timestamp(ending.happened_at),
    }
    if ending.kind is EventKind.SUPERSEDED:
        revocation["reason"] = Reason.OTHER.value
        revocation["otherReason"] = "SUPERSEDED"
        if ending.detail is not None:
            revocation["supersededBy"] = ending.detail
    return revocation


def days_of_history(months: int) -> int:
    """The days in `months` of an average year, rounded down: never more than the form promised."""
    return months * 365 // 12


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def recipient_party(client_id: str, agreement: Agreement | None) -> Party:
    """The recipient, with the names that were agreed; without an agreement by its identifier alone."""
    party: Party = {
        "name": client_id,
        "type": "DATA_RECIPIENT",
        "registry": "PRIVATE",
        "registeredEntityId": client_id,
    }
    if agreement is not None:
        party["name"] = agreement.recipient_name.en
        party["registeredEntityName"] = agreement.recipient_legal_name.en
        party["homeUri"] = agreement.recipient_site.en
    return party


def provider_party(provider_id: str, agreement: Agreement | None) -> Party:
    """The bank, in the same way."""
    party: Party = {
        "name": provider_id,
        "type": "DATA_PROVIDER",
        "registry": "PRIVATE",
        "registeredEntityId": provider_id,
    }
    if agreement is not None:
        party["name"] = agreement.provider_name.en
        party["registeredEntityName"] = (agreement.provider_legal_name or agreement.provider_name).en
    return party
