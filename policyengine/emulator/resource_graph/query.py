"""A query's whole result, and one page of it. Source: configuration API, "Resource Graph"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from policyengine.emulator.resource_graph.operators import Tables, evaluate
from policyengine.emulator.resource_graph.parser import parse
from policyengine.emulator.resource_graph.syntax import Row, Take, Top
from policyengine.emulator.resource_graph.table import Table
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
    """The type of a column is that of its first value on the page: to look further would make all rows there are."""
    values = [[row.get(column) for column in table.columns] for row in rows]
    columns = [{"name": name, "type": _column_type(row[at] for row in values)} for at, name in enumerate(table.columns)]
    return {"columns": columns, "rows": [as_json(row) for row in values]}


def _only_dynamic(table: Table) -> bool:
    values = (row.get(column) for row in table.rows for column in sorted(table.columns, key=_is_telling))
    return bool(table.rows) and all(value is None or is_dynamic(value) for value in values)


def _is_telling(column: str) -> bool:
    """The column of ids comes first: it is quickest to read, and never dynamic."""
    return column != "id"


def _column_type(values: Iterable[JSON]) -> str:
    return next((type_of(value) for value in values if value is not None), "string")
