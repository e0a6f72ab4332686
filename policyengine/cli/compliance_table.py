"""The table that `scan` and `status` share: one row a policy, counts beside the percentage they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from policyengine.cli.output import STYLES, Column, Result, bar
from policyengine.model.states import COUNTED, ComplianceState, azure_ratio, compliance_ratio
from policyengine.model.values import JSON
from policyengine.reports import words
from policyengine.workflows.scan import PolicyLine

Counts = Mapping[ComplianceState, int]
Cells = Mapping[tuple[int, str], Text]

COUNT_COLUMNS = (
    Column("percent", "compliant", align="right"),
    Column("bar", ""),
    Column("compliant", "✔ yes", align="right"),
    Column("nonCompliant", "✘ no", align="right"),
    Column("error", "! error", align="right"),
    Column("conflict", "≠ conflict", align="right"),
    Column("unknown", "? unknown", align="right"),
    Column("exempt", "– exempt", align="right"),
)
POLICY_COLUMNS = (Column("policy", "policy"), Column("severity", "severity"), *COUNT_COLUMNS)
RARE = {"error", "conflict", "unknown", "exempt"}


def compliance_result(lines: Sequence[PolicyLine], more: Mapping[str, Mapping[str, JSON]] | None = None) -> Result:
    """One row a policy, with what changed since the scan before; ``more`` members of it, by policy, for programs."""
    rows = [
        {
            "policy": line.policy.key,
            "displayName": line.policy.display_name,
            "severity": line.policy.severity,
            "effect": line.policy.effect,
            **count_members(line.counts),
            "fixed": line.fixed,
            "new": line.new,
            **(more or {}).get(line.policy.key, {}),
        }
        for line in lines
    ]
    cells = count_cells([line.counts for line in lines])
    moves = {(n, "moves"): Text(_moves(line)) for n, line in enumerate(lines)}
    columns = (*POLICY_COLUMNS, Column("moves", "since last"))
    return Result(shown(columns, rows), rows, name="policy", cells={**cells, **moves})


def shown(columns: Sequence[Column], rows: Sequence[Mapping[str, JSON]]) -> list[Column]:
    """Without the rarer states that no row has, so that the table fits."""
    return [c for c in columns if c.key not in RARE or any(row[c.key] for row in rows)]


def count_members(counts: Counts) -> dict[str, JSON]:
    """A row's numbers; a ratio never stands without what it is out of."""
    return {
        "applicable": sum(counts.get(state, 0) for state in COUNTED),
        "compliant": counts.get(ComplianceState.COMPLIANT, 0),
        "nonCompliant": counts.get(ComplianceState.NON_COMPLIANT, 0),
        "error": counts.get(ComplianceState.ERROR, 0),
        "conflict": counts.get(ComplianceState.CONFLICT, 0),
        "unknown": counts.get(ComplianceState.UNKNOWN, 0),
        "exempt": counts.get(ComplianceState.EXEMPT, 0),
        "ratio": compliance_ratio(counts),
        "azureRatio": azure_ratio(counts),
    }


def count_cells(rows: Sequence[Counts]) -> dict[tuple[int, str], Text]:
    """How the numbers of `COUNT_COLUMNS` look."""
    cells: dict[tuple[int, str], Text] = {}
    for number, counts in enumerate(rows):
        ratio = compliance_ratio(counts)
        cells[number, "percent"] = Text(percent(counts))
        cells[number, "bar"] = Text(bar(ratio) if ratio is not None else "")
        for key, state in (("nonCompliant", ComplianceState.NON_COMPLIANT), ("error", ComplianceState.ERROR)):
            count = counts.get(state, 0)
            cells[number, key] = Text(str(count), STYLES[state] if count else "")
    return cells


def percent(counts: Counts) -> str:
    """``74 % of 140``, or a dash when nothing counts."""
    ratio = compliance_ratio(counts)
    total = sum(counts.get(state, 0) for state in COUNTED)
    return "–" if ratio is None else f"{words.percent(ratio)} of {total}"


def fleet_line(counts: Counts) -> str:
    """``fleet  74 % compliant (104 of 140)``: policies times clusters, all counted alike."""
    ratio = compliance_ratio(counts)
    if ratio is None:
        return "fleet  no policy applies to any cluster"
    total = sum(counts.get(state, 0) for state in COUNTED)
    return f"fleet  {words.percent(ratio)} compliant ({counts.get(ComplianceState.COMPLIANT, 0)} of {total})"


def _moves(line: PolicyLine) -> str:
    if line.fixed is None:
        return "first scan"
    parts = [f"▲ {line.fixed} fixed"] * bool(line.fixed) + [f"▼ {line.new} new"] * bool(line.new)
    return ", ".join(parts) or "="
