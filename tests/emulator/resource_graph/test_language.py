"""The query language by itself, over a small table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.emulator.resource_graph import QueryError, run
from policyengine.emulator.resource_graph.table import Table
from policyengine.emulator.resource_graph.values import as_json

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {"id": "/A/one", "name": "one", "n": 1, "tags": {"Ring": "1"}, "list": ["x", "y"], "properties": {"State": "Ok"}},
    {"id": "/A/two", "name": "Two", "n": 2, "tags": None, "list": [], "properties": {"state": "Bad", "on": True}},
    {"id": "/B/three", "name": "three-and-half", "n": None, "tags": {"ring": "2"}, "list": None, "properties": {}},
]
OTHER = [{"key": "/a/one", "name": "left", "v": 10}, {"key": "/a/one", "name": "right", "v": 20}]


def tables(name: str) -> Table:
    if name == "other":
        return Table(("key", "name", "v"), OTHER)
    if name != "things":
        raise QueryError(f"Table {name} is invalid")
    return Table(("id", "name", "n", "tags", "list", "properties"), ROWS)


def rows(query: str) -> list[dict[str, Any]]:
    table = run(query, tables, AT).table
    return [{column: row.get(column) for column in table.columns} for row in table.rows]


def names(condition: str) -> list[str]:
    return [row["name"] for row in rows(f"things | where {condition}")]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("name == 'one'", ["one"]),
        ("name == 'ONE'", []),
        ("name =~ 'ONE'", ["one"]),
        ("name != 'one'", ["Two", "three-and-half"]),
        ("name !~ 'ONE'", ["Two", "three-and-half"]),
        ("name in ('one', 'two')", ["one"]),
        ("name in~ ('one', 'two')", ["one", "Two"]),
        ("name !in~ ('one', 'two')", ["three-and-half"]),
        ("name !in ('one')", ["Two", "three-and-half"]),
        ("name in~ (dynamic(['ONE']))", ["one"]),
        ("name has 'AND'", ["three-and-half"]),
        ("name has 'thr'", []),
        ("name has_cs 'AND'", []),
        ("name !has 'and'", ["one", "Two"]),
        ("name has_any ('half', 'one')", ["one", "three-and-half"]),
        ("name contains 'E-A'", ["three-and-half"]),
        ("name !contains 'e'", ["Two"]),
        ("name contains_cs 'tw'", []),
        ("name startswith 't'", ["Two", "three-and-half"]),
        ("name startswith_cs 't'", ["three-and-half"]),
        ("name endswith 'E'", ["one"]),
        ("name == 'one' or name == 'Two' and n > 5", ["one"]),
        ("(name == 'one' or name == 'Two') and n > 1", ["Two"]),
        ("not(name == 'one')", ["Two", "three-and-half"]),
        ("n >= 1", ["one", "Two"]),
        ("n < 2", ["one"]),
        ("n <= 1", ["one"]),
        ("n <> 1", ["Two", "three-and-half"]),
        ("n + 1 == 3", ["Two"]),
        ("n * 2 - 1 == 3", ["Two"]),
        ("n == -1 + 2", ["one"]),
        ("isnull(n)", ["three-and-half"]),
        ("isnotnull(n)", ["one", "Two"]),
        ("isempty(tags.ring)", ["Two"]),
        ("isnotempty(tags['RING'])", ["one", "three-and-half"]),
        ("properties.state == 'Ok'", ["one"]),
        ("PROPERTIES.STATE =~ 'bad'", ["Two"]),
        ("properties.state != 'Ok'", ["Two", "three-and-half"]),
        ("properties.on == true", ["Two"]),
        ("properties.on == 'true'", ["Two"]),
        ("tostring(properties.on) == 'true'", ["Two"]),
        ("list[0] == 'x'", ["one"]),
        ("array_length(list) == 0", ["Two"]),
        ("tolower(id) == '/b/three'", ["three-and-half"]),
        ("strcat(name, '-', n) == 'one-1'", ["one"]),
        ("split(id, '/')[1] == 'B'", ["three-and-half"]),
        ('id == "/A/one" // a comment', ["one"]),
        (r"""name == @'one' and 'a\'b' == "a'b" """, ["one"]),
        ("todatetime('2026-11-23T07:00:00Z') > ago(2h)", ["one", "Two", "three-and-half"]),
        ("now() > datetime(2026-11-24)", []),
    ],
)
def test_rows_are_filtered(condition: str, found: list[str]) -> None:
    assert names(condition) == found


def test_columns_are_chosen_named_and_taken_away() -> None:
    assert rows("things | take 1 | project name, properties.State, state = properties.state, tostring(tags.ring)") == [
        {"name": "one", "properties_State": "Ok", "state": "Ok", "tags_ring": "1"}
    ]
    assert set(rows("things | take 1 | project-away prop*, list")[0]) == {"id", "name", "n", "tags"}
    assert rows("things | limit 1 | extend name = toupper(name), twice = n * 2 | project name, twice") == [
        {"name": "ONE", "twice": 2}
    ]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("n", [2, 1, None]),
        ("n desc", [2, 1, None]),
        ("n asc", [None, 1, 2]),
        ("n asc nulls last", [1, 2, None]),
        ("n desc nulls first", [None, 2, 1]),
    ],
)
def test_rows_are_ordered_descending_unless_told_otherwise(order: str, found: list[Any]) -> None:
    assert [row["n"] for row in rows(f"things | order by {order}")] == found
    assert [row["n"] for row in rows(f"things | sort by {order}")] == found


def test_rows_are_counted_and_grouped() -> None:
    assert rows("things | count") == [{"Count": 3}]
    assert rows("things | summarize count()") == [{"count_": 3}]
    assert rows("things | summarize n = count() by has = isnull(n)") == [{"has": False, "n": 2}, {"has": True, "n": 1}]
    assert rows("things | summarize count() by tostring(tags.ring) | order by tags_ring asc") == [
        {"tags_ring": "", "count_": 1},
        {"tags_ring": "1", "count_": 1},
        {"tags_ring": "2", "count_": 1},
    ]
    assert rows("things | where name == 'none' | summarize count()") == [{"count_": 0}]
    assert rows("things | summarize sum(n), max(n), dcount(name), make_set(n)") == [
        {"sum_n": 3, "max_n": 2, "dcount_name": 3, "make_set_n": [1, 2]}
    ]
    assert rows("things | summarize by isnull(n) | count") == [{"Count": 2}]
    assert rows("things | distinct isnull(n)") == [{"n": False}, {"n": True}]
    assert rows("things | top 1 by n | project n") == [{"n": 2}]


def test_tables_are_joined() -> None:
    keyed = "things | extend key = tolower(id) | project key, name"
    assert rows(f"{keyed} | join kind=leftouter (other) on key | project name, name1, v") == [
        {"name": "one", "name1": "left", "v": 10},
        {"name": "one", "name1": "right", "v": 20},
        {"name": "Two", "name1": None, "v": None},
        {"name": "three-and-half", "name1": None, "v": None},
    ]
    assert [r["v"] for r in rows(f"{keyed} | join kind=inner (other | where v > 10) on $left.key == $right.key")] == [
        20
    ]
    assert [r["v"] for r in rows("other | join (other | project key, w = v) on key")] == [10, 10]


def test_arrays_are_expanded() -> None:
    expanded = rows("things | mv-expand list | project name, list")
    assert expanded == [
        {"name": "one", "list": "x"},
        {"name": "one", "list": "y"},
        {"name": "Two", "list": None},
        {"name": "three-and-half", "list": None},
    ]
    assert [r["tag"] for r in rows("things | mv-expand tag = tags | project tag")] == [
        {"Ring": "1"},
        None,
        {"ring": "2"},
    ]
    assert len(rows("things | where name == 'one' | mv-expand list limit 1")) == 1


def test_text_is_parsed() -> None:
    parsed = rows("things | parse tolower(id) with '/' group '/' rest | project group, rest")
    assert parsed == [{"group": "a", "rest": "one"}, {"group": "a", "rest": "two"}, {"group": "b", "rest": "three"}]
    assert rows("things | parse id with * '/A/' rest | project rest")[2] == {"rest": ""}
    assert rows("other | extend t = strcat('v=', v) | parse t with 'v=' number:int | project number")[0] == {
        "number": 10
    }


@pytest.mark.parametrize(
    "expression",
    [
        ("iff(n == 1, 'a', 'b')", "a"),
        ("case(n == 2, 'two', n == 1, 'one', 'other')", "one"),
        ("coalesce(tags.none, 'fallback')", "fallback"),
        ("toint('12') + 1", 13),
        ("todouble('1.5')", 1.5),
        ("tobool('TRUE')", True),
        ("strlen(name)", 3),
        ("substring(name, 1, 1)", "n"),
        ("replace_string(name, 'o', '0')", "0ne"),
        ("extract('(.)e', 1, name)", "n"),
        ("bag_keys(tags)", ["Ring"]),
        ("pack('a', n)", {"a": 1}),
        ("pack_array(n, 2)", [1, 2]),
        ("parse_json('{\"a\": 1}').a", 1),
        ("7 / 2", 3),
        ("7 % 2", 1),
        ("1 / 0", None),
        ("name * 2 + 'x'", None),
        ('dynamic({"a": [1]}).a[0]', 1),
        ("1e2", 100.0),
        ("substring(name, 'x')", None),
        ("toint('1e999')", None),
        ("pack('at', todatetime('2026-01-01'))", {"at": "2026-01-01T00:00:00.000Z"}),
        ("1e300 * 1e300", None),
        ("ago(1d)", "2026-11-22T08:00:00.000Z"),
        ("todatetime('2026-01-02') - todatetime('2026-01-01')", "1 day, 0:00:00"),
    ],
)
def test_expressions_are_calculated(expression: tuple[str, Any]) -> None:
    text, value = expression
    assert as_json(rows(f"things | take 1 | project v = {text}")) == [{"v": value}]


@pytest.mark.parametrize(
    ("query", "code", "named"),
    [
        ("", "ParserFailure", "table"),
        ("things |", "ParserFailure", "operator"),
        ("things | where", "ParserFailure", "end of the query"),
        ("things | where (name == 'a'", "ParserFailure", "')'"),
        ("things | where name == 'a", "ParserFailure", "'"),
        ("things | where name = 'a'", "ParserFailure", "'='"),
        ("things | take many", "ParserFailure", "many"),
        ("things | where a ; b", "ParserFailure", "'b'"),
        ("things | where dynamic([) == 1", "ParserFailure", "JSON"),
        ("things | where " + "(" * 200, "ParserFailure", "deeply"),
        ("things | render piechart", "InvalidQuery", "render"),
        ("things | union other", "InvalidQuery", "union"),
        ("let x = 1; things", "ParserFailure", "x"),
        ("nothing | take 1", "InvalidQuery", "nothing"),
        ("things | where missing == 1", "InvalidQuery", "missing"),
        ("things | project name | where id == ''", "InvalidQuery", "id"),
        ("things | where geo_distance(n) > 1", "InvalidQuery", "geo_distance"),
        ("things | where tolower() == ''", "InvalidQuery", "tolower"),
        ("things | summarize stdev(n)", "InvalidQuery", "count"),
        ("things | join kind=fullouter (other) on key", "InvalidQuery", "fullouter"),
        ("things | join (other) on key", "InvalidQuery", "key"),
        ("things | project a = 1, a = 2", "InvalidQuery", "already"),
        ("things | mv-expand list to typeof(string)", "InvalidQuery", "typeof"),
        ("things | parse kind=regex name with a", "InvalidQuery", "simple"),
        ("things | parse name with a:decimal", "InvalidQuery", "decimal"),
        ("things | where case(true, 1, false, 2) == 1", "InvalidQuery", "odd"),
        ("things | where extract('(', 0, name) == ''", "InvalidQuery", "regular"),
    ],
)
def test_what_cannot_be_answered_is_named(query: str, code: str, named: str) -> None:
    with pytest.raises(QueryError) as caught:
        rows(query)
    assert (caught.value.code, named in str(caught.value)) == (code, True), str(caught.value)


def test_a_parser_failure_tells_the_place() -> None:
    with pytest.raises(QueryError, match=r"line 2, position 9"):
        rows("things\n| where == 1")


@pytest.mark.parametrize(
    ("query", "pageable"),
    [
        ("things", True),
        ("things | take 2", False),
        ("things | limit 2", False),
        ("things | top 2 by n", False),
        ("things | project tags, list", False),
        ("things | project tags, name", True),
    ],
)
def test_a_query_with_a_limit_or_only_dynamic_columns_has_no_pages(query: str, pageable: bool) -> None:
    assert run(query, tables, AT).pageable is pageable
