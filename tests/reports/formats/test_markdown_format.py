from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from policyengine.model.states import ComplianceState
from policyengine.reports import FORMATS, Report
from policyengine.reports.formats.markdown import render


def test_small_report_is_as_reviewed(small_report: Report, golden: Callable[[str, str], None]) -> None:
    golden("small.md", FORMATS["markdown"](small_report))


def test_empty_report_is_as_reviewed(empty_report: Report, golden: Callable[[str, str], None]) -> None:
    golden("empty.md", FORMATS["markdown"](empty_report))


def test_rest_of_the_findings_is_counted(contoso_report: Report) -> None:
    text = render(contoso_report, max_findings=5)
    section = text.partition("## Findings")[2].partition("## ")[0]

    assert len(re.findall(r"^\| [✘≠!?]", section, re.MULTILINE)) == 5
    assert "…and 34 more findings" in section


def test_failing_comes_before_unknown(small_report: Report) -> None:
    section = FORMATS["markdown"](small_report).partition("## Findings")[2]

    assert section.index("✘") < section.index("?")


@pytest.mark.parametrize("name", ["a|b", "x`y", "`", "two\nlines", "<img src=x>", "*bold*", "[a](http://b)"])
def test_hostile_name_cannot_leave_its_cell(small_report: Report, name: str) -> None:
    """Every table row keeps as many cells as its header, and no HTML of a name is left alive."""
    findings = tuple(replace(f, cluster_name=name, reason=name, owner=name) for f in small_report.findings)
    text = FORMATS["markdown"](replace(small_report, findings=findings, title=name))
    table = text.partition("## Findings\n\n")[2].partition("\n\n")[0].splitlines()

    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {8}
    prose = re.sub(r"(`+)[^`].*?\1", "", text)
    assert not re.search(r"(?<!\\)<img", prose)


def test_policies_of_one_name_are_told_apart_by_their_keys(small_report: Report) -> None:
    """Two assignments may share a policy."""
    policies = tuple(replace(policy, display_name="Flux is there") for policy in small_report.policies)
    text = render(replace(small_report, policies=policies))

    for section in ("What changed", "By policy", "Findings"):
        rows = text.partition(f"## {section}")[2].partition("## ")[0]
        assert {"`edge/flux` Flux is there", "`edge/config` Flux is there"} <= set(
            re.findall(r"`edge/\w+` Flux is there", rows)
        )


def test_pairs_that_nobody_counted_do_not_apply(small_report: Report) -> None:
    policies = tuple(
        replace(p, counts={state: n for state, n in p.counts.items() if state is ComplianceState.COMPLIANT})
        for p in small_report.policies
    )
    text = render(replace(small_report, policies=policies))

    assert re.search(r"^\| \S+ Not applicable \| 4 \|$", text, re.MULTILINE)
    assert "| `edge/flux` Flux extension required | medium | 2 | 0 | 0 | 0 | 1 | 100 % of 2 |" in text
