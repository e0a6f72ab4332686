"""The functions of `summarize`: each takes the values of one group. Source: Kusto Query Language reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from policyengine.emulator.resource_graph.errors import QueryError
from policyengine.emulator.resource_graph.expressions import Scope, compiled, name_of
from policyengine.emulator.resource_graph.syntax import Call, Expression, Named, Row
from policyengine.emulator.resource_graph.values import as_json, sort_key
from policyengine.model.values import JSON, canonical_json


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``argument`` False: it counts rows and takes none."""

    of: Callable[[list[JSON]], JSON]
    argument: bool = True


def _present(values: list[JSON]) -> list[JSON]:
    return [value for value in values if value is not None]


def _distinct(values: list[JSON]) -> list[JSON]:
    return list({canonical_json(as_json(value)): value for value in _present(values)}.values())


def _numbers(values: list[JSON]) -> list[float]:
    return [value for value in values if isinstance(value, int | float)]


AGGREGATES: Final[Mapping[str, Aggregate]] = {
    "count": Aggregate(len, argument=False),
    "countif": Aggregate(lambda values: sum(value is True for value in values)),
    "dcount": Aggregate(lambda values: len(_distinct(values))),
    "sum": Aggregate(lambda values: sum(_numbers(values))),
    "avg": Aggregate(lambda values: sum(_numbers(values)) / len(_numbers(values)) if _numbers(values) else None),
    "min": Aggregate(lambda values: min(_present(values), key=sort_key, default=None)),
    "max": Aggregate(lambda values: max(_present(values), key=sort_key, default=None)),
    "make_list": Aggregate(_present),
    "make_set": Aggregate(_distinct),
    "any": Aggregate(lambda values: next(iter(_present(values)), None)),
    "take_any": Aggregate(lambda values: next(iter(_present(values)), None)),
}


def aggregate(named: Named, scope: Scope) -> tuple[str, Callable[[list[Row]], JSON]]:
    """The column's name and what fills it, from the rows of a group. Raises QueryError."""
    call = named.expression
    if not isinstance(call, Call) or call.name not in AGGREGATES:
        known = ", ".join(sorted(AGGREGATES))
        raise QueryError(f"summarize takes the aggregates {known}, and nothing else in this emulator.")
    found = AGGREGATES[call.name]
    if len(call.arguments) != int(found.argument):
        raise QueryError(f"{call.name}(): function expects {int(found.argument)} argument(s).")
    read = compiled(call.arguments[0], scope) if found.argument else _nothing
    return named.name or _default_name(call.name, call.arguments), lambda rows: found.of([read(row) for row in rows])


def _default_name(function: str, arguments: tuple[Expression, ...]) -> str:
    return f"{function}_{(name_of(arguments[0]) if arguments else None) or ''}"


def _nothing(_: Row) -> JSON:
    return None
