"""The Contoso fleet under its own assignments: every planted story has the state, and the plan, that it tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from policyengine.arm.causes import cause_in_resource
from policyengine.compliance.bind import BoundPolicy, bind
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import check
from policyengine.language.documents import EnforcementMode, RemediationMode
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.diagnostic import render
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, compliance_ratio
from policyengine.remediation.plan import build_plan
from policyengine.remediation.steps import Plan, Preflight
from policyengine.text.nodes import to_value
from policyengine.text.reader import read
from policyengine.workflows.data import data_root

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
AFTER_THE_FREEZE = datetime(2027, 1, 5, tzinfo=UTC)
SAMPLES, POLICIES = data_root() / "samples", data_root() / "policies"

EDGE, PLATFORM = "edge-baseline", "platform-baseline"
STORIES = [
    ("web-weu-01", f"{PLATFORM}/extension", "Compliant", ""),
    ("web-weu-01", f"{PLATFORM}/config", "Compliant", ""),
    ("web-weu-02", f"{PLATFORM}/extension", "NonCompliant", "no extension of type microsoft.flux"),
    ("web-weu-02", f"{PLATFORM}/config", "NonCompliant", "no fluxConfiguration named `cluster-config`"),
    ("web-weu-05", f"{PLATFORM}/config", "NonCompliant", "syncIntervalInSeconds"),
    ("web-neu-01", f"{PLATFORM}/extension", "NonCompliant", "provisioningState"),
    ("web-neu-01", f"{PLATFORM}/version", "NotApplicable", ""),
    ("web-neu-03", f"{PLATFORM}/config", "NonCompliant", "path"),
    ("web-eus-03", f"{PLATFORM}/extension", "NonCompliant", "releaseTrain"),
    ("web-eus-03", f"{PLATFORM}/config", "Compliant", ""),
    ("tools-weu-01", f"{PLATFORM}/config", "NotApplicable", ""),
    ("tools-weu-01", "aks-local-accounts", "NonCompliant", "disableLocalAccounts"),
    ("hub-neu-01", f"{PLATFORM}/extension", "Compliant", ""),
    ("hub-neu-01", f"{PLATFORM}/config", "NonCompliant", "no fluxConfiguration"),
    ("dr-neu-01", f"{PLATFORM}/version", "NonCompliant", "version_minor"),
    ("dr-neu-01", f"{PLATFORM}/config", "NonCompliant", "no fluxConfiguration"),
    ("pay-prod-01", f"{PLATFORM}/extension", "Compliant", ""),
    ("pay-prod-01", f"{PLATFORM}/config", "Exempt", "Year-end freeze"),
    ("dev-weu-01", f"{PLATFORM}/foreign", "NonCompliant", "https://github.com"),
    ("lab-ml-01", f"{PLATFORM}/extension", "NotApplicable", ""),
    ("lab-ml-01", "aks-local-accounts", "NotApplicable", ""),
    ("lab-net-02", f"{PLATFORM}/extension", "NotApplicable", ""),
    ("edge-osl-03", f"{EDGE}/config", "NonCompliant", "branch"),
    ("edge-got-02", f"{EDGE}/extension", "NonCompliant", "no extension of type microsoft.flux"),
    ("edge-cph-01", f"{EDGE}/extension", "Compliant", ""),
    ("edge-cph-01", f"{EDGE}/config", "NonCompliant", "complianceState"),
    ("edge-hel-01", f"{EDGE}/config", "NonCompliant", "suspend"),
    ("edge-hel-02", f"{EDGE}/version", "NonCompliant", "version_minor"),
    ("edge-aar-01", f"{EDGE}/config", "NonCompliant", "prune"),
    ("plant-dus-01", f"{EDGE}/config", "NonCompliant", "branch"),
    ("plant-dus-01", "plant-dus-pilot", "NonCompliant", "branch"),
    ("plant-muc-01", f"{EDGE}/sources", "Compliant", ""),
    ("plant-stu-01", f"{EDGE}/sources", "NonCompliant", "https://github.com"),
    ("plant-stu-01", f"{EDGE}/foreign", "Compliant", ""),
    ("plant-ber-01", "plants-monitoring", "NonCompliant", "microsoft.azuremonitor.containers"),
    ("edge-bgo-01", "shops-security/azure-policy", "NonCompliant", "microsoft.policyinsights"),
    ("edge-mma-01", "shops-security/defender", "NonCompliant", "microsoft.azuredefender.kubernetes"),
]


@dataclass(frozen=True)
class Contoso:
    """The sample fleet and its bound policies."""

    file: FleetFile
    library: PolicyLibrary
    policies: tuple[BoundPolicy, ...]
    aliases: AliasCatalogue

    def cluster(self, name: str) -> Cluster:
        (found,) = (c for c in self.file.fleet.clusters if c.name == name)
        return found

    def policy(self, key: str) -> BoundPolicy:
        (found,) = (p for p in self.policies if p.key == key)
        return found

    def world(self, at: datetime = NOW) -> World:
        return World(self.file.fleet.tree, at, self.aliases)


def read_value(path: Path) -> Any:
    (node,) = read(path.read_text(encoding="utf-8"), path.name)
    return to_value(node)


def policy_files() -> Iterator[Path]:
    for folder in (POLICIES / "definitions", POLICIES / "initiatives", SAMPLES / "assignments", SAMPLES / "exemptions"):
        yield from sorted(folder.glob("*.yaml"))


@cache
def contoso() -> Contoso:
    aliases = AliasCatalogue.packaged()
    documents: list[Any] = []
    for path in policy_files():
        parsed = parse_documents(path.read_text(encoding="utf-8"), path.name, aliases)
        assert not parsed.diagnostics, "\n".join(map(render, parsed.diagnostics))
        documents += parsed.documents
    library, problems = PolicyLibrary.build(documents)
    assert not problems, "\n".join(map(render, problems))
    fleet = parse_fleet(read_value(SAMPLES / "fleet.yaml"))
    return Contoso(fleet, library, bind(library, aliases), aliases)


@cache
def plan() -> Plan:
    return build_plan(contoso().policies, contoso().file.fleet.clusters, contoso().world(), created_at=NOW)


def steps_of(cluster: str) -> list[tuple[str, str, Preflight]]:
    found = (s for s in plan().steps if s.cluster == contoso().cluster(cluster).id)
    return [(s.write.method, s.write.id.name, s.preflight) for s in found]


def test_the_fleet_has_its_promised_size() -> None:
    fleet = contoso().file.fleet

    assert Counter(c.kind for c in fleet.clusters) == {"AKS": 26, "Arc": 22}
    assert len(fleet.tree.management_groups) == 4
    assert len(fleet.tree.subscriptions) == 6
    assert len(fleet.tree.resource_groups) == 14
    assert len({c.name for c in fleet.clusters}) == 48


def test_every_resource_group_has_a_cluster() -> None:
    fleet = contoso().file.fleet

    used = {group.id for c in fleet.clusters if (group := fleet.tree.resource_group(c.id))}
    assert used == {group.id for group in fleet.tree.resource_groups}


def test_the_sample_files_give_no_warning() -> None:
    assert [render(d) for d in check(contoso().library, contoso().aliases)] == []


@pytest.mark.parametrize(("cluster", "policy", "state", "because"), STORIES)
def test_story(cluster: str, policy: str, state: str, because: str) -> None:
    verdict = judge(contoso().policy(policy), contoso().cluster(cluster), contoso().world())

    assert verdict.state.value == state, verdict.reason
    assert because in (verdict.reason.message if verdict.reason else "")


def test_the_exemption_ends_when_the_freeze_does() -> None:
    policy, cluster = contoso().policy(f"{PLATFORM}/config"), contoso().cluster("pay-prod-01")

    verdict = judge(policy, cluster, contoso().world(AFTER_THE_FREEZE))

    assert verdict.state is ComplianceState.NON_COMPLIANT


def test_the_first_scan_finds_three_quarters_compliant_and_no_error() -> None:
    world = contoso().world()
    counts = Counter(judge(p, c, world).state for p in contoso().policies for c in contoso().file.fleet.clusters)
    ratio = compliance_ratio(counts)

    assert ratio is not None
    assert 0.70 <= ratio <= 0.80, counts
    assert counts[ComplianceState.EXEMPT] == 1
    assert counts[ComplianceState.ERROR] == 0


def test_what_a_plan_cannot_mend_is_less_than_a_tenth() -> None:
    """After remediation compliance is above nine tenths: findings of clusters whose steps all run are gone."""
    world, clusters = contoso().world(), contoso().file.fleet.clusters
    failing = [c.id for c in clusters if contoso().file.simulations.get(c.id, {}).get("installFailures")]
    mended = {(p, s.cluster) for s in plan().runnable if s.cluster not in failing for p in s.policies}
    verdicts = {(p.key, c.id): judge(p, c, world).state for p in contoso().policies for c in clusters}
    after = Counter(ComplianceState.COMPLIANT if pair in mended else state for pair, state in verdicts.items())
    ratio = compliance_ratio(after)

    assert ratio is not None
    assert ratio > 0.90, after


def test_a_wrong_branch_is_one_field() -> None:
    (step,) = (s for s in plan().steps if s.cluster == contoso().cluster("edge-osl-03").id)

    assert step.write.method == "PATCH"
    assert [(c.old, c.new) for c in step.changes] == [("release/1.8", "main")]
    assert step.preflight is Preflight.READY


def test_a_new_shop_gets_its_extensions_first() -> None:
    assert steps_of("edge-osl-01")[-1] == ("PUT", "cluster-config", Preflight.WAITS)
    assert {name for _, name, _ in steps_of("edge-osl-01")[:-1]} == {
        "flux",
        "azurepolicy",
        "microsoft.azuredefender.kubernetes",
    }


@pytest.mark.parametrize("cluster", ["edge-got-02", "dr-neu-01"])
def test_unreachable_clusters_are_parked(cluster: str) -> None:
    assert steps_of(cluster)
    assert {preflight for _, _, preflight in steps_of(cluster)} == {Preflight.PARKED}


def test_two_wishes_for_one_object_are_refused() -> None:
    assert {preflight for _, _, preflight in steps_of("plant-dus-01")} == {Preflight.REFUSED}
    refused = {s.cluster for s in plan().steps if s.preflight is Preflight.REFUSED}
    assert refused == {contoso().cluster("plant-dus-01").id}


def test_what_nobody_may_write_is_not_in_the_plan() -> None:
    for cluster in ("web-eus-03", "pay-prod-01", "lab-ml-02", "lab-net-02", "edge-cph-01", "web-weu-01"):
        assert steps_of(cluster) == []


def test_the_preview_train_is_reported_and_never_put_back() -> None:
    policy, cluster = contoso().policy(f"{PLATFORM}/extension"), contoso().cluster("web-eus-03")

    assert (policy.effect_name, policy.on(cluster.resource).effect_name) == ("deployIfNotExists", "auditIfNotExists")
    assert [u.reason for u in plan().unmended if (u.cluster, u.policy) == (cluster.id, policy.key)] == [
        "auditIfNotExists reports and never writes"
    ]


def test_the_failed_extension_says_which_policy_refused_it() -> None:
    """The service's answer is text in JSON in text; the innermost sentence names the admission policy."""
    cluster = contoso().cluster("web-neu-01")
    cause = cause_in_resource(cluster.extensions[0].document)

    assert cause is not None
    assert cause.message in contoso().file.simulations[cluster.id]["installFailures"]["microsoft.flux"]
    assert "denied the request: [allowed-registries]" in cause.message


def test_each_kind_of_schedule_and_mode_is_shown_once() -> None:
    assignments = {a.name: a for a in contoso().library.assignments}
    edge, security = assignments[EDGE].schedule, assignments["shops-security"].schedule

    assert edge is not None
    assert (edge.cron, edge.timezone, edge.jitter_s) == ("*/30 * * * *", "Europe/Oslo", 60)
    assert security is not None
    assert security.interval_s == 15 * 60
    assert assignments["shops-security"].remediation_mode is RemediationMode.CONTINUOUS
    assert assignments["plants-monitoring"].enforcement_mode is EnforcementMode.DO_NOT_ENFORCE


def test_one_write_is_refused_once_for_being_early() -> None:
    (fault,) = contoso().file.faults

    assert (fault["method"], fault["status"], fault["times"]) == ("PUT", 409, 1)
    assert "edge-osl-01" in fault["path"]
