"""What surrounds the clusters of the store at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from policyengine.clock import Clock
from policyengine.effects.base import World
from policyengine.errors import InventoryError
from policyengine.language.aliases import AliasCatalogue
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Resource
from policyengine.model.scope import ScopeTree


def world_of(tree: ScopeTree, aliases: AliasCatalogue, clock: Clock) -> World:
    """What policies may read beside the cluster itself, now."""
    return world_at(tree, aliases, clock.now())


def world_at(tree: ScopeTree, aliases: AliasCatalogue, at: datetime) -> World:
    return World(tree=tree, at=at, aliases=aliases, resources=_no_other_resources)


def _no_other_resources(type: str, scope: ResourceId) -> Sequence[Resource]:
    from policyengine.inventory.related_types import listing_of  # with all of the inventory, which judging does without

    if listing_of(type) is not None:
        raise InventoryError(
            f"`{type}` was not read with the clusters: read the inventory from `arm:` while the policy is assigned"
        )
    raise InventoryError(
        f"`{type}` is not known to hang on clusters, and the inventory does not search {scope} for it:"
        " have the policy look for what is on the cluster, or exempt it"
    )
