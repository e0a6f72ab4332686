"""Tables through operators: each takes a table and gives another. Source: Kusto Query Language reference."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import pairwise

from policyengine.emulator.resource_graph.aggregates import aggregate
from policyengine.emulator.resource_graph.errors import QueryError
from policyengine.emulator.resource_graph.expressions import Compiled, Scope, compiled, name_of
from policyengine.emulator.resource_graph.joins import join
from policyengine.emulator.resource_graph.lazy_rows import ProjectedRow, is_lazy, with_values
from policyengine.emulator.resource_graph.scalars import SCALARS
from policyengine.emulator.resource_graph.syntax import (
    Capture,
    Count,
    Distinct,
    Extend,
    Join,
    MvExpand,
    Named,
    Operator,
    Order,
    OrderBy,
    Parse,
    Project,
    ProjectAway,
    Query,
    Row,
    Summarize,
    Take,
    Top,
    Where,
)
from policyengine.emulator.resource_graph.table import Table
from policyengine.emulator.resource_graph.values import as_json, as_text, sort_key
from policyengine.model.values import JSON, canonical_json

_MV_EXPAND_LIMIT = 400
"""Rows that one row becomes at most, unless the query says fewer. Source: Resource Graph, "Supported KQL"."""
_CAPTURED = {"string": "tostring", "int": "toint", "long": "tolong", "real": "toreal", "bool": "tobool"}


Tables = Callable[[str], Table]
"""The table of that name, as the caller may see it. Raises QueryError."""


def evaluate(query: Query, tables: Tables, at: datetime) -> Table:
    """Raises QueryError."""
    table = tables(query.table)
    for operator in query.operators:
        table = _apply(operator, table, tables, at)
    return table


def _apply(operator: Operator, table: Table, tables: Tables, at: datetime) -> Table:
    scope = Scope(table.columns, at)
    match operator:
        case Where(condition):
            holds = compiled(condition, scope)
            return Table(table.columns, [row for row in table.rows if holds(row) is True])
        case Project(columns):
            return _project(_named(columns, scope), table)
        case ProjectAway(names):
            kept = tuple(c for c in table.columns if not any(fnmatchcase(c.casefold(), n.casefold()) for n in names))
            return Table(kept, table.rows)
        case Extend(columns):
            return _extend(_named(columns, scope), table)
        case OrderBy(keys):
            return Table(table.columns, _sorted(table.rows, keys, scope))
        case Take(count):
            return Table(table.columns, table.rows[:count])
        case Top(count, key):
            return Table(table.columns, _sorted(table.rows, (key,), scope)[:count])
        case Count():
            return Table(("Count",), [{"Count": len(table.rows)}])
        case Distinct(columns):
            return _distinct(_project(_named(columns, scope), table))
        case Summarize(aggregates, by):
            return _summarize(aggregates, by, table, scope)
        case Join(kind, right, on):
            return join(kind, table, evaluate(right, tables, at), on, scope)
        case MvExpand(columns, limit):
            return _mv_expand(_named(columns, scope), limit or _MV_EXPAND_LIMIT, table)
        case Parse(value, pattern):
            return _parse(compiled(value, scope), pattern, table)


def _named(columns: Sequence[Named], scope: Scope) -> dict[str, Compiled]:
    """Columns by the name they get. Raises QueryError when two get the same."""
    found: dict[str, Compiled] = {}
    for at, named in enumerate(columns, start=1):
        name = named.name or name_of(named.expression) or f"Column{at}"
        if name in found:
            raise QueryError(f"A column named '{name}' already exists.")
        found[name] = compiled(named.expression, scope)
    return found


def _project(columns: Mapping[str, Compiled], table: Table) -> Table:
    rows: list[Row] = [
        ProjectedRow(columns, row) if is_lazy(row) else {name: value(row) for name, value in columns.items()}
        for row in table.rows
    ]
    return Table(tuple(columns), rows)


def _extend(columns: Mapping[str, Compiled], table: Table) -> Table:
    kept = tuple(name for name in table.columns if name not in columns)
    rows: list[Row] = [
        ProjectedRow(columns, row, through=True)
        if is_lazy(row)
        else {**row, **{name: value(row) for name, value in columns.items()}}
        for row in table.rows
    ]
    return Table((*kept, *columns), rows)


def _sorted(rows: Sequence[Row], keys: Sequence[Order], scope: Scope) -> list[Row]:
    """Stable; nulls first when ascending and last when descending, unless the query says otherwise."""
    if _are_in_order(rows, keys, scope):
        return list(rows)
    found = list(rows)
    for key in reversed(keys):
        value = compiled(key.by, scope)
        found.sort(key=lambda row, value=value: sort_key(value(row)), reverse=key.descending)  # type: ignore[misc]
        if key.nulls_first is not None:
            nulls_rank = 0 if key.nulls_first else 1
            found.sort(key=lambda row, value=value, rank=nulls_rank: (value(row) is None) != (rank == 0))  # type: ignore[misc]
    return found


def _are_in_order(rows: Sequence[Row], keys: Sequence[Order], scope: Scope) -> bool:
    """Tables come in the order of ids, and are mostly asked for in that order: then nothing needs to be held to sort.

    False also where nobody looked.
    """
    if len(keys) != 1 or keys[0].descending or keys[0].nulls_first is not None:
        return False
    value = compiled(keys[0].by, scope)
    return all(before <= after for before, after in pairwise(sort_key(value(row)) for row in rows))


def _distinct(table: Table) -> Table:
    found = {_group_key(row.get(column) for column in table.columns): row for row in table.rows}
    return Table(table.columns, list(found.values()))


def _group_key(values: Iterable[JSON]) -> Hashable:
    """Equal for rows that are the same in these values."""
    return tuple(value if isinstance(value, str) else (canonical_json(as_json(value)),) for value in values)


def _summarize(aggregates: Sequence[Named], by: Sequence[Named], table: Table, scope: Scope) -> Table:
    keys = _named(by, scope)
    filled = dict(aggregate(named, scope) for named in aggregates)
    groups: dict[Hashable, tuple[dict[str, JSON], list[Row]]] = {}
    for row in table.rows:
        key = {name: value(row) for name, value in keys.items()}
        groups.setdefault(_group_key(key.values()), (key, []))[1].append(row)
    if not keys and not groups:
        groups[()] = ({}, [])
    rows = [{**key, **{name: fill(rows) for name, fill in filled.items()}} for key, rows in groups.values()]
    return Table((*keys, *filled), rows)


def _mv_expand(columns: Mapping[str, Compiled], limit: int, table: Table) -> Table:
    """One row per element; an object is one property after another, and what is neither stays as it is."""
    rows: list[Row] = []
    for row in table.rows:
        parts = {name: _elements(value(row)) for name, value in columns.items()}
        length = min(limit, max(len(elements) for elements in parts.values()))
        for at in range(length):
            taken = {name: elements[at] if at < len(elements) else None for name, elements in parts.items()}
            rows.append(with_values(row, taken))
    return Table((*(c for c in table.columns if c not in columns), *columns), rows)


def _elements(value: JSON) -> list[JSON]:
    if isinstance(value, list):
        return value or [None]
    if isinstance(value, Mapping):
        return [{name: member} for name, member in value.items()] or [None]
    return [value]


def _parse(value: Compiled, pattern: Sequence[str | Capture], table: Table) -> Table:
    captures = [piece for piece in pattern if isinstance(piece, Capture) and piece.name is not None]
    for capture in captures:
        if capture.type not in _CAPTURED:
            raise QueryError(f"parse cannot read the type '{capture.type}': it knows {', '.join(_CAPTURED)}.")
    names = [str(capture.name) for capture in captures]
    regex = re.compile(_parse_regex(pattern), re.DOTALL)
    rows: list[Row] = []
    for row in table.rows:
        match = regex.fullmatch(as_text(value(row)))
        found = match.groups() if match is not None else ("",) * len(names)
        read = {
            name: SCALARS[_CAPTURED[capture.type]].call(text)
            for name, capture, text in zip(names, captures, found, strict=True)
        }
        rows.append(with_values(row, read))
    return Table((*(c for c in table.columns if c not in names), *names), rows)


def _parse_regex(pattern: Sequence[str | Capture]) -> str:
    """Each column takes as little as it can; the last one, or a `*` there, the rest."""
    parts = []
    for piece in pattern:
        if isinstance(piece, str):
            parts.append(re.escape(piece))
        else:
            parts.append("(.*?)" if piece.name is not None else ".*?")
    return "".join(parts)
