import pytest

from policyengine.errors import PolicyError
from policyengine.model.diagnostic import Diagnostic, Severity, Source, Span, did_you_mean, listing, render

TEXT = "if:\n  field: type\n  notequal: microsoft.flux\n"
SOURCE = Source("policies/flux.yaml", TEXT)
SPAN = Span(SOURCE, 3, 3, 3, 11)


def test_a_diagnostic_shows_the_line_with_a_caret_and_the_help() -> None:
    diagnostic = Diagnostic("unknown-operator", "`notequal` is not an operator", SPAN, "did you mean `notEquals`?")

    assert render(diagnostic) == (
        "policies/flux.yaml:3:3: error[unknown-operator]: `notequal` is not an operator\n"
        "  |\n"
        "3 |   notequal: microsoft.flux\n"
        "  |   ^^^^^^^^\n"
        "  = help: did you mean `notEquals`?"
    )


def test_a_warning_says_so_and_is_no_error() -> None:
    warning = Diagnostic("loose-existence", "any sibling will do", SPAN, severity=Severity.WARNING)

    assert "warning[loose-existence]" in render(warning)
    assert not warning.is_error


def test_a_span_over_several_lines_is_marked_to_the_end_of_its_first() -> None:
    rendered = render(Diagnostic("x", "y", Span(SOURCE, 1, 1, 3, 11)))

    assert rendered.splitlines()[2:] == ["1 | if:", "  | ^^^"]


def test_an_empty_span_still_has_a_caret() -> None:
    assert render(Diagnostic("x", "y", Span(SOURCE, 1, 4, 1, 4))).endswith("|    ^")


def test_a_tab_takes_one_column_so_that_the_caret_stands_right() -> None:
    source = Source("<string>", "\tkey: value")

    assert render(Diagnostic("x", "y", Span(source, 1, 2, 1, 5))).splitlines()[2:] == ["1 |  key: value", "  |  ^^^"]


def excerpt(text: str, column: int, end_column: int) -> tuple[str, str]:
    """The source line and the carets, without their margins."""
    rendered = render(Diagnostic("x", "y", Span(Source("<string>", text), 1, column, 1, end_column))).splitlines()
    return rendered[2].removeprefix("1 | "), rendered[3].removeprefix("  | ")


def test_a_very_long_line_is_cut_around_the_place() -> None:
    text = "".join(f"{at:04}," for at in range(400))
    line, carets = excerpt(text, 1001, 1005)

    assert (len(line), line[0], line[-1]) == (102, "…", "…")
    assert line[carets.index("^") : len(carets)] == text[1000:1004] == "0200"


@pytest.mark.parametrize(("column", "end"), [(1, 5), (3, 9), (1960, 1965), (1996, 2001), (2001, 2002), (40, 1900)])
def test_a_cut_line_keeps_its_carets_under_the_place(column: int, end: int) -> None:
    text = "".join(chr(ord("a") + at % 26) for at in range(2000))
    line, carets = excerpt(text, column, end)
    first, marked = carets.index("^"), carets.count("^")

    assert line.startswith("…") is (column > 26)
    assert line[first : first + marked].rstrip("…") == text[column - 1 : column - 1 + marked]
    assert 1 <= marked <= end - column
    assert len(carets) <= len(line) + 1


def test_a_tab_takes_one_column_in_a_cut_line_too() -> None:
    line, carets = excerpt("\t" * 300 + "wrong" + " " * 300, 301, 306)

    assert line[carets.index("^") : len(carets)] == "wrong"


def test_a_line_that_fits_a_wide_screen_is_left_whole() -> None:
    assert excerpt("x" * 160, 160, 161)[0] == "x" * 160


def test_names_are_listed_a_few_at_a_time() -> None:
    assert listing([]) is None
    assert listing(["a"]) == "there is `a`"
    assert listing(["b", "A", "b"]) == "there are `A`, `b`"
    assert listing("abcdefghij") == "there are `a`, `b`, `c`, `d`, `e`, `f`, `g`, `h` and 2 more"


def test_the_margin_is_as_wide_as_the_line_number() -> None:
    source = Source("<string>", "a\n" * 120)

    assert render(Diagnostic("x", "y", Span(source, 104, 1, 104, 2))).splitlines()[1:] == [
        "    |",
        "104 | a",
        "    | ^",
    ]


def test_a_place_past_the_end_shows_no_line() -> None:
    assert render(Diagnostic("x", "y", Span(SOURCE, 9, 1, 9, 1))) == "policies/flux.yaml:9:1: error[x]: y"


def test_a_problem_without_a_place_keeps_its_help() -> None:
    assert render(Diagnostic("x", "y", help="z")) == "error[x]: y\n  = help: z"


def test_spans_are_told_short_and_long() -> None:
    assert str(SPAN) == "policies/flux.yaml:3:3"
    assert SPAN.short == "flux.yaml:3"


def test_the_nearest_name_is_offered_as_it_is_written() -> None:
    assert did_you_mean("NOTEQUAL", ["equals", "notEquals"]) == "did you mean `notEquals`?"
    assert did_you_mean("zzz", ["equals"]) is None
    assert did_you_mean("equals", []) is None


def test_an_error_sorts_its_diagnostics_by_place_and_counts_errors_only() -> None:
    late = Diagnostic("b", "late", SPAN)
    early = Diagnostic("a", "early", Span(SOURCE, 1, 1, 1, 2), severity=Severity.WARNING)
    nowhere = Diagnostic("c", "nowhere")
    error = PolicyError([late, early, nowhere])

    assert error.diagnostics == (nowhere, early, late)
    assert error.message == "2 errors in policy files"
