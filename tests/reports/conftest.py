"""Reports for the tests: a small one for golden files, the Contoso fleet as it might look, and empty ones."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from policyengine.model.ids import ResourceId
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.model.states import FAILING, ComplianceState
from policyengine.model.values import fingerprint
from policyengine.reports import (
    CauseEntry,
    ChangeEntry,
    ClusterEntry,
    Counts,
    Direction,
    ExemptionEntry,
    FailureCause,
    FindingEntry,
    FleetEntry,
    GroupEntry,
    IncompleteScope,
    InventoryEntry,
    Lamp,
    Lamps,
    MovedEntry,
    PairEntry,
    PolicyEntry,
    RemediationEntry,
    Report,
    ScanEntry,
    TrendPoint,
    UnreachedEntry,
    by_initiative,
    count_states,
    rollup_by_scope,
)
from policyengine.reports.summary import ordered_clusters
from policyengine.reports.words import AGES

GOLDEN = Path(__file__).parent.parent / "golden" / "reports"
NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)

COMPLIANT = ComplianceState.COMPLIANT
NON_COMPLIANT = ComplianceState.NON_COMPLIANT
EXEMPT = ComplianceState.EXEMPT
UNKNOWN = ComplianceState.UNKNOWN
CONFLICT = ComplianceState.CONFLICT
ERROR = ComplianceState.ERROR
NOT_APPLICABLE = ComplianceState.NOT_APPLICABLE


@pytest.fixture
def golden(update_golden: bool) -> Callable[[str, str], None]:
    """Compares text with a golden file, or rewrites the file under ``--update-golden``."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if update_golden:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        with path.open(encoding="utf-8", newline="") as file:
            assert file.read() == text, f"{path.name} differs; run `pytest --update-golden` and review the diff"

    return check


