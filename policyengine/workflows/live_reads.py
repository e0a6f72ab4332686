"""The reads a plan asks for beside its clusters, fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from policyengine.arm.client import ArmClient
from policyengine.errors import ArmError, ArmNotFound
from policyengine.templates import Answer, LiveRead

_AT_ONCE: Final = 16


async def answer_reads(arm: ArmClient, reads: Iterable[LiveRead]) -> Mapping[LiveRead, Answer]:
    """An answer to each; a failure is an answer too, since it concerns one finding and not the plan."""
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def one(read: LiveRead) -> tuple[LiveRead, Answer]:
        async with at_once:
            return read, await _answer(arm, read)

    async with asyncio.TaskGroup() as tasks:
        reading = [tasks.create_task(one(read)) for read in reads]
    return dict(task.result() for task in reading)


async def _answer(arm: ArmClient, read: LiveRead) -> Answer:
    try:
        document = await arm.get(read.id.text, read.api_version)
    except ArmNotFound:
        return Answer(None)
    except ArmError as error:
        return Answer(None, error.message)
    return Answer(document if isinstance(document, Mapping) else None)
