"""What the reason of a finding is made of: clusters of which the same is said are told of in one breath.

A reason depends on whether each condition holds that it may speak of, and on the values of the few it shows. So
clusters agree in it, word for word, when they agree in these, whatever else is in them. Where a condition cannot be
evaluated, all that is read counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Final, TypeAlias

import numpy as np

from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.judge import context_for
from policyengine.compliance.outline import Outline, Way, what_is_told
from policyengine.compliance.part import Part
from policyengine.effects import words
from policyengine.effects.base import World
from policyengine.effects.existence import Candidate
from policyengine.errors import PolicyEngineError
from policyengine.evaluation import Subject, Trace, trace
from policyengine.evaluation.columns import Codes, Column, Rows, alike, combined, key_of
from policyengine.evaluation.questions import ERROR, Question, questions
from policyengine.evaluation.reads import NOTHING, Reads
from policyengine.evaluation.vector import Answers, Mask, Tested, leaf

Groups: TypeAlias = Iterator[tuple[Hashable, Rows]]
"""Rows with the same reason, and a key that is the same for rows of other blocks with that reason."""

_NONE: Final = "none of the kind"
_BITS: Final = 2  # of an answer
_WIDE: Final = 30
"""So many answers fit into one number."""


def grouped(plan: Outline, part: Part, rows: Rows) -> Groups:
    """``rows`` by all that a verdict on them may depend on; none of them holds secrets."""
    if not rows.size:
        return
    columns = [column.of_rows(rows) for column in part.clusters.columns(_as_root(plan.reads))]
    codes, _ = combined(columns, len(rows))
    keys: Sequence[Hashable] = codes.tolist()
    inner: list[Column] = []
    bounds: list[int] = []
    if plan.child is not None:
        at, ends = part.children(plan.child).of(rows)
        bounds = [0, *ends.tolist()]
        inner = [column.of_rows(at) for column in part.tested(plan.child).columns(plan.child_reads)]
        numbers, _ = combined(inner, len(at))
        listed = numbers.tolist()
        keys = [(key, *listed[a:b]) for key, (a, b) in zip(keys, pairwise(bounds), strict=True)]
    table = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    for group in alike(np.fromiter(map(table.__getitem__, keys), dtype=np.int64, count=len(keys))):
        first = int(group[0])
        known: tuple[Hashable, ...] = (key_of(columns, first),)
        if plan.child is not None:
            known += tuple(key_of(inner, child) for child in range(bounds[first], bounds[first + 1]))
        yield known, rows[group]


def _as_root(reads: Reads) -> Reads:
    return Reads(
        root=reads.own | reads.root,
        root_name=reads.own_name or reads.root_name,
        root_id=reads.own_id or reads.root_id,
        related=reads.related,
        place=reads.place,
    )


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near a child comes that has such answers; ``shown`` are the conditions whose values the reason shows.

    ``distance`` is None for one that is of another kind: of these no reason speaks.
    """

    distance: int | None
    shown: tuple[Question, ...]


