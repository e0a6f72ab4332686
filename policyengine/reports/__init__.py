"""Compliance reports: the values they are made of, the questions asked of them, and the formats they are written in."""

from collections.abc import Callable, Mapping
from typing import Final

from policyengine.reports.formats import csv, html, json, markdown
from policyengine.reports.report import (
    ChangeEntry,
    ClusterEntry,
    Counts,
    Direction,
    ExemptionEntry,
    FailureCause,
    FindingEntry,
    IncompleteScope,
    InventoryEntry,
    Lamp,
    Lamps,
    PolicyEntry,
    RemediationEntry,
    Report,
    ScanEntry,
    ScopeKind,
    ScopeNode,
    TrendPoint,
)
from policyengine.reports.scopes import rollup_by_scope
from policyengine.reports.summary import count_states, direction_of

FORMATS: Final[Mapping[str, Callable[[Report], str]]] = {
    "csv": csv.render,
    "html": html.render,
    "json": json.render,
    "markdown": markdown.render,
}
"""Every format a report can be written in, by the word `--format` takes."""

__all__ = [
    "FORMATS",
    "ChangeEntry",
    "ClusterEntry",
    "Counts",
    "Direction",
    "ExemptionEntry",
    "FailureCause",
    "FindingEntry",
    "IncompleteScope",
    "InventoryEntry",
    "Lamp",
    "Lamps",
    "PolicyEntry",
    "RemediationEntry",
    "Report",
    "ScanEntry",
    "ScopeKind",
    "ScopeNode",
    "TrendPoint",
    "count_states",
    "direction_of",
    "rollup_by_scope",
]
