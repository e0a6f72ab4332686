"""What the benchmarks of scans share: the synthetic fleet in a database, the twenty policies as files, one scan."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.policies import assignments, definitions
from policyengine.clock import SystemClock
from policyengine.store.store import Store
from policyengine.workflows.executors import INLINE
from policyengine.workflows.scan import ScanRequest, ScanResult, scan
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import sync, unwatched

SEED: Final = 7


@contextmanager
def folder(kept: str | None) -> Iterator[Path]:
    """Where databases are made: a temporary folder, or one that is kept for the next run."""
    if kept is None:
        with TemporaryDirectory() as made:
            yield Path(made)
    else:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)


def settings(folder: Path, size: int, database: str | None = None) -> Settings:
    policies = folder / "policies"
    if not policies.exists():
        policies.mkdir()
        for number, document in enumerate([*definitions(chosen=True), *assignments()]):
            (policies / f"{number:03d}.json").write_text(json.dumps(document), encoding="utf-8")
    return Settings(
        policies=[str(policies)],
        database=database or f"sqlite:///{folder}/fleet-{size}.db",
        inventory=f"synthetic:{size}?seed={SEED}",
    )


def synced(told: Settings) -> None:
    """The inventory as it is, read into the database; hardly anything to do when it is there already."""
    with Store.open(told.database) as store:
        last = store.last_sync()
        if last is None or not last.complete:
            asyncio.run(sync(told, store, SystemClock(), unwatched))


def scanned(told: Settings, executor: str = INLINE, workers: int | None = None) -> ScanResult:
    request = ScanRequest(sync=False, executor=executor, workers=workers)
    with Store.open(told.database) as store:
        return asyncio.run(scan(told, store, SystemClock(), request, on_sync=unwatched, on_scan=unwatched))
