"""The tree of a query: a table, then operators, each with its expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from policyengine.model.values import JSON


@dataclass(frozen=True, slots=True)
class Literal:
    value: JSON


@dataclass(frozen=True, slots=True)
class Column:
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`properties.extensionType`, `tags['ring']`, `names[0]`."""

    of: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """``operator`` is folded: `and`, `==`, `has`, `!contains`, `+` …"""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Among:
    """`in`, `in~`, `!in`, `!in~`, `has_any`."""

    operator: str
    value: Expression
    choices: tuple[Expression, ...]


Expression: TypeAlias = Literal | Column | Member | Call | Binary | Among


@dataclass(frozen=True, slots=True)
class Named:
    """An expression with the name its column gets; None: a name made from the expression."""

    name: str | None
    expression: Expression


@dataclass(frozen=True, slots=True)
class Where:
    condition: Expression


@dataclass(frozen=True, slots=True)
class Project:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class ProjectAway:
    """Names may hold `*`."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Extend:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """``nulls_first`` None: first when ascending, last when descending."""

    by: Expression
    descending: bool
    nulls_first: bool | None


@dataclass(frozen=True, slots=True)
class OrderBy:
    keys: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Take:
    count: int


@dataclass(frozen=True, slots=True)
class Top:
    count: int
    key: Order


@dataclass(frozen=True, slots=True)
class Count:
    pass


@dataclass(frozen=True, slots=True)
class Distinct:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Summarize:
    aggregates: tuple[Named, ...]
    by: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """``on`` pairs a column of the left side with one of the right."""

    kind: str
    right: Query
    on: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MvExpand:
    columns: tuple[Named, ...]
    limit: int | None


@dataclass(frozen=True, slots=True)
class Parse:
    """``pattern``: texts that must be there, and between them the columns to fill, None for `*`."""

    value: Expression
    pattern: tuple[str | Capture, ...]


@dataclass(frozen=True, slots=True)
class Capture:
    """``name`` None is `*`: anything, not kept."""

    name: str | None
    type: str = "string"


Operator: TypeAlias = (
    Where
    | Project
    | ProjectAway
    | Extend
    | OrderBy
    | Take
    | Top
    | Count
    | Distinct
    | Summarize
    | Join
    | MvExpand
    | Parse
)


@dataclass(frozen=True, slots=True)
class Query:
    table: str
    operators: tuple[Operator, ...]


Row: TypeAlias = Mapping[str, JSON]
