"""All bound policies × blocks of clusters → a state for every pair, and a reason where one is kept.

The vector driver finds the states. The findings among them fall into groups of which the same is to be said, see
`telling`; one of each group is judged by `judge`, whose word holds for all of it. So states and reasons are those of
the scalar driver, and cost as many calls of it as there are different reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from weakref import proxy

import numpy as np

from policyengine.compliance.block import Block, BlockVerdicts, States
from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.clashes import Clashes
from policyengine.compliance.conflicts import judge_all
from policyengine.compliance.decoders import Decoders
from policyengine.compliance.judge import Verdict, judge
from policyengine.compliance.outline import Outline, Way, outline
from policyengine.compliance.part import Part
from policyengine.compliance.screen import CONTENT, FAILING, SILENT, UNTOLD, screened, wanted
from policyengine.compliance.sheet import Sheet
from policyengine.compliance.situation import (
    NOT_EXEMPT,
    Placement,
    Situation,
    failure_at,
    failures_look_at_ids,
    place_of,
)
from policyengine.compliance.telling import Teller, grouped
from policyengine.effects.base import World
from policyengine.evaluation.columns import Column, Rows, alike
from policyengine.evaluation.projection import MEMORY
from policyengine.evaluation.vector import Mask
from policyengine.model.fleet import ScopeFailure
from policyengine.model.states import ComplianceState, Reason

_NOT_APPLICABLE: Final = ComplianceState.NOT_APPLICABLE.code


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
        types = Column.of(block.types).mapped(lambda name: str(name).casefold())
        for rows in alike(types.codes):
            first = block.types[rows[0]]
            self._of_type(first.casefold(), first).judge(block, rows, sheet)
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
        parties = {number: self.policies[number] for number in self._clashes.parties}
        for row in self._clashes.rows(sheet.states):
            verdicts = judge_all(list(parties.values()), sheet.cluster(row), self.world, self.rivals)
            self.asked.update(verdicts.keys())
            for number, policy in parties.items():
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
    """The policies as they stand on clusters of one type.

    Belongs to its judge and does not hold it: in a cycle all that was learnt would outlive its scan, for while shards
    are judged nobody searches for cycles among what is there.
    """

    def __init__(self, judge: FleetJudge, type: str) -> None:
        self._judge: FleetJudge = proxy(judge)
        self._type = type
        self._outlines: dict[int, tuple[BoundPolicy, Outline]] = {}
        self._decoders: Decoders | None = None
        self._tellers: dict[int, Teller] = {}
        self._said: dict[tuple[int, Hashable], Verdict] = {}

    def outline(self, policy: BoundPolicy) -> Outline:
        found = self._outlines.get(id(policy))
        if found is None:
            found = self._outlines[id(policy)] = (policy, outline(policy, self._type, self._judge.world))
        return found[1]

    def teller(self, policy: BoundPolicy) -> Teller:
        if id(policy) not in self._tellers:
            self._tellers[id(policy)] = Teller(policy, self.outline(policy), self._judge.world)
        return self._tellers[id(policy)]

    def decoders(self) -> Decoders:
        """Made for every policy and every variant of it at once: a variant may be met in any block."""
        if self._decoders is None:
            every = [variant for policy in self._judge.policies for variant in _variants(policy)]
            self._decoders = Decoders([self.outline(policy) for policy in every], self._type)
        return self._decoders

    def judge(self, block: Block, rows: Rows, sheet: Sheet) -> None:
        part, refused = self._part(block, rows, sheet)
        sheet.decoded += len(part.at)
        for row in refused:
            verdicts = {
                policy.key: judge(policy, sheet.cluster(row), self._judge.world) for policy in self._judge.policies
            }
            self._judge.asked.update(verdicts.keys())
            for number, policy in enumerate(self._judge.policies):
                sheet.put(number, row, verdicts[policy.key])
        for number, placement in enumerate(self._judge._placements):
            self._judge_policy(number, placement, part, sheet)

    def _part(self, block: Block, rows: Rows, sheet: Sheet) -> tuple[Part, list[int]]:
        """The rows with what is on those where that matters, and the rows that cannot be read so."""
        taken = self.decoders().take(block, rows)
        part = Part(taken, block, sheet)
        odd = self.decoders().take_children(block, taken, self._wanted(part))
        if not odd:
            return part, taken.refused
        part, others = self._part(block, np.setdiff1d(taken.at, odd), sheet)
        return part, [*taken.refused, *odd, *others]

    def _wanted(self, part: Part) -> dict[str, Mask]:
        """Reading what is on clusters takes longer than all the rest, and mostly it matters on few of them."""
        found = {key: np.zeros(len(part.at), dtype=bool) for key in self.decoders().children}
        for placement in self._judge._placements:
            places, _ = part.situations(placement, self._type)
            for here, policy in zip(places, placement.variants, strict=True):
                plan = self.outline(policy)
                among = wanted(plan, part, here)
                for key in plan.kinds if among is not None else ():
                    found[key] |= among
        return found

    def _judge_policy(self, number: int, placement: Placement, part: Part, sheet: Sheet) -> None:
        places, exemptions = part.situations(placement, self._type)
        for here, policy in zip(places, placement.variants, strict=True):
            plan = self.outline(policy)
            if plan.way is Way.SILENT:
                continue
            states = screened(plan, part, here)
            worst = states.max(initial=SILENT)
            if worst == SILENT:
                continue
            rows = np.flatnonzero(states != SILENT)  # variants share no row
            told = states.take(rows)
            sheet.states[number][part.at.take(rows)] = told
            if worst == CONTENT and placement.unknown_group is None and not policy.exemptions:
                continue
            every: Iterable[Rows | slice] = alike(exemptions.take(rows)) if policy.exemptions else [slice(None)]
            for some in every:
                mark = int(exemptions[rows[some][0]])
                for key, group in self._groups(policy, placement, part, rows[some], told[some], mark):
                    if group.size:
                        sheet.put(number, part.at[group], self._verdict(policy, key, part, group, sheet))

    def _groups(
        self, policy: BoundPolicy, placement: Placement, part: Part, rows: Rows, states: States, mark: int
    ) -> Iterator[tuple[Hashable, Rows]]:
        """The findings among rows that share an exemption, by what is to be said of them; None: of that row alone."""
        plan, failing, untold = (
            self.outline(policy),
            rows.take(np.flatnonzero(states == FAILING)),
            rows.take(np.flatnonzero(states == UNTOLD)),
        )
        if placement.unknown_group is not None:
            yield "out of view", rows.take(np.flatnonzero((states == CONTENT) | (states == FAILING)))
            failing = failing[:0]
        elif mark != NOT_EXEMPT:
            yield (mark, "otherwise compliant"), rows.take(np.flatnonzero(states == CONTENT))
        for rows, groups in ((failing, self.teller(policy).groups), (untold, partial(grouped, plan))):
            if not rows.size:
                continue
            alone = part.hold_secrets(rows) if plan.slow is None else np.ones(len(rows), dtype=bool)
            if alone.any():  # secrets are hidden wherever they would show, on that cluster only
                yield from ((None, np.array([row])) for row in rows[alone].tolist())
                rows = rows[~alone]
            yield from (((mark, key), group) for key, group in groups(part, rows))

    def _verdict(self, policy: BoundPolicy, key: Hashable, part: Part, group: Rows, sheet: Sheet) -> Verdict:
        """One cluster of a group speaks for the group, and for groups like it in other blocks."""
        known = None if key is None else self._said.get((id(policy), key))
        if known is not None:
            return known
        verdict = judge(policy, sheet.cluster(int(part.at[group[0]])), self._judge.world)
        self._judge.asked[policy.key] += 1
        if key is not None:
            if len(self._said) >= MEMORY:
                self._said.clear()
            self._said[id(policy), key] = verdict
        return verdict


def _variants(policy: BoundPolicy) -> Iterator[BoundPolicy]:
    yield policy
    for _, variant in policy.variants:
        yield from _variants(variant)
