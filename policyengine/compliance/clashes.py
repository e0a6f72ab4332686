"""Which clusters must be judged under several policies together, because two of them may want different values.

Told from the policies alone where that is possible: two that write to different things never dispute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from policyengine.compliance.block import States
from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.conflicts import wants_differ
from policyengine.effects.deploy_if_not_exists import DeployIfNotExists
from policyengine.effects.modify import Modify
from policyengine.language.aliases import FieldKind, classify_field
from policyengine.language.documents import EnforcementMode
from policyengine.language.syntax import Desired
from policyengine.model.states import ComplianceState
from policyengine.model.values import walk

_DISPUTABLE = (ComplianceState.COMPLIANT.code, ComplianceState.NON_COMPLIANT.code)


class Clashes:
    """``policies`` in the order of the states' first axis; ``rivals`` have no states.

    ``parties`` are the places of the policies that may dispute with another one, in order.
    """

    def __init__(self, policies: Sequence[BoundPolicy], rivals: Sequence[BoundPolicy]) -> None:
        every = [*enumerate(policies), *((None, rival) for rival in rivals)]
        self._pairs = [
            (one, other)
            for (one, mine), (other, theirs) in combinations(every, 2)
            if (one is not None or other is not None) and may_clash(mine, theirs)
        ]
        self.parties = sorted({place for pair in self._pairs for place in pair if place is not None})

    def rows(self, states: States) -> Iterator[int]:
        """The rows on which a policy that would write stands beside one that may dispute it."""
        found = np.zeros(states.shape[1], dtype=bool)
        for one, other in self._pairs:
            found |= _open(states, one, other) | _open(states, other, one)
        yield from np.flatnonzero(found).tolist()


def _open(states: States, writer: int | None, rival: int | None) -> npt.NDArray[np.bool_]:
    if writer is None:
        return np.zeros(states.shape[1], dtype=bool)
    wants: npt.NDArray[np.bool_] = states[writer] == ComplianceState.NON_COMPLIANT.code
    return wants if rival is None else wants & np.isin(states[rival], _DISPUTABLE)


def may_clash(one: BoundPolicy, other: BoundPolicy) -> bool:
    """False only when no two forms of the policies can dispute, wherever they meet."""
    return any(_may_clash(mine, theirs) for mine in _forms(one) for theirs in _forms(other))


def _forms(policy: BoundPolicy) -> Iterator[BoundPolicy]:
    yield policy
    for _, variant in policy.variants:
        yield from _forms(variant)


def _may_clash(one: BoundPolicy, other: BoundPolicy) -> bool:
    if EnforcementMode.DO_NOT_ENFORCE in {one.assignment.enforcement_mode, other.assignment.enforcement_mode}:
        return False
    mine, theirs = one.effect, other.effect
    if isinstance(mine, Modify) and isinstance(theirs, Modify):
        return _share_a_field(mine, theirs)
    if isinstance(mine, DeployIfNotExists) and isinstance(theirs, DeployIfNotExists):
        first, second = mine.details.desired, theirs.details.desired
        return first is not None and second is not None and _share_a_target(first, second)
    return False


def _share_a_field(one: Modify, other: Modify) -> bool:
    """Only tags are told apart by their names: other fields may have several."""
    mine, theirs = _tags(one), _tags(other)
    return mine is None or theirs is None or bool(mine & theirs)


def _tags(effect: Modify) -> set[str] | None:
    """The tags it changes, folded; None when it changes anything else, or what is known only on a resource."""
    names = [operation.field for operation in effect.modification.operations]
    found = [classify_field(name.constant) if name.is_constant else None for name in names]
    if any(field is None or field.kind is not FieldKind.TAG for field in found):
        return None
    return {field.name.casefold() for field in found if field is not None}


def _share_a_target(one: Desired, other: Desired) -> bool:
    """False when they name different objects, or want nothing of the same one that differs."""
    if one.type.casefold() != other.type.casefold():
        return False
    mine, theirs = _identity(one), _identity(other)
    if None not in {mine, theirs} and one.identity == other.identity and mine != theirs:
        return False
    settled = one.properties.is_constant and other.properties.is_constant
    return not settled or wants_differ(one.properties.constant, other.properties.constant)


def _identity(desired: Desired) -> str | None:
    """What tells the object apart from others of its type, folded; None when it is computed."""
    if desired.identity == "extensionType":
        properties = desired.properties
        return str(walk(properties.constant, "extensionType")).casefold() if properties.is_constant else None
    return str(desired.name.constant).casefold() if desired.name.is_constant else None
