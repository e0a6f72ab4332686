"""Carries out a stored plan: many clusters at once, one step after another on each. Resumable at any line.

Order and bounds are decided here, what happens to one step in `step_run`.
Source: DESIGN §8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from policyengine.arm.client import ArmClient
from policyengine.clock import Clock
from policyengine.errors import ArmError, InventoryError, PolicyEngineError, RemediationError
from policyengine.execution.clusters import Clusters
from policyengine.execution.events import EventListener, StepLeft, StepStarted
from policyengine.execution.last_look import LastLook, MaySend
from policyengine.execution.reach import ends_the_run
from policyengine.execution.recorder import ProgressStore, Recorder
from policyengine.execution.secrets import SecretResolver
from policyengine.execution.slots import FairSlots, Place
from policyengine.execution.step_run import Means, StepRun
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.remediation.steps import Plan, Step, StepOutcome, StepState

AWAY_FOR_EACH_PLACE: Final = 100
"""How many steps may wait for their agents for each one that is being sent. Ten places at 8 writes a second and agents
that take two minutes are a thousand under way; more would only be more that is not seen to fail yet."""

STEP_TIMEOUT: Final = timedelta(minutes=45)
"""How long one run cares for one step: installing Flux has been seen to take more than 30 minutes."""


async def always(_step: Step, _cluster: Cluster) -> str:
    """For plans that need nobody's leave."""
    return ""


async def execute(
    plan: Plan,
    arm: ArmClient,
    store: ProgressStore,
    clock: Clock,
    *,
    secrets: SecretResolver,
    on_event: EventListener,
    may_send: MaySend = always,
    resume: bool = False,
    parallel: int = 10,
    step_timeout: timedelta = STEP_TIMEOUT,
) -> tuple[StepOutcome, ...]:
    """Carry out every step of ``plan`` that is not final yet; the outcomes, in the order of the plan.

    ``plan`` must be stored. ``parallel`` bounds the steps being sent at once, shared fairly by the subscriptions; steps
    whose cluster is at work do not count, as long as they are no more than `AWAY_FOR_EACH_PLACE` times as many. A step
    that is PLANNED, INTENT or ACCEPTED in the end was left for a later run, and `StepLeft` said why: its time was up,
    the service is overloaded or does not answer for its object, a step before it is still running, another plan is
    writing to its object. ``may_send`` has the last word on each request. Cancelling leaves every step where the store
    says it is.

    Raises RemediationError when the plan was begun before and ``resume`` is not asked for; ArmTransportError
    and ArmNotAuthorized (401) when going on would only fail every step (see `reach`), which stay as they are.
    """
    id = plan.id  # made from every step, so not to be asked for at each of them
    known = store.progress(id)
    if not resume and any(outcome.state is not StepState.PLANNED for outcome in known.values()):
        raise RemediationError(
            f"plan `{id}` was begun before", help=f"go on with it: policyengine remediate --resume {id}"
        )
    _check_order(plan)

    now = clock.now()
    stands = {step.id: known.get(step.id) or StepOutcome(step.id, StepState.PLANNED, now) for step in plan.steps}
    to_send = (step.cluster for step in plan.runnable if stands[step.id].state is StepState.PLANNED)
    last_look = LastLook(Clusters(arm, clock, to_send), may_send)
    means = Means(arm, clock, secrets, Recorder(store, id), on_event, last_look)
    runs = {step.id: StepRun(step, stands[step.id], means) for step in plan.steps}
    places = max(1, parallel)
    remediation = _Remediation(runs, FairSlots(places, places * AWAY_FOR_EACH_PLACE), step_timeout)
    try:
        async with asyncio.TaskGroup() as tasks:
            for steps in _by_cluster(plan.steps):
                tasks.create_task(remediation.carry_out(steps))
    except BaseExceptionGroup as group:
        raise _first(group) from group
    return tuple(runs[step.id].outcome for step in plan.steps)


def _check_order(plan: Plan) -> None:
    """Steps may only wait for steps before them; otherwise two could wait for each other."""
    seen: set[str] = set()
    for step in plan.steps:
        if missing := [id for id in step.after_steps if id not in seen]:
            raise RemediationError(
                f"plan `{plan.id}` is damaged: step `{step.id}` waits for `{missing[0]}`, not before it"
            )
        seen.add(step.id)


def _by_cluster(steps: Iterable[Step]) -> list[list[Step]]:
    chains: dict[ResourceId, list[Step]] = {}
    for step in steps:
        chains.setdefault(step.cluster, []).append(step)
    return list(chains.values())


@dataclass(slots=True)
class _Remediation:
    """The steps of one plan while they are carried out."""

    runs: Mapping[str, StepRun]
    slots: FairSlots
    step_timeout: timedelta
    ended: dict[str, asyncio.Event] = field(init=False)

    def __post_init__(self) -> None:
        self.ended = {id: asyncio.Event() for id in self.runs}

    async def carry_out(self, steps: Iterable[Step]) -> None:
        """The steps of one cluster, in order."""
        for step in steps:
            for before in step.after_steps:
                await self.ended[before].wait()
            # Taken only now: a step that waits for another cluster must not hold the place that one needs.
            async with self.slots.place((step.cluster.subscription or "").casefold()) as place:
                await self._step(self.runs[step.id], place)
            self.ended[step.id].set()

    async def _step(self, run: StepRun, place: Place) -> None:
        if run.outcome.state.is_final:
            return
        if run.outcome.state is StepState.PLANNED and await self._is_held_back(run):
            return
        run.means.on_event(StepStarted(run.step, resumed=run.outcome.state is not StepState.PLANNED))
        try:
            async with asyncio.timeout(self.step_timeout.total_seconds()):
                await run.run(place)
        except TimeoutError:
            goes_on = "; the service goes on with it" if run.outcome.state is StepState.ACCEPTED else ""
            _leave(run, f"not done after {_minutes(self.step_timeout)}{goes_on}")
        except (RemediationError, InventoryError) as held:
            _leave(run, held.message)
        except ArmError as error:
            run.scrub(error)
            if await ends_the_run(error, run.means.arm, run.step.cluster):
                raise
            _leave(run, error.message)

    async def _is_held_back(self, run: StepRun) -> bool:
        """True when the step must not begin; it is then skipped, or left while a step before it still runs."""
        if not run.step.will_run:
            await run.become(StepState.SKIPPED, f"{run.step.preflight.value}: {run.step.reason}")
            return True
        for before in (self.runs[id] for id in run.step.after_steps):
            if not before.outcome.state.is_final:
                _leave(run, f"`{before.step.action}` has to succeed first and has not ended yet")
                return True
            if before.outcome.state is not StepState.SUCCEEDED:
                await run.become(StepState.SKIPPED, f"`{before.step.action}` had to succeed first and did not")
                return True
        return False


def _leave(run: StepRun, reason: str) -> None:
    run.means.on_event(StepLeft(run.step, reason))


def _minutes(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:g} s"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """One of what went wrong; our own errors before others, since the others are ours to mend."""
    flat: list[BaseException] = []
    for error in group.exceptions:
        flat.append(_first(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in flat if not isinstance(error, PolicyEngineError)), flat[0])
