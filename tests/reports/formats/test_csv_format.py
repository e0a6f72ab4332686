from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from policyengine.reports import LISTS, PairEntry, Report
from policyengine.reports.formats.csv import COLUMNS
from tests.reports.conftest import pairs_of


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def render(report: Report, *, everything: bool = False) -> str:
    return "".join(LISTS["csv"](pairs_of(report, everything=everything)))


def test_small_report_is_as_reviewed(small_report: Report, golden: Callable[[str, str], None]) -> None:
    golden("small.csv", render(small_report))


def test_all_pairs_are_as_reviewed(small_report: Report, golden: Callable[[str, str], None]) -> None:
    golden("small-all.csv", render(small_report, everything=True))


def test_one_line_per_finding(contoso_report: Report) -> None:
    assert len(rows(render(contoso_report))) == len(contoso_report.findings)


def test_one_line_per_pair_when_asked(contoso_report: Report) -> None:
    assert len(rows(render(contoso_report, everything=True))) == 48 * 8


def test_report_of_nothing_is_the_header(empty_report: Report) -> None:
    assert render(empty_report) == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_cell_cannot_become_a_formula(small_report: Report, start: str) -> None:
    """A spreadsheet would run `=HYPERLINK(…)`; OWASP, "CSV Injection"."""
    hostile = f'{start}HYPERLINK("http://evil.example","x")'
    findings = tuple(replace(finding, reason=hostile) for finding in small_report.findings)
    text = render(replace(small_report, findings=findings))

    assert {row["reason"] for row in csv.DictReader(io.StringIO(text, newline=""))} == {"'" + hostile}


def test_finding_of_a_cluster_with_commas_and_quotes_survives(small_report: Report) -> None:
    clusters = tuple(replace(cluster, owner='a "b", c\nd') for cluster in small_report.clusters)

    assert {row["owner_tag"] for row in rows(render(replace(small_report, clusters=clusters)))} == {'a "b", c\nd'}


def test_lines_are_written_as_pairs_come(contoso_report: Report) -> None:
    """Nobody holds the fleet: each line is there before the next pair is asked for."""
    asked = 0

    def pairs() -> Iterator[PairEntry]:
        nonlocal asked
        for pair in pairs_of(contoso_report, everything=True):
            asked += 1
            yield pair

    for at, _ in enumerate(LISTS["csv"](pairs())):
        assert asked == at
