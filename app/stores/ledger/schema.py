"""The ledger's tables.

Decisions and events are appended and never changed. Of a grant only four things change: when it was
redeemed, what is left of its scope and its accounts, when its recipient was reminded that it ends soon, and
when it ended. Notices are work to be done: what they leave on record is an event.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite, which keeps no time zone, has it as text without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return _without_zone if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _without_zone(value: datetime | None) -> str | None:
    """The text that SQLAlchemy's own type for SQLite writes (ISO 8601, microseconds), in less time."""
    if value is None:
        return None
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

issuers = Table(
    "issuers",
    metadata,
    # The issuer of the subjects that the ledger has of a provider: another issuer's may be other people's.
    Column("provider_id", String(255), primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("accepted_at", UtcDateTime, nullable=False),
)

screens = Table(
    "screens",
    metadata,
    # SHA-256 of the text, in hexadecimal digits: a text is kept once for everybody who saw the same.
    Column("screen_hash", String(64), primary_key=True),
    Column("language", String(8), nullable=False),
    Column("catalogue_version", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("first_shown_at", UtcDateTime, nullable=False, index=True),  # retention looks for old ones
)

agreements = Table(
    "agreements",
    metadata,
    # SHA-256 of the document, in hexadecimal digits: it is kept once for everybody who agreed to the same.
    Column("agreement_hash", String(64), primary_key=True),
    Column("document", Text, nullable=False),  # JSON, see app/domain/agreement.py
    Column("first_agreed_at", UtcDateTime, nullable=False, index=True),  # retention looks for old ones
)

decisions = Table(
    "decisions",
    metadata,
    # The first answer to a request stands for ever, since this key admits no second one.
    Column("request_id", String(64), primary_key=True),
    Column("consent_id", String(64), nullable=False, unique=True),
    Column("client_id", String(255), nullable=False),
    Column("provider_id", String(255), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("answer", String(16), nullable=False),
    Column("requested_scope", Text, nullable=False),
    Column("granted_scope", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("correlation_id", String(128), nullable=False),
    # Of `screens` and `agreements`, but no foreign keys: adding one would have rewritten the table.
    Column("screen_hash", String(64)),
    Column("agreement_hash", String(64)),
    Column("accounts", Text),  # JSON, see app/stores/ledger/account_columns.py
    Column("asked_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("pushed_id", String(64)),
    CheckConstraint("answer IN ('approve', 'deny')", name="answer"),
    Index("ix_decisions_decided_at", "decided_at"),  # retention looks for old ones
    # Of all browsers that open one pushed request, the first to answer has answered it.
    Index(
        "ix_decisions_one_answer",
        "pushed_id",
        unique=True,
        sqlite_where=text("pushed_id IS NOT NULL"),
        postgresql_where=text("pushed_id IS NOT NULL"),
    ),
)

_IS_TO_REMIND = text("coalesce(ended_at, reminded_at) IS NULL")

grants = Table(
    "grants",
    metadata,
    Column("consent_id", String(64), primary_key=True),
    Column("request_id", String(64), ForeignKey("decisions.request_id"), nullable=False, unique=True),
    Column("client_id", String(255), nullable=False),
    Column("provider_id", String(255), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("granted_scope", Text, nullable=False),
    Column("resources", Text),  # JSON, as in decisions; null is every account
    Column("correlation_id", String(128), nullable=False),
    Column("approved_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("redeemed_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    # When it was recorded that it ends soon, for a recipient that has asked to be told.
    Column("reminded_at", UtcDateTime),
    Index("ix_grants_customer_approved", "provider_id", "subject", "approved_at"),
    Index("ix_grants_client", "client_id", "approved_at"),
    # For the grants that have run out and have no event of that yet.
    Index(
        "ix_grants_running_out",
        "expires_at",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    # For those of a recipient that end soon, of which it has not been told.
    Index(
        "ix_grants_to_remind",
        "client_id",
        "expires_at",
        sqlite_where=_IS_TO_REMIND,
        postgresql_where=_IS_TO_REMIND,
    ),
    # It admits one connection for each customer, recipient and provider.
    Index(
        "ix_grants_one_connection",
        "provider_id",
        "subject",
        "client_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("consent_id", String(64), ForeignKey("grants.consent_id"), nullable=False, index=True),
    Column("issued_at", UtcDateTime, nullable=False, index=True),  # retention looks for old ones
    Column("last_used_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

events = Table(
    "events",
    metadata,
    Column("event_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("consent_id", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("actor", String(32), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text),
    Column("resources", Text),  # JSON: the accounts that were taken out
    # For what an operator did: who they say they are, and why they did it.
    Column("operator", String(255)),
    Column("note", Text),
    Column("correlation_id", String(128), nullable=False),
    Column("happened_at", UtcDateTime, nullable=False, index=True),  # auditors ask for the newest ones
    # It finds the events of a consent of one kind, however many events of other kinds there are.
    Index("ix_events_consent_kind", "consent_id", "kind"),
)

_IS_WAITING = text("state = 'waiting'")
_IS_UNSETTLED = text("settled_at IS NULL")
_IS_WAITING_UPDATE = text("state = 'waiting' AND type = 'CONSENT_UPDATED'")
_IS_OVERTAKEN_BY_AN_END = text("settled_at IS NULL AND type IN ('CONSENT_UPDATED', 'RENEWAL_DUE')")

notices = Table(
    "notices",
    metadata,
    # A notice is written with the event that it tells of, and goes long before that one does.
    Column("notice_id", String(64), primary_key=True),
    # To whom it is: a recipient, or a bank by a name that no recipient has (docs/adr/0036).
    Column("client_id", String(255), nullable=False),
    Column("provider_id", String(255), nullable=False),
    Column("consent_id", String(64), nullable=False),
    Column("type", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("initiator", String(32), nullable=False),
    Column("correlation_id", String(128), nullable=False),
    Column("happened_at", UtcDateTime, nullable=False, index=True),  # retention looks for old ones
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", UtcDateTime, nullable=False),
    Column("leased_until", UtcDateTime),
    Column("last_outcome", String(64)),
    # Null as long as the receiver has neither taken nor refused it: until then it can be asked for.
    Column("settled_at", UtcDateTime),
    CheckConstraint("state IN ('waiting', 'delivered', 'acknowledged', 'dead', 'overtaken')", name="state"),
    # For what is due to be sent to a receiver.
    Index(
        "ix_notices_due",
        "client_id",
        "next_try_at",
        sqlite_where=_IS_WAITING,
        postgresql_where=_IS_WAITING,
    ),
    # For what a receiver asks for.
    Index(
        "ix_notices_unsettled",
        "client_id",
        "happened_at",
        "notice_id",
        sqlite_where=_IS_UNSETTLED,
        postgresql_where=_IS_UNSETTLED,
    ),
    # For what the end of a consent overtakes.
    Index(
        "ix_notices_overtaken_by_an_end",
        "consent_id",
        sqlite_where=_IS_OVERTAKEN_BY_AN_END,
        postgresql_where=_IS_OVERTAKEN_BY_AN_END,
    ),
    # The same for processes of the version before, which look for less. It goes with the next version.
    Index(
        "ix_notices_overtaken",
        "consent_id",
        sqlite_where=_IS_WAITING_UPDATE,
        postgresql_where=_IS_WAITING_UPDATE,
    ),
)

notice_endpoints = Table(
    "notice_endpoints",
    metadata,
    # A recipient or a bank to which something could not be sent; no row says that all is well.
    Column("client_id", String(255), primary_key=True),
    Column("failures", Integer, nullable=False),  # running, since the last answer
    Column("paused_until", UtcDateTime),
    Column("disabled_at", UtcDateTime),
    Column("disabled_why", String(64)),
)
