"""What a recipient may say when it asks for its notices."""

from typing import Any

import pytest

from app.domain.errors import OAuthError
from app.domain.notice_poll import Poll, parse_poll


@pytest.mark.parametrize(
    ("document", "poll"),
    [
        ({}, Poll(100)),
        ({"maxEvents": 0, "returnImmediately": False}, Poll(0)),
        ({"maxEvents": 7, "ack": ["a", "b", "a"], "extra": {}}, Poll(7, frozenset({"a", "b"}))),
        ({"maxEvents": 10**9}, Poll(100)),
        (
            {"setErrs": {"a": {"err": "invalid_key", "description": "who knows"}}},
            Poll(100, frozenset(), {"a": "invalid_key"}),
        ),
        ({"setErrs": {"a": {"err": "our.own-code_1"}}}, Poll(100, frozenset(), {"a": "our.own-code_1"})),
    ],
)
def test_what_is_of_its_shape_is_understood(document: dict[str, Any], poll: Poll) -> None:
    assert parse_poll(document) == poll


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        None,
        {"maxEvents": -1},
        {"maxEvents": True},
        {"maxEvents": "1"},
        {"maxEvents": 1.5},
        {"maxEvents": None},
        {"ack": "a"},
        {"ack": ["a", 1]},
        {"ack": [str(number) for number in range(1001)]},
        {"setErrs": ["a"]},
        {"setErrs": {"a": "invalid_key"}},
        {"setErrs": {"a": {}}},
        {"setErrs": {"a": {"err": 7}}},
        {"setErrs": {"a": {"err": ""}}},
        {"setErrs": {"a": {"err": "two words\n"}}},
        {"setErrs": {"a": {"err": "x" * 65}}},
        {"ack": ["a"] * 1000, "setErrs": {"a": {"err": "x"}}},
    ],
    ids=lambda document: repr(document)[:30],
)
def test_what_is_not_is_refused(document: Any) -> None:
    with pytest.raises(OAuthError, match=r"body|maxEvents|ack|setErrs") as raised:
        parse_poll(document)
    assert raised.value.error == "invalid_request"
