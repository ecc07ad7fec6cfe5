"""The issuer, for each provider, whose subjects the ledger has: the one at which its customers signed in.

A subject is unique within its issuer only (OpenID Connect Core 1.0, 5.7). When a provider's registration
names another issuer, the same subject may be another person, who must not see the first one's connections.
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
    """Keeps one issuer for each provider. Its method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(self, provider: DataProvider, *, now: datetime) -> bool:
        """Whether the subjects of the provider's issuer are those that the ledger has.

        They are where this issuer is on record, or none is yet, or where the registration says that the one
        on record is a former one with the same subjects. From then on this issuer is on record.
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
        """Records the provider's issuer, unless a parallel call has recorded one; returns what stands."""
        row = {"provider_id": provider.provider_id, "issuer": provider.issuer, "accepted_at": now}
        try:
            with self._database.writing() as connection:
                connection.change(_FIRST, **row)
        except UniqueViolation:
            pass
        return self._find(provider.provider_id)
