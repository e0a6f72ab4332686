"""One step, from where it stands to its end. What comes after ACCEPTED is `following`'s to find out.

    PLANNED → re-read, compare → INTENT stored → sent → ACCEPTED stored → followed, read back → SUCCEEDED
                    ↓                  ↓                                          ↓
              STALE, SKIPPED   no answer: re-read before                     FAILED, with
                               anything else is sent                         the innermost cause

INVARIANT: every arrow is stored before the next thing happens, and nothing is awaited between an answer and
handing over its record. So the process may be killed at any line, and what an earlier run began is taken up here too.
Source: DESIGN §8; configuration API §4; users' asks 21, 22, 23 and 25.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from policyengine.arm.client import ArmClient
from policyengine.arm.operation import POLL_AFTER_S, is_settled
from policyengine.clock import Clock
from policyengine.errors import (
    ArmError,
    ArmNotFound,
    ArmTransportError,
    ArmUnavailable,
    ConfigError,
    OperationFailed,
)
from policyengine.execution.clusters import FRESH_FOR
from policyengine.execution.events import EventListener, StepAccepted, StepFinished, StepWaiting
from policyengine.execution.following import Promise, follow, told
from policyengine.execution.intent import Fate, changes_nothing, fate, note
from policyengine.execution.last_look import LastLook, objection, stale
from policyengine.execution.live_object import Document, LiveObject
from policyengine.execution.recorder import Recorder
from policyengine.execution.secrets import Resolved, SecretResolver
from policyengine.execution.slots import Place
from policyengine.remediation.deployments import is_deployment
from policyengine.remediation.diff import has_secrets, holds
from policyengine.remediation.steps import Step, StepOutcome, StepState

MOST_SENDS: Final = 3
"""How often one run sends one write, when the object shows each time that it was not applied."""


@dataclass(frozen=True, slots=True)
class Means:
    """What carrying out a step takes."""

    arm: ArmClient
    clock: Clock
    secrets: SecretResolver
    recorder: Recorder
    on_event: EventListener
    last_look: LastLook


class _Changed(Exception):
    """The cluster or the object is not what it was when the write was lined up, or cannot be seen any more."""


@dataclass(slots=True)
class StepRun:
    """A step and where it stands. ``run`` may raise any ArmError; ``outcome`` then tells what a later run finds."""

    step: Step
    outcome: StepOutcome
    means: Means
    sends: int = field(default=0, init=False)
    promise: Promise | None = field(default=None, init=False)  # of a write that this run has seen accepted
    looked_at: datetime = field(default=datetime.min.replace(tzinfo=UTC), init=False)
    sent: Resolved | None = field(default=None, init=False, repr=False)

    async def run(self, place: Place) -> None:
        """Carry the step to a final state. ``place`` is left to others while the cluster's agent is at work."""
        if self.outcome.state is StepState.INTENT:
            await self._find_out(place)
        while self.outcome.state is StepState.PLANNED:
            await self._send(place)
        if self.outcome.state is StepState.ACCEPTED:
            place.leave()
            await self.become(*await follow(self.target, self.promise or Promise(self.outcome.operation_url)))

    @property
    def target(self) -> LiveObject:
        return LiveObject(self.means.arm, self.step.write, self._waiting)

    async def become(self, state: StepState, message: str = "", *, operation_url: str | None = None) -> bool:
        """Store that the step is in ``state`` now, and tell; True when somebody else may have written to the object.

        What the store refuses raises, and the step stands where it stood.
        """
        attempts = self.outcome.attempts + (state is StepState.INTENT)
        url = operation_url or self.outcome.operation_url
        now = self.means.clock.now()
        outcome = StepOutcome(self.step.id, state, now, self.scrubbed(message), url, attempts)
        return await self.means.recorder.record(outcome, self._stands)

    def _stands(self, outcome: StepOutcome) -> None:
        self.outcome = outcome
        if self.step.write.id == self.step.cluster:
            self.means.last_look.clusters.written(self.step.cluster)
        if outcome.state is StepState.ACCEPTED:
            self.means.on_event(StepAccepted(self.step))
        elif outcome.state.is_final:
            self.means.on_event(StepFinished(self.step, outcome))

    async def _send(self, place: Place) -> None:
        """Send the write if it still fits and is still wanted. Leaves any state but INTENT, unless reading fails."""
        self.means.arm.demand_open(self.step.write.method, self.step.write.id.text)
        if reason := await self.means.last_look.held_back(self.step, self._waiting):
            await self.become(StepState.SKIPPED, reason)
            return
        self.looked_at = self.means.clock.now()
        live = await self.target.read()
        if live is not None and not is_settled(live):
            await self._until_settled(place)
            return  # and once more from the beginning: minutes may have passed
        if instead := objection(self.step, live):
            await self.become(*instead)
            return
        if await self.become(StepState.INTENT, note(live)):
            # Between the look and the intent another plan had its turn; from the intent on, none has.
            live = await self.target.read()
            if instead := objection(self.step, live):
                await self.become(*instead)
                return
        try:
            self.sent = self.means.secrets.resolve(self.step.write.body)
        except ConfigError as missing:
            await self.become(StepState.FAILED, f"{missing.message}: nothing was sent")
            return
        self.sends += 1
        await self._put(self.sent, live, place)

    async def _put(self, resolved: Resolved, before: Document | None, place: Place) -> None:
        """Send, and store what is known afterwards."""
        write = self.step.write
        try:
            accepted = await self.means.arm.send(
                write.method,
                write.id.text,
                write.api_version,
                resolved.body,
                on_wait=self._waiting,
                before_each=self._demand_unchanged,
            )
        except _Changed:
            self.sends -= 1
            await self._find_out(place)
        except ArmError as error:
            await self._unanswered(error, place)
        else:
            self.promise = Promise(
                accepted.operation_url, accepted.retry_after_s, accepted.under_way and self._content_tells(before)
            )
            await self.become(StepState.ACCEPTED, operation_url=accepted.operation_url)

    async def _demand_unchanged(self) -> None:
        """Right before a try: a look is good for `FRESH_FOR`, and a write may wait for minutes for its budget."""
        now = self.means.clock.now()
        if now - self.looked_at < FRESH_FOR:
            return
        try:
            held_back = await self.means.last_look.held_back(self.step, self._waiting)
            has_changed = held_back or objection(self.step, await self.target.read())
        except ArmError as error:
            raise _Changed from error  # a failed look must not be taken for the write's own failure
        if has_changed:
            raise _Changed
        self.looked_at = now

    def _content_tells(self, before: Document | None) -> bool:
        """True when an object that holds what was written can only hold it by this write."""
        write = self.step.write
        return not (is_deployment(write.id.type) or has_secrets(write.body) or holds(before, write.body))

    async def _unanswered(self, error: ArmError, place: Place) -> None:
        """The write was refused, or nobody knows."""
        if changes_nothing(error):
            await self.become(StepState.PLANNED)
            raise error
        if isinstance(error, ArmTransportError | ArmUnavailable):
            await self._find_out(place)
        else:
            await self.become(StepState.FAILED, told(error))

    async def _find_out(self, place: Place) -> None:
        """After an INTENT without an answer: let the live object tell, and never send blindly."""
        live = await self.target.read()
        if live is not None and not is_settled(live) and not holds(live, self.step.write.body):
            await self._until_settled(place)
            live = await self.target.read()
        match fate(self.step, live, self.outcome.message):
            case Fate.APPLIED:
                await self.become(StepState.ACCEPTED)
            case Fate.OVERTAKEN:
                await self.become(StepState.STALE, stale(self.step, live))
            case Fate.NOT_APPLIED if self.sends < MOST_SENDS:
                await self.become(StepState.PLANNED)
            case Fate.NOT_APPLIED:
                await self.become(StepState.FAILED, f"sent {self.sends} times without an answer, and never applied")

    async def _until_settled(self, place: Place) -> None:
        """Wait while something is under way on the object, however that ends."""
        async with place.lent():
            with suppress(OperationFailed, ArmNotFound):
                await self.target.settled(first_wait_s=POLL_AFTER_S)

    def _waiting(self, reason: str, seconds: float) -> None:
        self.means.on_event(StepWaiting(self.step, self.scrubbed(reason), seconds))

    def scrubbed(self, message: str) -> str:
        """``message`` without secrets: services like to quote what they refuse."""
        if not message or not has_secrets(self.step.write.body):
            return message
        if self.sent is None:
            # Begun by an earlier run: what it sent is, as far as anybody knows, what would be sent now.
            with suppress(ConfigError):
                self.sent = self.means.secrets.resolve(self.step.write.body)
        return self.sent.scrub(message) if self.sent is not None else message

    def scrub(self, error: ArmError) -> None:
        """Take the secrets out of an error that is about to be shown."""
        error.message = self.scrubbed(error.message)
        error.help = self.scrubbed(error.help) if error.help else None
        error.args = (error.message,)
