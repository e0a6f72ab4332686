"""How far the tables lag behind, what they showed before a write, and results that are still being paged.

A table shows a resource as it was before any write younger than the lag. Knows rows and keys, not what they mean.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.resource_graph.lazy_rows import is_lazy
from policyengine.emulator.resource_graph.query import Result
from policyengine.emulator.resource_graph.syntax import Row

_KEPT_RESULTS: Final = 16
_KEPT_ROWS: Final = 200_000
_LAZY: Final = 10
"""A row that is not made yet takes about a tenth of the memory of one that is."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What ``table`` shows for one id; no row: nothing."""

    table: str
    row: Row | None


@dataclass(slots=True)
class GraphIndex:
    """``lag`` is simulated time."""

    lag: timedelta
    _before: dict[str, list[tuple[datetime, Shown]]] = field(default_factory=dict)
    _results: OrderedDict[str, Result] = field(default_factory=OrderedDict)

    def __reduce__(self) -> tuple[type[GraphIndex], tuple[timedelta, dict[str, list[tuple[datetime, Shown]]]]]:
        # A result that is gone is made again when its next page is asked for.
        return GraphIndex, (self.lag, self._before)

    def written(self, key: str, before: Shown, at: datetime, keep_for: timedelta) -> None:
        """A write was accepted at ``at``; ``before`` is what stood there until then."""
        young = [(when, shown) for when, shown in self._before.get(key, ()) if at - when < keep_for]
        self._before[key] = [*young, (at, before)]

    def stale(self, at: datetime, lag: timedelta) -> Mapping[str, Shown]:
        """By folded id: what the tables still show instead of what there is."""
        lag = max(lag, self.lag)
        still: dict[str, Shown] = {}
        for key, history in self._before.items():
            young = [shown for when, shown in history if at - when < lag]
            if young:
                still[key] = young[0]
        return still

    def keep(self, token: str, result: Result) -> None:
        """Remember a result whose next pages will be asked for; the oldest are forgotten, never this one."""
        self._results[token] = result
        while len(self._results) > 1 and (len(self._results) > _KEPT_RESULTS or self._rows() > _KEPT_ROWS):
            self._results.popitem(last=False)

    def forget(self, token: str) -> None:
        """Its last page was given."""
        self._results.pop(token, None)

    def _rows(self) -> int:
        return sum(_weight(result.table.rows) for result in self._results.values())

    def kept(self, token: str) -> Result | None:
        return self._results.get(token)


def _weight(rows: Sequence[Row]) -> int:
    return len(rows) // _LAZY if rows and is_lazy(rows[0]) else len(rows)
