"""The last look before a write: whether the cluster can act, whether anybody still wants it, and whether the object is
what the plan saw.

Says what stands in the way, in words; what becomes of the step then is for `step_run`.
Source: DESIGN §8; GitOps behaviour G39 and G40.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from policyengine.arm.throttle import WaitListener
from policyengine.errors import ArmNotFound
from policyengine.execution.clusters import Clusters
from policyengine.execution.intent import is_well
from policyengine.execution.live_object import Document
from policyengine.model.resource import Cluster
from policyengine.remediation.deployments import is_deployment
from policyengine.remediation.diff import has_secrets, holds, writable_fingerprint
from policyengine.remediation.steps import Step, StepState

MaySend: TypeAlias = Callable[[Step, Cluster], Awaitable[str]]
"""Why a request must not be sent, or "": asked before each, with the cluster's own document, `FRESH_FOR` old at most.

A no is asked for once more, with the document as it is now.
"""


@dataclass(frozen=True, slots=True)
class LastLook:
    """Whom to ask before a write."""

    clusters: Clusters
    may_send: MaySend

    async def held_back(self, step: Step, on_wait: WaitListener) -> str:
        """Why nothing is written to the step's cluster now, or ""."""
        try:
            cluster, is_of_now = await self.clusters.look(step.cluster, on_wait)
            reason = await self._why_not(step, cluster)
            if reason and not is_of_now:
                reason = await self._why_not(step, await self.clusters.read(step.cluster, on_wait))
        except ArmNotFound:
            return f"cluster `{step.cluster.name}` does not exist any more"
        return reason

    async def _why_not(self, step: Step, cluster: Cluster) -> str:
        if cluster.unreachable_reason:
            return f"parked: {cluster.unreachable_reason}"
        return await self.may_send(step, cluster)


def objection(step: Step, live: Document | None) -> tuple[StepState, str] | None:
    """What the step becomes instead of being sent over ``live``, and why; a deployment may always run again."""
    write = step.write
    if is_deployment(write.id.type) or writable_fingerprint(live, write.id.type) == step.before:
        return None
    if live is not None and holds(live, write.body) and is_well(live) and not has_secrets(write.body):
        return StepState.SUCCEEDED, "already as planned: nothing was sent"
    return StepState.STALE, stale(step, live)


def stale(step: Step, live: Document | None) -> str:
    """In which way ``live`` is not what the plan saw."""
    name = step.write.id.name
    if live is None:
        return f"`{name}` is gone since the plan was made: plan again"
    how = "has appeared" if step.before is None else "was changed"
    return f"`{name}` {how} since the plan was made: plan again"
