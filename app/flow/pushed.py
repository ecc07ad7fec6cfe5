"""Pushing a request, and finding it again for the browser that brings its address (RFC 9126)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.authorization import AuthorizationRequest
from app.domain.caller import Caller
from app.domain.pushed import PushedRequest, pushed_id_of, request_uri_of
from app.stores.redis.pushed import PushedStore


@dataclass(frozen=True, slots=True, kw_only=True)
class PushFlow:
    """Keeps what was pushed for a short time, in which the browser has to come.

    From then on the time to answer counts, and not this one. Every method raises StoreUnavailable.
    """

    pushed: PushedStore
    lifetime: timedelta
    clock: Callable[[], datetime]

    def push(self, caller: Caller, request: AuthorizationRequest) -> str:
        """Keeps `request`; returns its `request_uri`, of 256 random bits. Raises OAuthError."""
        request_uri = request_uri_of(secrets.token_urlsafe(32))
        pushed_id = pushed_id_of(request_uri) or ""
        self.pushed.save(PushedRequest(pushed_id, request), self.lifetime, uses=caller.uses, now=self.clock())
        return request_uri

    def find(self, request_uri: str, client_id: str) -> PushedRequest | None:
        """What the client pushed (RFC 9126 4); None for what is unknown, over, answered or another's."""
        pushed_id = pushed_id_of(request_uri)
        found = None if pushed_id is None else self.pushed.find_pushed(pushed_id)
        return found if found is not None and found.request.client_id == client_id else None
