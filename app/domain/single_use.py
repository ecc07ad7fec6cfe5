"""Credentials that work once: a client's assertion, and the proof of a key."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from app.domain.errors import ErrorCode, OAuthError


class UsedUp(StrEnum):
    """The kinds of credentials that work once."""

    ASSERTION = "assertion"
    PROOF = "proof"


@dataclass(frozen=True, slots=True)
class SingleUse:
    """One use of something whose `names` are unique within its `kind`.

    It must be remembered until `forget_at`: from then on the thing itself is too old to be accepted.
    """

    kind: UsedUp
    names: tuple[str, ...]
    forget_at: datetime


def forget_at(last_second: float) -> datetime:
    """When to forget a use that could be repeated until `last_second` (since 1970): a second later."""
    return datetime.fromtimestamp(last_second + 1, UTC)


def require_first_use(uses: Iterable[tuple[SingleUse, bool]]) -> None:
    """Raises OAuthError for the first of `uses` that comes with False, because it was used before."""
    for use, is_first in uses:
        if is_first:
            continue
        if use.kind is UsedUp.ASSERTION:
            raise OAuthError(ErrorCode.INVALID_CLIENT, "Client authentication failed")
        raise OAuthError(ErrorCode.INVALID_DPOP_PROOF, "The DPoP proof is not valid")
