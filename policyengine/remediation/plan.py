"""Clusters as they are now, judged → a plan: the requests, their order, their diff, and what forbids them.

Pure: the caller has read the live objects and says what time it is. A finding that no request mends is listed
with its reason; nothing is dropped silently.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from itertools import combinations
from typing import Final

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.conflicts import disputes
from policyengine.compliance.judge import Verdict, judge, remedy_for
from policyengine.effects.base import Amendment, Remedy, World
from policyengine.effects.modify import Modify
from policyengine.errors import ExpressionError, TemplateError
from policyengine.language.documents import EnforcementMode
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, Cluster, Resource, ResourceWrite
from policyengine.model.states import ComplianceState
from policyengine.model.values import JSON, canonical_json, get_folded
from policyengine.remediation.deployments import deployment_name
from policyengine.remediation.diff import changes, writable_fingerprint
from policyengine.remediation.merge import find_clash, merge, overlay, without_nulls
from policyengine.remediation.order import Order
from policyengine.remediation.steps import Plan, Preflight, Step, Unmended
from policyengine.remediation.writes import (
    UNREAD,
    NothingToWrite,
    Wants,
    left_out,
    wants_of,
    with_whole_tags,
    without_null_tags,
    writes_for,
)
from policyengine.templates import Answer, Answers, LiveRead

ABSENT: Final = Answer(None)
FLUX: Final = "microsoft.flux"
NOT_ENFORCED: Final = "its assignment is not enforced (DoNotEnforce); plan it by name to write all the same"
NOT_ENROLLED: Final = "its assignment is enforced where an Enrollment says so; plan it by name to write all the same"


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan, and the reads that would make it better: findings that need one are in it as unmended."""

    plan: Plan
    reads: tuple[LiveRead, ...] = ()


def build_plan(
    policies: Sequence[BoundPolicy],
    clusters: Sequence[Cluster],
    world: World,
    *,
    created_at: datetime,
    scope: str = "all",
    selected: frozenset[str] | None = None,
    unenforced: bool = False,
) -> Plan:
    """The plan that `draft_plan` makes where there is nothing beside the clusters and what is on them."""

    def draft(answers: Answers) -> Draft:
        return draft_plan(
            policies,
            clusters,
            world,
            created_at=created_at,
            scope=scope,
            selected=selected,
            unenforced=unenforced,
            answers=answers,
        )

    return settle(draft, clusters)


def settle(draft: Callable[[Answers], Draft], clusters: Sequence[Cluster], otherwise: Answer = ABSENT) -> Plan:
    """The plan once each read it asks for is answered by a document of ``clusters``, and ``otherwise`` by that."""
    known = {r.id: Answer(r.document) for cluster in clusters for r in (cluster.resource, *cluster.children)}
    answers: dict[LiveRead, Answer] = {}
    found = draft(answers)
    while unread := [read for read in found.reads if read not in answers]:
        answers |= {read: known.get(read.id, otherwise) for read in unread}
        found = draft(answers)
    return found.plan


