"""Findings, or all pairs, as JSON, an object a line, written as they come; members are the columns of the CSV list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from policyengine.reports.formats.csv import COLUMNS, cells
from policyengine.reports.report import PairEntry


def stream(pairs: Iterable[PairEntry]) -> Iterator[str]:
    """Lines, each ending in LF; what is not there is null."""
    for pair in pairs:
        yield json.dumps(dict(zip(COLUMNS, (cell or None for cell in cells(pair)), strict=True)), ensure_ascii=False)
        yield "\n"
