"""Which resources policies look for on a cluster, beside those that every inventory reads: so that somebody reads them.

A resource is sought where a policy's `if` holds and its details name the type: anywhere else nobody asks whether it is
there, and reading it would cost a request a cluster for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.judge import context_for
from policyengine.effects.base import World
from policyengine.effects.existence import COLLECTED, looked_for
from policyengine.errors import PolicyEngineError
from policyengine.evaluation import Subject, evaluate
from policyengine.language.indexed import looks_at
from policyengine.model.resource import CLUSTER_TYPES, Cluster, Sought
from policyengine.model.scope import ScopeTree

_KNOWN: Final = COLLECTED | {type.casefold() for type in CLUSTER_TYPES.values()}
"""What is there with a cluster, or is no part of it."""


class Seekers:
    """Those of the policies that may look for such a resource."""

    def __init__(self, policies: Sequence[BoundPolicy], world: World) -> None:
        self._policies = [policy for policy in policies if any(map(_may_seek, _forms(policy)))]
        self._world = world

    def __call__(self, cluster: Cluster, tree: ScopeTree) -> frozenset[Sought]:
        """``tree`` is what stands above the cluster; of a group it does not know anything may be below."""
        if not self._policies:
            return frozenset()
        world = replace(self._world, tree=tree)
        found = (_sought(policy, cluster, world) for policy in self._policies if _reaches(policy, cluster, tree))
        return frozenset(sought for sought in found if sought is not None)


def _forms(policy: BoundPolicy) -> Iterator[BoundPolicy]:
    yield policy
    for _, variant in policy.variants:
        yield from _forms(variant)


def _may_seek(policy: BoundPolicy) -> bool:
    details = policy.effect.details if policy.effect is not None else None
    if details is None:
        return False
    return not details.type.is_constant or str(details.type.constant).casefold() not in _KNOWN


def _reaches(policy: BoundPolicy, cluster: Cluster, tree: ScopeTree) -> bool:
    return policy.in_scope(cluster.resource, tree) or policy.unknown_group(tree) is not None


def _sought(policy: BoundPolicy, cluster: Cluster, world: World) -> Sought | None:
    """None, too, where the policy cannot be evaluated: it is an Error whatever is read."""
    policy = policy.on(cluster.resource)
    details, type = policy.effect.details if policy.effect is not None else None, cluster.resource.type
    if details is None or not looks_at(policy.definition.mode, type, world.aliases):
        return None
    if type.casefold() in policy.unknown_aliases:
        return None
    subject = Subject.of(cluster.resource, context_for(policy, cluster, world))
    try:
        sought = looked_for(details, subject)
        return sought if sought is not None and evaluate(policy.definition.condition, subject) else None
    except PolicyEngineError:
        return None
