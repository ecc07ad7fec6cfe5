"""A consent as the Financial Data Exchange (FDX) writes it: a ConsentGrant, with its revocation.

The names of the parties are the English ones, whatever language the customer reads: the record is for
machines.
"""

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from app.domain.agreement import Agreement
from app.domain.clusters import in_order
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.history import Actor, Event, EventKind, Reason

# The FDX party type of each actor. Accord and its operator act for the bank.
_INITIATORS = {
    Actor.CUSTOMER: "INDIVIDUAL",
    Actor.CLIENT: "DATA_RECIPIENT",
    Actor.OPERATOR: "DATA_PROVIDER",
    Actor.ACCORD: "DATA_PROVIDER",
}


def consent_grant(
    grant: ConsentGrant,
    *,
    agreement: Agreement | None,
    ending: Event | None,
    now: datetime,
) -> dict[str, Any]:
    """The FDX ConsentGrant for `grant` as of `now`, ready for JSON.

    `ending` is the event that ended it, if it ended. Without an `agreement` the parties are named by their
    identifiers alone.
    """
    status = grant.status_at(now)
    record: dict[str, Any] = {
        "id": grant.consent_id,
        "status": status,
        "createdTime": timestamp(grant.approved_at),
        "expirationTime": timestamp(grant.expires_at),
        "durationType": "TIME_BOUND",
        "durationPeriod": ceil((grant.expires_at - grant.approved_at) / timedelta(days=1)),
        "parties": [_recipient(grant.client_id, agreement), _provider(grant.provider_id, agreement)],
        "resources": [
            {
                "resourceType": "CUSTOMER",
                "resourceId": grant.subject,
                "dataClusters": in_order(grant.granted_scope),
            }
        ],
    }
    months = None if agreement is None else agreement.history_months_of(grant.granted_scope)
    if months is not None:
        record["lookbackPeriod"] = days_of_history(months)
    if status is GrantStatus.REVOKED and ending is not None:
        record["revocation"] = _revocation(ending)
    return record


def _revocation(ending: Event) -> dict[str, str]:
    """How and by whom the grant was ended. For a superseded one it names the newer consent, where known."""
    revocation = {
        "reason": ending.reason.value,
        "initiator": _INITIATORS[ending.actor],
        "updatedTime": timestamp(ending.happened_at),
    }
    if ending.kind is EventKind.SUPERSEDED:
        revocation |= {"reason": Reason.OTHER.value, "otherReason": "SUPERSEDED"}
        if ending.detail is not None:
            revocation["supersededBy"] = ending.detail
    return revocation


def days_of_history(months: int) -> int:
    """The days in `months` of an average year, rounded down: never more than the form promised."""
    return months * 365 // 12


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _recipient(client_id: str, agreement: Agreement | None) -> dict[str, str]:
    party = {"type": "DATA_RECIPIENT", "registry": "PRIVATE", "registeredEntityId": client_id}
    if agreement is None:
        return {"name": client_id, **party}
    return {
        "name": agreement.recipient_name.en,
        **party,
        "registeredEntityName": agreement.recipient_legal_name.en,
        "homeUri": agreement.recipient_site.en,
    }


def _provider(provider_id: str, agreement: Agreement | None) -> dict[str, str]:
    party = {"type": "DATA_PROVIDER", "registry": "PRIVATE", "registeredEntityId": provider_id}
    if agreement is None:
        return {"name": provider_id, **party}
    legal_name = agreement.provider_legal_name or agreement.provider_name
    return {"name": agreement.provider_name.en, **party, "registeredEntityName": legal_name.en}
