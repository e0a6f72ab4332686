"""One bound policy × one cluster → a state and its reason. A problem of the pair is an Error state, never a crash."""

from __future__ import annotations

from dataclasses import dataclass

from policyengine.compliance.applicability import is_applicable
from policyengine.compliance.bound import BoundPolicy
from policyengine.effects.base import Amendment, Judgement, Remedy, World
from policyengine.effects.elsewhere import HandledElsewhere
from policyengine.errors import NotReadError, PolicyEngineError
from policyengine.evaluation import Context, Subject, evaluate, redact_text, secrets_in
from policyengine.language.documents import Exemption
from policyengine.language.indexed import looks_at
from policyengine.language.syntax import Logic
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Reason

_NOT_APPLICABLE = Judgement(ComplianceState.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``matched`` is the related resource that satisfied the policy."""

    state: ComplianceState
    reason: Reason | None = None
    matched: ResourceId | None = None


def judge(policy: BoundPolicy, cluster: Cluster, world: World) -> Verdict:
    """The state of the pair at ``world.at``; exemptions are a mask over what would otherwise be said."""
    group = policy.unknown_group(world.tree)
    if group is not None:
        return _out_of_view(policy, cluster, world, group)
    verdict = judge_without_exemptions(policy, cluster, world)
    if verdict.state is ComplianceState.NOT_APPLICABLE:
        return verdict
    exemption = exemption_for(policy, cluster, world)
    return verdict if exemption is None else _exempt(verdict, exemption)


def _out_of_view(policy: BoundPolicy, cluster: Cluster, world: World, group: str) -> Verdict:
    """Unknown where the policy would speak if the cluster is in its scope: a guess could write where nobody asked."""
    policy = policy.on(cluster.resource)
    if not policy.selects(cluster.resource):
        return Verdict(ComplianceState.NOT_APPLICABLE)
    verdict = _judge_here(policy, cluster, world)
    if policy.effect is None or verdict.state is ComplianceState.NOT_APPLICABLE:
        return Verdict(ComplianceState.NOT_APPLICABLE)
    message = f"management group `{group}` is not known, so nobody can tell whether the assignment covers the cluster"
    return Verdict(ComplianceState.UNKNOWN, Reason("unknown-scope", message))


def judge_without_exemptions(policy: BoundPolicy, cluster: Cluster, world: World) -> Verdict:
    """What would be said if nobody were exempt."""
    policy = policy.on(cluster.resource)
    if not policy.in_scope(cluster.resource, world.tree):
        return Verdict(ComplianceState.NOT_APPLICABLE)
    return _judge_here(policy, cluster, world)


def _judge_here(policy: BoundPolicy, cluster: Cluster, world: World) -> Verdict:
    if policy.effect is None:
        return Verdict(ComplianceState.NOT_APPLICABLE)
    judgement = judgement_of(policy, cluster, context_for(policy, cluster, world))
    matched = judgement.matched.id if judgement.matched is not None else None
    return Verdict(judgement.state, judgement.reason, matched)


def judgement_of(policy: BoundPolicy, cluster: Cluster, context: Context) -> Judgement:
    """What the policy says of a resource, wherever it is assigned.

    What cannot be evaluated is an Error, what hangs on something that could not be read is Unknown.
    """
    try:
        return _judge(policy, cluster, context)
    except NotReadError as problem:
        return Judgement(ComplianceState.UNKNOWN, Reason("not-read", _without_secrets(problem.message, cluster)))
    except PolicyEngineError as problem:
        return Judgement(ComplianceState.ERROR, Reason("evaluation-error", _without_secrets(problem.message, cluster)))


def _without_secrets(message: str, cluster: Cluster) -> str:
    secrets = secrets_in(cluster.resource.document, *(child.document for child in cluster.children))
    return redact_text(message, secrets)


def remedy_for(policy: BoundPolicy, cluster: Cluster, world: World) -> Remedy | Amendment | None:
    """What would mend the cluster; None when the effect never writes. Raises ExpressionError."""
    policy = policy.on(cluster.resource)
    if policy.effect is None:
        return None
    return policy.effect.remedy(cluster, context_for(policy, cluster, world))


def exemption_for(policy: BoundPolicy, cluster: Cluster, world: World) -> Exemption | None:
    """The exemption that covers the pair now; the one that lasts longest when there are several."""
    covering = [
        e for e in policy.exemptions if e.covers(cluster.resource, policy.reference_id, world.tree, at=world.at)
    ]
    return max(covering, key=lambda e: (e.expires_on is None, e.expires_on or world.at), default=None)


def context_for(policy: BoundPolicy, cluster: Cluster, world: World) -> Context:
    """What the policy's conditions may ask for when they are read on this cluster."""
    return Context(
        parameters=policy.parameters,
        tree=world.tree,
        at=world.at,
        aliases=world.aliases,
        cluster=cluster,
        policy=policy.identity,
        spellings=policy.spellings,
        resources=world.resources,
    )


def _judge(policy: BoundPolicy, cluster: Cluster, context: Context) -> Judgement:
    effect, condition = policy.effect, policy.definition.condition
    if effect is None:
        return _NOT_APPLICABLE
    type = cluster.resource.type
    if not looks_at(policy.definition.mode, type, context.aliases):
        mode = policy.definition.mode or "Indexed"
        return Judgement(ComplianceState.NOT_APPLICABLE, Reason("outside-mode", f"the mode {mode} leaves `{type}` out"))
    alias = policy.unknown_aliases.get(type.casefold())
    if alias is not None:
        return Judgement(ComplianceState.NOT_APPLICABLE, Reason("unknown-alias", f"`{alias}` is not an alias"))
    subject = Subject.of(cluster.resource, context)
    if isinstance(effect, HandledElsewhere):
        return _handled_elsewhere(effect, condition, subject, cluster)
    if effect.otherwise is ComplianceState.COMPLIANT and not is_applicable(condition, subject):
        return _NOT_APPLICABLE
    return effect.judge(cluster, context) if evaluate(condition, subject) else Judgement(effect.otherwise)


def _handled_elsewhere(effect: HandledElsewhere, condition: Logic, subject: Subject, cluster: Cluster) -> Judgement:
    """An `if` that cannot be evaluated here is the provider's affair too."""
    try:
        meant = evaluate(condition, subject)
    except PolicyEngineError:
        return _NOT_APPLICABLE
    return effect.judge(cluster, subject.context) if meant else _NOT_APPLICABLE


def _exempt(verdict: Verdict, exemption: Exemption) -> Verdict:
    until = f" until {exemption.expires_on:%Y-%m-%d}" if exemption.expires_on is not None else ""
    because = f", {exemption.reason}" if exemption.reason else ""
    underneath = f": {verdict.reason.message}" if verdict.reason is not None else ""
    message = (
        f"exempt{until} by `{exemption.name}` ({exemption.category.value}{because});"
        f" otherwise {verdict.state.value}{underneath}"
    )
    return Verdict(ComplianceState.EXEMPT, Reason("exempt", message), verdict.matched)
