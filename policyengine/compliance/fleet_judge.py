"""All bound policies × blocks of clusters → a state for every pair, and a reason where one is kept.

The vector driver finds the clusters about which there is nothing to say. The others fall into groups that agree in all
that their policy reads; one of each group is judged by `judge`, whose word holds for all of it. So states and reasons
are those of the scalar driver, and cost as many calls of it as there are different cases.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from policyengine.compliance.block import Block, BlockVerdicts, States
from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.clashes import Clashes
from policyengine.compliance.conflicts import judge_all
from policyengine.compliance.judge import Verdict, judge
from policyengine.compliance.outline import Outline, Way, outline
from policyengine.compliance.part import Decoders, Part
from policyengine.compliance.sheet import Sheet
from policyengine.compliance.situation import (
    NOT_EXEMPT,
    OUTSIDE,
    Placement,
    Situation,
    failure_at,
    failures_look_at_ids,
    place_of,
)
from policyengine.effects.base import World
from policyengine.evaluation.columns import Codes, Rows
from policyengine.evaluation.vector import ERROR, FALSE, MAX_QUESTIONS, MEMORY, TRUE, answers
from policyengine.model.fleet import ScopeFailure
from policyengine.model.states import ComplianceState, Reason

_NOT_APPLICABLE: Final = ComplianceState.NOT_APPLICABLE.code
_COMPLIANT: Final = ComplianceState.COMPLIANT.code


@dataclass
class FleetJudge:
    """``rivals`` are policies that are not judged and may dispute what the others want; ``failures`` the scopes that
    could not be read. ``asked`` counts the calls of the scalar driver, by policy."""

    policies: Sequence[BoundPolicy]
    world: World
    rivals: Sequence[BoundPolicy] = ()
    failures: Sequence[ScopeFailure] = ()
    asked: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        known: dict[Hashable, Situation] = {}
        self._placements = [Placement(policy, self.world, known) for policy in self.policies]
        self._types: dict[str, _OfType] = {}
        self._clashes = Clashes(self.policies, self.rivals)
        self._unread: dict[str, ScopeFailure | None] = {}

    def judge(self, block: Block) -> BlockVerdicts:
        sheet = Sheet(len(self.policies), block)
        by_type: dict[str, list[int]] = defaultdict(list)
        for row, type in enumerate(block.types):
            by_type[type.casefold()].append(row)
        for type, rows in by_type.items():
            self._of_type(type, block.types[rows[0]]).judge(block, rows, sheet)
        self._settle_clashes(sheet)
        self._cover_unread(sheet)
        return sheet.verdicts()

    def outlines(self, type: str) -> list[tuple[BoundPolicy, Outline]]:
        """How each policy is evaluated on clusters of a type, for those who ask where the time goes."""
        of_type = self._of_type(type.casefold(), type)
        return [(policy, of_type.outline(policy)) for policy in self.policies]

    def _of_type(self, key: str, type: str) -> _OfType:
        if key not in self._types:
            self._types[key] = _OfType(self, type)
        return self._types[key]

    def _settle_clashes(self, sheet: Sheet) -> None:
        for row in self._clashes.rows(sheet.states):
            verdicts = judge_all(self.policies, sheet.cluster(row), self.world, self.rivals)
            for number, policy in enumerate(self.policies):
                sheet.put(number, row, verdicts[policy.key])

    def _cover_unread(self, sheet: Sheet) -> None:
        """What could not be read is Unknown wherever the policy speaks at all."""
        if not self.failures:
            return
        by_id = failures_look_at_ids(self.failures)
        for row, id in enumerate(sheet.block.ids):
            key = id if by_id else place_of(id)
            if key not in self._unread:
                self._unread[key] = failure_at(self.failures, id, self.world)
            failure = self._unread[key]
            if failure is not None:
                reason = Reason("not-read", f"the inventory of {failure.scope} could not be read: {failure.reason}")
                verdict = Verdict(ComplianceState.UNKNOWN, reason)
                for number in np.flatnonzero(sheet.states[:, row] != _NOT_APPLICABLE).tolist():
                    sheet.put(number, row, verdict)


class _OfType:
    """The policies as they stand on clusters of one type."""

    def __init__(self, judge: FleetJudge, type: str) -> None:
        self._judge, self._type = judge, type
        self._outlines: dict[int, tuple[BoundPolicy, Outline]] = {}
        self._decoders: Decoders | None = None
        self._said: dict[tuple[int, Hashable], Verdict] = {}

    def outline(self, policy: BoundPolicy) -> Outline:
        found = self._outlines.get(id(policy))
        if found is None:
            found = self._outlines[id(policy)] = (policy, outline(policy, self._type, self._judge.world))
        return found[1]

    def decoders(self) -> Decoders:
        """Made for every policy and every variant of it at once: a variant may be met in any block."""
        if self._decoders is None:
            every = [variant for policy in self._judge.policies for variant in _variants(policy)]
            self._decoders = Decoders([self.outline(policy) for policy in every], self._type)
        return self._decoders

    def judge(self, block: Block, rows: Sequence[int], sheet: Sheet) -> None:
        part = self.decoders().part(block, rows, sheet)
        for row in part.refused:
            verdicts = {
                policy.key: judge(policy, sheet.cluster(row), self._judge.world) for policy in self._judge.policies
            }
            for number, policy in enumerate(self._judge.policies):
                sheet.put(number, row, verdicts[policy.key])
        for number, placement in enumerate(self._judge._placements):
            self._judge_policy(number, placement, part, sheet)

    def _judge_policy(self, number: int, placement: Placement, part: Part, sheet: Sheet) -> None:
        variants, exemptions = part.situations(placement, self._type)
        for variant, rows in _by_variant(variants):
            policy = placement.variants[variant]
            plan = self.outline(policy)
            states, open_ = _screen(plan, part, rows)
            if placement.unknown_group is not None:
                open_ = np.ones(len(rows), dtype=bool)
            open_ |= (exemptions[rows] != NOT_EXEMPT) & (states != _NOT_APPLICABLE)
            sheet.states[number, part.at[rows]] = states
            self._ask(number, policy, plan, part, rows[open_], exemptions, sheet)

    def _ask(
        self, number: int, policy: BoundPolicy, plan: Outline, part: Part, rows: Rows, exemptions: Codes, sheet: Sheet
    ) -> None:
        """One cluster of each group speaks for the group, and for groups like it in other blocks."""
        for key, group in part.groups(plan, rows, exemptions):
            verdict = None if key is None else self._said.get((id(policy), key))
            if verdict is None:
                verdict = judge(policy, sheet.cluster(int(part.at[group[0]])), self._judge.world)
                self._judge.asked[policy.key] += 1
                if key is not None:
                    if len(self._said) >= MEMORY:
                        self._said.clear()
                    self._said[id(policy), key] = verdict
            sheet.put(number, part.at[group], verdict)


def _by_variant(variants: Codes) -> Iterator[tuple[int, Rows]]:
    """The rows in scope, by the variant that holds there; mostly there is one."""
    if not variants.size:
        return
    least, most = int(variants.min()), int(variants.max())
    if least == most:
        if least != OUTSIDE:
            yield least, np.arange(len(variants))
        return
    for variant in range(max(least, 0), most + 1):
        rows = np.flatnonzero(variants == variant)
        if rows.size:
            yield variant, rows


def _variants(policy: BoundPolicy) -> Iterator[BoundPolicy]:
    yield policy
    for _, variant in policy.variants:
        yield from _variants(variant)


def _screen(plan: Outline, part: Part, rows: Rows) -> tuple[States, npt.NDArray[np.bool_]]:
    """The state of each row as far as columns tell it, and which rows need a closer look."""
    states = np.full(len(rows), _NOT_APPLICABLE, dtype=np.uint8)
    open_ = np.zeros(len(rows), dtype=bool)
    if plan.way is Way.SILENT:
        return states, open_
    if plan.way is Way.EACH or plan.rule is None or plan.asked > MAX_QUESTIONS:
        return states, ~open_
    alive = np.arange(len(rows))
    if plan.applies is not None:
        applies = answers(plan.applies, part.clusters, rows)
        open_[applies == ERROR] = True
        alive = np.flatnonzero(applies == TRUE)
    rule = answers(plan.rule, part.clusters, rows[alive])
    open_[alive[rule == ERROR]] = True
    held = alive[rule == TRUE]
    if plan.way is Way.BY_RULE:
        states[alive[rule == FALSE]] = _COMPLIANT
        open_[held] = True
        return states, open_
    satisfied = part.satisfied(plan, rows[held])
    states[held[satisfied == TRUE]] = _COMPLIANT
    open_[held[satisfied != TRUE]] = True
    return states, open_
