"""What a scan had to judge, why, and where the time went, in words and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from policyengine.compliance.workset import Cause
from policyengine.model.values import JSON
from policyengine.workflows.scan import Effort, ScanResult
from policyengine.workflows.work import Because

_OF_POLICY: Final = {
    Cause.NEW: "not judged yet",
    Cause.POLICY: "changed",
    Cause.RIVALS: "changed, or an exemption or a rival did",
    Cause.CLOCK: "asking for the time",
    Cause.RESOURCES: "looking at other resources",
}
_NAMED: Final = 3
"""So many policies are told by name."""


def was_judged(effort: Effort) -> str:
    """``evaluated 40 of 2000 pairs: 2 changed clusters, policy edge changed``."""
    causes = ", ".join(_causes(effort.because)) or "nothing changed"
    return f"evaluated {effort.pairs} of {effort.of} pairs: {causes}"


def _causes(because: tuple[Because, ...]) -> Iterator[str]:
    for one in because:
        if one.cause is Cause.CLUSTERS:
            yield f"{one.clusters} changed cluster{'s' * (one.clusters != 1)}"
        elif one.cause is Cause.EXEMPTION:
            yield f"exemption {one.exemption} of {one.policy} began, ended or changed"
        elif one.cause is Cause.FULL:
            yield "all, as asked for"
    for cause, words in _OF_POLICY.items():
        names = [one.policy for one in because if one.cause is cause]
        if len(names) > _NAMED:
            yield f"{len(names)} policies {words}"
        elif names:
            yield f"{'policy' if len(names) == 1 else 'policies'} {', '.join(names)} {words}"


def why(result: ScanResult, *, profile: bool) -> dict[str, Mapping[str, JSON]]:
    """Members of each policy's row: how many pairs were evaluated, because of what, and how."""
    return {line.policy.key: _of_policy(result, line.policy.key, profile=profile) for line in result.lines}


def _of_policy(result: ScanResult, key: str, *, profile: bool) -> dict[str, JSON]:
    judged = result.effort.judged.get(key, 0)
    because: list[JSON] = [_because(one) for one in result.effort.because if one.policy in {"", key} and judged]
    found: dict[str, JSON] = {"evaluated": judged, "because": because}
    if profile:
        ways: list[JSON] = [
            {"type": type, "way": outline.way.name.lower().replace("_", "-"), "rowByRow": outline.slow}
            for policy, type, outline in result.outlines
            if policy == key
        ]
        rivals: list[JSON] = [*result.rivals.get(key, ())]
        found["profile"] = {"asked": result.effort.asked.get(key, 0), "types": ways, "mayDisputeWith": rivals}
    return found


def _because(one: Because) -> dict[str, JSON]:
    more: dict[str, JSON] = {"exemption": one.exemption} if one.exemption else {}
    return {"cause": one.cause.value, **({"clusters": one.clusters} if one.clusters else {}), **more}


def profiled(result: ScanResult) -> Iterator[str]:
    """Where the time went, and which policies are judged row by row."""
    effort = result.effort
    times = f"reading {effort.reading_s:.2f} s, judging {effort.judging_s:.2f} s, writing {effort.writing_s:.2f} s"
    read = f"{effort.decoded} clusters decoded, {effort.whole} read in full"
    odd = f", {effort.odd} judged one by one, because they are not shaped as usual" if effort.odd else ""
    yield f"\n{times} ({effort.executor}); {read}{odd}"
    for key, count in sorted(effort.asked.items(), key=lambda item: -item[1]):
        yield f"{key}: {count} of {effort.judged.get(key, 0)} pairs looked at one by one"
    for key, rivals in result.rivals.items():
        yield f"{key}: one by one where it is not complied with, because it may dispute with {', '.join(rivals)}"
    for key, type, outline in result.outlines:
        if outline.slow is not None:
            yield f"{key} on {type}: row by row, because {outline.slow}"
