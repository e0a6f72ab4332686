"""Runs what is due, start to end: whatever goes wrong with one run is logged and ends that run only."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from threading import Event
from typing import TypeVar

import structlog

from policyengine.clock import SystemClock
from policyengine.errors import PolicyEngineError
from policyengine.store.store import Store
from policyengine.workflows.scheduled import Outcome, interrupted, resume, run_assignment
from policyengine.workflows.settings import Settings

log = structlog.get_logger()
POLL_S = 0.2
T = TypeVar("T")


def run_due(settings: Settings, store: Store, name: str, stopping: Event) -> None:
    """One fire of assignment ``name``. A problem does not raise: the next fire is due anyway.

    First what another service began and never finished, should that one be gone by now.
    """
    resume_all(settings, store, stopping)
    log.info("run started", assignment=name)
    outcome = _finished(stopping, run_assignment(settings, store, SystemClock(), name), assignment=name)
    if outcome is not None:
        _tell(name, outcome)


def resume_all(settings: Settings, store: Store, stopping: Event) -> None:
    """Finish what an earlier service was writing when it was stopped. A problem with one does not hinder the next."""
    try:
        plans = interrupted(store, SystemClock())
    except PolicyEngineError as error:
        log.error("run failed", reason=error.message, help=error.help)
        return
    for plan_id in plans:
        log.info("resuming", plan=plan_id)
        if _finished(stopping, resume(settings, store, SystemClock(), plan_id), plan=plan_id) is not None:
            log.info("resumed and finished", plan=plan_id)


def _finished(stopping: Event, work: Coroutine[object, object, T], **of: str) -> T | None:
    """The result of ``work``; None when it was stopped or went wrong, which is logged."""
    try:
        return asyncio.run(_until(stopping, work))
    except asyncio.CancelledError:
        log.info("run interrupted; what was begun is resumed at the next start", **of)
    except PolicyEngineError as error:
        log.error("run failed", reason=error.message, help=error.help, **of)
    except Exception:
        log.exception("run failed", **of)
    return None


def _tell(name: str, outcome: Outcome) -> None:
    counts = {state.value: n for state, n in outcome.counts.items()}
    log.info(
        "run finished", assignment=name, scan=outcome.scan_id, states=counts, plan=outcome.plan_id, **outcome.steps
    )


async def _until(stopping: Event, work: Coroutine[object, object, T]) -> T:
    """The result of ``work``, which is cancelled as soon as ``stopping`` is set."""
    task = asyncio.ensure_future(work)
    while not task.done() and not stopping.is_set():
        await asyncio.wait({task}, timeout=POLL_S)
    task.cancel()
    await asyncio.wait({task})
    return task.result()
