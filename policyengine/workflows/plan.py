"""What would be changed, exactly: live objects are read again, judged again, and the plan is stored. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from policyengine.clock import Clock
from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.errors import UsageError
from policyengine.inventory.live import LiveClusters, read_clusters
from policyengine.inventory.related import Related, Wanted
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState
from policyengine.remediation.budget import Estimate, estimate
from policyengine.remediation.plan import Draft, draft_plan, settle
from policyengine.remediation.steps import Plan
from policyengine.store.store import Store
from policyengine.templates import Answer, Answers, LiveRead
from policyengine.workflows.connect import arm_client
from policyengine.workflows.inventory import one_cluster
from policyengine.workflows.live_reads import answer_reads
from policyengine.workflows.load import load, select
from policyengine.workflows.looking import wanted_by
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import OnProgress
from policyengine.workflows.world import world_of

MakeDraft: TypeAlias = Callable[[Sequence[Cluster], Answers], Draft]
_NOT_IN_FILE: Final = Answer(None, "it is not in the inventory file")


@dataclass(frozen=True)
class PlanRequest:
    """What to plan for; None means all. ``max`` bounds the number of clusters.

    ``unenforced``: also for assignments that say DoNotEnforce. Only a person who names one may ask for that.
    """

    assignment: str | None = None
    policy: str | None = None
    scope: str | None = None
    cluster: str | None = None
    max: int | None = None
    unenforced: bool = False

    @property
    def words(self) -> str:
        parts = [
            f"{noun} {value}"
            for noun, value in (
                ("assignment", self.assignment),
                ("policy", self.policy),
                ("scope", self.scope),
                ("cluster", self.cluster),
            )
            if value
        ]
        return ", ".join(parts) or "all assignments"


@dataclass(frozen=True)
class Planned:
    """A stored plan and what it will cost. ``failures`` are clusters, and what is on some, that could not be read: they
    are not in it."""

    plan: Plan
    estimate: Estimate
    clusters_in_fleet: int
    failures: tuple[ScopeFailure, ...] = ()


async def make_plan(
    settings: Settings, store: Store, clock: Clock, request: PlanRequest, on_progress: OnProgress
) -> Planned:
    """Raises UsageError for unknown names, PolicyError for policy files, ArmError when the live objects stay unread."""
    loaded = load(settings.policies, settings.aliases)
    chosen = select(loaded.policies, assignment=request.assignment, policy=request.policy)
    known = list(store.clusters())
    if not known:
        raise UsageError("the inventory is empty", help="run `policyengine scan` first")
    world = world_of(store.tree(), loaded.aliases, clock)
    candidates = _candidates(store, request, known, chosen, world)

    def draft(clusters: Sequence[Cluster], answers: Answers) -> Draft:
        return draft_plan(
            loaded.policies,
            clusters,
            world,
            created_at=clock.now(),
            scope=request.words,
            selected=frozenset(p.key for p in chosen),
            unenforced=request.unenforced,
            answers=answers,
        )

    wanted = wanted_by(loaded.policies, loaded.aliases, clock)
    plan, live = await _planned(settings, candidates, draft, wanted, world.tree, on_progress)
    store.save_plan(plan)
    budget = settings.arm.budget
    cost = estimate(plan, writes_per_second=budget.writes_per_second, reads_per_second=budget.reads_per_second)
    return Planned(plan, cost, len(known), live.failures)


def _candidates(
    store: Store, request: PlanRequest, known: Sequence[Cluster], chosen: Sequence[BoundPolicy], world: World
) -> list[Cluster]:
    """Clusters that were last seen to break one of the chosen policies; reading them again decides."""
    if request.cluster is not None:
        known = [one_cluster(store, request.cluster)]
    if request.scope is not None:
        scope = _scope(request.scope)
        known = [cluster for cluster in known if world.tree.contains(scope, cluster.id)]
        if not known:
            raise UsageError(f"no known cluster is at or under `{scope}`", help="see `policyengine status --by scope`")
    breaking = [
        cluster
        for cluster in known
        if any(judge(policy, cluster, world).state is ComplianceState.NON_COMPLIANT for policy in chosen)
    ]
    return breaking[: request.max]


def _scope(text: str) -> ResourceId:
    try:
        return ResourceId(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


async def _planned(
    settings: Settings,
    clusters: Sequence[Cluster],
    draft: MakeDraft,
    wanted: Wanted,
    tree: ScopeTree,
    on_progress: OnProgress,
) -> tuple[Plan, LiveClusters]:
    """A plan for the clusters as they are this moment; from a file inventory there is nothing fresher than the file.

    A draft may need other reads, which may show that it needs more: it is made again until it asks for nothing new.
    """
    if not settings.inventory.startswith("arm:"):
        return settle(lambda answers: draft(clusters, answers), clusters, _NOT_IN_FILE), LiveClusters(tuple(clusters))
    async with arm_client(settings) as client:
        related = Related(client, wanted, tree)
        live = await read_clusters(related, [cluster.id for cluster in clusters], on_progress=on_progress)
        answers: dict[LiveRead, Answer] = {}
        while unread := _unread(found := draft(live.clusters, answers), answers):
            answers |= await answer_reads(client, unread)
        return found.plan, live


def _unread(draft: Draft, answers: Answers) -> list[LiveRead]:
    return [read for read in draft.reads if read not in answers]
