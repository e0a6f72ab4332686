"""The steps of one cluster in the order they run: what waits for what, and what must not start at all. Pure.

Three things order steps: what a template says, what policies say by `dependsOn`, and that a Flux configuration
is pointless without Flux.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from policyengine.compliance.judge import Verdict
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.states import ComplianceState
from policyengine.model.values import canonical_json
from policyengine.remediation.deployments import is_deployment
from policyengine.remediation.steps import Preflight, Step, Unmended

_RANK = {EXTENSIONS.casefold(): 0, FLUX_CONFIGURATIONS.casefold(): 1}
_UNMET = {ComplianceState.NON_COMPLIANT, ComplianceState.ERROR}


@dataclass(frozen=True, slots=True)
class Order:
    """``needs``: policy key → keys of those that go before it. ``flux``: what the Flux extension is called here."""

    needs: Mapping[str, Sequence[str]]
    flux: frozenset[ResourceId]

    def arrange(self, steps: Sequence[Step]) -> list[Step]:
        """Extensions, then configurations, then the rest; a step after those it needs; else as authored."""
        waiting = sorted(steps, key=lambda s: _RANK.get(s.write.id.type.casefold(), 2))
        arranged: list[Step] = []
        while waiting:
            ready = (s for s in waiting if not any(self.precedes(o, s) for o in waiting if o is not s))
            arranged.append(next(ready, waiting[0]))  # a cycle was refused when the library was built
            waiting.remove(arranged[-1])
        return arranged

    def hold_back(self, steps: Sequence[Step], verdicts: Mapping[str, Verdict]) -> tuple[list[Step], list[Unmended]]:
        """Drop steps whose prerequisite is unmet and that no earlier step provides; ``steps`` are arranged."""
        kept: list[Step] = []
        held: list[Unmended] = []
        for step in steps:
            missing = self._missing(step, kept, verdicts) if step.will_run else None
            if missing is None:
                kept.append(step)
            else:
                reason = f"waits for `{missing}`, which is not compliant here and has no request in this plan"
                held += [Unmended(step.cluster, key, reason) for key in step.policies]
        return kept, held

    def number(self, steps: Sequence[Step], *, first: int) -> list[Step]:
        """Give the steps their ids, and name for each the earlier ones that must have succeeded."""
        done: list[Step] = []
        for number, step in enumerate(steps, start=first):
            before = [earlier for earlier in done if self.precedes(earlier, step)]
            done.append(_after(replace(step, id=f"s{number:03d}"), before))
        return done

    def precedes(self, earlier: Step, step: Step) -> bool:
        """True when ``step`` is pointless unless ``earlier`` succeeded."""
        if earlier.write.id in step.write.depends_on:
            return True
        if any(needed in earlier.policies for key in step.policies for needed in self.needs[key]):
            return True
        return earlier.write.id in self.flux and _configures_flux(step)

    def _missing(self, step: Step, kept: Sequence[Step], verdicts: Mapping[str, Verdict]) -> str | None:
        provided = {key for earlier in kept for key in earlier.policies} | set(step.policies)
        needed = (n for key in step.policies for n in self.needs[key] if n not in provided and n in verdicts)
        return next((n for n in needed if verdicts[n].state in _UNMET), None)


def _configures_flux(step: Step) -> bool:
    """True for a Flux configuration, and for a deployment that makes one."""
    if is_deployment(step.write.id.type):
        return FLUX_CONFIGURATIONS.casefold() in canonical_json(step.write.body).casefold()
    return step.write.id.type.casefold() == FLUX_CONFIGURATIONS.casefold()


def _after(step: Step, before: Sequence[Step]) -> Step:
    if not before or step.preflight is not Preflight.READY:
        return step
    blocked = next((s for s in before if not s.will_run), None)
    if blocked is not None:
        reason = f"needs `{blocked.action}`, which is {blocked.preflight.value}: {blocked.reason}"
        return replace(step, preflight=blocked.preflight, reason=reason)
    reason = "after " + ", ".join(s.action for s in before) + (f"; {step.reason}" if step.reason else "")
    return replace(step, after_steps=tuple(s.id for s in before), preflight=Preflight.WAITS, reason=reason)
