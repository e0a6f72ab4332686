"""The object that a step writes to, as the service shows it at this moment.

Knows how to read it and how to wait for it; what its content means for the step is for others to say.
INVARIANT: an answer that is no object is an error. Taken for "nothing there", it would let a creation go out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policyengine.arm.client import ArmClient
from policyengine.arm.throttle import WaitListener
from policyengine.errors import ArmNotFound, ArmRejected
from policyengine.inventory.listing import version_of
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ResourceWrite
from policyengine.model.values import JSON

Document = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class LiveObject:
    """The object behind one write."""

    arm: ArmClient
    write: ResourceWrite
    on_wait: WaitListener

    async def read(self) -> Document | None:
        """The object; None when it is not there."""
        try:
            answer = await self.arm.get(self.write.id.text, self._version, on_wait=self.on_wait)
        except ArmNotFound:
            return None
        return as_object(answer, self.write.id)

    async def settled(self, *, first_wait_s: float = 0.0) -> Document:
        """The object once nothing is under way on it.

        Raises OperationFailed when the last change of it ended badly, ArmNotFound when it is not there.
        """
        answer = await self.arm.wait_for_resource(
            self.write.id.text, self._version, first_wait_s=first_wait_s, on_wait=self.on_wait
        )
        return as_object(answer, self.write.id)

    @property
    def _version(self) -> str:
        return version_of(self.write.id.type, otherwise=self.write.api_version)


def as_object(answer: JSON, id: ResourceId) -> Document:
    """``answer`` to a GET of ``id``. Raises ArmRejected when it is no object."""
    if not isinstance(answer, Mapping):
        raise ArmRejected(f"GET {id} was answered with no object", method="GET", url=id.text)
    return answer
