"""Accord's own access tokens at banks (client_credentials, RFC 6749 4.4), kept in the process."""

import math
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

from app.accounts import AccountsUnavailable
from app.domain.account_sources import ServiceSource
from app.outgoing.deadline import Deadline
from app.sign_in.token_endpoint import ask_for_tokens, bearer_token

# By how much earlier a token is given up than the bank says: a call that begins now must still find it alive.
_MARGIN = timedelta(seconds=30)
_LONGEST = timedelta(days=1)
"""For how long a token is kept at most, whatever the bank says: a judgement."""


@dataclass(slots=True)
class _Kept:
    token: str = field(default="", repr=False)
    until: float = 0  # of the monotonic clock
    asking: threading.Lock = field(default_factory=threading.Lock)


class ServiceTokens:
    """One token for each bank. One thread at a time asks; the others use what it brings."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, _Kept] = defaultdict(_Kept)

    def token_for(self, provider_id: str, source: ServiceSource, *, deadline: Deadline) -> str:
        """A token that is alive. Raises AccountsUnavailable, CallFailed and SignInFailed."""
        kept = self._kept[provider_id]
        with kept.asking:
            if time.monotonic() >= kept.until:
                kept.token, kept.until = _ask(source, deadline)
            return kept.token

    def forget(self, provider_id: str) -> None:
        """Gives up a token that the bank has refused."""
        self._kept[provider_id].until = 0


def _ask(source: ServiceSource, deadline: Deadline) -> tuple[str, float]:
    """A new token, and until when it is kept: not at all where the bank does not say how long it lives."""
    fields = {"grant_type": "client_credentials"}
    if source.scopes:
        fields["scope"] = " ".join(source.scopes)
    asked_at = time.monotonic()
    tokens = ask_for_tokens(
        source.token_address,
        fields,
        client_id=source.client_id,
        client_secret=source.client_secret,
        deadline=deadline,
    )
    token = bearer_token(tokens)
    if token is None:
        raise AccountsUnavailable("no_token")
    return token, asked_at + _seconds_in(tokens.get("expires_in")) - _MARGIN.total_seconds()


def _seconds_in(expires_in: object) -> float:
    """How long a token lives; 0 for what is no finite number, and no longer than _LONGEST."""
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float):
        return 0
    # Compared, and not converted: a number of 400 digits fits no float, and NaN is neither more nor less.
    return min(expires_in, _LONGEST.total_seconds()) if 0 < expires_in < math.inf else 0
