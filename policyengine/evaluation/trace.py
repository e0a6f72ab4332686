"""Why a condition is true or false: one node per node of the syntax, with what was read and what was wanted."""

from __future__ import annotations

from dataclasses import dataclass, field

from policyengine.language.syntax import Logic
from policyengine.model.diagnostic import Span
from policyengine.model.values import JSON, UNDEFINED, Nothing


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One evaluated node.

    ``kind`` is ``allOf``, ``anyOf``, ``not``, ``field``, ``value``, ``count`` or ``jmespath``. For a field whose path
    holds ``[*]``, ``actual`` is the list of selected values and ``each`` is true; UNDEFINED when there is no array.
    ``error`` says why a node could not be evaluated where its answer did not matter. Secrets are masked.
    """

    node: Logic = field(repr=False)
    kind: str
    label: str
    operator: str | None
    result: bool
    actual: JSON | Nothing = UNDEFINED
    expected: JSON | Nothing = UNDEFINED
    span: Span | None = None
    children: tuple[Trace, ...] = ()
    each: bool = False
    error: str | None = None

    @property
    def is_leaf(self) -> bool:
        return self.operator is not None

    @property
    def clauses(self) -> tuple[Trace, ...]:
        """What must hold for this node to hold: nested allOf taken apart, anything else whole."""
        if self.kind == "allOf":
            return tuple(clause for child in self.children for clause in child.clauses)
        return (self,)
