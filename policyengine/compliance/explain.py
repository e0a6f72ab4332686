"""Why one cluster has its state under one policy: conditions, nearest related resources, and what would mend it.

Values only; the command line and the report put them on a page. Secrets are masked in every trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.conflicts import judge_all
from policyengine.compliance.judge import (
    Verdict,
    context_for,
    exemption_for,
    judge_without_exemptions,
)
from policyengine.effects import words
from policyengine.effects.base import World
from policyengine.effects.elsewhere import HandledElsewhere
from policyengine.effects.existence import Candidate, candidates, related_type, sought
from policyengine.effects.modify import Modify
from policyengine.errors import PolicyEngineError
from policyengine.evaluation import MASK, Context, Subject, Trace, trace
from policyengine.evaluation.masking import names_secret
from policyengine.language.documents import Exemption
from policyengine.language.syntax import Logic
from policyengine.model.resource import Cluster, Resource
from policyengine.model.states import ComplianceState
from policyengine.model.values import JSON, walk

_REPORTED: Final = frozenset({"complianceState"})


@dataclass(frozen=True)
class Explanation:
    """Everything a person may ask about one pair.

    ``condition`` is the trace of the `if`; None when the policy is not evaluated here or the `if` fails with an
    error. ``candidates`` are the related resources, nearest first. ``underlying`` is the verdict without exemptions.
    ``demands`` say what should be so of each value that makes the cluster, or the nearest resource, non-compliant.
    ``related_type`` is None for effects that look at the cluster alone. ``operations`` says field by field what a
    `modify` would write; empty when that is nothing, or cannot be told.
    """

    policy: BoundPolicy
    cluster: Cluster
    verdict: Verdict
    underlying: Verdict
    through: str
    fix: str
    condition: Trace | None = None
    demands: tuple[words.Demand, ...] = ()
    related_type: str | None = None
    candidates: tuple[Candidate, ...] = ()
    operations: tuple[str, ...] = ()
    exemption: Exemption | None = None
    message: str | None = None

    @property
    def is_handled_elsewhere(self) -> bool:
        """True when a provider evaluates the policy for this cluster, so that it has no state here."""
        return isinstance(self.policy.effect, HandledElsewhere) and self.verdict.reason is not None

    @property
    def matched(self) -> Resource | None:
        """The related resource that satisfied the policy."""
        wanted = self.verdict.matched
        return next((c.resource for c in self.candidates if c.resource.id == wanted), None)

    @property
    def is_mendable(self) -> bool:
        """True when a request may help: the effect writes, and not only what the cluster reports is wrong."""
        if self.verdict.state is not ComplianceState.NON_COMPLIANT:
            return False
        if self.policy.effect_name != "deployIfNotExists":
            return bool(self.operations)
        nearest = self.candidates[0] if self.candidates else None
        return nearest is None or nearest.is_other or not _is_only_reported(nearest)

    @property
    def reconciled(self) -> str | None:
        """What Flux itself reports about the nearest configuration; says nothing about our policy."""
        return flux_report(self.candidates[0].resource) if self.candidates else None


def explain(policy: BoundPolicy, cluster: Cluster, world: World, *, rivals: Sequence[BoundPolicy] = ()) -> Explanation:
    """``rivals`` are other policies, which may want the same field to be something else."""
    policy = policy.on(cluster.resource)
    underlying = judge_without_exemptions(policy, cluster, world)
    condition, type, found = _look(policy, cluster, world)
    operations = _operations(policy, cluster, world, underlying)
    return Explanation(
        policy=policy,
        cluster=cluster,
        verdict=judge_all([policy], cluster, world, rivals)[policy.key],
        underlying=underlying,
        through=through(policy),
        fix=_fix(policy, cluster, context_for(policy, cluster, world), underlying, found, operations),
        condition=condition,
        demands=_demands(policy, underlying, condition, found),
        related_type=type,
        candidates=found,
        operations=operations,
        exemption=exemption_for(policy, cluster, world),
        message=policy.message_for(cluster.name),
    )


def through(policy: BoundPolicy) -> str:
    """The way a policy reaches a cluster: ``assignment edge-baseline (mg-edge) → initiative gitops-baseline@1.2.0``."""
    text = f"assignment {policy.assignment.name} ({policy.assignment.scope.name})"
    initiative = policy.initiative
    if initiative is None:
        return text
    version = f"@{initiative.version}" if initiative.version else ""
    return f"{text} → initiative {initiative.name}{version}"


def flux_report(resource: Resource) -> str | None:
    """``Flux reports Compliant at main/3f2c9a1``; None for what is not a configuration or was never reported."""
    state = resource.property("complianceState")
    if not isinstance(state, str) or not state:
        return None
    commit = resource.property("sourceSyncedCommitId")
    return f"Flux reports {state} at {commit}" if commit else f"Flux reports {state}"


def healthy_but(resource: Resource) -> str:
    """For an object that is as declared: what the cluster reports about it, down to the first failing condition."""
    state = resource.property("complianceState")
    if state is None:
        return f"`{resource.name}` is as declared"
    cause = next(_failing(resource), "")
    return f"`{resource.name}` is as declared; Flux reports {state}" + (f": {cause}" if cause else "")


def _failing(resource: Resource) -> Iterator[str]:
    """``name: message`` of each object on the cluster that is not ready. Source: configuration API §3, statuses."""
    for status in resource.property("statuses") or ():
        for condition in walk(status, "statusConditions") or ():
            if walk(condition, "type") == "Ready" and walk(condition, "status") == "False":
                yield f"{walk(status, 'name')}: {walk(condition, 'message')}"


def _look(
    policy: BoundPolicy, cluster: Cluster, world: World
) -> tuple[Trace | None, str | None, tuple[Candidate, ...]]:
    """As far as evaluation gets: an error ends the look, its reason is in the verdict."""
    effect = policy.effect
    if effect is None or not policy.in_scope(cluster.resource, world.tree):
        return None, None, ()
    context = context_for(policy, cluster, world)
    subject = Subject.of(cluster.resource, context)
    condition, type = None, None
    try:
        condition = trace(policy.definition.condition, subject)
        if effect.details is None or not condition.result:
            return condition, None, ()
        type = related_type(effect.details, subject)
        return condition, type, candidates(effect.details, cluster, context)
    except PolicyEngineError:
        return condition, type, ()


def _demands(
    policy: BoundPolicy, verdict: Verdict, condition: Trace | None, found: tuple[Candidate, ...]
) -> tuple[words.Demand, ...]:
    if verdict.state is not ComplianceState.NON_COMPLIANT or condition is None or policy.effect is None:
        return ()
    if policy.effect.details is None:
        return words.demands_of_match(_part(condition, policy.definition.rule) or condition)
    nearest = found[0] if found else None
    if nearest is None or nearest.is_other or nearest.trace is None:
        return ()
    return words.demands_of_unmet(nearest.trace)


def _part(trace: Trace, logic: Logic | None) -> Trace | None:
    """The node of ``trace`` that evaluated ``logic``."""
    if trace.node is logic:
        return trace
    return next(filter(None, (_part(child, logic) for child in trace.children)), None)


def _fix(
    policy: BoundPolicy,
    cluster: Cluster,
    context: Context,
    verdict: Verdict,
    found: tuple[Candidate, ...],
    operations: tuple[str, ...],
) -> str:
    """What would make the cluster compliant, in words; empty when it is, or when nobody can say."""
    effect = policy.effect
    if effect is None or verdict.state is not ComplianceState.NON_COMPLIANT:
        return ""
    if operations:
        return "modify the cluster: " + "; ".join(operations)
    if isinstance(effect, Modify) and (fixed := _fixed_fields(effect, cluster, context)):
        return f"no request mends it: {fixed} cannot be modified"
    if effect.details is None:
        return _change(verdict)
    nearest = found[0] if found else None
    if nearest is None or nearest.is_other:
        return f"create {sought(effect.details, cluster, context)}"
    unmet = [clause for clause in nearest.clauses if not clause.result]
    if _is_only_reported(nearest):
        return f"no request mends it: {healthy_but(nearest.resource)}"
    count = "one field" if len(unmet) == 1 else f"{len(unmet)} fields"
    return f"{count} of `{nearest.resource.name}`: " + "; ".join(words.of_unmet(clause) for clause in unmet)


def _fixed_fields(effect: Modify, cluster: Cluster, context: Context) -> str:
    try:
        fields = effect.fixed_fields(Subject.of(cluster.resource, context))
    except PolicyEngineError:
        return ""
    return ", ".join(f"`{field}`" for field in fields)


def _change(verdict: Verdict) -> str:
    """For an audit: what its rule complains of."""
    if verdict.reason is None or verdict.reason.message == words.HOLDS_ALWAYS:
        return ""
    return f"change the cluster: {verdict.reason.message}"


def _operations(policy: BoundPolicy, cluster: Cluster, world: World, verdict: Verdict) -> tuple[str, ...]:
    effect = policy.effect
    if not isinstance(effect, Modify) or verdict.state is not ComplianceState.NON_COMPLIANT:
        return ()
    try:
        patch = effect.remedy(cluster, context_for(policy, cluster, world)).patch
    except PolicyEngineError:
        return ()
    return tuple(
        f"remove {path}" if wanted is None else f"set {path} to {MASK if names_secret(path) else words.value(wanted)}"
        for path, wanted in _leaves(patch, "")
    )


def _leaves(patch: JSON, path: str) -> Iterator[tuple[str, JSON]]:
    if not isinstance(patch, Mapping):
        yield path, patch
        return
    for key, value in patch.items():
        yield from _leaves(value, f"{path}.{key}" if path else key)


def _is_only_reported(candidate: Candidate) -> bool:
    """True when the object is as declared, and all that fails is what the cluster reports about it."""
    unmet = [clause for clause in candidate.clauses if not clause.result]
    return bool(unmet) and all(_is_reported(clause) for clause in unmet)


def _is_reported(clause: Trace) -> bool:
    """True for a clause about what the cluster itself reports, which no request can set."""
    return clause.label in _REPORTED or any(_is_reported(child) for child in clause.children)
