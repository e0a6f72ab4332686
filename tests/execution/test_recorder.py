from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policyengine.errors import PolicyEngineError, StoreError
from policyengine.execution.recorder import Recorder
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, EXTENSIONS, ResourceWrite
from policyengine.remediation.steps import Plan, Step, StepOutcome, StepState
from policyengine.store.store import Store

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
CLUSTER = ResourceId(f"/subscriptions/s/resourceGroups/g/providers/{ARC}/c")
WRITE = ResourceWrite(CLUSTER.extension(EXTENSIONS, "flux"), "2024-11-01", {"properties": {}})
PLAN = Plan(NOW, tuple(Step(f"s{n:03}", CLUSTER, ("p",), WRITE, None, ()) for n in range(50)))


@dataclass
class Counting:
    """A store that counts its transactions."""

    store: Store
    batches: list[int] = field(default_factory=list)

    def progress(self, plan_id: str) -> dict[str, StepOutcome]:
        return self.store.progress(plan_id)

    def record_outcomes(self, plan_id: str, outcomes: Sequence[StepOutcome]) -> list[bool | PolicyEngineError]:
        self.batches.append(len(outcomes))
        return self.store.record_outcomes(plan_id, outcomes)


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        store.save_plan(PLAN)
        yield Counting(store)


def outcome(number: int, state: StepState = StepState.INTENT) -> StepOutcome:
    return StepOutcome(f"s{number:03}", state, NOW)


def test_what_many_steps_say_at_one_moment_is_one_transaction(counting: Counting) -> None:
    told: list[StepOutcome] = []

    async def main() -> list[bool]:
        recorder = Recorder(counting, PLAN.id)
        first = await asyncio.gather(*(recorder.record(outcome(n), told.append) for n in range(50)))
        await recorder.record(outcome(0, StepState.ACCEPTED), told.append)
        return first

    assert asyncio.run(main()) == [False] * 50
    assert counting.batches == [50, 1]
    assert told[-1] == counting.progress(PLAN.id)["s000"]
    assert len(counting.progress(PLAN.id)) == 50


def test_a_refused_move_raises_for_its_own_step_only(counting: Counting) -> None:
    told: list[StepOutcome] = []

    async def main() -> list[bool | BaseException]:
        recorder = Recorder(counting, PLAN.id)
        moves = (outcome(0), outcome(1, StepState.ACCEPTED), outcome(2))
        return await asyncio.gather(*(recorder.record(move, told.append) for move in moves), return_exceptions=True)

    results = asyncio.run(main())
    assert isinstance(results[1], StoreError)
    assert (results[0], results[2]) == (False, False)
    assert set(counting.progress(PLAN.id)) == {move.step_id for move in told} == {"s000", "s002"}


def test_a_move_is_stored_though_its_step_is_cancelled_that_instant(counting: Counting) -> None:
    told: list[StepOutcome] = []

    async def main() -> None:
        recorder = Recorder(counting, PLAN.id)
        task = asyncio.create_task(recorder.record(outcome(0), told.append))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert told == [outcome(0)]
    assert counting.progress(PLAN.id)["s000"].state is StepState.INTENT


def test_a_store_that_fails_raises_for_everybody(counting: Counting) -> None:
    async def main() -> list[bool | BaseException]:
        recorder = Recorder(counting, "p-nobody")
        moves = (recorder.record(outcome(n), lambda _: None) for n in range(3))
        return await asyncio.gather(*moves, return_exceptions=True)

    assert all(isinstance(result, PolicyEngineError) for result in asyncio.run(main()))
    assert counting.progress(PLAN.id) == {}
