"""Which clauses of a policy its tests have seen true, and which false.

A clause is a leaf condition of the `if` or of the existence condition, those inside a `count` included. All of them are
looked at on every cluster, also where the answer was clear before: a test is about the clause, not about the order.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from policyengine.compliance.explain import Explanation
from policyengine.compliance.judge import context_for
from policyengine.effects.base import World
from policyengine.effects.words import value
from policyengine.errors import ExpressionError
from policyengine.evaluation import Subject, Trace, short_name, trace
from policyengine.evaluation.scalar import counted_subjects
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import Condition, Count, Field, Operand, Value
from policyengine.language.walk import conditions_of
from policyengine.model.diagnostic import Span
from policyengine.model.values import JSON

MAX_TEXT = 100


@dataclass(slots=True)
class Clause:
    """One leaf condition, and what it was seen to be."""

    policy: str
    text: str
    place: Span | None
    true: bool = False
    false: bool = False

    @property
    def is_covered(self) -> bool:
        return self.true and self.false

    @property
    def missing(self) -> str:
        """``never true``, ``never false``, ``never evaluated``; empty when nothing is missing."""
        if not self.true and not self.false:
            return "never evaluated"
        return "" if self.is_covered else f"never {'false' if self.true else 'true'}"


class Coverage:
    """The clauses of the policies that are tested, filled in while the cases run."""

    def __init__(self) -> None:
        self._clauses: dict[Hashable, Clause] = {}
        self._kept: list[PolicyDefinition] = []  # keys may be ids of conditions: they must not be used again

    def expect(self, definition: PolicyDefinition) -> None:
        """Count the clauses of ``definition`` in; a second time changes nothing."""
        if definition not in self._kept:
            self._kept.append(definition)
            for condition in conditions_of(definition):
                self._clauses[_place(condition)] = Clause(definition.name, describe(condition), condition.span)

    def observe(self, explanation: Explanation, world: World) -> None:
        for condition, result in _observed(explanation, world):
            clause = self._clauses.get(_place(condition))
            if clause is not None:
                clause.true |= result
                clause.false |= not result

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """In the order of the policies and, in each, as written."""
        return tuple(self._clauses.values())

    @property
    def covered(self) -> int:
        return sum(clause.is_covered for clause in self.clauses)

    @property
    def percent(self) -> float:
        """100 when there is nothing to cover."""
        return 100.0 * self.covered / len(self.clauses) if self.clauses else 100.0


def _place(condition: Condition) -> Hashable:
    """Where it is written: a bound policy holds copies of its definition's conditions."""
    return condition.span or id(condition)


def _observed(explanation: Explanation, world: World) -> Iterator[tuple[Condition, bool]]:
    cluster = explanation.cluster
    context = context_for(explanation.policy, cluster, world)
    if explanation.condition is not None:
        yield from _leaves([explanation.condition], Subject.of(cluster.resource, context))
    for candidate in explanation.candidates:
        if candidate.trace is not None:
            yield from _leaves([candidate.trace], Subject(candidate.resource, cluster.resource, context))


def _leaves(traces: Iterable[Trace], subject: Subject) -> Iterator[tuple[Condition, bool]]:
    for node in traces:
        yield from _leaves(node.children, subject)
        if isinstance(node.node, Condition) and node.error is None:
            yield node.node, node.result
            yield from _counted(node.node.operand, subject)


def _counted(operand: Operand, subject: Subject) -> Iterator[tuple[Condition, bool]]:
    """What the `where` of a count said of each member."""
    if not isinstance(operand, Count) or operand.where is None:
        return
    for inner in counted_subjects(operand, subject) or ():
        try:
            found = trace(operand.where, inner)
        except ExpressionError:
            continue
        yield from _leaves([found], inner)


def describe(condition: Condition) -> str:
    """``releaseTrain equals [parameters('releaseTrain')]``, on one line."""
    expected = condition.expected.source
    wanted = expected if isinstance(expected, str) and condition.expected.functions else value(expected)
    text = f"{_left(condition.operand)} {condition.operator} {' '.join(wanted.split())}"
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _left(operand: Operand) -> str:
    if isinstance(operand, Field):
        return short_name(_plain(operand.name.source))
    if isinstance(operand, Value):
        return _plain(operand.value.source)
    if isinstance(operand, Count):
        over = operand.over
        return (
            f"count({short_name(_plain(over.name.source)) if isinstance(over, Field) else _plain(over.value.source)})"
        )
    text = " ".join(operand.expression.text.split())
    return text if len(text) <= MAX_TEXT // 2 else text[: MAX_TEXT // 2 - 1] + "…"


def _plain(source: JSON) -> str:
    return source if isinstance(source, str) else value(source)
