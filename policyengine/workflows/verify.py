"""Judges everything once more and compares it with what is stored. Writes nothing.

What is due is left out: the next scan judges it anyway. Whatever else differs is an error of ours, or somebody wrote to
the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from policyengine.clock import Clock
from policyengine.errors import UsageError
from policyengine.store.blocks import CHUNK
from policyengine.store.store import Store
from policyengine.workflows.bench import Bench, set_up
from policyengine.workflows.executors import AUTO, choose, demand_executor, map_shards
from policyengine.workflows.load import load, select
from policyengine.workflows.settings import Settings
from policyengine.workflows.shards import Judged
from policyengine.workflows.sync import OnProgress
from policyengine.workflows.work import Work, everything

SHOWN: Final = 20
"""How many differences are told one by one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A pair whose stored state, or reason, is not what it would be now; ``found`` is the state it would be in."""

    policy: str
    cluster: str
    found: str


@dataclass(frozen=True)
class Verified:
    """``pairs`` were compared and ``due`` left out; the first of the ``differences`` are ``shown``."""

    pairs: int
    due: int
    differences: int
    shown: tuple[Difference, ...]


async def verify(
    settings: Settings,
    store: Store,
    clock: Clock,
    *,
    assignment: str | None = None,
    policy: str | None = None,
    executor: str = AUTO,
    workers: int | None = None,
    on_scan: OnProgress,
) -> Verified:
    """Raises PolicyError for policy files that cannot be used, UsageError when nothing was ever scanned."""
    demand_executor(executor)
    loaded = load(settings.policies, settings.aliases)
    chosen = select(loaded.policies, assignment=assignment, policy=policy)
    if store.last_scan() is None:
        raise UsageError("nothing has been scanned yet", help="run `policyengine scan`")
    bench = set_up(settings, store, clock, loaded, chosen)
    known = {record.key for record in store.policies()}
    bench = bench.only([one.key for one in bench.chosen if one.key in known])
    due, work = bench.work(), everything(len(bench.chosen), bench.survey)
    executor = choose(executor, clusters=work.clusters, shards=len(work.shards), workers=workers)
    verified, done = Verified(0, 0, 0, ()), 0
    found = map_shards(executor, bench.desk, bench.brief, work.shards, workers=workers)
    async with aclosing(found):
        async for judged in found:
            verified = _with_shard(verified, bench, judged, _due(judged, due))
            done += work.size(judged.shard)
            on_scan(done, work.clusters)
    return verified


def _with_shard(verified: Verified, bench: Bench, judged: Judged, due: npt.NDArray[np.bool_]) -> Verified:
    differs = bench.scanning.differences(judged.found) & ~due
    return Verified(
        verified.pairs + int((~due).sum()),
        verified.due + int(due.sum()),
        verified.differences + int(differs.sum()),
        (*verified.shown, *_told(bench, judged, differs, SHOWN - len(verified.shown))),
    )


def _due(judged: Judged, due: Work) -> npt.NDArray[np.bool_]:
    """Which of the shard's pairs the next scan judges anyway."""
    sheet = judged.found.sheet
    found = np.zeros(sheet.states.shape, dtype=bool)
    chunks = sheet.numbers // CHUNK
    for row, place in enumerate(judged.shard.policies):
        for chunk in judged.shard.chunks:
            if (place, chunk) in due.due:
                numbers = due.due[place, chunk]
                found[row] |= (chunks == chunk) if numbers is None else np.isin(sheet.numbers, numbers)
    return found


def _told(bench: Bench, judged: Judged, differs: npt.NDArray[np.bool_], most: int) -> Iterator[Difference]:
    rows, columns = np.nonzero(differs)
    chosen = list(zip(rows.tolist(), columns.tolist(), strict=True))[:most]
    ids = _ids(bench, [int(judged.found.sheet.numbers[column]) for _, column in chosen])
    for row, column in chosen:
        state = judged.found.state(row, column)
        yield Difference(judged.found.keys[row], ids[int(judged.found.sheet.numbers[column])], state.value)


def _ids(bench: Bench, numbers: Sequence[int]) -> dict[int, str]:
    return {row[0]: row[1] for row in bench.scanning.documents((), numbers)}
