"""The record of a consent, as Accord keeps it: FDX's ConsentGrant, read for a page that shows it.

Nothing is decided by it. What Accord might add one day is passed over; what is missing is no record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody in the consent: the name people know, and the legal one."""

    type: str
    name: str
    legal_name: str


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """Times are as Accord wrote them, in UTC. `history_days` is None where history has no limit, `reason` and
    `initiator` where nobody ended the consent. `clusters` are shared of any account, or of the customer."""

    consent_id: str
    status: str
    created: str
    expires: str
    days: int
    history_days: int | None
    parties: tuple[Party, ...]
    clusters: tuple[str, ...]
    reason: str | None
    initiator: str | None

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError for what is no ConsentGrant."""
        revocation = answer.get("revocation", {})
        history_days = answer.get("lookbackPeriod")
        return cls(
            consent_id=str(answer["id"]),
            status=str(answer["status"]),
            created=str(answer["createdTime"]),
            expires=str(answer["expirationTime"]),
            days=int(answer["durationPeriod"]),
            history_days=None if history_days is None else int(history_days),
            parties=tuple(
                Party(str(party["type"]), str(party["name"]), str(party.get("registeredEntityName", "")))
                for party in answer["parties"]
            ),
            clusters=tuple(
                dict.fromkeys(
                    str(cluster) for resource in answer["resources"] for cluster in resource["dataClusters"]
                )
            ),
            reason=revocation.get("reason"),
            initiator=revocation.get("initiator"),
        )
