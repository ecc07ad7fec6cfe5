"""Redeems a code, and finds the grant of one that was redeemed.

A redemption marks the grant, keeps the hash of its refresh token, and appends the event. PostgreSQL does all
of it in one statement that is a transaction by itself, and so in one round trip. Statements are built here
once, since building one costs more than the database takes to run it.
"""

from datetime import datetime

from sqlalchemy import bindparam, insert, literal, select, update

from app.domain.consent import ConsentGrant
from app.domain.history import Actor, EventKind, Reason
from app.stores.ledger.database import Database
from app.stores.ledger.grants import find_grant
from app.stores.ledger.inserting import insert_rows
from app.stores.ledger.rows import event_row, token_row
from app.stores.ledger.schema import UtcDateTime, events, grants, refresh_tokens
from app.stores.ledger.statements import DatabaseConnection

_WHAT = (EventKind.REDEEMED, Actor.CLIENT, Reason.USER_ACTION)
_AT = bindparam("at", type_=UtcDateTime)
_OF_CODE = (grants.c.request_id == bindparam("to_request"), grants.c.client_id == bindparam("to_client"))
_REDEEM = (
    update(grants)
    .where(*_OF_CODE, grants.c.redeemed_at.is_(None), grants.c.ended_at.is_(None), grants.c.expires_at > _AT)
    .values(redeemed_at=_AT)
    .returning(grants)
)
_REDEEMED = select(grants).where(*_OF_CODE, grants.c.redeemed_at.is_not(None)).with_for_update()

_MARKED = _REDEEM.cte("marked")
_KEEP_TOKEN = insert(refresh_tokens).from_select(
    ["token_hash", "consent_id", "issued_at", "last_used_at"],
    select(bindparam("token_hash"), _MARKED.c.consent_id, _AT, _AT),
)
_APPEND_EVENT = insert(events).from_select(
    ["consent_id", "kind", "actor", "reason", "correlation_id", "happened_at"],
    select(_MARKED.c.consent_id, *(literal(word) for word in _WHAT), _MARKED.c.correlation_id, _AT),
)
_REDEEM_AT_ONCE = select(_MARKED).add_cte(_KEEP_TOKEN.cte("kept"), _APPEND_EVENT.cte("appended"))


def redeem_once(
    database: Database, request_id: str, client_id: str, token_hash: str, *, now: datetime
) -> ConsentGrant | None:
    """Redeems the grant that answers the request; None where this client has none that can be redeemed now.

    Raises StoreUnavailable.
    """
    code = {"to_request": request_id, "to_client": client_id}
    if database.kind == "postgresql":
        with database.writing_at_once() as connection:
            return find_grant(connection, _REDEEM_AT_ONCE, **code, token_hash=token_hash, at=now)
    with database.writing() as connection:
        grant = find_grant(connection, _REDEEM, **code, at=now)
        if grant is not None:
            token = token_row(token_hash, grant.consent_id, now)
            insert_rows(connection, [(refresh_tokens, token)], event_row(grant, *_WHAT, now))
        return grant


def find_redeemed(connection: DatabaseConnection, request_id: str, client_id: str) -> ConsentGrant | None:
    """The grant of a code that was redeemed, locked until the transaction ends."""
    return find_grant(connection, _REDEEMED, to_request=request_id, to_client=client_id)
