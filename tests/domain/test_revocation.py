"""How a recipient says that it ends a consent."""

from typing import Any

import pytest

from app.domain.errors import OAuthError
from app.domain.history import Reason
from app.domain.revocation import parse_revocation


@pytest.mark.parametrize("initiator", ["DATA_RECIPIENT", "INDIVIDUAL"])
@pytest.mark.parametrize("reason", Reason)
def test_the_reason_is_read_whoever_wants_it(reason: Reason, initiator: str) -> None:
    assert parse_revocation({"reason": reason.value, "initiator": initiator, "more": 1}) is reason


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        {},
        {"reason": "USER_ACTION"},
        {"initiator": "INDIVIDUAL"},
        {"reason": "SECURITY_EVENT", "initiator": "INDIVIDUAL"},
        {"reason": "USER_ACTION", "initiator": "DATA_PROVIDER"},
        {"reason": ["USER_ACTION"], "initiator": "INDIVIDUAL"},
        {"reason": "USER_ACTION", "initiator": {"a": 1}},
    ],
)
def test_what_is_not_of_its_shape_is_refused(document: Any) -> None:
    with pytest.raises(OAuthError) as raised:
        parse_revocation(document)
    assert raised.value.error == "invalid_request"
