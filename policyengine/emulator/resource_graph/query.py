"""A query's whole result, and one page of it. Source: configuration API, "Resource Graph"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from policyengine.emulator.resource_graph.lazy_rows import FROM_ID
from policyengine.emulator.resource_graph.operators import Table, Tables, evaluate
from policyengine.emulator.resource_graph.parser import parse
from policyengine.emulator.resource_graph.syntax import Row, Take, Top
from policyengine.emulator.resource_graph.values import as_json, is_dynamic, type_of
from policyengine.model.values import JSON


@dataclass(frozen=True, slots=True)
class Result:
    """``pageable`` is False when no token may be given: for a query that says how many rows it wants, and for one all
    of whose columns are dynamic or null."""

    table: Table
    pageable: bool


def run(text: str, tables: Tables, at: datetime) -> Result:
    """Raises QueryError."""
    query = parse(text)
    table = evaluate(query, tables, at)
    limited = any(isinstance(operator, Take | Top) for operator in query.operators)
    return Result(table, pageable=not limited and not _only_dynamic(table))


def object_array(table: Table, rows: Sequence[Row]) -> list[JSON]:
    return [{column: as_json(row.get(column)) for column in table.columns} for row in rows]


def table_format(table: Table, rows: Sequence[Row]) -> dict[str, JSON]:
    columns = [{"name": column, "type": _column_type(table, column)} for column in table.columns]
    return {"columns": columns, "rows": [[as_json(row.get(c)) for c in table.columns] for row in rows]}


def _only_dynamic(table: Table) -> bool:
    values = (row.get(column) for row in table.rows for column in sorted(table.columns, key=_is_telling))
    return bool(table.rows) and all(value is None or is_dynamic(value) for value in values)


def _is_telling(column: str) -> bool:
    """Columns of ids come first: they are quickest to read, and never dynamic."""
    return column not in FROM_ID


def _column_type(table: Table, column: str) -> str:
    values = (row.get(column) for row in table.rows)
    return next((type_of(value) for value in values if value is not None), "string")
