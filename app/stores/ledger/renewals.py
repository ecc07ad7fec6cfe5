"""Reminders: a recipient is told once of each consent that ends soon, by an event and a notice.

Only recipients that have asked for RENEWAL_DUE are told, so that they can ask their customers in time.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Integer, bindparam, func, select, update

from app.domain.history import Actor, EventKind, Reason
from app.domain.notice_registration import EventsAsked, NoticeType
from app.stores.ledger.connection_queries import AT_ONCE
from app.stores.ledger.database import Database
from app.stores.ledger.grants import OF_CONSENT
from app.stores.ledger.notifying import Happened, record_happened
from app.stores.ledger.rows import event_row, grant_from
from app.stores.ledger.schema import UtcDateTime, grants


class RenewalStore:
    """`asked` says of which events each recipient is told. Its method raises StoreUnavailable."""

    def __init__(self, database: Database, asked: EventsAsked) -> None:
        self._database = database
        self._asked = asked

    def record_due(self, client_id: str, *, now: datetime, before: timedelta, most: int = AT_ONCE) -> int:
        """Records, of up to `most` consents of a recipient, that they end within `before`; returns how many.

        Each gets its event and its notice, in one transaction with the others, and never again. A consent is
        left out for the first `before` after its approval, and so to its end where it lasts no longer; and
        where its code was never redeemed, so that nothing is shared. 0 where the recipient has not asked.
        After StoreUnavailable the call may be made again.
        """
        if NoticeType.RENEWAL_DUE not in self._asked(client_id):
            return 0
        window = {"at": now, "until": now + before, "since": now - before}
        with self._database.writing() as connection:
            rows = connection.rows(_DUE, to_client=client_id, **window, most=most)
            why = (EventKind.RENEWAL_DUE, Actor.ACCORD, Reason.BUSINESS_RULE)
            for grant in map(grant_from, rows):
                due = Happened(grant, event_row(grant, *why, now))
                noting = (_REMIND, {"of_consent": grant.consent_id, "at": now})
                record_happened(connection, due, self._asked, [noting])
        return len(rows)


_IS_TO_REMIND = func.coalesce(grants.c.ended_at, grants.c.reminded_at).is_(None)
"""Whether it stands, and nobody was reminded of it.

It is written as in the index `ix_grants_to_remind`, and not as in others: PostgreSQL would guess that one of
these is as good, since it does not know how few are still to be told of.
"""
_DUE: Final = (
    select(grants)
    .where(
        grants.c.client_id == bindparam("to_client"),
        _IS_TO_REMIND,
        grants.c.expires_at > bindparam("at", type_=UtcDateTime),
        grants.c.expires_at <= bindparam("until", type_=UtcDateTime),
        grants.c.approved_at <= bindparam("since", type_=UtcDateTime),
        grants.c.redeemed_at.is_not(None),
    )
    .order_by(grants.c.expires_at)
    .limit(bindparam("most", type_=Integer))
    # What somebody else has locked is being ended, used or reminded of: what is left of it comes next time.
    .with_for_update(skip_locked=True)
)
_REMIND: Final = update(grants).where(OF_CONSENT).values(reminded_at=bindparam("at", type_=UtcDateTime))
