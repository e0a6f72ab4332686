"""One result, every format; queries over it; colour only where it is wanted."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from itertools import count
from typing import Any

import pytest
import yaml
from rich.text import Text

from policyengine.cli.context import Cli, Color, Output
from policyengine.cli.output import FOR_PROBLEMS, Column, Result, console, emit, notes, print_error
from policyengine.cli.progress import progress, progress_of
from policyengine.errors import ConfigError, PolicyError
from policyengine.model.diagnostic import Diagnostic, Source, Span
from tests.cli.conftest import Terminal, attributes

ROWS: list[dict[str, Any]] = [
    {"name": "edge-osl-03", "kind": "Arc", "fields": 1, "tags": ["a", "b"], "ok": False, "why": 'a, "b" and ü'},
    {"name": "web-weu-02", "kind": "AKS", "fields": 12, "tags": [], "ok": True, "why": None},
]
RESULT = Result(
    [Column("name", "name"), Column("fields", "fields", align="right"), Column("why", "reason", wide=True)],
    ROWS,
    cells={(0, "why"): Text("[red]not markup[/red]", "red")},
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def printed(result: Result = RESULT, *, terminal: bool = False, **options: Any) -> str:
    stream = Terminal() if terminal else io.StringIO()
    with attributes(sys, stdout=stream):
        emit(Cli(**options), result)
    return stream.getvalue()


def test_a_table_has_titles_and_cells_as_they_are() -> None:
    assert printed().splitlines() == [
        "NAME         FIELDS  REASON",
        "edge-osl-03       1  [red]not markup[/red]",
        "web-weu-02       12",
    ]


def test_json_and_yaml_are_the_rows() -> None:
    assert json.loads(printed(output=Output.JSON)) == ROWS
    assert yaml.safe_load(printed(output=Output.YAML)) == ROWS
    assert "ü" in printed(output=Output.JSON)


def test_json_and_yaml_are_the_document_where_there_is_one() -> None:
    whole = Result(RESULT.columns, ROWS, document={"plan": "p-1", "steps": ROWS})

    assert json.loads(printed(whole, output=Output.JSON)) == {"plan": "p-1", "steps": ROWS}
    assert [json.loads(line) for line in printed(whole, output=Output.NDJSON).splitlines()] == ROWS


def test_ndjson_is_a_row_a_line() -> None:
    assert [json.loads(line) for line in printed(output=Output.NDJSON).splitlines()] == ROWS


def test_csv_has_every_member_also_those_the_table_leaves_out() -> None:
    read = list(csv.DictReader(io.StringIO(printed(output=Output.CSV))))

    assert read == [
        {"name": "edge-osl-03", "kind": "Arc", "fields": "1", "tags": "a, b", "ok": "false", "why": 'a, "b" and ü'},
        {"name": "web-weu-02", "kind": "AKS", "fields": "12", "tags": "", "ok": "true", "why": ""},
    ]


def test_csv_leaves_out_what_is_no_cell_and_keeps_its_head_without_rows() -> None:
    nested = Result([Column("a", "a")], [{"a": 1, "body": {"b": 2}}])

    assert printed(nested, output=Output.CSV) == "a\n1\n"
    assert printed(Result(RESULT.columns, []), output=Output.CSV) == "name,fields,why\n"


def test_names_are_one_a_line() -> None:
    assert printed(output=Output.NAME) == "edge-osl-03\nweb-weu-02\n"


@pytest.mark.parametrize("output", [output for output in Output if output not in FOR_PROBLEMS])
def test_no_rows_are_no_error(output: Output) -> None:
    assert printed(Result(RESULT.columns, []), output=output) in {
        "NAME  FIELDS  REASON\n",
        "[]\n",
        "",
        "name,fields,why\n",
    }


@pytest.mark.parametrize(
    ("query", "output", "expected"),
    [
        ("[].name", Output.TABLE, "edge-osl-03\nweb-weu-02\n"),
        ("[].name", Output.NAME, "edge-osl-03\nweb-weu-02\n"),
        ("[].name", Output.CSV, "edge-osl-03\nweb-weu-02\n"),
        ("[].fields", Output.NDJSON, "1\n12\n"),
        ("[0].name", Output.TABLE, "edge-osl-03\n"),
        ("[0].name", Output.JSON, '"edge-osl-03"\n'),
        ("length(@)", Output.TABLE, "2\n"),
        ("[?ok].name", Output.TABLE, "web-weu-02\n"),
        ("[?kind=='x']", Output.TABLE, ""),
        ("[?kind=='x']", Output.JSON, "[]\n"),
        ("nothing", Output.JSON, "null\n"),
        ("nothing", Output.TABLE, "\n"),
        ("[].{name: name, n: fields}", Output.TABLE, "NAME         N\nedge-osl-03  1\nweb-weu-02   12\n"),
        ("[].{name: name, n: fields}", Output.CSV, "name,n\nedge-osl-03,1\nweb-weu-02,12\n"),
        ("[].{name: name, n: fields}", Output.NAME, "edge-osl-03\nweb-weu-02\n"),
        ("[].{name: name}", Output.NDJSON, '{"name": "edge-osl-03"}\n{"name": "web-weu-02"}\n'),
        ("[].{name: name}", Output.YAML, "- name: edge-osl-03\n- name: web-weu-02\n"),
        ("{all: [].{name: name}}", Output.CSV, '{\n  "all": [\n    {\n      "name": "edge-osl-03"\n    },\n'),
    ],
)
def test_a_query_is_answered_in_the_format_asked_for(query: str, output: Output, expected: str) -> None:
    """A document that fits no table is printed as one."""
    assert printed(query=query, output=output).startswith(expected)


def test_a_pipe_gets_no_colour_and_whole_lines() -> None:
    long = Result(
        [Column("name", "name"), Column("why", "reason", wide=True)], [{"name": "n" * 300, "why": "w " * 900}]
    )

    assert printed(long).splitlines()[1] == "n" * 300 + "  " + ("w " * 900).strip()
    assert "\x1b" not in printed()


def test_a_terminal_gets_colour_and_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    wide = Result([Column("why", "reason", wide=True)], [{"why": "word " * 40}])

    assert "\x1b[31m" in printed(terminal=True)
    assert max(map(len, printed(wide, terminal=True, color=Color.NEVER).splitlines())) <= 60


@pytest.mark.parametrize(
    ("variables", "color", "terminal", "coloured"),
    [
        ({}, Color.AUTO, True, True),
        ({}, Color.AUTO, False, False),
        ({"NO_COLOR": "1"}, Color.AUTO, True, False),
        ({"NO_COLOR": ""}, Color.AUTO, True, True),
        ({"FORCE_COLOR": "1"}, Color.AUTO, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, Color.AUTO, True, False),
        ({"NO_COLOR": "1"}, Color.ALWAYS, False, True),
        ({"FORCE_COLOR": "1"}, Color.NEVER, True, False),
        ({}, Color.ALWAYS, False, True),
        ({}, Color.NEVER, True, False),
        ({"TERM": "dumb"}, Color.AUTO, True, False),
    ],
)
def test_colour_is_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], color: Color, terminal: bool, coloured: bool
) -> None:
    """Without colour there is no escape sequence at all."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert ("\x1b" in printed(terminal=terminal, color=color)) is coloured


