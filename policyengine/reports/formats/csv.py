"""Findings, or all pairs, as comma-separated values, a line each, written as they come. For spreadsheets and for joins.

Columns are the ones auditors ask for; they are stable, new ones are added at the end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

from policyengine.reports.report import PairEntry
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


def stream(pairs: Iterable[PairEntry]) -> Iterator[str]:
    """Header and lines, each ending in LF.

    A cell that a spreadsheet would run as a formula gets an apostrophe before it.
    Source: OWASP, "CSV Injection".
    """
    yield _line(COLUMNS)
    for pair in pairs:
        yield _line([_harmless(cell) for cell in cells(pair)])


def cells(pair: PairEntry) -> tuple[str, ...]:
    """What the columns hold."""
    cluster, policy, finding = pair.cluster, pair.policy, pair.finding
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
        pair.state.value,
        iso(finding.since) if finding else "",
        finding.reason if finding else "",
        finding.message if finding else "",
        finding.fix if finding else "",
        policy.key,
        cluster.id.text,
    )


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(_FORMULA_STARTS) else cell
