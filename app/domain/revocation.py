"""A recipient's request to end one of its consents (FDX consent revocation): why, and for whom."""

from typing import Any, Final

from app.domain.errors import ErrorCode, OAuthError
from app.domain.history import Reason

_INITIATORS: Final = ("DATA_RECIPIENT", "INDIVIDUAL")


def parse_revocation(document: Any) -> Reason:
    """The reason in a JSON `document`. Raises OAuthError for a document of another shape.

    The initiator, for whom the recipient asks, is checked but not recorded: Accord only knows that the
    recipient asked.
    """
    if not isinstance(document, dict):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "The body is not a JSON object")
    reason, initiator = document.get("reason"), document.get("initiator")
    if not isinstance(reason, str) or reason not in set(Reason):
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"reason must be one of {', '.join(Reason)}")
    if not isinstance(initiator, str) or initiator not in _INITIATORS:
        raise OAuthError(ErrorCode.INVALID_REQUEST, f"initiator must be one of {', '.join(_INITIATORS)}")
    return Reason(reason)
