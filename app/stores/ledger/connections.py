"""A customer's connections: what the ledger knows of each, and how one ends or is narrowed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import Select, select

from app.domain.accounts import ChosenAccounts
from app.domain.agreement import Agreement
from app.domain.clusters import Scope, parse_scope
from app.domain.consent import ConsentGrant, GrantStatus, StandingConsent
from app.domain.history import Actor, Event, EventKind, Reason
from app.domain.language import Language
from app.domain.narrowing import Withdrawn, narrowed_by
from app.domain.notice_registration import EventsAsked, asked_by_default
from app.stores.ledger.account_columns import chosen_from
from app.stores.ledger.connection_queries import (
    ACTIVE,
    AT_ONCE,
    BINDS,
    CONNECTION,
    END_TO_TELL,
    ENDED,
    ENDED_OLDER,
    HISTORY,
    HISTORY_WITHOUT_USE,
    OF_CLIENT,
    OF_CLIENT_OLDER,
    STANDING_CONSENT,
    portion_of,
    standing_of,
)
from app.stores.ledger.database import Database
from app.stores.ledger.grants import (
    GRANT,
    LOCKED_GRANT,
    end_grant,
    end_grants,
    find_grant,
    narrow_grant,
)
from app.stores.ledger.rows import agreement_from, ending_from, event_from, grant_from
from app.stores.ledger.schema import grants


@dataclass(frozen=True, slots=True)
class Connection:
    """A grant with what was asked, agreed and answered, when it was last used, and the event that ended it.

    `agreement` is None for what was approved before agreements were recorded. `accounts` are those that the
    customer chose, whatever has been taken out since; None as in a decision. They are read from their column
    when a page asks for them: introspection never does. `narrowed_at` is when a part was last taken out.
    """

    grant: ConsentGrant
    requested_scope: Scope
    approved_scope: Scope
    language: Language
    screen_hash: str | None
    agreement: Agreement | None
    accounts_column: str | None
    last_used_at: datetime | None
    narrowed_at: datetime | None
    ending: Event | None

    @property
    def accounts(self) -> ChosenAccounts | None:
        return chosen_from(self.accounts_column)

    def status_at(self, now: datetime) -> GrantStatus:
        return self.grant.status_at(now)


class _Told(TypedDict):
    """The operator and their reason, where an operator acted, and the events of which parties are told."""

    operator: str | None
    note: str | None
    asked: EventsAsked


class ConnectionStore:
    """Reads and ends connections. Every method raises StoreUnavailable.

    `asked` says of which events each recipient and each bank is told.
    """

    def __init__(self, database: Database, asked: EventsAsked = asked_by_default) -> None:
        self._database = database
        self._asked = asked

    def find_connection(self, consent_id: str) -> Connection | None:
        if "\0" in consent_id:  # PostgreSQL would not even look for it
            return None
        found = self._find_all(CONNECTION, of_consent=consent_id)
        return found[0] if found else None

    def active_of(self, provider_id: str, subject: str, *, now: datetime) -> list[Connection]:
        """Every connection of one customer of one provider that is in force at `now`, the newest first."""
        return self._find_all(ACTIVE, at_provider=provider_id, of_customer=subject, now=now)

    def ended_of(
        self,
        provider_id: str,
        subject: str,
        *,
        now: datetime,
        most: int,
        older_than: ConsentGrant | None = None,
    ) -> list[Connection]:
        """The connections of a customer that are over, the newest first, `most` at the most.

        With `older_than`, only those that were approved before that grant: the next page of a list.
        """
        values = {"at_provider": provider_id, "of_customer": subject, "now": now, "most": most}
        if older_than is None:
            return self._find_all(ENDED, **values)
        return self._find_all(
            ENDED_OLDER, **values, approved_at=older_than.approved_at, older=older_than.consent_id
        )

    def of(self, **whose: str) -> Iterator[Connection]:
        """Every connection of one customer, or of one recipient, the newest first.

        `whose` are values by their columns: `provider_id` and `subject`, or `client_id`. They are read in
        portions, while the caller iterates.
        """
        names = tuple(sorted(whose))
        values: dict[str, Any] = {BINDS[name]: value for name, value in whose.items()}
        found = self._find_all(portion_of(names, is_first=True), **values)
        yield from found
        while len(found) == AT_ONCE:
            last = found[-1].grant
            later = {"approved_at": last.approved_at, "older": last.consent_id}
            found = self._find_all(portion_of(names, is_first=False), **values, **later)
            yield from found

    def page_of_client(
        self, client_id: str, *, most: int, older_than: Connection | None = None
    ) -> list[Connection]:
        """The connections of one recipient, the newest first, `most` at the most.

        With `older_than`, only those that were approved before that one: the next page of a list.
        """
        values = {"to_client": client_id, "most": most}
        if older_than is None:
            return self._find_all(OF_CLIENT, **values)
        last = older_than.grant
        return self._find_all(OF_CLIENT_OLDER, **values, approved_at=last.approved_at, older=last.consent_id)

    def standing(self, **whose: str) -> list[str]:
        """The consent_ids of connections that nothing has ended yet; `whose` as for `of`."""
        values = {BINDS[name]: value for name, value in whose.items()}
        with self._database.reading() as connection:
            query = standing_of(tuple(sorted(whose)))
            return sorted(row.consent_id for row in connection.rows(query, **values))

    def end_all(
        self, consent_ids: Sequence[str], *, operator: str, note: str, now: datetime
    ) -> list[ConsentGrant]:
        """Ends those of the connections that stand, in one transaction; returns them as they are now.

        `operator` and `note` are recorded: who does it, and why.
        """
        why = (EventKind.WITHDRAWN, Actor.OPERATOR, Reason.BUSINESS_RULE)
        with self._database.writing() as connection:
            # In this order, so that two transactions that lock several grants do not wait for each other.
            found = [
                find_grant(connection, LOCKED_GRANT, of_consent=consent_id)
                for consent_id in sorted(consent_ids)
            ]
            ended = end_grants(
                connection,
                [grant for grant in found if grant is not None],
                *why,
                now,
                asked=self._asked,
                operator=operator,
                note=note,
            )
        return [
            replace(grant, ended_at=now if grant.status_at(now) is GrantStatus.ACTIVE else grant.expires_at)
            for grant in ended
        ]

    def find_standing(self, *, provider_id: str, subject: str, client_id: str) -> StandingConsent | None:
        """The connection between the two that nothing has ended, which a new approval would replace."""
        between = {"at_provider": provider_id, "of_customer": subject, "to_client": client_id}
        with self._database.reading() as connection:
            row = connection.first(STANDING_CONSENT, **between)
        if row is None:
            return None
        return StandingConsent(
            grant=grant_from(row),
            requested_scope=parse_scope(row.requested_scope),
            asked_at=row.asked_at,
            agreement_hash=row.agreement_hash,
        )

    def history(self, consent_id: str) -> list[Event]:
        """Everything that happened to a consent, in order."""
        return self._events(HISTORY, consent_id)

    def history_without_use(self, consent_id: str) -> list[Event]:
        """The same without the uses of tokens, of which each day of use has an event."""
        return self._events(HISTORY_WITHOUT_USE, consent_id)

    def is_end_to_be_told(self, ended: ConsentGrant) -> bool:
        """Whether the recipient is still to be told that this grant was ended.

        It is not where it has taken or refused the notice, nor while nothing is sent to it since its address
        is gone.
        """
        whose = {"to_client": ended.client_id, "of_consent": ended.consent_id, "at": ended.ended_at}
        with self._database.reading() as connection:
            return connection.first(END_TO_TELL, **whose) is not None

    def withdraw(
        self,
        consent_id: str,
        withdrawn: Withdrawn | None,
        *,
        actor: Actor,
        now: datetime,
        reason: Reason | None = None,
        operator: str | None = None,
        note: str | None = None,
    ) -> ConsentGrant | None:
        """Takes what is `withdrawn` out of a connection, or ends it (None: all of it).

        `reason` is recorded, or else that of the `actor`. Where an operator does it, `operator` and `note`
        are recorded: who it is, and why.

        Returns the grant as it is afterwards; None where there is no such connection or it had ended before.
        When this returns, no token for what was withdrawn is issued any more.
        """
        with self._database.writing() as connection:
            grant = find_grant(connection, LOCKED_GRANT, of_consent=consent_id)
            if grant is None or grant.ended_at is not None:
                return None
            why = reason or _reason(actor)
            told: _Told = {"operator": operator, "note": note, "asked": self._asked}
            left = None if withdrawn is None else narrowed_by(grant, withdrawn)
            if left is None or grant.status_at(now) is not GrantStatus.ACTIVE:
                kind = EventKind.REVOKED if actor is Actor.CLIENT else EventKind.WITHDRAWN
                end_grant(connection, grant, kind, actor, why, now, **told)
            elif left != grant:
                narrow_grant(connection, grant, left, actor, why, now, **told)
            return find_grant(connection, GRANT, of_consent=consent_id)

    def record_expired(self, *, now: datetime, most: int = AT_ONCE) -> int:
        """Records the end of up to `most` grants that have run out; returns how many.

        A grant that has run out is over whether or not that is recorded.
        """
        run_out = select(grants).where(grants.c.ended_at.is_(None), grants.c.expires_at <= now).limit(most)
        with self._database.writing() as connection:
            over = [grant_from(row) for row in connection.rows(run_out.with_for_update())]
            why = (EventKind.EXPIRED, Actor.ACCORD, Reason.BUSINESS_RULE)
            end_grants(connection, over, *why, now, asked=self._asked)
        return len(over)

    def _find_all(self, query: Select[Any], **values: Any) -> list[Connection]:
        with self._database.reading() as connection:
            return [_connection_from(row) for row in connection.rows(query, **values)]

    def _events(self, query: Select[Any], consent_id: str) -> list[Event]:
        with self._database.reading() as connection:
            return [event_from(row) for row in connection.rows(query, of_consent=consent_id)]


def _connection_from(row: Any) -> Connection:
    return Connection(
        grant=grant_from(row),
        requested_scope=parse_scope(row.requested_scope),
        approved_scope=parse_scope(row.approved_scope),
        language=Language(row.language),
        screen_hash=row.screen_hash,
        agreement=agreement_from(row),
        accounts_column=row.accounts,
        last_used_at=row.last_used_at,
        narrowed_at=row.narrowed_at,
        ending=None if row.kind is None else ending_from(row),
    )


def _reason(actor: Actor) -> Reason:
    return Reason.USER_ACTION if actor is Actor.CUSTOMER else Reason.BUSINESS_RULE
