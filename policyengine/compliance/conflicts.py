"""All policies on one cluster: each one's verdict, and Conflict where two that write want different values.

What exists already is in conflict only when both sides would deny a write; otherwise each stays non-compliant. A
rival that is content now counts as soon as the wanted change would make it object. Pure.
Source: policy language §6.2 ("Existing: two or more deny"), §8.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.judge import Verdict, context_for, judge
from policyengine.effects.base import Remedy, World
from policyengine.effects.changes import apply, patch_between
from policyengine.effects.deploy_if_not_exists import DeployIfNotExists
from policyengine.effects.modify import Modify
from policyengine.errors import PolicyEngineError
from policyengine.evaluation import Subject, evaluate
from policyengine.evaluation.masking import MASK, mask, names_secret
from policyengine.model.resource import Cluster, Resource
from policyengine.model.states import ComplianceState, Reason
from policyengine.model.values import JSON, canonical_json, get_folded

_DISPUTABLE = frozenset({ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT})


@dataclass(frozen=True, slots=True)
class Dispute:
    """``policy`` and ``rival`` want ``field`` to be different things. ``both_deny``: neither yields to the other."""

    policy: str
    rival: str
    field: str
    wanted: JSON
    rivals: JSON
    both_deny: bool

    @property
    def words(self) -> str:
        return (
            f"`{self.policy}` and `{self.rival}` want different values for `{self.field}`: "
            f"{canonical_json(self.wanted)} and {canonical_json(self.rivals)}"
        )


def judge_all(
    policies: Sequence[BoundPolicy], cluster: Cluster, world: World, rivals: Sequence[BoundPolicy] = ()
) -> dict[str, Verdict]:
    """The verdict of each of ``policies`` by key; ``rivals`` are others that may dispute what they want."""
    policies, rivals = _here(policies, cluster), _here(rivals, cluster)
    verdicts = {policy.key: judge(policy, cluster, world) for policy in policies}
    if not any(_wants_change(policy, verdicts[policy.key], cluster, world) for policy in policies):
        return verdicts
    others = {p.key: judge(p, cluster, world) for p in rivals if _writes(p, cluster, world) and p.key not in verdicts}
    for dispute in disputes((*policies, *rivals), {**others, **verdicts}, cluster, world):
        found = verdicts.get(dispute.policy)
        if dispute.both_deny and found is not None:
            reason = Reason("write-conflict", dispute.words)
            verdicts[dispute.policy] = replace(found, state=ComplianceState.CONFLICT, reason=reason)
    return verdicts


def disputes(
    policies: Sequence[BoundPolicy], verdicts: Mapping[str, Verdict], cluster: Cluster, world: World
) -> tuple[Dispute, ...]:
    """One for each non-compliant policy that another one disputes, in the order of ``policies``."""
    writers = [
        _Writer(policy, cluster, world, verdicts[policy.key])
        for policy in _here(policies, cluster)
        if policy.key in verdicts and verdicts[policy.key].state in _DISPUTABLE and _writes(policy, cluster, world)
    ]
    found = (
        next(writer.disputes_with(writers), None)
        for writer in writers
        if _wants_change(writer.policy, writer.verdict, cluster, world)
    )
    return tuple(dispute for dispute in found if dispute is not None)


def _here(policies: Sequence[BoundPolicy], cluster: Cluster) -> list[BoundPolicy]:
    """The policies as overrides leave them on that cluster."""
    return [policy.on(cluster.resource) for policy in policies]


def _writes(policy: BoundPolicy, cluster: Cluster, world: World) -> bool:
    effect = policy.effect
    if not policy.is_enforced_on(cluster.resource, world.tree):
        return False
    return isinstance(effect, Modify) or (isinstance(effect, DeployIfNotExists) and effect.details.desired is not None)


def _wants_change(policy: BoundPolicy, verdict: Verdict, cluster: Cluster, world: World) -> bool:
    return verdict.state is ComplianceState.NON_COMPLIANT and _writes(policy, cluster, world)


@dataclass(frozen=True, slots=True, eq=False)
class _Writer:
    """One policy that would write to the cluster, or to an object on it."""

    policy: BoundPolicy
    cluster: Cluster
    world: World
    verdict: Verdict

    def disputes_with(self, writers: Sequence[_Writer]) -> Iterator[Dispute]:
        for rival in writers:
            if rival is self:
                continue
            try:
                clash = self._clash_with(rival)
            except PolicyEngineError:
                continue  # what cannot be evaluated wants nothing; its own verdict says so
            if clash is not None:
                yield clash

    def _clash_with(self, rival: _Writer) -> Dispute | None:
        mine, theirs = self.policy.effect, rival.policy.effect
        if isinstance(mine, Modify) and isinstance(theirs, Modify):
            wanted = self._patch(mine, self.cluster.resource)
            return self._dispute(rival, wanted, rival._patch_after(theirs, wanted), both_deny=self._both_deny(rival))
        if isinstance(mine, DeployIfNotExists) and isinstance(theirs, DeployIfNotExists):
            one, other = self._remedy(mine), rival._remedy(theirs)
            if self._target(one) == rival._target(other):
                return self._dispute(rival, one.desired_properties, other.desired_properties, both_deny=True)
        return None

    def _dispute(self, rival: _Writer, one: JSON, other: JSON, *, both_deny: bool) -> Dispute | None:
        clash = next(_clashes(one, other, ""), None)
        if clash is None:
            return None
        field, wanted, rivals = clash
        return Dispute(self.policy.key, rival.policy.key, field, wanted, rivals, both_deny)

    def _both_deny(self, rival: _Writer) -> bool:
        return self._denies() and rival._denies()

    def _denies(self) -> bool:
        effect = self.policy.effect
        context = context_for(self.policy, self.cluster, self.world)
        return isinstance(effect, Modify) and effect.conflict_effect(self.cluster.resource, context) == "deny"

    def _patch(self, effect: Modify, resource: Resource) -> dict[str, JSON]:
        subject = Subject.of(resource, context_for(self.policy, self.cluster, self.world))
        return patch_between(resource.document, apply(effect.changes(subject), resource.document))

    def _patch_after(self, effect: Modify, patch: Mapping[str, JSON]) -> dict[str, JSON]:
        """What this policy wants now, else what it would want back once ``patch`` was carried out."""
        resource = self.cluster.resource
        if self.verdict.state is ComplianceState.COMPLIANT:
            resource = replace(resource, document=merged(resource.document, patch))
            subject = Subject.of(resource, context_for(self.policy, self.cluster, self.world))
            if not evaluate(effect.condition, subject):
                return {}
        return self._patch(effect, resource)

    def _remedy(self, effect: DeployIfNotExists) -> Remedy:
        return effect.remedy(self.cluster, context_for(self.policy, self.cluster, self.world))

    def _target(self, remedy: Remedy) -> tuple[str, str]:
        desired = remedy.desired
        assert desired is not None
        if desired.identity == "extensionType":
            return desired.type.casefold(), str(get_folded(remedy.desired_properties, "extensionType")).casefold()
        subject = Subject.of(self.cluster.resource, context_for(self.policy, self.cluster, self.world))
        return desired.type.casefold(), str(desired.name.evaluate(subject.expression_context)).casefold()


def merged(document: Mapping[str, JSON], patch: Mapping[str, JSON]) -> dict[str, JSON]:
    """The document after a merge patch: null takes away, objects merge, anything else replaces."""
    after = dict(document)
    for key, value in patch.items():
        own = next((name for name in after if name.casefold() == key.casefold()), key)
        if value is None:
            after.pop(own, None)
        elif isinstance(value, Mapping):
            below = after.get(own)
            after[own] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            after[own] = value
    return after


def _clashes(one: JSON, other: JSON, path: str) -> Iterator[tuple[str, JSON, JSON]]:
    """The fields both name and want to be different, secrets masked."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        theirs = {key.casefold(): value for key, value in other.items()}
        for key in one:
            if key.casefold() in theirs:
                yield from _clashes(one[key], theirs[key.casefold()], f"{path}.{key}" if path else key)
    elif canonical_json(one) != canonical_json(other):
        yield path, _shown(one, path), _shown(other, path)


def wants_differ(one: JSON, other: JSON) -> bool:
    """True when both name a field and want it to be different."""
    return next(_clashes(one, other, ""), None) is not None


def _shown(value: JSON, path: str) -> JSON:
    return MASK if names_secret(path) else mask(value)
