"""What operators take and give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policyengine.emulator.resource_graph.syntax import Row


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: Sequence[Row]
