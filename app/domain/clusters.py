"""FDX data clusters, and the scope string that carries them (RFC 6749 3.3)."""

from collections.abc import Iterable
from enum import StrEnum


class DataCluster(StrEnum):
    """One kind of data, declared from the least to the most identifying: the order every page uses."""

    ACCOUNT_BASIC = "ACCOUNT_BASIC"
    ACCOUNT_DETAILED = "ACCOUNT_DETAILED"
    TRANSACTIONS = "TRANSACTIONS"
    STATEMENTS = "STATEMENTS"
    INVESTMENTS = "INVESTMENTS"
    ACCOUNT_PAYMENTS = "ACCOUNT_PAYMENTS"
    CUSTOMER_CONTACT = "CUSTOMER_CONTACT"
    CUSTOMER_PERSONAL = "CUSTOMER_PERSONAL"


Scope = frozenset[DataCluster]

# What reaches back in time. Everything else is shared as it is on the day.
WITH_HISTORY: Scope = frozenset({DataCluster.TRANSACTIONS, DataCluster.STATEMENTS})

_BY_NAME = {cluster.value: cluster for cluster in DataCluster}
_POSITION = {cluster: position for position, cluster in enumerate(DataCluster)}


def parse_scope(text: str) -> Scope:
    """The clusters that `text` names, separated by spaces; case-sensitive, order and repeats do not matter.

    Raises ValueError for a word that is no cluster. The message does not repeat the word.
    """
    words = set(text.split(" ")) - {""}
    if not words <= _BY_NAME.keys():
        raise ValueError("not a data cluster")
    return frozenset(_BY_NAME[word] for word in words)


def known_clusters(words: Iterable[str]) -> Scope:
    """The clusters among `words`; anything else is passed over (a form may send whatever it likes)."""
    return frozenset(_BY_NAME[word] for word in words if word in _BY_NAME)


def in_order(clusters: Iterable[DataCluster]) -> list[DataCluster]:
    """`clusters` from the least to the most identifying."""
    return sorted(clusters, key=_POSITION.__getitem__)


def format_scope(clusters: Iterable[DataCluster]) -> str:
    """The scope string for `clusters`, always in the same order."""
    return " ".join(in_order(clusters))