def draft_plan(
    policies: Sequence[BoundPolicy],
    clusters: Iterable[Cluster],
    world: World,
    *,
    created_at: datetime,
    scope: str = "all",
    selected: frozenset[str] | None = None,
    unenforced: bool = False,
    answers: Answers = UNREAD,
) -> Draft:
    """The plan for ``clusters``, steps numbered in the order they would run.

    ``policies`` are all bound policies: those outside ``selected`` (keys; None for all) are not mended, but still
    speak up when a request would undo what they want. ``unenforced``: mend DoNotEnforce assignments too. ``answers``
    are those to the reads of an earlier draft.
    """
    planner = _Planner(policies, world, selected, unenforced, answers)
    steps: list[Step] = []
    unmended: list[Unmended] = []
    for cluster in sorted(clusters, key=lambda c: c.id):
        found, left = planner.plan(cluster, first=len(steps) + 1)
        steps += found
        unmended += left
    plan = Plan(created_at=created_at, steps=tuple(steps), unmended=tuple(unmended), scope=scope, unenforced=unenforced)
    return Draft(plan, tuple(planner.reads))


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """What one policy wants one object to be, and the request that it asks for, if any.

    ``satisfied``: the object is what makes the policy compliant. ``refusal`` says why the request must not be sent.
    ``changes_only``: the request puts the whole object back as it was read, and ``want`` is what it changes. ``live``:
    the object as it was read for this plan, when the cluster does not carry it. ``note`` is for people.
    """

    policy: BoundPolicy
    want: ResourceWrite
    request: ResourceWrite | None = None
    satisfied: bool = False
    refusal: str = ""
    changes_only: bool = False
    live: Mapping[str, JSON] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Planner:
    policies: Sequence[BoundPolicy]
    world: World
    selected: frozenset[str] | None
    unenforced: bool
    answers: Answers
    reads: dict[LiveRead, None] = field(default_factory=dict)

    def plan(self, cluster: Cluster, *, first: int) -> tuple[list[Step], list[Unmended]]:
        verdicts = {policy.key: judge(policy, cluster, self.world) for policy in self.policies}
        disputed = self.disputed(verdicts, cluster)
        wishes: list[_Wish] = []
        unmended: list[Unmended] = []
        for policy in self.policies:
            found, why = self.wishes(policy, verdicts[policy.key], cluster)
            wishes += [replace(wish, refusal=wish.refusal or disputed.get(policy.key, "")) for wish in found]
            if why and self.is_asked(policy):
                unmended.append(Unmended(cluster.id, policy.key, why))
        flux = frozenset(wish.want.id for wish in wishes if _extension_type(wish.want) == FLUX)
        order = Order({policy.key: policy.depends_on for policy in self.policies}, flux)
        steps, held = order.hold_back(order.arrange(_steps(cluster, wishes)), verdicts)
        return order.number(steps, first=first), unmended + held

    def disputed(self, verdicts: Mapping[str, Verdict], cluster: Cluster) -> dict[str, str]:
        """What another modify policy would want back: policy key → why its change must not be made."""
        modifying = [policy for policy in self.policies if isinstance(policy.on(cluster.resource).effect, Modify)]
        found = disputes(modifying, verdicts, cluster, self.world)
        return {dispute.policy: f"write conflict: {dispute.words}" for dispute in found}

    def is_asked(self, policy: BoundPolicy) -> bool:
        return self.selected is None or policy.key in self.selected

    def is_in_force(self, policy: BoundPolicy, cluster: Cluster) -> bool:
        """A policy that is not enforced wants nothing, unless it was asked for by name."""
        enforced = policy.is_enforced_on(cluster.resource, self.world.tree)
        return enforced or (self.unenforced and self.is_asked(policy))

    def wishes(self, policy: BoundPolicy, verdict: Verdict, cluster: Cluster) -> tuple[list[_Wish], str]:
        """What the policy wants of each object; and, of a finding, why it asks for no request."""
        satisfied = verdict.state is ComplianceState.COMPLIANT
        if not satisfied and verdict.state is not ComplianceState.NON_COMPLIANT:
            return [], ""
        if not self.is_in_force(policy, cluster):
            return [], "" if satisfied else _not_enforced(policy)
        try:
            remedy = remedy_for(policy, cluster, self.world)
            wants = Wants() if remedy is None else self.wants(policy, remedy, cluster)
        except (ExpressionError, TemplateError) as error:
            return [], "" if satisfied else f"its deployment cannot be expanded: {error.message}"
        if satisfied:
            held = [want for want in wants.writes if want.id == verdict.matched]
            return [replace(_wish(policy, want, wants, cluster), satisfied=True) for want in held], ""
        if remedy is None:
            return [], f"{policy.on(cluster.resource).effect_name} reports and never writes"
        if wants.reads:
            self.reads.update(dict.fromkeys(wants.reads))
            return [], f"its deployment needs `{wants.reads[0].id}`, which was not read"
        outcome = writes_for(remedy, wants, cluster)
        if isinstance(outcome, NothingToWrite):
            return [_wish(policy, want, wants, cluster) for want in wants.writes], outcome.reason
        requests = {write.id: write for write in outcome.writes if self.is_asked(policy)}
        return [
            replace(
                _wish(policy, want, wants, cluster),
                request=requests.get(want.id),
                refusal=outcome.refusal,
            )
            for want in wants.writes
        ], ""

    def wants(self, policy: BoundPolicy, remedy: Remedy | Amendment, cluster: Cluster) -> Wants:
        name = deployment_name(policy, cluster)
        return wants_of(remedy, cluster, self.world, name=name, answers=self.answers)


def _wish(policy: BoundPolicy, want: ResourceWrite, wants: Wants, cluster: Cluster) -> _Wish:
    return _Wish(
        policy,
        replace(want, body=wants.own_part(want, cluster)),
        changes_only=want.id == cluster.id and want.method == "PUT",
        live=wants.seen.get(want.id),
        note=f"as one deployment: {wants.as_deployment}" if wants.as_deployment else "",
    )


def _not_enforced(policy: BoundPolicy) -> str:
    return NOT_ENROLLED if policy.assignment.enforcement_mode is EnforcementMode.ENROLL else NOT_ENFORCED


