"""One fieldset of the consent form."""

from dataclasses import dataclass

from app.domain.clusters import DataCluster


@dataclass(frozen=True, slots=True)
class ClusterSection:
    """A cluster as it is offered; in a repeat request it is new, or shared with this recipient already."""

    cluster: DataCluster
    is_needed: bool
    is_checked: bool
    is_new: bool = False
    is_shared: bool = False
