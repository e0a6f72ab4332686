"""What assigned policies look for on clusters, as readers of the inventory want it told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from policyengine.clock import Clock
from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.seeking import Seekers
from policyengine.errors import UsageError
from policyengine.inventory.related import Related, Wanted, nothing
from policyengine.language.aliases import AliasCatalogue
from policyengine.model.scope import ScopeTree
from policyengine.workflows.load import Loaded, load
from policyengine.workflows.settings import Settings
from policyengine.workflows.world import world_of

if TYPE_CHECKING:
    from policyengine.arm.client import ArmClient


def wanted_by(policies: Sequence[BoundPolicy], aliases: AliasCatalogue, clock: Clock) -> Wanted:
    return Seekers(policies, world_of(ScopeTree(), aliases, clock))


def wanted_in(settings: Settings, clock: Clock) -> Wanted:
    """By the policies of the settings; nothing where there are none yet. Raises PolicyError for files with errors."""
    if not settings.inventory.startswith("arm:"):
        return nothing
    try:
        loaded = load(settings.policies, settings.aliases)
    except UsageError:
        return nothing
    return wanted_by(loaded.policies, loaded.aliases, clock)


def related_by(loaded: Loaded, arm: ArmClient, tree: ScopeTree, clock: Clock) -> Related:
    """For single clusters, which stand in ``tree``."""
    return Related(arm, wanted_by(loaded.policies, loaded.aliases, clock), tree)
