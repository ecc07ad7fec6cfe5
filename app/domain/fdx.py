"""A consent in the terms of the Financial Data Exchange: its ConsentGrant, with its revocation.

Names are the English ones: a record for machines reads the same whatever language the customer used.
"""

from datetime import UTC, datetime
from typing import Any

from app.domain.clusters import in_order
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.history import Actor, Event
from app.domain.registry import Client, DataProvider

# FDX PartyType. Accord and its operator act for the bank.
_INITIATORS = {
    Actor.CUSTOMER: "INDIVIDUAL",
    Actor.CLIENT: "DATA_RECIPIENT",
    Actor.OPERATOR: "DATA_PROVIDER",
    Actor.ACCORD: "DATA_PROVIDER",
}


def consent_grant(
    grant: ConsentGrant,
    *,
    client: Client | None,
    provider: DataProvider | None,
    ending: Event | None,
    now: datetime,
) -> dict[str, Any]:
    """The record of `grant` at `now`. A party no longer registered is there by its identifier only."""
    status = grant.status_at(now)
    record: dict[str, Any] = {
        "id": grant.consent_id,
        "status": status,
        "createdTime": timestamp(grant.approved_at),
        "expirationTime": timestamp(grant.expires_at),
        "durationType": "TIME_BOUND",
        "durationPeriod": (grant.expires_at.date() - grant.approved_at.date()).days,
        "parties": [_recipient(grant.client_id, client), _provider(grant.provider_id, provider)],
        "resources": [
            {
                "resourceType": "CUSTOMER",
                "resourceId": grant.subject,
                "dataClusters": in_order(grant.granted_scope),
            }
        ],
    }
    if client is not None and client.history_months is not None:
        record["lookbackPeriod"] = days_of_history(client.history_months)
    if status is GrantStatus.REVOKED and ending is not None:
        record["revocation"] = {
            "reason": ending.reason,
            "initiator": _INITIATORS[ending.actor],
            "updatedTime": timestamp(ending.happened_at),
        }
    return record


def days_of_history(months: int) -> int:
    """Whole days in so many months of an average year, rounded down: never more than the form promised."""
    return months * 365 // 12


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _recipient(client_id: str, client: Client | None) -> dict[str, str]:
    party = {"type": "DATA_RECIPIENT", "registry": "PRIVATE", "registeredEntityId": client_id}
    if client is None:
        return {"name": client_id, **party}
    return {
        "name": client.name.en,
        **party,
        "registeredEntityName": client.legal_name.en,
        "homeUri": client.site.en,
    }


def _provider(provider_id: str, provider: DataProvider | None) -> dict[str, str]:
    party = {"type": "DATA_PROVIDER", "registry": "PRIVATE", "registeredEntityId": provider_id}
    if provider is None:
        return {"name": provider_id, **party}
    legal_name = provider.legal_name or provider.name
    return {"name": provider.name.en, **party, "registeredEntityName": legal_name.en}
