"""Notices as rows of their table, and read back as values; the states of a row, and conditions on them.

What a condition compares with is written into the statement's text, by which a partial index is used.
"""

import secrets
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, LargeBinary, cast, literal_column, select

from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.notice_registration import NoticeType
from app.domain.notices import News, Notice
from app.stores.ledger.schema import notices

WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
ACKNOWLEDGED: Final = "acknowledged"
DEAD: Final = "dead"
OVERTAKEN: Final = "overtaken"

IS_WAITING = notices.c.state == literal_column(f"'{WAITING}'")
"""Whether it is still to be sent."""
IS_UNSETTLED = notices.c.settled_at.is_(None)
"""Whether the recipient has neither taken nor refused it. It can then be asked for, also when it is dead."""
IS_OVERTAKEN_BY_AN_END = notices.c.type.in_(
    [literal_column(f"'{said}'") for said in (NoticeType.CONSENT_UPDATED, NoticeType.RENEWAL_DUE)]
)
"""Whether it is no news any more once the consent has ended."""


IN_LOCKING_ORDER: Final = cast(notices.c.notice_id, LargeBinary)
"""The order in which a transaction locks several notices: otherwise two would wait for each other.

It is that of bytes, in which Python sorts as well, whatever the collation of the database.
"""


def is_one_of_locked(*wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a notice is `wanted`, for a statement that changes these; they are locked in their order."""
    locked = select(notices.c.notice_id).where(*wanted).order_by(IN_LOCKING_ORDER).with_for_update()
    return notices.c.notice_id.in_(locked)


def notice_row(grant: ConsentGrant, receiver: str, news: News, happened_at: datetime) -> dict[str, Any]:
    """A row to insert, with an identifier of its own. It is due at once."""
    return {
        "notice_id": secrets.token_urlsafe(16),
        "client_id": receiver,
        "provider_id": grant.provider_id,
        "consent_id": grant.consent_id,
        "type": news.type,
        "status": news.status,
        "reason": news.reason,
        "initiator": news.initiator,
        "correlation_id": grant.correlation_id,
        "happened_at": happened_at,
        "state": WAITING,
        "attempts": 0,
        "next_try_at": happened_at,
    }


def notice_from(row: Any) -> Notice:
    return Notice(
        notice_id=row.notice_id,
        receiver=row.client_id,
        provider_id=row.provider_id,
        consent_id=row.consent_id,
        news=News(NoticeType(row.type), GrantStatus(row.status), row.reason, row.initiator),
        correlation_id=row.correlation_id,
        happened_at=row.happened_at,
    )
