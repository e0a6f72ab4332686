"""Carries out stored plans, and can be stopped and resumed at any line."""

from policyengine.execution.events import (
    Event,
    EventListener,
    StepAccepted,
    StepFinished,
    StepLeft,
    StepStarted,
    StepWaiting,
)
from policyengine.execution.execute import STEP_TIMEOUT, execute
from policyengine.execution.secrets import SecretResolver

__all__ = [
    "STEP_TIMEOUT",
    "Event",
    "EventListener",
    "SecretResolver",
    "StepAccepted",
    "StepFinished",
    "StepLeft",
    "StepStarted",
    "StepWaiting",
    "execute",
]
