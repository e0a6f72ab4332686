"""The report as comma-separated values: one line per finding, or per pair. For spreadsheets and for joins.

Columns are the ones auditors ask for; they are stable, new ones are added at the end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from policyengine.model.states import ComplianceState
from policyengine.reports.report import ClusterEntry, FindingEntry, PolicyEntry, Report
from policyengine.reports.summary import ordered_clusters
from policyengine.reports.words import iso

COLUMNS: Final = (
    "subscription",
    "resource_group",
    "cluster",
    "type",
    "location",
    "owner_tag",
    "policy",
    "assignment",
    "initiative",
    "severity",
    "effect",
    "state",
    "since",
    "reason",
    "message",
    "fix",
    "policy_key",
    "resource_id",
)

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def render(report: Report, *, all_pairs: bool = False) -> str:
    """Header and lines ending in LF. With ``all_pairs`` the compliant pairs and those out of scope are there too.

    A cell that a spreadsheet would run as a formula gets an apostrophe before it.
    Source: OWASP, "CSV Injection".
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in _rows(report, all_pairs=all_pairs):
        writer.writerow([_harmless(cell) for cell in row])
    return out.getvalue()


def _rows(report: Report, *, all_pairs: bool) -> Iterator[tuple[str, ...]]:
    findings = {(f.cluster, f.policy): f for f in report.findings}
    for cluster in ordered_clusters(report.clusters):
        for policy in report.policies:
            finding = findings.get((cluster.id, policy.key))
            if all_pairs or finding is not None:
                yield _row(cluster, policy, finding)


def _row(cluster: ClusterEntry, policy: PolicyEntry, finding: FindingEntry | None) -> tuple[str, ...]:
    state = finding.state if finding else cluster.states.get(policy.key, ComplianceState.NOT_APPLICABLE)
    return (
        cluster.subscription,
        cluster.resource_group,
        cluster.name,
        cluster.kind,
        cluster.location,
        cluster.owner,
        policy.display_name,
        policy.assignment,
        policy.initiative,
        policy.severity,
        policy.effect,
        state.value,
        iso(finding.since) if finding else "",
        finding.reason if finding else "",
        finding.message if finding else "",
        finding.fix if finding else "",
        policy.key,
        cluster.id.text,
    )


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(_FORMULA_STARTS) else cell
