"""What happens while a plan is carried out, as values for whoever shows progress. Nothing here is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from policyengine.remediation.steps import Step, StepOutcome


@dataclass(frozen=True, slots=True)
class StepStarted:
    """Somebody is working on the step now; ``resumed`` when an earlier run had begun it."""

    step: Step
    resumed: bool


@dataclass(frozen=True, slots=True)
class StepWaiting:
    """Nothing happens for ``seconds``, and why: a budget, a 409, an operation under way."""

    step: Step
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StepAccepted:
    """The service took the write; its operation is being followed."""

    step: Step


@dataclass(frozen=True, slots=True)
class StepFinished:
    """The step reached a final state."""

    step: Step
    outcome: StepOutcome


@dataclass(frozen=True, slots=True)
class StepLeft:
    """This run stops caring for the step before its end; a later run takes it up where it stands."""

    step: Step
    reason: str


Event: TypeAlias = StepStarted | StepWaiting | StepAccepted | StepFinished | StepLeft
EventListener: TypeAlias = Callable[[Event], None]
