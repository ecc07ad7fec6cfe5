"""The receipt of a connection: the parties, the purpose, the data, the dates, and how to stop."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from flask import url_for
from flask_babel import gettext

from app.domain.agreement import Agreement, effective_agreement
from app.domain.clusters import DataCluster, in_order
from app.domain.consent import ConsentGrant, GrantStatus
from app.domain.history import Actor, EventKind
from app.domain.language import Bilingual, Language
from app.domain.registry import Client, DataProvider, Status
from app.stores.ledger.connections import Connection
from app.web.current import services
from app.web.edge.language import switched_to
from app.web.text.account_words import AccountLine, account_lines
from app.web.text.template_filters import long_date
from app.web.text.wording import WORDING

TELLING: Final = timedelta(days=7)
"""How long a recipient is told of the end of a consent: as long as notices are sent (docs/notices.md)."""


@dataclass(frozen=True, slots=True)
class ShownConnection:
    """A connection with the present registrations of its parties.

    `client` is None where the recipient is no longer registered.
    """

    connection: Connection
    client: Client | None
    provider: DataProvider
    status: GrantStatus

    @property
    def grant(self) -> ConsentGrant:
        return self.connection.grant

    @property
    def consent_id(self) -> str:
        return self.grant.consent_id

    @property
    def agreement(self) -> Agreement | None:
        """The agreement; None where none was recorded and the recipient is no longer registered."""
        return effective_agreement(self.connection.agreement, self.client, self.provider)

    @property
    def recipient_name(self) -> Bilingual:
        """The recipient's name at the time of the consent."""
        agreement = self.agreement
        if agreement is not None:
            return agreement.recipient_name
        return _name_of_somebody_gone(self.grant.client_id)

    @property
    def new_recipient_name(self) -> Bilingual | None:
        """The recipient's present name; None where it has not changed or the recipient is gone."""
        if self.client is None or self.client.name == self.recipient_name:
            return None
        return self.client.name

    @property
    def provider_name(self) -> Bilingual:
        """The bank's name at the time of the consent."""
        agreement = self.agreement
        return self.provider.name if agreement is None else agreement.provider_name

    @property
    def is_on_hold(self) -> bool:
        """Whether the consent is in force but the recipient gets no data, as it is suspended or gone."""
        if self.client is None or self.client.is_suspended:
            return self.is_active
        return self.is_active and self.client.status_with(self.grant.provider_id) is not Status.ACTIVE

    @property
    def clusters(self) -> list[DataCluster]:
        return in_order(self.grant.granted_scope)

    @property
    def accounts(self) -> list[AccountLine] | None:
        """The accounts that are shared now, or were when it ended; None for every account of the customer."""
        return None if self.grant.resources is None else self.account_lines(self.grant.account_ids)

    def account_lines(self, account_ids: Collection[str]) -> list[AccountLine]:
        """Some of the accounts that were chosen, as they were shown then."""
        chosen = self.connection.accounts if account_ids else None
        lines = () if chosen is None else account_lines(chosen.chosen)
        return [line for line in lines if line.account.account_id in account_ids]

    @property
    def is_active(self) -> bool:
        return self.status is GrantStatus.ACTIVE

    @property
    def was_stopped_by_customer(self) -> bool:
        ending = self.connection.ending
        return ending is not None and ending.kind is EventKind.WITHDRAWN and ending.actor is Actor.CUSTOMER

    def may_be_telling_at(self, now: datetime) -> bool:
        """Whether the recipient listens and the customer has stopped lately, so that it may be told now.

        One that is suspended is sent notices, and cannot ask for them.
        """
        client = self.client
        return (
            client is not None
            and client.notices is not None
            and (client.notice_address is not None or not client.is_suspended)
            and self.was_stopped_by_customer
            and self.ended_at is not None
            and now - self.ended_at < TELLING
        )

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, which is at its end date at the latest; None while it is active."""
        if self.is_active:
            return None
        return min(self.grant.ended_at or self.grant.expires_at, self.grant.expires_at)


def _name_of_somebody_gone(client_id: str) -> Bilingual:
    """The name that is shown for a recipient that is no longer registered."""

    def said_in(spoken: Language) -> str:
        with switched_to(spoken):
            # Translators: stands where a recipient's name would. client_id is what it was registered under.
            text = gettext("%(client_id)s (a company that is no longer registered)", client_id=client_id)
            return str(text)

    return Bilingual(en=said_in(Language.EN), fr=said_in(Language.FR))


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedData:
    """One cluster of a receipt. `purpose` is None where the recipient has none for this cluster alone."""

    cluster: str
    name: str
    shared: tuple[str, ...]
    purpose: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAccount:
    """One account of a receipt. `last_digits` are the end of its number, and empty where it has none."""

    name: str
    last_digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The texts of a receipt in one language.

    Fields that end in `_on` are dates for people to read, and those that end in `_at` are ISO 8601.
    `accounts` is None where every account of the customer is shared.
    """

    reference: str
    status: str
    recipient: str
    recipient_legal_name: str | None
    provider: str
    purpose: str | None
    clusters: tuple[SharedData, ...]
    accounts: tuple[SharedAccount, ...] | None
    history_months: int | None
    approved_on: str
    approved_at: str
    ends_on: str
    ends_at: str
    ended_on: str | None
    ended_at: str | None
    stop_at: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def receipt(shown: ShownConnection, spoken: Language) -> Receipt:
    """The receipt in `spoken`, whatever language the page is in."""
    grant, agreement, accounts = shown.grant, shown.agreement, shown.accounts
    with switched_to(spoken):
        return Receipt(
            reference=grant.consent_id,
            status=shown.status.value,
            recipient=shown.recipient_name[spoken],
            recipient_legal_name=None if agreement is None else agreement.recipient_legal_name[spoken],
            provider=shown.provider_name[spoken],
            purpose=None if agreement is None or agreement.purpose is None else agreement.purpose[spoken],
            clusters=tuple(_shared_data(cluster, agreement, spoken) for cluster in shown.clusters),
            accounts=None if accounts is None else tuple(map(_shared_account, accounts)),
            history_months=None if agreement is None else agreement.history_months_of(grant.granted_scope),
            approved_on=long_date(grant.approved_at),
            approved_at=grant.approved_at.isoformat(),
            ends_on=long_date(grant.expires_at),
            ends_at=grant.expires_at.isoformat(),
            ended_on=None if shown.ended_at is None else long_date(shown.ended_at),
            ended_at=None if shown.ended_at is None else shown.ended_at.isoformat(),
            stop_at=services().settings.issuer
            + url_for("connections.show_connection", consent_id=grant.consent_id),
        )


def _shared_account(line: AccountLine) -> SharedAccount:
    account = line.account
    apart = "".join(f" ({text})" for text in (account.product, account.holder) if text)
    return SharedAccount(name=f"{account.name or line.type_words}{apart}", last_digits=account.last_digits)


def _shared_data(cluster: DataCluster, agreement: Agreement | None, spoken: Language) -> SharedData:
    purpose = None if agreement is None else agreement.cluster_purposes.get(cluster)
    return SharedData(
        cluster=cluster.value,
        name=str(WORDING[cluster].name),
        shared=tuple(map(str, WORDING[cluster].shared)),
        purpose=None if purpose is None else purpose[spoken],
    )
