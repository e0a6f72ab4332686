"""Wherever shards are judged, the answer is the same; a worker that dies costs its shard."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from policyengine.compliance.block import Block
from policyengine.compliance.sheet import Sheet
from policyengine.errors import StoreError, UsageError
from policyengine.workflows import executors, work
from policyengine.workflows.bench import Bench, set_up
from policyengine.workflows.executors import AUTO, INLINE, PROCESSES, UNDER_WAY, choose, demand_executor, map_shards
from policyengine.workflows.load import load
from policyengine.workflows.scan import ScanRequest, scan
from policyengine.workflows.shards import Desk, Judged
from policyengine.workflows.sync import unwatched
from policyengine.workflows.worker import packed
from tests.workflows.conftest import ManualClock
from tests.workflows.test_incremental import MANAGED, ONE, Fleet, assignment, cluster, exemption, told

CLUSTERS = 60


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Sixty clusters and two policies; nothing is judged yet."""
    fleet = Fleet(tmp_path, ManualClock())
    fleet.write(assignment("owned", "owned", MANAGED), assignment("placed", "placed", f"/subscriptions/{ONE}"))
    fleet.read(*(cluster(f"c{n:02d}", "ab"[n % 2], **({"owner": "me"} if n % 3 else {})) for n in range(CLUSTERS)))
    yield fleet
    fleet.store.close()


def test_processes_say_what_this_process_says(fleet: Fleet, tmp_path: Path) -> None:
    result = fleet.scan(executor=PROCESSES, workers=2)
    other = Fleet(tmp_path, fleet.clock, "inline")
    other.read(*fleet.store.clusters())
    other.scan(executor=INLINE)

    assert result.effort.executor == PROCESSES
    assert fleet.pairs(result) == (2 * CLUSTERS, CLUSTERS)
    assert told(fleet.store) == told(other.store)
    other.store.close()


