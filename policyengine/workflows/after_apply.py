"""A plan carried out for a policy test: on an emulator that holds this one cluster, over HTTP, by the real executor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from policyengine.arm.client import ArmClient
from policyengine.arm.credentials import EmulatorCredential
from policyengine.clock import SystemClock
from policyengine.compliance.seeking import Seekers
from policyengine.emulator import Emulator, RunningEmulator, Settings
from policyengine.errors import RemediationError
from policyengine.execution import Event, SecretResolver, execute
from policyengine.inventory.live import read_cluster
from policyengine.inventory.related import Related
from policyengine.model.fleet import Fleet, FleetFile
from policyengine.model.values import JSON, is_array
from policyengine.remediation.plan import build_plan
from policyengine.remediation.steps import Plan, StepOutcome, StepState
from policyengine.testing.run import Trial

RATE = "x3600"
"""An hour a second: agents take minutes, and nobody should wait for them here."""

SETTLING = timedelta(hours=1)
"""What is left for the cluster to reconcile once every request was answered."""

MANY = 1_000.0
"""Requests a second: budgets protect a service, and this one is our own."""


class _Since:
    """Real time, moved so that it begins at ``start``."""

    def __init__(self, start: datetime) -> None:
        self._clock = SystemClock()
        self._offset = start - self._clock.now()

    def now(self) -> datetime:
        return self._clock.now() + self._offset


class _Emulated:
    """The emulator's own time."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def now(self) -> datetime:
        return self._emulator.settle()


@dataclass(frozen=True)
class _Memory:
    """Where the steps of one plan stand, for as long as the test runs."""

    outcomes: dict[str, StepOutcome]

    def progress(self, plan_id: str) -> Mapping[str, StepOutcome]:  # noqa: ARG002  there is one plan only
        return self.outcomes

    def record_outcomes(self, plan_id: str, outcomes: Sequence[StepOutcome]) -> Sequence[bool]:  # noqa: ARG002
        self.outcomes.update({outcome.step_id: outcome for outcome in outcomes})
        return [False] * len(outcomes)


async def after_apply(trial: Trial) -> Trial:
    """The same case on what the cluster became, an hour after its plan was carried out.

    Secrets are made up. Raises RemediationError when a request of the plan did not succeed.
    """
    tree = trial.world.tree
    fleet = FleetFile(Fleet(tree, (trial.cluster,)), {}, ())
    emulator = Emulator(fleet, clock=RATE, settings=Settings(throttling=False), wall=_Since(trial.world.at))
    with RunningEmulator(emulator) as running:
        async with ArmClient(
            running.url, EmulatorCredential(), writes_per_second=MANY, reads_per_second=MANY, jitter=lambda: 0.0
        ) as arm:
            now = emulator.settle()
            related = Related(arm, Seekers([trial.policy], trial.world), tree)
            live = trial.on(await read_cluster(related, trial.cluster.id), now)
            plan = build_plan([live.policy], [live.cluster], live.world, created_at=now)
            memory = _Memory({step.id: StepOutcome(step.id, StepState.PLANNED, now) for step in plan.steps})
            outcomes = await execute(
                plan,
                arm,
                memory,
                _Emulated(emulator),
                secrets=SecretResolver(dict.fromkeys(_secret_names(plan), "a-secret-of-this-test")),
                on_event=_unheard,
            )
            _demand_success(plan, outcomes)
            at = emulator.advance(SETTLING)
            return trial.on(await read_cluster(related, trial.cluster.id), at)


def _unheard(event: Event) -> None:
    """Nobody listens."""


def _demand_success(plan: Plan, outcomes: tuple[StepOutcome, ...]) -> None:
    for step, outcome in zip(plan.steps, outcomes, strict=True):
        if outcome.state is not StepState.SUCCEEDED:
            why = outcome.message or step.reason or outcome.state.value
            raise RemediationError(f"{step.action} did not succeed: {why}")


def _secret_names(plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        yield from _names_in(step.write.body)


def _names_in(value: JSON) -> Iterator[str]:
    if isinstance(value, Mapping):
        reference = value.get("secretRef")
        if isinstance(reference, Mapping) and isinstance(reference.get("env"), str):
            yield reference["env"]
        for member in value.values():
            yield from _names_in(member)
    elif is_array(value):
        for item in value:
            yield from _names_in(item)
