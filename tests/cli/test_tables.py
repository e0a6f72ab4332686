"""Tables: prose beside or below its row, nothing cut, nothing padded."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from policyengine.cli.tables import Heading, Row, Table

SHORT = "no extension of type microsoft.flux"
LONG = "`cluster-config` matches 12 of 13: gitRepository.repositoryRef.branch is release/1.8, wanted main"


def row(*cells: str, prose: str = "", below: tuple[str, ...] = ()) -> Row:
    return Row([Text(cell) for cell in cells], Text(prose), [Text(line) for line in below])


def drawn(table: Table, width: int) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(table)
    return stream.getvalue().splitlines()


FINDINGS = Table(
    [Heading("cluster"), Heading("fields", "right")],
    [row("edge-osl-03", "1", prose=LONG), row("web-weu-02", "12", prose=SHORT)],
    prose="reason",
)


def test_prose_stands_beside_its_row_where_there_is_room() -> None:
    assert drawn(FINDINGS, 200) == [
        "CLUSTER      FIELDS  REASON",
        f"edge-osl-03       1  {LONG}",
        f"web-weu-02       12  {SHORT}",
    ]


def test_prose_wraps_in_its_own_column() -> None:
    assert drawn(FINDINGS, 80) == [
        "CLUSTER      FIELDS  REASON",
        "edge-osl-03       1  `cluster-config` matches 12 of 13:",
        "                     gitRepository.repositoryRef.branch is release/1.8, wanted",
        "                     main",
        f"web-weu-02       12  {SHORT}",
    ]


def test_prose_without_room_stands_below_its_row() -> None:
    assert drawn(FINDINGS, 56) == [
        "CLUSTER      FIELDS  REASON",
        "edge-osl-03       1",
        "    `cluster-config` matches 12 of 13:",
        "    gitRepository.repositoryRef.branch is release/1.8,",
        "    wanted main",
        f"web-weu-02       12  {SHORT}",
    ]


def test_lines_below_come_after_the_prose_and_keep_their_place() -> None:
    table = Table([Heading("step")], [row("s001", prose="ready", below=("+ branch", "+ url"))], prose="is", indent=2)

    assert drawn(table, 80) == ["STEP  IS", "s001  ready", "  + branch", "  + url"]


def test_headings_without_titles_are_not_drawn() -> None:
    assert drawn(Table([Heading(""), Heading("")], [row("a", "b")]), 80) == ["a  b"]


def test_a_table_without_rows_is_its_headings() -> None:
    assert drawn(Table([Heading("name"), Heading("kind")], []), 80) == ["NAME  KIND"]


@pytest.mark.parametrize("width", [1, 8, 20])
def test_a_terminal_narrower_than_the_columns_wraps_and_loses_nothing(width: int) -> None:
    assert "".join("".join(drawn(FINDINGS, width)).split()) == "".join("".join(drawn(FINDINGS, 200)).split())


def test_styles_reach_the_terminal_and_take_no_room() -> None:
    stream = io.StringIO()
    styled = Table([Heading("state")], [Row([Text("✘ NonCompliant", "red")], Text("why"))], prose="reason")
    Console(file=stream, width=80, force_terminal=True, color_system="standard").print(styled)

    assert stream.getvalue().splitlines()[1] == "\x1b[31m✘ NonCompliant\x1b[0m  why"


words = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=["L", "N", "P"]), max_size=12)
rows = st.tuples(words, words, st.lists(words, max_size=9).map(" ".join))


@settings(deadline=None, max_examples=60)
@given(st.lists(rows, max_size=5), st.integers(40, 120))
def test_every_word_is_drawn_and_no_line_ends_in_blanks(cells: list[tuple[str, str, str]], width: int) -> None:
    table = Table([Heading("one"), Heading("two", "right")], [row(a, b, prose=c) for a, b, c in cells], prose="why")
    lines = drawn(table, width)

    assert all(line == line.rstrip() for line in lines)
    assert "".join("".join(lines[1:]).split()) == "".join("".join(a + b + c).replace(" ", "") for a, b, c in cells)
