"""Replaces, finds, uses and revokes refresh tokens, inside a transaction of the ledger.

The ledger knows a refresh token by its hash alone. Statements are built here once, since building one costs
more than the database takes to run it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, select, update

from app.domain.consent import ConsentGrant
from app.stores.ledger.rows import grant_from
from app.stores.ledger.schema import UtcDateTime, grants, refresh_tokens
from app.stores.ledger.statements import Change, DatabaseConnection

_AT = bindparam("at", type_=UtcDateTime)
_THIS_TOKEN = refresh_tokens.c.token_hash == bindparam("used")
_OF_CONSENT = refresh_tokens.c.consent_id == bindparam("of_consent")
_IS_LIVE = refresh_tokens.c.revoked_at.is_(None)
_WITH_GRANT = select(grants).select_from(
    refresh_tokens.join(grants, grants.c.consent_id == refresh_tokens.c.consent_id)
)

_REPLACE_UNUSED = (
    update(refresh_tokens)
    .where(
        refresh_tokens.c.token_hash == bindparam("replaced"),
        _OF_CONSENT,
        _IS_LIVE,
        refresh_tokens.c.last_used_at == refresh_tokens.c.issued_at,
    )
    .values(token_hash=bindparam("token_hash_now"), issued_at=_AT, last_used_at=_AT)
)
_GRANT_OF_TOKEN = _WITH_GRANT.where(_THIS_TOKEN)
_REFRESHABLE = _WITH_GRANT.where(
    _THIS_TOKEN,
    _IS_LIVE,
    refresh_tokens.c.last_used_at > bindparam("used_since", type_=UtcDateTime),
    grants.c.client_id == bindparam("to_client"),
    grants.c.ended_at.is_(None),
    grants.c.expires_at > _AT,
)
_LIVE_TOKEN = select(refresh_tokens.c.issued_at, refresh_tokens.c.last_used_at).where(_THIS_TOKEN, _IS_LIVE)
_USE = update(refresh_tokens).where(_THIS_TOKEN, _IS_LIVE).values(last_used_at=_AT)
_REVOKE_ALL = update(refresh_tokens).where(_OF_CONSENT, _IS_LIVE).values(revoked_at=_AT)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """When a token was issued and last used. A token that nobody has used has the same moment twice."""

    issued_at: datetime
    last_used_at: datetime

    def is_first_use_of_day(self, now: datetime) -> bool:
        """Whether a use at `now` is the token's first one ever, or its first one of that day in UTC."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return self.last_used_at == self.issued_at or self.last_used_at < midnight

    def used_at(self, now: datetime) -> datetime:
        """What to record as the last use, for a use at `now`.

        Another machine's clock may have been ahead of this one's, so the moment never goes back; and it is
        never the moment of issue, by which an unused token is known.
        """
        return max(now, self.last_used_at, self.issued_at + timedelta.resolution)


def replace_unused_token(
    connection: DatabaseConnection, replaced: str, token_hash: str, consent_id: str, *, now: datetime
) -> bool:
    """Puts a token that is issued now in the place of `replaced`; False where that is not live and unused."""
    hashes = {"replaced": replaced, "token_hash_now": token_hash}
    return connection.change(_REPLACE_UNUSED, **hashes, of_consent=consent_id, at=now) == 1


def find_grant_of_token(connection: DatabaseConnection, token_hash: str) -> ConsentGrant | None:
    """The grant that the token was issued for, whatever has become of either."""
    row = connection.first(_GRANT_OF_TOKEN, used=token_hash)
    return None if row is None else grant_from(row)


def find_refreshable_grant(
    connection: DatabaseConnection, token_hash: str, client_id: str, *, idle: timedelta, now: datetime
) -> ConsentGrant | None:
    """The grant that the token works for; None unless both live, and the token was used within `idle`."""
    values = {"used": token_hash, "used_since": now - idle, "to_client": client_id, "at": now}
    row = connection.first(_REFRESHABLE, **values)
    return None if row is None else grant_from(row)


def use_token(connection: DatabaseConnection, token_hash: str, *, now: datetime) -> RefreshToken | None:
    """Records a use of a live token, and returns what was on record before; None where it is not live.

    The caller has locked the token's grant, so that parallel uses follow one another.
    """
    row = connection.first(_LIVE_TOKEN, used=token_hash)
    if row is None:
        return None
    token = RefreshToken(row.issued_at, row.last_used_at)
    return token if connection.change(_USE, used=token_hash, at=token.used_at(now)) == 1 else None


def revoking(grant: ConsentGrant, now: datetime) -> list[Change]:
    """The statement that revokes every live token of a grant.

    There is none before the redemption of its code, when no token exists.
    """
    return [] if grant.redeemed_at is None else [(_REVOKE_ALL, {"of_consent": grant.consent_id, "at": now})]