def make_cluster(
    name: str,
    subscription: str,
    group: str,
    *,
    arc: bool = False,
    location: str = "westeurope",
    owner: str = "",
    unreachable: str | None = None,
    lamps: Lamps | None = None,
    states: dict[str, ComplianceState] | None = None,
) -> ClusterEntry:
    type = "Microsoft.Kubernetes/connectedClusters" if arc else "Microsoft.ContainerService/managedClusters"
    return ClusterEntry(
        id=ResourceId(f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{type}/{name}"),
        name=name,
        kind="Arc" if arc else "AKS",
        subscription=subscription,
        resource_group=group,
        location=location,
        owner=owner,
        unreachable_reason=unreachable,
        lamps=lamps or Lamps(reachable=Lamp.OFF if unreachable else Lamp.ON),
        states=states or {},
    )


def groups_of(clusters: Iterable[ClusterEntry]) -> list[GroupEntry]:
    """The resource groups of these clusters, with their counts."""
    members: dict[ResourceId, list[ClusterEntry]] = {}
    for cluster in clusters:
        id = f"/subscriptions/{cluster.id.subscription}/resourceGroups/{cluster.id.resource_group}"
        members.setdefault(ResourceId(id), []).append(cluster)
    return [GroupEntry(id, len(own), count_states(own)) for id, own in members.items()]


def counted(report: Report) -> Report:
    """The report with everything that is counted over the fleet, for one that names all of it."""
    failing = [f for f in report.findings if f.state in FAILING]
    ages = [report.generated_at - f.since for f in failing]
    bounds = [timedelta(0), *(below for _, below in AGES)]
    causes = Counter((f.policy, f.state, f.reason) for f in report.findings)
    return replace(
        report,
        fleet=FleetEntry(
            len(report.clusters),
            dict(Counter(c.kind for c in report.clusters)),
            sum(c.unreachable_reason is not None for c in report.clusters),
            sum(not frozenset(FAILING).isdisjoint(c.states.values()) for c in report.clusters),
        ),
        initiatives=by_initiative(report.policies),
        unreached=tuple(UnreachedEntry(c.id, c.unreachable_reason) for c in report.clusters if c.unreachable_reason),
        causes=tuple(CauseEntry(*cause, n) for cause, n in causes.items()),
        ages=tuple(sum(low <= age < high for age in ages) for low, high in pairwise(bounds)),
        oldest=min(failing, key=lambda f: (f.since, f.cluster.key, f.policy), default=None),
        moved=tuple(MovedEntry(*way, n) for way, n in Counter((c.policy, c.direction) for c in report.changes).items()),
    )


def pairs_of(report: Report, *, everything: bool = False) -> list[PairEntry]:
    """The findings of a report that names all, or all pairs, as lists have them."""
    findings = {(f.cluster, f.policy): f for f in report.findings}
    pairs = (
        PairEntry(cluster, policy, findings.get((cluster.id, policy.key)))
        for cluster in ordered_clusters(report.clusters)
        for policy in report.policies
    )
    return [pair for pair in pairs if everything or pair.finding is not None]


@pytest.fixture
def empty_report() -> Report:
    """Before the first sync and the first scan."""
    return Report(generated_at=NOW, engine_version="0.1.0")


@pytest.fixture
def small_report() -> Report:
    """Three clusters, two policies, one finding of most kinds."""
    states = (
        {"edge/flux": COMPLIANT, "edge/config": NON_COMPLIANT},
        {"edge/flux": COMPLIANT, "edge/config": EXEMPT},
        {"edge/flux": UNKNOWN, "edge/config": NON_COMPLIANT},
    )
    clusters = (
        make_cluster("edge-osl-03", "edge-nordics", "stores-no", arc=True, location="norwayeast", states=states[0]),
        make_cluster("pay-prod-01", "payments", "payments-prod", owner="anna@example", states=states[1]),
        make_cluster(
            "edge-got-02", "edge-nordics", "stores-se", arc=True, states=states[2], unreachable="agent offline"
        ),
    )
    tree = ScopeTree(
        management_groups=(ManagementGroup("root", "Contoso"), ManagementGroup("mg-edge", "Edge", "root")),
        subscriptions=(
            Subscription("edge-nordics", "Edge Nordics", "mg-edge"),
            Subscription("payments", "Payments", "root"),
        ),
    )
    findings = (
        FindingEntry(
            clusters[0].id,
            "edge-osl-03",
            "edge/config",
            NON_COMPLIANT,
            NOW - timedelta(days=3, hours=12),
            "branch is `release/1.8`, wanted `main`",
            message="edge-osl-03 left the main branch; see https://runbook.example/branches",
            fix="set gitRepository.repositoryRef.branch to main",
            command="policyengine plan --cluster edge-osl-03",
            owner="ops-edge",
            severity="high",
        ),
        FindingEntry(
            clusters[1].id,
            "pay-prod-01",
            "edge/config",
            EXEMPT,
            NOW - timedelta(days=20),
            "exempt by payments-freeze; would be NonCompliant",
            severity="high",
        ),
        FindingEntry(
            clusters[2].id,
            "edge-got-02",
            "edge/config",
            NON_COMPLIANT,
            NOW - timedelta(hours=5),
            "no fluxConfiguration named | cluster-config",
            command="policyengine plan --cluster edge-got-02",
            owner="ops-edge",
            severity="high",
        ),
        FindingEntry(
            clusters[2].id,
            "edge-got-02",
            "edge/flux",
            UNKNOWN,
            NOW - timedelta(days=3),
            "extensions could not be listed",
        ),
    )
    policies = (
        PolicyEntry(
            "edge/flux",
            "Flux extension required",
            "edge",
            count_states(clusters, "edge/flux"),
            initiative="gitops-baseline",
            effect="deployIfNotExists",
            digest="4be0a1",
            version="1.2.0",
        ),
        PolicyEntry(
            "edge/config",
            "Flux configuration",
            "edge",
            count_states(clusters, "edge/config"),
            initiative="gitops-baseline",
            severity="high",
            effect="deployIfNotExists",
            owner="ops-edge",
            runbook="https://runbooks.example/flux",
            digest="77c0de",
        ),
    )
    before = TrendPoint(NOW - timedelta(days=7), {COMPLIANT: 1, NON_COMPLIANT: 4})
    return counted(
        Report(
            generated_at=NOW,
            engine_version="0.1.0",
            scan=ScanEntry("s-0042", NOW - timedelta(seconds=2), NOW - timedelta(seconds=1), complete=False),
            title="GitOps baseline: compliance report",
            organisation="Contoso Outfitters",
            inventory=InventoryEntry(
                "file:fleet.yaml",
                NOW - timedelta(minutes=2),
                (IncompleteScope("/subscriptions/edge-south", "403: no reader role"),),
            ),
            policies=policies,
            scopes=rollup_by_scope(tree, groups_of(clusters)),
            clusters=clusters,
            findings=findings,
            changes=(
                ChangeEntry(
                    clusters[2].id,
                    "edge-got-02",
                    "edge/config",
                    COMPLIANT,
                    NON_COMPLIANT,
                    NOW - timedelta(hours=5),
                    Direction.NEW,
                    "deleted by hand",
                ),
                ChangeEntry(
                    clusters[0].id,
                    "edge-osl-03",
                    "edge/flux",
                    NON_COMPLIANT,
                    COMPLIANT,
                    NOW - timedelta(days=1),
                    Direction.FIXED,
                    "by plan p-4821",
                ),
            ),
            previous=before,
            trend=(before, TrendPoint(NOW, count_states(clusters))),
            remediations=(
                RemediationEntry(
                    "p-4821",
                    NOW - timedelta(days=1),
                    "assignment edge",
                    {"succeeded": 4, "failed": 1},
                    (FailureCause("admission webhook denied the request", ("edge-got-02",)),),
                    by="anna@example",
                ),
            ),
            exemptions=(
                ExemptionEntry(
                    "payments-freeze",
                    "edge",
                    ("/subscriptions/payments/resourceGroups/payments-*",),
                    "Waiver",
                    1,
                    still_needed=True,
                    reference_ids=("config",),
                    reason="Year-end freeze",
                    owner="anna@example",
                    ticket="CHG-10233",
                    approved_by=("security-board",),
                    expires_on=datetime(2027, 1, 5, tzinfo=UTC),
                ),
            ),
        )
    )


POLICIES = (
    ("edge-baseline/extension", "Flux extension required", "high", "deployIfNotExists", 0.12),
    ("edge-baseline/config", "Flux configuration cluster-config", "high", "deployIfNotExists", 0.26),
    ("edge-baseline/foreign", "No foreign cluster-scoped configuration", "medium", "audit", 0.04),
    ("flux-version", "Supported Flux version (N-2)", "medium", "auditIfNotExists", 0.16),
    ("arc-azure-policy", "Azure Policy extension on Arc", "medium", "deployIfNotExists", 0.3),
    ("arc-defender", "Defender extension on Arc", "critical", "deployIfNotExists", 0.14),
    ("aks-local-accounts", "Local accounts disabled on AKS", "high", "audit", 0.2),
    ("private-link-sources", "Private-link clusters use listed sources", "low", "audit", 0.0),
)
REASONS = {
    "edge-baseline/extension": (
        "no extension of type microsoft.flux on the cluster",
        "extension flux: provisioningState is Failed, wanted Succeeded",
    ),
    "edge-baseline/config": (
        "`cluster-config` matches 5 of 6: gitRepository.repositoryRef.branch is `release/1.8`, wanted `main`",
        "no fluxConfiguration cluster-config; nearest is team-payments, which matches 2 of 6",
        "cluster-config is suspended",
    ),
    "edge-baseline/foreign": ("2 cluster-scoped configurations, one from https://git.elsewhere.example/apps",),
    "flux-version": ("microsoft.flux is 1.9.1; 1.12 or later is supported",),
    "arc-azure-policy": ("no extension of type microsoft.policyinsights on the cluster",),
    "arc-defender": ("no extension of type microsoft.azuredefender.kubernetes on the cluster",),
    "aks-local-accounts": ("disableLocalAccounts is false, wanted true",),
    "private-link-sources": ("source is not on the list",),
}
FIXES = {
    "edge-baseline/extension": "install extension microsoft.flux, release train Stable",
    "edge-baseline/config": "one field: set repositoryRef.branch to main",
    "aks-local-accounts": "set disableLocalAccounts on the cluster; no write of ours does it",
}
PLACES = (
    ("web", "online-weu", ("shop-weu", "shop-neu", "checkout"), False, "westeurope", 14),
    ("web", "online-us", ("shop-eus", "shop-wus"), False, "eastus", 6),
    ("pay", "payments", ("payments-prod", "payments-test"), False, "northeurope", 4),
    ("edge", "edge-nordics", ("stores-no", "stores-se", "stores-dk"), True, "norwayeast", 14),
    ("plant", "plants", ("plant-dus", "plant-lyo"), True, "germanywestcentral", 8),
    ("lab", "platform-lab", ("lab-a", "lab-b"), False, "westeurope", 2),
)


def make_fleet(size: int = 48, seed: int = 7) -> Report:
    """A made-up fleet of ``size`` clusters under eight policies; the same seed gives the same report."""
    dice = random.Random(seed)
    clusters, findings = [], []
    for at in range(size):
        prefix, subscription, groups, arc, location, _ = _place(at % 48)
        name = f"{prefix}-{('osl', 'sto', 'cph', 'got', 'hel')[at % 5]}-{at + 1:02d}"
        unreachable = "agent offline, last seen 2026-11-19T16:02:00Z" if arc and at % 11 == 3 else None
        states = {key: _state(dice, key, arc, subscription, unreachable, share) for key, _, _, _, share in POLICIES}
        good = states["edge-baseline/config"] is COMPLIANT
        cluster = make_cluster(
            name,
            subscription,
            groups[at % len(groups)],
            arc=arc,
            location=location,
            owner=f"team-{prefix}",
            unreachable=unreachable,
            lamps=Lamps(
                Lamp.ON if good else Lamp.OFF,
                Lamp.UNKNOWN if unreachable else Lamp.ON if good and at % 9 else Lamp.OFF,
                Lamp.OFF if unreachable else Lamp.ON,
            ),
            states=states,
        )
        clusters.append(cluster)
        findings += [
            _finding(dice, cluster, key, severity) for key, _, severity, _, _ in POLICIES if states[key].is_finding
        ]
    policies = tuple(
        PolicyEntry(
            key,
            title,
            key.partition("/")[0],
            count_states(clusters, key),
            initiative="gitops-baseline@1.2.0" if "/" in key else "",
            severity=severity,
            effect=effect,
            owner="ops-edge" if "/" in key else "platform-security",
            runbook=f"https://runbooks.example/{key.rpartition('/')[2]}",
            digest=fingerprint(key),
            version="1.2.0",
        )
        for key, title, severity, effect, _ in POLICIES
    )
    now = count_states(clusters)
    trend = tuple(TrendPoint(NOW - timedelta(days=day), _earlier(now, day, dice)) for day in range(90, 0, -3))
    changed = [f for f in findings if f.state is NON_COMPLIANT][:5]
    whole = [c for c in clusters if c.states["edge-baseline/extension"] is COMPLIANT][:5]
    return counted(
        Report(
            generated_at=NOW,
            engine_version="0.1.0",
            scan=ScanEntry("s-019a4f", NOW - timedelta(seconds=62), NOW - timedelta(seconds=60), complete=False),
            title="GitOps baseline: compliance report",
            organisation="Contoso Outfitters",
            inventory=InventoryEntry(
                "arm:",
                NOW - timedelta(minutes=1),
                (
                    IncompleteScope(
                        "/subscriptions/edge-south", "403 AuthorizationFailed: the identity has no Reader role"
                    ),
                ),
            ),
            policies=policies,
            scopes=rollup_by_scope(make_tree(), groups_of(clusters)),
            clusters=tuple(clusters),
            findings=tuple(findings),
            changes=(
                *(
                    ChangeEntry(f.cluster, f.cluster_name, f.policy, COMPLIANT, f.state, NOW, Direction.NEW, f.reason)
                    for f in changed[:3]
                ),
                *(
                    ChangeEntry(f.cluster, f.cluster_name, f.policy, COMPLIANT, f.state, NOW, Direction.BACK, f.reason)
                    for f in changed[3:]
                ),
                *(
                    ChangeEntry(
                        c.id,
                        c.name,
                        "edge-baseline/extension",
                        NON_COMPLIANT,
                        COMPLIANT,
                        NOW - timedelta(hours=2),
                        Direction.FIXED,
                        "by plan p-4821f0c2",
                    )
                    for c in whole
                ),
            ),
            previous=trend[-1] if trend else None,
            trend=(*trend, TrendPoint(NOW, now)),
            remediations=(
                RemediationEntry(
                    "p-4821f0c2",
                    NOW - timedelta(hours=2),
                    "assignment edge-baseline",
                    {"succeeded": 9, "failed": 1, "skipped": 2},
                    (
                        FailureCause(
                            'admission webhook "gate.example" denied the request: hostPath is not allowed',
                            ("web-neu-01",),
                        ),
                    ),
                    by="anna@example",
                ),
            ),
            exemptions=(
                ExemptionEntry(
                    "payments-freeze",
                    "edge-baseline",
                    ("/subscriptions/payments/resourceGroups/payments-*",),
                    "Waiver",
                    sum(c.states["edge-baseline/config"] is EXEMPT for c in clusters),
                    still_needed=True,
                    reference_ids=("config",),
                    reason="Year-end freeze; content pinned by hand",
                    owner="anna@example",
                    ticket="CHG-10233",
                    approved_by=("security-board",),
                    expires_on=datetime(2027, 1, 5, tzinfo=UTC),
                ),
                ExemptionEntry(
                    "lab-defender",
                    "arc-defender",
                    ("/subscriptions/platform-lab",),
                    "Mitigated",
                    0,
                    still_needed=False,
                    reason="Lab has its own sensor",
                    owner="lab@example",
                    expires_on=NOW + timedelta(days=9),
                ),
            ),
        )
    )


def make_tree() -> ScopeTree:
    groups = (("root", "Contoso", None), ("mg-online", "Online", "root"), ("mg-edge", "Edge", "root"))
    parents = {"edge-nordics": "mg-edge", "plants": "mg-edge", "platform-lab": "root"}
    return ScopeTree(
        management_groups=tuple(ManagementGroup(*group) for group in groups),
        subscriptions=tuple(Subscription(s, s, parents.get(s, "mg-online")) for _, s, *_ in PLACES),
        resource_groups=tuple(
            ResourceGroup(ResourceId(f"/subscriptions/{s}/resourceGroups/{g}"), location)
            for _, s, names, _, location, _ in PLACES
            for g in names
        ),
    )


def _place(at: int) -> tuple[str, str, tuple[str, ...], bool, str, int]:
    for place in PLACES:
        if at < place[5]:
            return place
        at -= place[5]
    raise AssertionError("PLACES hold 48 clusters")


def _state(
    dice: random.Random, key: str, arc: bool, subscription: str, unreachable: str | None, share: float
) -> ComplianceState:
    if (key.startswith("arc-") and not arc) or (key.startswith("aks-") and arc):
        return NOT_APPLICABLE
    if subscription == "platform-lab" or (key == "private-link-sources" and dice.random() < 0.8):
        return NOT_APPLICABLE
    if subscription == "payments" and key == "edge-baseline/config":
        return EXEMPT
    if unreachable and key in {"edge-baseline/config", "flux-version"}:
        return UNKNOWN
    if key == "edge-baseline/config" and dice.random() < 0.04:
        return CONFLICT
    return NON_COMPLIANT if dice.random() < share else COMPLIANT


def _finding(dice: random.Random, cluster: ClusterEntry, key: str, severity: str) -> FindingEntry:
    state = cluster.states[key]
    reason = {
        EXEMPT: "exempt by payments-freeze until 5 Jan 2027; it would be NonCompliant",
        UNKNOWN: "agent offline, last seen 2026-11-19T16:02:00Z",
        CONFLICT: "edge-baseline and plant-baseline want different bodies for cluster-config",
    }.get(state) or dice.choice(REASONS[key])
    failing = state is NON_COMPLIANT
    return FindingEntry(
        cluster.id,
        cluster.name,
        key,
        state,
        NOW - timedelta(hours=dice.randint(2, 1000)),
        reason,
        fix=FIXES.get(key, "install what is missing") if failing else "",
        command=f"policyengine plan --cluster {cluster.name}" if failing else "",
        next_try="Tue 24 Nov 09:00 UTC, in the maintenance window" if failing and "/" in key else "",
        owner="ops-edge" if "/" in key else "platform-security",
        severity=severity,
    )


def _earlier(counts: Counts, day: int, dice: random.Random) -> Counts:
    moved = max(0, int(day * 0.7) + dice.randint(-4, 4))
    return {
        **counts,
        COMPLIANT: max(counts.get(COMPLIANT, 0) - moved, 0),
        NON_COMPLIANT: counts.get(NON_COMPLIANT, 0) + moved,
    }


@pytest.fixture(scope="session")
def contoso_report() -> Report:
    return make_fleet()
