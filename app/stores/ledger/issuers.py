"""Whose subjects the ledger has under each provider's id: the issuer that its customers signed in at.

A subject is unique within its issuer only (OpenID Connect Core 1.0, 5.7). When a provider's registration
names another issuer, the same subject may be another person, whom the first one's connections do not concern.
"""

from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from app.domain.registry import DataProvider
from app.stores.ledger.database import Database, UniqueViolation
from app.stores.ledger.schema import issuers

_AT_PROVIDER = issuers.c.provider_id == bindparam("at_provider")
_KNOWN = select(issuers.c.issuer).where(_AT_PROVIDER)
_FIRST = insert(issuers)
_NEXT = (
    update(issuers)
    .where(_AT_PROVIDER, issuers.c.issuer == bindparam("former"))
    .values(issuer=bindparam("next_issuer"), accepted_at=bindparam("now"))
)


class IssuerStore:
    """Knows one issuer for each provider. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(self, provider: DataProvider, *, now: datetime) -> bool:
        """Whether the provider's subjects are those that the ledger has.

        They are when its issuer is the one on record, or the first, or follows one whose subjects are the
        same people's, as its registration says. From then on it is the one on record.
        """
        known = self._find(provider.provider_id)
        if known is None:
            known = self._keep_first(provider, now)
        if known == provider.issuer:
            return True
        if provider.oidc is None or known not in provider.oidc.former_issuers:
            return False
        with self._database.writing() as connection:
            values = {"at_provider": provider.provider_id, "former": known, "next_issuer": provider.issuer}
            connection.change(_NEXT, **values, now=now)
        return self._find(provider.provider_id) == provider.issuer

    def _find(self, provider_id: str) -> str | None:
        with self._database.reading() as connection:
            row = connection.first(_KNOWN, at_provider=provider_id)
        return None if row is None else str(row.issuer)

    def _keep_first(self, provider: DataProvider, now: datetime) -> str | None:
        """The issuer that is on record then: this one, unless somebody else has just kept another."""
        row = {"provider_id": provider.provider_id, "issuer": provider.issuer, "accepted_at": now}
        try:
            with self._database.writing() as connection:
                connection.change(_FIRST, **row)
        except UniqueViolation:
            pass
        return self._find(provider.provider_id)
