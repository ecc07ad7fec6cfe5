"""Who calls an endpoint for machines, once its credentials are good."""

from dataclasses import dataclass

from app.domain.registry import Client
from app.domain.single_use import SingleUse


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client. Before anything is done for it, all of its `uses` must be first ones."""

    client: Client
    uses: tuple[SingleUse, ...] = ()
