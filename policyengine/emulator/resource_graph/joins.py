"""`join`: rows of two tables that agree in some columns. Source: Kusto Query Language reference."""

from __future__ import annotations

from collections.abc import Sequence

from policyengine.emulator.resource_graph.expressions import Scope
from policyengine.emulator.resource_graph.lazy_rows import with_values
from policyengine.emulator.resource_graph.syntax import Row
from policyengine.emulator.resource_graph.table import Table
from policyengine.emulator.resource_graph.values import as_json
from policyengine.model.values import canonical_json


def join(kind: str, left: Table, right: Table, on: Sequence[tuple[str, str]], scope: Scope) -> Table:
    """Columns of the right side that the left has too get a `1` behind their name."""
    pairs = [(scope.column(a), scope.with_columns(right.columns).column(b)) for a, b in on]
    renamed = {name: _free(name, left.columns) for name in right.columns}
    matches: dict[str, list[Row]] = {}
    for row in right.rows:
        matches.setdefault(_join_key(row, [b for _, b in pairs]), []).append(row)
    rows: list[Row] = []
    for row in _one_of_each(left.rows, pairs) if kind == "innerunique" else left.rows:
        found = matches.get(_join_key(row, [a for a, _ in pairs]), [])
        missing: Row = dict.fromkeys(right.columns)
        for other in found or ([missing] if kind == "leftouter" else ()):
            rows.append(with_values(row, {renamed[name]: other.get(name) for name in right.columns}))
    return Table((*left.columns, *renamed.values()), rows)


def _one_of_each(rows: Sequence[Row], pairs: Sequence[tuple[str, str]]) -> list[Row]:
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(_join_key(row, [a for a, _ in pairs]), row)
    return list(found.values())


def _join_key(row: Row, columns: Sequence[str]) -> str:
    return canonical_json([as_json(row.get(column)) for column in columns])


def _free(name: str, taken: Sequence[str]) -> str:
    at = 1
    while name in taken and f"{name}{at}" in taken:
        at += 1
    return f"{name}{at}" if name in taken else name