def _steps(cluster: Cluster, wishes: Sequence[_Wish]) -> list[Step]:
    by_target: dict[ResourceId, list[_Wish]] = defaultdict(list)
    for wish in wishes:
        by_target[wish.want.id].append(wish)
    steps: list[Step] = []
    for target, group in by_target.items():
        acting = [wish for wish in group if wish.request is not None]
        forbidden = _clash(group) or _twin(cluster, target, wishes)
        refused = [wish for wish in acting if forbidden or wish.refusal]
        allowed = [wish for wish in acting if wish not in refused]
        steps += [_step(cluster, [wish], [wish], forbidden or wish.refusal) for wish in refused]
        steps += [_step(cluster, allowed, group)] if allowed else []
    return steps


def _clash(group: Sequence[_Wish]) -> str:
    """Why no request may be made for one object: what one policy would write, another would undo."""
    for one, other in combinations(group, 2):
        clash = find_clash(one.want.body, other.want.body)
        if clash is not None and (one.request is not None or other.request is not None):
            path = clash.path.removeprefix("properties.")
            return (
                f"write conflict on `{path}`: `{one.policy.key}` wants {canonical_json(clash.one)}, "
                f"`{other.policy.key}` wants {canonical_json(clash.other)}"
            )
    return ""


def _twin(cluster: Cluster, target: ResourceId, wishes: Sequence[_Wish]) -> str:
    """Why extension ``target`` may not be created; a cluster takes one of each type. Source: GitOps behaviour G4."""
    type = next((t for wish in wishes if wish.want.id == target and (t := _extension_type(wish.want))), None)
    if type is None or any(extension.id == target for extension in cluster.extensions):
        return ""
    for extension in cluster.extensions:
        if str(extension.property("extensionType") or "").casefold() == type:
            return f"extension `{extension.name}` of the same type is already on the cluster"
    for wish in wishes:
        if wish.request is not None and wish.want.id != target and _extension_type(wish.want) == type:
            return f"`{wish.policy.key}` wants the same extension under the name `{wish.want.id.name}`"
    return ""


def _extension_type(write: ResourceWrite) -> str | None:
    if write.id.type.casefold() != EXTENSIONS.casefold():
        return None
    return str(Resource(write.id, write.body).property("extensionType") or "").casefold() or None


def _step(cluster: Cluster, acting: Sequence[_Wish], group: Sequence[_Wish], refusal: str = "") -> Step:
    write = _request(acting, group)
    live = next((r for r in (cluster.resource, *cluster.children) if r.id == write.id), None)
    document = live.document if live else next((wish.live for wish in group if wish.live is not None), None)
    write = with_whole_tags(write, document or {})
    preflight, reason = _preflight(cluster, refusal)
    note = next((wish.note for wish in acting if wish.note), "")
    return Step(
        id="",
        cluster=cluster.id,
        policies=tuple(wish.policy.key for wish in acting),
        write=write,
        before=writable_fingerprint(document, write.id.type),
        changes=changes(document, _shown(write, acting, document)),
        preflight=preflight,
        reason=reason or note,
    )


def _shown(write: ResourceWrite, acting: Sequence[_Wish], live: Mapping[str, JSON] | None) -> ResourceWrite:
    """The part of the request that people look at: what it puts back as it was changes nothing."""
    if live is None or not any(wish.changes_only for wish in acting):
        return write
    bodies = [*(wish.want.body for wish in acting), left_out(live, write.body)]
    shown = reduce(merge, bodies)
    # Tags are declared as a whole: those the request keeps must be in sight of the comparison.
    whole = {key: get_folded(write.body, key) for key in shown if key.casefold() == "tags"}
    return replace(write, method="PATCH", body={**shown, **whole})


def _request(acting: Sequence[_Wish], group: Sequence[_Wish]) -> ResourceWrite:
    """One request for all that act. A PUT replaces the object, so it also holds what satisfied policies want of it."""
    requests = [wish.request for wish in acting if wish.request is not None]
    puts = [request for request in requests if request.method == "PUT"]
    bodies = [request.body for request in puts or requests]
    depends_on = tuple(dict.fromkeys(id for request in requests for id in request.depends_on))
    if puts and any(wish.changes_only for wish in acting):
        changed = (wish.want.body for wish in acting)
        return replace(puts[0], body=without_null_tags(reduce(overlay, changed, puts[0].body)), depends_on=depends_on)
    wants = [wish.want.body for wish in group if wish in acting or wish.satisfied] if puts else []
    if len(wants) > 1:
        # What is wanted goes before what a PUT only keeps of the live object: it may be what another wants changed.
        bodies = [without_nulls(reduce(merge, [*wants, *bodies]))]
    return replace((puts or requests)[0], body=reduce(merge, bodies), depends_on=depends_on)


def _preflight(cluster: Cluster, refusal: str) -> tuple[Preflight, str]:
    if refusal:
        return Preflight.REFUSED, refusal
    if cluster.unreachable_reason is not None:
        return Preflight.PARKED, cluster.unreachable_reason
    return Preflight.READY, ""