def test_notes_go_to_stderr_and_quiet_silences_them() -> None:
    with attributes(sys, stdout=io.StringIO(), stderr=(err := io.StringIO())):
        notes(Cli()).print("read 3 clusters")
        notes(Cli(quiet=True)).print("not this")
        console(Cli(quiet=True)).print("but this")

    assert err.getvalue() == "read 3 clusters\n"


def test_an_error_says_what_is_wrong_and_how_to_mend_it() -> None:
    with attributes(sys, stderr=(err := io.StringIO())):
        print_error(ConfigError("`x` is not a setting", help="did you mean `y`?"))

    assert err.getvalue() == "error: `x` is not a setting\n  = help: did you mean `y`?\n"


def test_an_error_in_policy_files_shows_every_place() -> None:
    span = Span(Source("a.yaml", "effect: frob"), 1, 9, 1, 13)
    problems = [Diagnostic("unknown-effect", "`frob` is no effect", span), Diagnostic("other", "and that")]
    with attributes(sys, stderr=(err := io.StringIO())):
        print_error(PolicyError(problems))

    assert "a.yaml:1:9: error[unknown-effect]: `frob` is no effect" in err.getvalue()
    assert "  |         ^^^^" in err.getvalue()
    assert err.getvalue().endswith("error: 2 errors in policy files\n")


@pytest.mark.parametrize(
    ("terminal", "options", "shown"),
    [(True, {}, True), (False, {}, False), (True, {"quiet": True}, False), (True, {"progress": False}, False)],
)
def test_a_bar_is_only_for_terminals(terminal: bool, options: dict[str, Any], shown: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    with attributes(sys, stderr=stream), progress(Cli(**options), "evaluating") as report:
        for done in range(5):
            report(done, 4)

    assert ("evaluating" in stream.getvalue()) is shown


def test_a_step_that_has_not_begun_has_no_bar() -> None:
    with attributes(sys, stderr=(stream := Terminal())), progress_of(Cli(), "reading", "evaluating") as (_, on_scan):
        on_scan(1, 2)

    assert "evaluating" in stream.getvalue()
    assert "reading" not in stream.getvalue()


def test_of_steps_that_follow_one_another_the_last_has_the_bar() -> None:
    with attributes(sys, stderr=(stream := Terminal())), progress_of(Cli(), "reading", "evaluating") as steps:
        for step in steps:
            step(0, 5)
            step(3, 5)

    _, _, after = stream.getvalue().rpartition("reading")
    assert "3/5" in after.partition("evaluating")[2]


def test_a_bar_tells_clusters_pace_and_what_is_left_in_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    seconds = count()
    monkeypatch.setattr("rich.console.monotonic", lambda: float(next(seconds)))
    with attributes(sys, stderr=(stream := Terminal())), progress(Cli(), "reading the inventory") as report:
        report(0, 1_000_000)
        report(12_288, 1_000_000)

    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", one) for one in re.split(r"[\r\n]+", stream.getvalue())]
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"12288/1000000 [\d,]+/s \d+:\d\d:\d\d", one) for one in lines)


def test_elsewhere_a_line_tells_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 7.0, 10.0, 11.0, 22.0])
    monkeypatch.setattr("policyengine.cli.progress.monotonic", lambda: next(seconds))
    with attributes(sys, stderr=(err := io.StringIO())), progress(Cli(), "reading") as report:
        report(1, None)
        report(2, None)
        report(3, None)
        report(4, 9)
        report(5, 9)

    assert err.getvalue() == "reading: 3, 0.2/s\nreading: 5 of 9, 0.2/s, 22 s left\n"


def test_a_step_is_not_told_the_time_of_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 60.0, 70.0])
    monkeypatch.setattr("policyengine.cli.progress.monotonic", lambda: next(seconds))
    with attributes(sys, stderr=(err := io.StringIO())), progress_of(Cli(), "reading", "evaluating") as steps:
        steps[0](9_000, 9_000)
        steps[1](0, 9_000)
        steps[1](4_000, 9_000)

    assert err.getvalue() == "evaluating: 4000 of 9000, 400/s, 12 s left\n"
