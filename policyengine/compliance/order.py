"""Which bound policies must have written before another one does.

Three ways to say it: a member of an initiative names other members, a definition names other definitions (of the
same assignment), an initiative names other initiatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policyengine.compliance.bound import BoundPolicy
from policyengine.language.documents import Assignment, Initiative, PolicyDefinition
from policyengine.language.library import PolicyLibrary


def depends_on(policy: BoundPolicy, bound: Sequence[BoundPolicy], library: PolicyLibrary) -> tuple[str, ...]:
    """The keys of those among ``bound`` that go before ``policy``, in the order of ``bound``."""
    return tuple(other.key for other in bound if other is not policy and _precedes(other, policy, library))


def _precedes(other: BoundPolicy, policy: BoundPolicy, library: PolicyLibrary) -> bool:
    if other.assignment is policy.assignment:
        named = (other.reference_id or "").casefold() in _named_members(policy)
        return named or _is_one_of(other.definition, map(library.definition, policy.definition.depends_on))
    if policy.initiative is None or other.initiative is None:
        return False
    before = map(library.initiative, policy.initiative.depends_on)
    return _is_one_of(other.initiative, before) and _may_overlap(other.assignment, policy.assignment)


def _named_members(policy: BoundPolicy) -> frozenset[str]:
    members = policy.initiative.members if policy.initiative is not None else ()
    own = next((member for member in members if member.reference_id == policy.reference_id), None)
    return frozenset(id.casefold() for id in own.depends_on) if own is not None else frozenset()


def _is_one_of(document: PolicyDefinition | Initiative, named: Iterable[PolicyDefinition | Initiative | None]) -> bool:
    """Whatever their versions."""
    return any(found is not None and found.name.casefold() == document.name.casefold() for found in named)


def _may_overlap(one: Assignment, other: Assignment) -> bool:
    """False only when no cluster can be in both scopes; what is under a management group is not known here."""
    if one.scope.management_group is not None or other.scope.management_group is not None:
        return True
    return one.scope.contains(other.scope) or other.scope.contains(one.scope)
