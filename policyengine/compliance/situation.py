"""Where a cluster stands with a policy, whatever is in its document: in scope or not, which override, exempt by what.

Most policies see no more of a cluster here than its subscription, or its resource group, and its location, so that
clusters which share them share the answer; what looks at single clusters is asked for each.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.judge import exemption_for
from policyengine.effects.base import World
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource

OUTSIDE = -1
NOT_EXEMPT = -1


@dataclass(frozen=True, slots=True)
class Situation:
    """``variant`` is an index into `Placement.variants`, OUTSIDE out of scope; ``exemption`` one into exemptions."""

    variant: int
    exemption: int = NOT_EXEMPT


@dataclass
class Placement:
    """One policy and what has been found out about places so far.

    ``region`` is equal for policies that stand alike everywhere; they may share ``known``.
    """

    policy: BoundPolicy
    world: World
    known: dict[Hashable, Situation] = field(default_factory=dict)
    variants: list[BoundPolicy] = field(default_factory=list)

    def __post_init__(self) -> None:
        policy = self.policy
        scopes = [policy.assignment.scope.text, *(scope.text for scope in policy.assignment.not_scopes)]
        scopes += [scope.text for exemption in policy.exemptions for scope in exemption.scopes]
        self.looks_at_ids = any(is_deep(text) for text in scopes)
        self.looks_at_groups = any(is_in_subscription(text) for text in scopes)
        chosen = [policy.assignment.resource_selectors, *(one.resource_selectors for one in policy.exemptions)]
        self.looks_at_location = bool(policy.variants) or any(chosen)
        self.unknown_group = policy.unknown_group(self.world.tree)
        alike = not (self.looks_at_location or policy.exemptions)
        self.region: Hashable = tuple(scopes) if alike else id(policy)
        if alike:
            self.variants.append(policy)

    def situation(self, id: str, place: Hashable, location: object, type: str) -> Situation:
        """``place`` is all that the policy sees of where it is; ``location`` is as the document has it."""
        text = location if isinstance(location, str) else None
        key = (self.region, place, text, type)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._find(id, location)
        return found

    def _find(self, id: str, location: object) -> Situation:
        resource = Resource(ResourceId(id), {"location": location} if isinstance(location, str) else {})
        policy = self.policy.on(resource)
        if self.unknown_group is None and not policy.in_scope(resource, self.world.tree):
            return Situation(OUTSIDE)
        variant = next((at for at, known in enumerate(self.variants) if known is policy), len(self.variants))
        if variant == len(self.variants):
            self.variants.append(policy)
        covering = exemption_for(policy, Cluster(resource), self.world)
        exemption = NOT_EXEMPT if covering is None else policy.exemptions.index(covering)
        return Situation(variant, exemption)


def is_deep(scope: str) -> bool:
    """True for what may name single clusters: below a resource group, or a pattern."""
    return "*" in scope or scope.strip("/").count("/") > len(("subscriptions", "s", "resourceGroups"))


def is_in_subscription(scope: str) -> bool:
    """True for what may name a part of a subscription: neither all of it nor a management group."""
    whole = scope.strip("/").count("/") <= len(("subscriptions",))
    return not whole and ("*" in scope or ResourceId(scope).management_group is None)


def place_of(id: str) -> str:
    """The resource group of a cluster, folded."""
    end = id.find("/providers/")
    return (id[:end] if end > 0 else "/".join(id.split("/", 5)[:5])).casefold()


def subscription_of(place: str) -> str:
    """The subscription of a resource group."""
    return "/".join(place.split("/", 3)[:3])


def failure_at(failures: Iterable[ScopeFailure], id: str, world: World) -> ScopeFailure | None:
    return next((f for f in failures if world.tree.contains(f.scope, ResourceId(id))), None)


def failures_look_at_ids(failures: Sequence[ScopeFailure]) -> bool:
    return any(is_deep(failure.scope.text) for failure in failures)