def test_a_lost_worker_costs_its_shard_only(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer kills the process that gave it, while others are under way."""
    chunked(monkeypatch, fleet)
    killed: list[int] = []

    async def go() -> int:
        asked = ScanRequest(sync=False, executor=PROCESSES, workers=2)

        def on_scan(done: int, total: int | None) -> None:
            if done and not killed:
                killed.append(_kill_a_child())

        result = await scan(fleet.settings, fleet.store, fleet.clock, asked, on_sync=unwatched, on_scan=on_scan)
        return result.effort.pairs

    pairs = asyncio.run(go())

    assert killed
    assert pairs == 2 * CLUSTERS
    assert fleet.pairs(fleet.scan()) == (0, 0)


def chunked(monkeypatch: pytest.MonkeyPatch, fleet: Fleet) -> None:
    """Scanned once, then every cluster is due, ten of them to a shard."""
    fleet.scan()
    with fleet.store._database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM state_block")
        session.connection().exec_driver_sql("DELETE FROM finding")
        session.connection().exec_driver_sql("DELETE FROM rollup")
        session.connection().exec_driver_sql("UPDATE mark SET seq = 0")
    whole = work._shards

    def cut(due: Any, chunks: int) -> Iterator[work.Shard]:
        for shard in whole(due, chunks):
            assert shard.numbers is not None
            for at in range(0, len(shard.numbers), 10):
                yield work.Shard(shard.policies, shard.chunks, shard.numbers[at : at + 10])

    monkeypatch.setattr(work, "_shards", cut)


def _kill_a_child() -> int:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    for child in map(int, children):
        if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
            os.kill(child, signal.SIGKILL)
            return child
    raise AssertionError("there is no worker to kill")


class Watched(Desk):
    """Remembers what was judged here; the first time, kills whom it is told to."""

    judged: list[work.Shard]
    kill: Callable[[], object] | None = None

    def judge(self, shard: work.Shard) -> Judged:
        self.judged.append(shard)
        kill, self.kill = self.kill, None
        if kill is not None:
            kill()
        return super().judge(shard)


def watched(bench: Bench) -> Watched:
    desk = Watched(bench.scanning, bench.desk.everyone, bench.brief.keys, bench.desk.world)
    desk.judged = []
    return desk


def shards_of(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, Sequence[work.Shard]]:
    chunked(monkeypatch, fleet)
    loaded = load(fleet.settings.policies)
    bench = set_up(fleet.settings, fleet.store, fleet.clock, loaded, loaded.policies)
    return bench, bench.work().shards


def mapped(bench: Bench, desk: Desk, shards: Sequence[work.Shard], workers: int) -> list[work.Shard]:
    async def go() -> list[work.Shard]:
        found = map_shards(PROCESSES, desk, bench.brief, shards, workers=workers)
        return [judged.shard async for judged in found]

    return asyncio.run(go())


def test_this_process_judges_while_the_others_start(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, shards = shards_of(fleet, monkeypatch)
    desk = watched(bench)

    assert sorted(mapped(bench, desk, shards, 2), key=shards.index) == list(shards)
    assert 0 < len(desk.judged) < len(shards)


def test_what_cost_a_worker_is_not_judged_here(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is killed before it answers: it may have been the shard."""
    bench, shards = shards_of(fleet, monkeypatch)
    desk = watched(bench)
    desk.kill = _kill_a_child

    assert sorted(mapped(bench, desk, shards, 2), key=shards.index) == list(shards)
    assert desk.judged
    assert not set(desk.judged) & set(shards[:UNDER_WAY])


def test_workers_that_keep_dying_end_the_scan(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """After three of them, though there are other shards to try."""
    bench, shards = shards_of(fleet, monkeypatch)
    monkeypatch.setattr(executors, "enter", partial(os._exit, 1))
    desk = watched(bench)

    with pytest.raises(StoreError, match="the processes that judge clusters keep dying"):
        mapped(bench, desk, shards[: UNDER_WAY + 1], 2)
    assert set(desk.judged) <= {shards[UNDER_WAY]}


PARENT = """
import os, time
from policyengine.workflows.executors import _processes

if __name__ == "__main__":
    pool = _processes(1)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


def test_a_scan_that_is_killed_leaves_no_worker_behind(tmp_path: Path) -> None:
    """What the workers were given of the parent's output ends when the last of them does."""
    (tmp_path / "parent.py").write_text(PARENT, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) != parent.pid
        parent.kill()
        assert parent.communicate(timeout=30)[0] == ""


def test_a_thread_beside_others_judges_nothing_itself(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's pages would have to wait for it."""
    bench, shards = shards_of(fleet, monkeypatch)
    desk = watched(bench)
    with ThreadPoolExecutor(1) as beside:
        found = beside.submit(mapped, bench, desk, shards[:2], 2).result()

    assert sorted(found, key=shards.index) == list(shards[:2])
    assert desk.judged == []


def test_the_last_shards_come_a_chunk_at_a_time() -> None:
    def shard(*chunks: int, numbers: tuple[int, ...] | None = None) -> work.Shard:
        return work.Shard((0,), chunks, numbers)

    some = shard(15, 16, numbers=(61440, 65536))
    shards = [shard(0, 1, 2), shard(3, 4, 5), shard(6, 7, 8), shard(9, 10, 11), some]

    assert list(work.evened(shards, 2)) == [*shards[:3], shard(9), shard(10), shard(11), some]
    assert list(work.evened(shards[3:], 8)) == [shard(9), shard(10), shard(11), some]


def test_a_scan_that_is_cancelled_keeps_its_shards_and_the_next_one_does_the_rest(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunked(monkeypatch, fleet)
    before = fleet.store.last_scan()

    async def go() -> None:
        task = asyncio.current_task()
        assert task is not None

        def on_scan(done: int, total: int | None) -> None:
            if done == 20:
                task.cancel()

        asked = ScanRequest(sync=False, executor=INLINE)
        await scan(fleet.settings, fleet.store, fleet.clock, asked, on_sync=unwatched, on_scan=on_scan)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(go())

    assert fleet.store.last_scan() == before
    assert sum(len(states) for _, states in fleet.store.state_matrix()) == 2 * 20


@pytest.mark.parametrize(
    "changed",
    [
        (assignment("owned", "owned", f"/subscriptions/{ONE}"), assignment("placed", "placed", MANAGED)),
        (
            assignment("owned", "owned", MANAGED),
            assignment("placed", "placed", f"/subscriptions/{ONE}"),
            exemption("pause", "owned", MANAGED),
        ),
    ],
    ids=["scopes", "exemption"],
)
def test_a_worker_refuses_policies_that_are_not_those_of_the_scan(fleet: Fleet, changed: tuple[str, ...]) -> None:
    loaded = load(fleet.settings.policies)
    bench = set_up(fleet.settings, fleet.store, fleet.clock, loaded, loaded.policies)
    fleet.write(*changed)

    async def go() -> list[Judged]:
        return [
            judged async for judged in map_shards(PROCESSES, bench.desk, bench.brief, bench.work().shards, workers=1)
        ]

    with pytest.raises(UsageError, match="not those that the scan began with"):
        asyncio.run(go())


@pytest.mark.parametrize(
    ("clusters", "shards", "workers", "expected"),
    [(19_999, 5, 2, INLINE), (20_000, 5, 2, PROCESSES), (20_000, 1, 2, INLINE), (20_000, 5, 1, INLINE)],
)
def test_processes_are_started_when_they_are_worth_it(clusters: int, shards: int, workers: int, expected: str) -> None:
    assert choose(AUTO, clusters=clusters, shards=shards, workers=workers) == expected
    assert choose(INLINE, clusters=clusters, shards=shards, workers=workers) == INLINE


def test_an_executor_must_be_one_there_is() -> None:
    with pytest.raises(UsageError, match="there is no executor `ray`") as refused:
        demand_executor("ray")

    assert refused.value.help == "choose auto, inline, processes or dask://HOST:PORT"


@pytest.mark.parametrize("address", ["", "localhost", "localhost:x", "tcp://localhost:8786", ":8786", "a b:1"])
def test_an_address_of_dask_has_a_host_and_a_port(address: str) -> None:
    with pytest.raises(UsageError, match=f"`dask://{address}` is no address of a Dask scheduler") as refused:
        demand_executor(f"dask://{address}")

    assert refused.value.help == "write dask://HOST:PORT, as in dask://localhost:8786"


@pytest.mark.parametrize("address", ["localhost:8786", "10.0.0.4:1", "[::1]:8786", "dask-scheduler.fleet.svc:8786"])
def test_a_host_may_be_a_name_or_an_address(address: str) -> None:
    pytest.importorskip("distributed", reason="distributed is not installed: Dask is not tested")
    demand_executor(f"dask://{address}")


def test_a_scheduler_without_workers_is_told(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed: Dask is not tested")
    monkeypatch.setattr(executors, "WORKERS_WITHIN_S", 0.1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as cluster_:
        address = cluster_.scheduler_address.replace("tcp://", "dask://")
        with pytest.raises(UsageError, match=f"the Dask scheduler at `{address}` has no workers") as refused:
            fleet.scan(executor=address)

    assert refused.value.help == f"start some with `dask worker {cluster_.scheduler_address}`"


def test_dask_completes_though_a_worker_is_killed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers, each a process; one is killed while shards are under way."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed: Dask is not tested")
    chunked(monkeypatch, fleet)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster_:
        killed: list[int] = []

        def on_scan(done: int, total: int | None) -> None:
            if done and not killed:
                killed.append(next(iter(cluster_.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        address = cluster_.scheduler_address.replace("tcp://", "dask://")
        asked = ScanRequest(sync=False, executor=address)
        result = asyncio.run(scan(fleet.settings, fleet.store, fleet.clock, asked, on_sync=unwatched, on_scan=on_scan))

    assert killed
    assert result.effort.pairs == 2 * CLUSTERS
    assert fleet.pairs(fleet.scan()) == (0, 0)


def test_an_answer_that_dask_loses_while_it_is_fetched_is_asked_for_again(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask's own code stumbles over one whose worker dies between two looks at it."""
    cfexecutor = pytest.importorskip("distributed.cfexecutor", reason="distributed is not installed")
    bench, shards = shards_of(fleet, monkeypatch)
    asked: list[work.Shard] = []

    class Gone:
        status = "lost"

        async def _result(self, raiseit: bool) -> bytes:
            return packed(bench.desk.judge(shards[0]))

    class Losing(Executor):
        def submit(self, _fn: Any, /, brief: bytes, shard: work.Shard) -> Future[Any]:  # type: ignore[override]
            asked.append(shard)
            answer: Future[Any] = Future()
            if len(asked) == 1:
                cfexecutor._cascade_future(Gone(), answer)
            else:
                answer.set_result(packed(bench.desk.judge(shard)))
            return answer

    async def go() -> list[work.Shard]:
        crew = executors._Crew(Losing, bench.brief, 1)
        return [judged.shard async for judged in executors._through(crew, shards)]

    assert sorted(asyncio.run(go()), key=shards.index) == list(shards)
    assert asked.count(shards[0]) == 2


def test_a_scan_leaves_the_collector_as_it_was_and_nothing_of_its_clusters(fleet: Fleet) -> None:
    """Texts of clusters that stay behind with a shard would add up."""
    gc.collect()
    before = gc.get_threshold(), gc.get_freeze_count()
    fleet.scan(executor=INLINE)
    left = [found for found in gc.get_objects() if isinstance(found, Block | Sheet)]

    assert (gc.get_threshold(), gc.get_freeze_count()) == before
    assert left == []