class Teller:
    """For one policy on clusters of one type."""

    def __init__(self, policy: BoundPolicy, plan: Outline, world: World) -> None:
        self._policy, self._plan, self._world = policy, plan, world
        tree = plan.children if plan.way is Way.BY_CHILDREN else plan.told
        every = questions(tree) if tree is not None else []
        self._questions = list({question.key: question for question in every}.values())
        self._by_condition = {id(question.condition): question for question in every}
        self._matches: dict[bytes, tuple[Question, ...]] = {}
        self._near: dict[bytes, Nearness | None] = {}
        reads = reduce(or_, (question.reads for question in every), NOTHING)
        self._above = replace(reads, own=frozenset(), own_name=False, own_id=False)

    def groups(self, part: Part, rows: Rows) -> Groups:
        """``rows`` are findings that hold no secrets, judged by columns alone."""
        if not rows.size:
            return iter(())
        return self._of_children(part, rows) if self._plan.way is Way.BY_CHILDREN else self._of_rule(part, rows)

    def _of_rule(self, part: Part, rows: Rows) -> Groups:
        for pattern, at in self._patterns(part.clusters, rows):
            group = rows[at]
            if ERROR in pattern:
                yield from grouped(self._plan, part, group)
                continue
            shown = self._shown(pattern, part, int(group[0]))
            columns = [column for one in shown for column in leaf(one, part.clusters).columns]
            yield from _by_values(pattern, columns, group, group)

    def _of_children(self, part: Part, rows: Rows) -> Groups:
        """The nearest child of each cluster is spoken of, or none."""
        children = part.tested(self._plan.child or "")
        at = self._candidates(part, rows)
        owners = children.owners[at]
        odd, any_odd = np.zeros(len(part.at), dtype=bool), False
        kind, distance = np.full(len(at), -1, dtype=np.int64), np.zeros(len(at), dtype=np.int64)
        kinds: list[tuple[bytes, Nearness]] = []
        for pattern, inside in self._patterns(children, at):
            one = None if ERROR in pattern else self._nearness(pattern, children, int(at[inside[0]]))
            if one is None:
                odd[owners[inside]] = any_odd = True
            elif one.distance is not None:
                kind[inside], distance[inside] = len(kinds), one.distance
                kinds.append((pattern, one))
        if any_odd:
            yield from grouped(self._plan, part, rows[odd[rows]])
            kind[odd[owners]] = -1
        nearest = _nearest(children, at, np.flatnonzero(kind >= 0), distance)
        spoken_of = odd
        spoken_of[owners[nearest]] = True
        silent = rows[~spoken_of[rows]]
        if silent.size:
            yield from _by_values(_NONE, part.clusters.columns(self._above), silent, silent)
        kind = kind.take(nearest)
        for number, (pattern, one) in enumerate(kinds):
            chosen = nearest.take(np.flatnonzero(kind == number))
            if chosen.size:
                yield from self._by_names(pattern, one, children, at.take(chosen))

    def _candidates(self, part: Part, rows: Rows) -> Rows:
        """The children of these clusters that may be spoken of."""
        if not self._questions:
            return rows[:0]
        at, looked_at = part.children(self._plan.child or "").of(rows)[0], part.candidates(self._plan)
        return at if looked_at is None else at[looked_at[at]]

    def _by_names(self, pattern: bytes, near: Nearness, children: Tested, at: Rows) -> Groups:
        columns = [column for question in near.shown for column in leaf(question, children).columns]
        names = children.table.names_of(at)
        for inside in alike(names.codes):
            name = names.values[names.codes[inside[0]]]
            yield from _by_values((pattern, name), columns, at[inside], children.owners[at[inside]])

    def _patterns(self, tested: Tested, rows: Rows) -> Iterator[tuple[bytes, Rows]]:
        """The answers to all questions, and where in ``rows`` they are given."""
        if not rows.size:
            return

        def alive() -> Mask:
            mask = np.zeros(len(tested.table), dtype=bool)
            mask[rows] = True
            return mask

        found = [leaf(question, tested).answers(alive).take(rows) for question in self._questions]
        for at in alike(_packed(found, len(rows))):
            yield bytes(int(answers[at[0]]) for answers in found), at

    def _shown(self, pattern: bytes, part: Part, row: int) -> tuple[Question, ...]:
        """What the reason shows of a cluster with such answers, told from one of them."""
        logic = what_is_told(self._policy.effect) if self._policy.effect is not None else None
        if logic is not None and pattern not in self._matches:
            resource, cluster = part.clusters.whole(row)
            try:
                why = trace(logic, Subject.of(resource, context_for(self._policy, cluster, self._world)))
                self._matches[pattern] = self._questions_of(words.shown_in_match(why))
            except PolicyEngineError:
                self._matches[pattern] = tuple(self._questions)
        return self._matches[pattern] if logic is not None else ()

    def _nearness(self, pattern: bytes, children: Tested, row: int) -> Nearness | None:
        """The same of a child; None when that cannot be told."""
        if pattern not in self._near:
            details = self._policy.effect.details if self._policy.effect is not None else None
            assert details is not None
            assert details.existence_condition is not None
            child, cluster = children.whole(row)
            subject = Subject(child, cluster.resource, context_for(self._policy, cluster, self._world))
            try:
                self._near[pattern] = self._near_as(Candidate(child, trace(details.existence_condition, subject)))
            except PolicyEngineError:
                self._near[pattern] = None
        return self._near[pattern]

    def _near_as(self, found: Candidate) -> Nearness:
        if found.is_other:
            return Nearness(None, ())
        first = next(clause for clause in found.clauses if not clause.result)
        return Nearness(found.total - found.met, self._questions_of([words.shown_in_unmet(first)]))

    def _questions_of(self, shown: Iterable[Trace]) -> tuple[Question, ...]:
        return tuple(self._by_condition[id(one.node)] for one in shown if one.is_leaf)


def _packed(found: Sequence[Answers], size: int) -> Codes:
    """Equal for rows with equal answers."""
    codes = np.zeros(size, dtype=np.int64)
    for number, answers in enumerate(found):
        if number and number % _WIDE == 0:
            codes = np.unique(codes, return_inverse=True)[1]
        codes = (codes << _BITS) | answers
    return codes


def _by_values(key: Hashable, columns: Sequence[Column], at: Rows, rows: Rows) -> Groups:
    """``rows`` by what is in ``columns`` at the places ``at``, one for each row."""
    codes, _ = combined([column.of_rows(at) for column in columns], len(at))
    for inside in alike(codes):
        yield (key, key_of(columns, int(at[inside[0]]))), rows[inside]


def _nearest(children: Tested, at: Rows, among: Rows, distance: Codes) -> Rows:
    """Of each cluster the place in ``at`` of its nearest child, of several the first by its id.

    ``at`` stands in the order of clusters, and ``among`` in its order.
    """
    if not among.size:
        return among
    owners, distance = children.owners[at[among]], distance[among]
    begins = np.flatnonzero(_differs(owners))
    least = np.repeat(np.minimum.reduceat(distance, begins), _lengths(begins, len(among)))
    near = np.flatnonzero(distance == least)
    tied = among.take(near)
    begins = np.flatnonzero(_differs(owners.take(near)))
    found: Rows = tied.take(begins)
    several = _lengths(begins, len(tied))
    for number in np.flatnonzero(several > 1).tolist():
        begin = int(begins[number])
        found[number] = _first_by_id(children, at, tied[begin : begin + int(several[number])])
    return found


def _differs(owners: Rows) -> Mask:
    """Where another one begins."""
    found = np.ones(len(owners), dtype=bool)
    np.not_equal(owners[1:], owners[:-1], out=found[1:])
    return found


def _lengths(begins: Rows, end: int) -> Rows:
    """How many there are from each beginning to the next."""
    found = np.empty_like(begins)
    np.subtract(begins[1:], begins[:-1], out=found[:-1])
    found[-1:] = end - begins[-1:]
    return found


def _first_by_id(children: Tested, at: Rows, places: Rows) -> int:
    keys = [children.table.key(row) for row in at.take(places).tolist()]
    return int(places[keys.index(min(keys))])
