"""FDX data clusters, and the scope string that carries them (RFC 6749 3.3)."""

from collections.abc import Iterable
from enum import StrEnum


class DataCluster(StrEnum):
    """One kind of data. The order is that of every page: from the least to the most identifying data."""

    ACCOUNT_BASIC = "ACCOUNT_BASIC"
    ACCOUNT_DETAILED = "ACCOUNT_DETAILED"
    TRANSACTIONS = "TRANSACTIONS"
    STATEMENTS = "STATEMENTS"
    INVESTMENTS = "INVESTMENTS"
    ACCOUNT_PAYMENTS = "ACCOUNT_PAYMENTS"
    CUSTOMER_CONTACT = "CUSTOMER_CONTACT"
    CUSTOMER_PERSONAL = "CUSTOMER_PERSONAL"


Scope = frozenset[DataCluster]

# Data about the customer, and data about one of their accounts.
CUSTOMER_LEVEL: Scope = frozenset({DataCluster.CUSTOMER_CONTACT, DataCluster.CUSTOMER_PERSONAL})
ACCOUNT_LEVEL: Scope = frozenset(DataCluster) - CUSTOMER_LEVEL

# The clusters that have a history. Of all others only the present state is shared.
WITH_HISTORY: Scope = frozenset({DataCluster.TRANSACTIONS, DataCluster.STATEMENTS})

_BY_NAME = {cluster.value: cluster for cluster in DataCluster}
_POSITION = {cluster: position for position, cluster in enumerate(DataCluster)}


def parse_scope(text: str) -> Scope:
    """The clusters that the scope string `text` names (RFC 6749 3.3).

    Words are separated by spaces and case-sensitive; their order and repetitions do not matter. Raises
    ValueError for a word that is no cluster; the message does not repeat the word, which may be hostile.
    """
    words = set(text.split(" ")) - {""}
    if not words <= _BY_NAME.keys():
        raise ValueError("not a data cluster")
    return frozenset(_BY_NAME[word] for word in words)


def known_clusters(words: Iterable[str]) -> Scope:
    """The clusters among `words`. Other words are ignored, since a forged form may send any."""
    return frozenset(_BY_NAME[word] for word in words if word in _BY_NAME)


def in_order(clusters: Iterable[DataCluster]) -> list[DataCluster]:
    """`clusters` from the least to the most identifying."""
    return sorted(clusters, key=_POSITION.__getitem__)


def format_scope(clusters: Iterable[DataCluster]) -> str:
    """The scope string for `clusters` (RFC 6749 3.3), always in the order of DataCluster."""
    return " ".join(in_order(clusters))
