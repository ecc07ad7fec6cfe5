"""The agreement: the registered names and purposes as they were when the customer gave a consent.

A registration may change later, and the agreement does not. Every page and record about a past consent shows
the agreement.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.domain.clusters import WITH_HISTORY, DataCluster, Scope
from app.domain.language import Bilingual
from app.domain.registry import Client, DataProvider


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The parties of a consent, the purposes and the look-back, as the consent form showed them.

    `purpose` is None where the recipient gave none, and `history_months` where it named no limit.
    """

    recipient_name: Bilingual
    recipient_legal_name: Bilingual
    recipient_site: Bilingual
    agent: Bilingual | None
    purpose: Bilingual | None
    cluster_purposes: Mapping[DataCluster, Bilingual] = field(default_factory=dict)
    history_months: int | None
    provider_name: Bilingual
    provider_legal_name: Bilingual | None

    def history_months_of(self, scope: Scope) -> int | None:
        """How many months of history `scope` shares; None where it has no history, or no limit was named."""
        return self.history_months if scope & WITH_HISTORY else None

    @cached_property
    def document(self) -> str:
        """The agreement as JSON. Equal agreements give equal texts, since the text is hashed."""
        texts = {name: _texts(getattr(self, name)) for name in _BILINGUAL}
        purposes = {cluster.value: _texts(text) for cluster, text in self.cluster_purposes.items()}
        record = {**texts, "cluster_purposes": purposes, "history_months": self.history_months}
        return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @cached_property
    def agreement_hash(self) -> str:
        """The hex SHA-256 of the document."""
        return hashlib.sha256(self.document.encode("utf-8")).hexdigest()


_BILINGUAL = (
    "recipient_name",
    "recipient_legal_name",
    "recipient_site",
    "agent",
    "purpose",
    "provider_name",
    "provider_legal_name",
)
_OPTIONAL = {"agent", "purpose", "provider_legal_name"}


def make_agreement(client: Client, provider: DataProvider) -> Agreement:
    """The agreement that a customer makes who approves a request of `client` now."""
    return Agreement(
        recipient_name=client.name,
        recipient_legal_name=client.legal_name,
        recipient_site=client.site,
        agent=client.agent,
        purpose=client.purpose,
        cluster_purposes={DataCluster(name): text for name, text in client.cluster_purposes.items()},
        history_months=client.history_months,
        provider_name=provider.name,
        provider_legal_name=provider.legal_name,
    )


def effective_agreement(
    recorded: Agreement | None, client: Client | None, provider: DataProvider | None
) -> Agreement | None:
    """The agreement of a past consent: the `recorded` one, where there is one.

    Consents from before agreements were recorded have none. For those it is made from the registrations of
    today, and it is None where one of the parties is no longer registered.
    """
    if recorded is not None or client is None or provider is None:
        return recorded
    return make_agreement(client, provider)


def parse_agreement(document: str) -> Agreement:
    """The agreement that `document` is the JSON of. Raises ValueError for another text."""
    try:
        return _agreement(json.loads(document))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not an agreement: {type(error).__name__}") from error


def _agreement(record: Any) -> Agreement:
    texts: dict[str, Any] = {
        name: None if name in _OPTIONAL and record[name] is None else _bilingual(record[name])
        for name in _BILINGUAL
    }
    purposes: dict[str, Any] = {**record["cluster_purposes"]}
    months = record["history_months"]
    if not (months is None or type(months) is int):
        raise TypeError
    return Agreement(
        **texts,
        cluster_purposes={
            cluster: _bilingual(purposes[cluster.value])
            for cluster in DataCluster
            if cluster.value in purposes
        },
        history_months=months,
    )


def _texts(text: Bilingual | None) -> dict[str, str] | None:
    return None if text is None else {"en": text.en, "fr": text.fr}


def _bilingual(texts: dict[str, str]) -> Bilingual:
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError
    return Bilingual(**texts)
