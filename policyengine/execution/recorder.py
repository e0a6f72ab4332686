"""Where steps stand, kept durably: what many steps have to say at one moment becomes one transaction.

A transaction that a power cut cannot undo takes a disk some milliseconds, however much is in it. One for each move of
each step would be what bounds a remediation, and not the budgets of the service.
INVARIANT: whoever is told that a move is stored finds it stored after a power cut; and a move that was handed over is
stored even when its step is cancelled that same instant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from policyengine.errors import PolicyEngineError
from policyengine.remediation.steps import StepOutcome


class ProgressStore(Protocol):
    """What execution asks of the store."""

    def progress(self, plan_id: str) -> Mapping[str, StepOutcome]: ...

    def record_outcomes(self, plan_id: str, outcomes: Sequence[StepOutcome]) -> Sequence[bool | PolicyEngineError]:
        """For each outcome, in order, once all of them are durable: True when another plan may have written to the
        object, or why this one is not recorded, such as a RemediationError for an intent while another plan is
        writing to the object.

        Raises when none is.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Move:
    outcome: StepOutcome
    then: Callable[[StepOutcome], None]
    turn: asyncio.Future[bool]


@dataclass(slots=True)
class Recorder:
    """Records the moves of one plan. Belongs to one event loop."""

    store: ProgressStore
    plan_id: str
    _moves: list[_Move] = field(default_factory=list, init=False)

    async def record(self, outcome: StepOutcome, then: Callable[[StepOutcome], None]) -> bool:
        """True when another plan may have written to the object; raises what the store has against it.

        ``then`` is called with the outcome when it is durable, before this returns, also when the caller is cancelled.
        """
        loop = asyncio.get_running_loop()
        if not self._moves:
            loop.call_soon(self._store)
        move = _Move(outcome, then, loop.create_future())
        self._moves.append(move)
        return await asyncio.shield(move.turn)

    def _store(self) -> None:
        """Not in a thread: nobody acts on anything before it is stored."""
        moves, self._moves = self._moves, []
        try:
            results = self.store.record_outcomes(self.plan_id, [move.outcome for move in moves])
        except Exception as error:
            for move in moves:
                move.turn.set_exception(error)
            return
        for move, result in zip(moves, results, strict=True):
            self._tell(move, result)

    def _tell(self, move: _Move, result: bool | PolicyEngineError) -> None:
        if isinstance(result, PolicyEngineError):
            move.turn.set_exception(result)
            return
        try:
            move.then(move.outcome)
        except Exception as error:
            move.turn.set_exception(error)
        else:
            move.turn.set_result(result)
