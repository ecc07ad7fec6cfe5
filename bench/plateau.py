"""Whether something that was measured again and again still grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Limit:
    """How much more is no growth: a share of what there was, and so much besides, in the unit of the values."""

    share: float
    slack: float

    def is_exceeded(self, values: Sequence[float]) -> bool:
        """Whether the last third of `values` lies above the middle third by more than this.

        Of each third the median counts, so that neither one bad moment nor a lucky one decides. The first third is
        for what fills up once: pools, caches, keys that do not expire yet. Raises ValueError for fewer than three.
        """
        if len(values) < 3:
            raise ValueError("growth needs three values or more")
        third = len(values) // 3
        middle, last = median(values[third : 2 * third]), median(values[-third:])
        return last > middle * (1 + self.share) + self.slack
