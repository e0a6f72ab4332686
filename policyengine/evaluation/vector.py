"""The vector driver: one condition tree, many resources of one type, one answer for each.

It knows no operator and no function. Every condition is asked of the scalar driver once for each distinct
combination of the values it reads, on a document made of just those; the rest is and, or, not over arrays. A condition
that cannot be read that way is asked of the scalar driver row by row. Answers are the same either way, errors included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from policyengine.errors import PolicyEngineError
from policyengine.evaluation.columns import Codes, Column, Rows, combined, examples, key_of
from policyengine.evaluation.projection import MEMORY
from policyengine.evaluation.questions import ERROR, FALSE, TRUE, Group, Negation, Question, Tree, questions
from policyengine.evaluation.reads import Path, Reads
from policyengine.evaluation.scalar import evaluate, single_test
from policyengine.evaluation.subject import Subject
from policyengine.evaluation.tables import Children, Table, heads
from policyengine.expressions.limits import MAX_STEPS, Effort
from policyengine.model.cluster_text import EXTENSIONS_KEY, FLUX_KEY
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.values import JSON, UNDEFINED, Nothing

_UNASKED: Final = 3

STEPS_A_QUESTION: Final = 256
MAX_QUESTIONS: Final = MAX_STEPS // STEPS_A_QUESTION
"""So many questions of so many steps stay within the budget of an evaluation; what takes more is asked row by row."""

SHORT: Final = 64
"""A text of that length is looked at in one step."""

LITTLE: Final = 256
"""So many different values are asked about whether they matter or not; else a quarter of the rows."""

Answers: TypeAlias = npt.NDArray[np.uint8]
"""FALSE, TRUE or ERROR for each row that is alive; anything for the others."""

Mask: TypeAlias = npt.NDArray[np.bool_]
Alive: TypeAlias = Callable[[], Mask]
"""Tells for each row whether its answer matters, to those for whom answers are dear."""


@dataclass(frozen=True)
class Tested:
    """What conditions are tested on: the rows of a table, and for each the row of the cluster it belongs to.

    For clusters themselves ``owner`` is None and ``roots`` is the table itself. ``children`` gives those of the
    clusters by kind. ``whole`` gives a row's document and its cluster in full, for what cannot be read from columns.
    """

    table: Table
    roots: Table
    children: Callable[[str], Children]
    whole: Callable[[int], tuple[Resource, Cluster]]
    owner: Rows | None = None
    _leaves: dict[str, Leaf] = field(default_factory=dict)
    _known: dict[str, Answers] = field(default_factory=dict)

    @property
    def rows(self) -> Rows:
        return np.arange(len(self.table))

    @property
    def owners(self) -> Rows:
        return self.rows if self.owner is None else self.owner

    def root_row(self, row: int) -> int:
        return row if self.owner is None else int(self.owner[row])

    def columns(self, reads: Reads) -> list[Column]:
        """One column for each thing read, as each row sees it."""
        own, roots = self.table, self.roots
        found = own.read(reads.own)
        found += [own.id_column] if reads.own_id else [own.name_column] if reads.own_name else []
        above = roots.read(reads.root)
        above += [roots.id_column] if reads.root_id else [roots.name_column] if reads.root_name else []
        above += [roots.place_column] if reads.place and not reads.root_id else []
        above += [self.children(key).lists(paths) for key, paths in by_key(reads).items()]
        if self.owner is None:
            return found + above
        return found + [column.of_rows(self.owner) for column in above]

    def cluster(self, reads: Reads, root: Resource, row: int) -> Cluster:
        """The cluster of a row with what is read of its children."""
        lists = {key: self._excerpts(key, paths, row) for key, paths in by_key(reads).items()}
        return Cluster(root, lists.get(EXTENSIONS_KEY, ()), lists.get(FLUX_KEY, ()))

    def _excerpts(self, key: str, paths: frozenset[Path], row: int) -> tuple[Resource, ...]:
        children, at = self.children(key), self.root_row(row)
        rows = range(int(children.begins[at]), int(children.begins[at + 1]))
        return tuple(_excerpt(children.table, paths, child) for child in rows)


def by_key(reads: Reads) -> dict[str, frozenset[Path]]:
    """The paths read of the children of the cluster, by their key."""
    keys = sorted({key for key, _ in reads.related})
    return {key: frozenset(path for other, path in reads.related if other == key) for key in keys}


def answers(tree: Tree, tested: Tested, alive: Alive) -> Answers:
    """The answer of each row that is alive, as `scalar.evaluate` gives it; ERROR where that raises."""
    if isinstance(tree, Question):
        return leaf(tree, tested).answers(alive)
    found = tested._known.get(tree.key)
    if found is None:
        found = _of_tree(tree, tested, alive)
        if is_complete(tree, tested):
            tested._known[tree.key] = found
    return found


def is_complete(tree: Tree, tested: Tested) -> bool:
    """Whether all has been asked, so that every row has its answer, alive or not."""
    return all(leaf(question, tested).left == 0 for question in questions(tree))


def _of_tree(tree: Group | Negation, tested: Tested, alive: Alive) -> Answers:
    if isinstance(tree, Negation):
        found = answers(tree.member, tested, alive)
        return found ^ (found < ERROR)
    open_ = 1 - tree.decisive
    result: Answers | None = None
    for member in _in_order(tree, tested):
        if result is None:
            result = answers(member, tested, alive)
        elif (result == open_).any():
            result = _then(result, tree.decisive, answers(member, tested, _undecided(alive, result, open_)))
    return np.full(len(tested.table), open_, dtype=np.uint8) if result is None else result


def _then(first: Answers, decisive: int, second: Answers) -> Answers:
    """``first`` where it settles a group, or is an ERROR; else ``second``. In bits: choosing takes ten times that."""
    if decisive == TRUE:
        result: Answers = first | second * (first == FALSE)
    else:
        result = (first & np.uint8(ERROR)) | second * (first & np.uint8(TRUE))
    return result


def _undecided(alive: Alive, result: Answers, open_: int) -> Alive:
    return lambda: alive() & (result == open_)


def _in_order(group: Group, tested: Tested) -> Sequence[Tree]:
    """The cheap ones first, where no error can come to light or stay hidden by that."""
    if group.is_safe:
        return sorted(group.members, key=lambda member: leaf(member, tested).left)  # type: ignore[arg-type]
    return group.members


class Leaf:
    """The answers of one question on one table, found when they are asked for.

    What takes little to ask is asked of every value at once; all else only for rows that are alive.
    """

    def __init__(self, question: Question, tested: Tested) -> None:
        self._question, self._tested = question, tested
        reads, size = question.reads, len(tested.table)
        self.columns = tested.columns(reads) if reads.opaque is None else []
        self._codes, count = combined(self.columns, size) if reads.opaque is None else (tested.rows, size)
        self._single = single_test(question.condition) if len(self.columns) == 1 else None
        self._known = np.full(count, _UNASKED, dtype=np.uint8)
        if self._single is not None and count <= max(LITTLE, size // 4):
            self._known = np.frombuffer(bytearray(self._ask_all(np.arange(count))), dtype=np.uint8)
        self._take_note()

    def _take_note(self) -> None:
        self.left = int(np.count_nonzero(self._known == _UNASKED))
        self._answers: Answers = self._known[self._codes]

    @cached_property
    def _example(self) -> Rows:
        return examples(self._codes, len(self._known))

    def answers(self, alive: Alive) -> Answers:
        if self.left:
            asked = np.zeros(len(self._known), dtype=bool)
            asked[self._codes[alive()]] = True
            asked &= self._known == _UNASKED
            codes = np.flatnonzero(asked)
            if codes.size:
                self._known[codes] = np.frombuffer(bytearray(self._ask_all(codes)), dtype=np.uint8)
                self._take_note()
        return self._answers

    def _ask_all(self, codes: Codes) -> list[int]:
        if self._single is None:
            return [self._ask(row) for row in self._example[codes].tolist()]
        (column,) = self.columns
        read = [column.values[code] for code in codes.tolist()]
        test, values = self._single, [None if value is UNDEFINED else value for value in read]
        if _are_short(values):
            return list(map(test, values))
        found = zip(values, self._example[codes].tolist(), strict=True)
        return [int(test(value)) if _is_short(value) else self._ask(row) for value, row in found]

    def _ask(self, row: int) -> int:
        if self._question.reads.opaque is not None:
            return self._answer(row)
        known, key = self._question.known, key_of(self.columns, row)
        found = known.get(key)
        if found is None:
            if len(known) >= MEMORY:
                known.clear()
            found = known[key] = self._answer(row)
        return found

    def _answer(self, row: int) -> int:
        """ERROR also for an answer that takes much work: whether it is too much depends on all that is asked there."""
        effort = Effort()
        try:
            found = int(evaluate(self._question.condition, self._subject(row, effort)))
        except PolicyEngineError:
            return ERROR
        return found if MAX_STEPS - effort.left <= STEPS_A_QUESTION else ERROR

    def _subject(self, row: int, effort: Effort) -> Subject:
        tested, reads, context = self._tested, self._question.reads, replace(self._question.context, effort=effort)
        if reads.opaque is not None:
            own, cluster = tested.whole(row)
            return Subject(own, cluster.resource, replace(context, cluster=cluster))
        if tested.owner is None:
            own = root = _excerpt(tested.table, reads.own | reads.root, row)
        else:
            own = _excerpt(tested.table, reads.own, row)
            root = _excerpt(tested.roots, reads.root, tested.root_row(row))
        if reads.related:
            context = replace(context, cluster=tested.cluster(reads, root, row))
        return Subject(own, root, context)


def _excerpt(table: Table, paths: Iterable[Path], row: int) -> Resource:
    """The resource of a row with a document that holds what is at ``paths`` and nothing else."""
    document: dict[str, JSON] = {}
    for path in heads(paths):
        column = table.column(path)
        value = column.values[column.codes[row]]
        if value is not UNDEFINED:
            inner = document
            for step in path[:-1]:
                inner = inner.setdefault(str(step), {})
            inner[str(path[-1])] = value
    return Resource(ResourceId(table.ids[row]), document)


def _are_short(values: Sequence[JSON | Nothing]) -> bool:
    if set(map(type, values)) == {str}:
        return max(map(len, values)) <= SHORT  # type: ignore[arg-type]
    return all(map(_is_short, values))


def _is_short(value: JSON | Nothing) -> bool:
    if value.__class__ is str:
        return len(value) <= SHORT
    return value is None or isinstance(value, bool | int | float)


def leaf(question: Question, tested: Tested) -> Leaf:
    found = tested._leaves.get(question.key)
    if found is None:
        found = tested._leaves[question.key] = Leaf(question, tested)
    return found
