"""Compliance reports: the values they are made of, the questions asked of them, and the formats they are written in."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from policyengine.reports.formats import csv, html, json, markdown, ndjson
from policyengine.reports.report import (
    CauseEntry,
    ChangeEntry,
    ClusterEntry,
    Counts,
    Direction,
    ExemptionEntry,
    FailureCause,
    FindingEntry,
    FleetEntry,
    GroupEntry,
    IncompleteScope,
    InitiativeEntry,
    InventoryEntry,
    Lamp,
    Lamps,
    MovedEntry,
    PairEntry,
    PolicyEntry,
    RemediationEntry,
    Report,
    ScanEntry,
    ScopeKind,
    ScopeNode,
    TrendPoint,
    UnreachedEntry,
)
from policyengine.reports.scopes import rollup_by_scope
from policyengine.reports.summary import by_initiative, count_states, direction_of

FORMATS: Final[Mapping[str, Callable[[Report], str]]] = {
    "html": html.render,
    "json": json.render,
    "markdown": markdown.render,
}
"""The formats that tell of the whole fleet, by the word `--format` takes. Their size does not follow the fleet's."""

LISTS: Final[Mapping[str, Callable[[Iterable[PairEntry]], Iterator[str]]]] = {
    "csv": csv.stream,
    "ndjson": ndjson.stream,
}
"""The formats that list findings, or all pairs, one by one. Their text comes in pieces: nothing holds all of it."""

__all__ = [
    "FORMATS",
    "LISTS",
    "CauseEntry",
    "ChangeEntry",
    "ClusterEntry",
    "Counts",
    "Direction",
    "ExemptionEntry",
    "FailureCause",
    "FindingEntry",
    "FleetEntry",
    "GroupEntry",
    "IncompleteScope",
    "InitiativeEntry",
    "InventoryEntry",
    "Lamp",
    "Lamps",
    "MovedEntry",
    "PairEntry",
    "PolicyEntry",
    "RemediationEntry",
    "Report",
    "ScanEntry",
    "ScopeKind",
    "ScopeNode",
    "TrendPoint",
    "UnreachedEntry",
    "by_initiative",
    "count_states",
    "direction_of",
    "rollup_by_scope",
]
