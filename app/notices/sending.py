"""One Security Event Token on its way to a receiver: push-based delivery over HTTP (RFC 8935).

The address is the receiver's own, so that nothing in the answer is trusted: it is read for as long as the
deadline allows and up to a size, redirects are not followed, and no more of it is kept than what RFC 8935
gives a meaning.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from app.domain.notices import is_error_code
from app.outgoing.deadline import Deadline
from app.outgoing.http import MayConnect, answering, read_at_most

MEDIA_TYPE: Final = "application/secevent+jwt"  # RFC 8417 7.2
LARGEST_ANSWER: Final = 4096
"""Bytes of a body that are read at most. RFC 8935 has one of two short members."""


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What a receiver has answered. `err` is the code with which it refuses what it will never take.

    `retry_after` is the header as it came (RFC 9110 10.2.3).
    """

    status: int
    err: str | None = None
    retry_after: str | None = None


def push(address: str, token: str, *, deadline: Deadline, may_connect: MayConnect) -> PushAnswer:
    """Sends `token` to `address`, and returns what was answered. Raises CallFailed as `answering` does."""
    headers = {"Content-Type": MEDIA_TYPE, "Accept": "application/json"}
    with answering(
        "POST",
        address,
        deadline=deadline,
        headers=headers,
        body=token.encode("ascii"),
        may_connect=may_connect,
    ) as response:
        err = _err_in(read_at_most(LARGEST_ANSWER, response)) if response.status == 400 else None
        return PushAnswer(response.status, err, response.headers.get("Retry-After"))


def _err_in(body: bytes) -> str | None:
    """The `err` of RFC 8935 2.3; None where there is none that could be one."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    err = found.get("err") if isinstance(found, dict) else None
    return err if is_error_code(err) else None
