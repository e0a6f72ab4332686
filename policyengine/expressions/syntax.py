"""The syntax tree of a template expression, as `parser.py` builds it and `evaluate.py` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from policyengine.model.values import JSON


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number or one of the words true, false, null. ``offset``: characters from the start of the text."""

    value: JSON
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """``name(arguments…)``; the name is kept as written and looked up without case."""

    name: str
    arguments: tuple[Expression, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Access:
    """``target.name`` or ``target[key]``; a dotted name is a Literal key."""

    target: Expression
    key: Expression
    offset: int


Expression: TypeAlias = Literal | Call | Access
