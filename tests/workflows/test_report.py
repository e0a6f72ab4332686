"""The numbers of a report are those of the store, and add up; what changed is told since a scan a week ago."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event

from policyengine.errors import UsageError
from policyengine.model.resource import FLUX_CONFIGURATIONS
from policyengine.model.states import ComplianceState
from policyengine.remediation.steps import StepOutcome, StepState
from policyengine.reports import (
    FORMATS,
    ChangeEntry,
    Direction,
    ExemptionEntry,
    FailureCause,
    FleetEntry,
    Lamp,
    Report,
    ScopeNode,
    count_states,
)
from policyengine.reports.summary import add_counts
from policyengine.workflows import report as report_module
from policyengine.workflows.report import TREND_POINTS
from policyengine.workflows.report_list import list_pairs

if TYPE_CHECKING:
    from tests.workflows.conftest import Project

OK, BAD = ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT
CONFIG_POLICY = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: config, severity: medium}
spec:
  appliesTo: [aks, arc]
  when: {field: tags.gitops, notEquals: disabled}
  require:
    fluxConfiguration: {name: apps, suspend: false, gitRepository: {url: https://git.example/fleet}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: content, owner: ops-edge}
spec: {policy: config, scope: /subscriptions/5b0c0000-0000-0000-0000-000000000001}
"""
APPS = {
    "provisioningState": "Succeeded",
    "suspend": False,
    "sourceKind": "GitRepository",
    "gitRepository": {"url": "https://git.example/fleet"},
    "complianceState": "Compliant",
}


def exemption(name: str, cluster: str, *, until: str = "2027-01-05T00:00:00Z") -> str:
    return f"""
apiVersion: policyengine/v1
kind: Exemption
metadata: {{name: {name}, owner: anna, ticket: CHG-1}}
spec: {{assignment: edge, scopes: ['{cluster}'], category: Waiver, reason: freeze, expiresOn: {until}}}
"""


def everything(scopes: tuple[ScopeNode, ...]) -> Counter[ComplianceState]:
    return Counter(add_counts(scope.counts for scope in scopes))


def directions(report: Report) -> dict[str, Direction]:
    return {change.cluster_name: change.direction for change in report.changes}


def test_there_is_nothing_to_report_before_the_first_scan(project: Project) -> None:
    with pytest.raises(UsageError) as refused:
        project.report()

    assert refused.value.message == "nothing has been scanned yet"
    assert refused.value.help == "run `policyengine scan`"


class TestNumbers:
    @pytest.fixture
    def report(self, project: Project, flux: Mapping[str, Any], aks: str) -> Report:
        """Two policies over four clusters in two groups: every state but the rare ones."""
        project.write("policies/config.yaml", CONFIG_POLICY)
        project.put("edge-01", extensions=flux, flux={"apps": APPS})
        project.put("edge-02", tags={"gitops": "disabled"})
        exempt = project.put("web-01", group="web", type=aks, flux={"apps": {**APPS, "suspend": True}})
        project.put("web-02", group="web", type=aks, extensions=flux)
        project.write("policies/exempt.yaml", exemption("freeze", exempt))
        project.scan()
        return project.report()

    def test_policies_clusters_and_scopes_tell_of_the_same_pairs(self, project: Project, report: Report) -> None:
        by_policy = Counter(add_counts(policy.counts for policy in report.policies))

        assert by_policy == Counter(count_states(report.clusters))
        assert by_policy == everything(report.scopes)
        assert by_policy == Counter({OK: 3, BAD: 3, ComplianceState.EXEMPT: 1, ComplianceState.NOT_APPLICABLE: 1})

    def test_each_policy_counts_as_the_store_does(self, project: Project, report: Report) -> None:
        rollups: Counter[tuple[str, ComplianceState]] = Counter()
        for row in project.store.rollups():
            rollups[row.policy_key, row.state] += row.count

        for policy in report.policies:
            for state in ComplianceState:
                assert policy.counts.get(state, 0) == rollups[policy.key, state]

    def test_each_finding_is_a_pair(self, report: Report) -> None:
        states = {(cluster.id, key): state for cluster in report.clusters for key, state in cluster.states.items()}

        assert {(f.cluster, f.policy): f.state for f in report.findings} == {
            pair: state for pair, state in states.items() if state.is_finding
        }

    def test_the_trend_ends_with_the_last_scan(self, project: Project, report: Report) -> None:
        last = project.store.last_scan()

        assert last is not None
        assert report.scan is not None
        assert report.scan.id == last.id
        assert (report.trend[-1].at, report.trend[-1].counts) == (last.finished, last.counts)
        assert dict(last.counts) == dict(count_states(report.clusters))

    def test_a_policy_that_does_not_apply_says_so(self, report: Report) -> None:
        (opted_out,) = (cluster for cluster in report.clusters if cluster.name == "edge-02")

        assert opted_out.states == {"edge": BAD, "content": ComplianceState.NOT_APPLICABLE}

    def test_a_policy_says_what_it_is(self, report: Report) -> None:
        edge, content = sorted(report.policies, key=lambda policy: policy.key, reverse=True)

        assert (edge.display_name, edge.severity, edge.owner, edge.version) == (
            "Flux is installed",
            "high",
            "platform",
            "1.0.0",
        )
        assert (content.assignment, content.owner, content.effect) == ("content", "ops-edge", "deployIfNotExists")


class TestFindings:
    def test_it_says_since_when_why_and_what_mends_it(self, project: Project, flux: Mapping[str, Any]) -> None:
        project.put("edge-01", extensions={"flux": {**flux["flux"], "releaseTrain": "Preview"}})
        began = project.clock.now()
        project.scan()
        project.clock.advance(days=3)
        project.scan()

        (finding,) = project.report().findings

        assert finding.since == began
        assert 'releaseTrain is "Preview", wanted "Stable"' in finding.reason
        assert finding.fix == 'one field of `flux`: releaseTrain is "Preview", wanted "Stable"'
        assert finding.command == "policyengine plan --cluster edge-01 --policy edge"
        assert (finding.owner, finding.severity) == ("platform", "high")

    def test_it_says_why_the_last_plan_does_not_mend_it(self, project: Project) -> None:
        project.put("edge-01", connectivityStatus="Offline")
        project.put("edge-02")
        project.scan()
        project.plan()

        assert {f.cluster_name: f.next_try for f in project.report().findings} == {
            "edge-01": "parked: agent offline",
            "edge-02": "",
        }

    def test_an_exempt_pair_needs_no_command(self, project: Project) -> None:
        project.write("policies/exempt.yaml", exemption("freeze", project.put("edge-01")))
        project.scan()

        (finding,) = project.report().findings

        assert finding.state is ComplianceState.EXEMPT
        assert (finding.command, finding.next_try) == ("", "")


class TestChanges:
    def test_nothing_changed_since_the_only_scan(self, project: Project) -> None:
        project.put("edge-01")
        project.scan()

        assert project.report().changes == ()
        assert project.report().previous is None

    def test_what_broke_and_what_was_mended(self, project: Project, flux: Mapping[str, Any]) -> None:
        project.put("mended")
        project.put("broken", extensions=flux)
        project.put("same")
        project.scan()
        project.clock.advance(days=1)
        mended = project.put("mended", extensions=flux)
        project.put("broken")
        project.scan()

        report = project.report()

        assert directions(report) == {"mended": Direction.FIXED, "broken": Direction.NEW}
        (entry,) = (change for change in report.changes if change.cluster_name == "mended")
        assert entry == ChangeEntry(
            cluster=entry.cluster,
            cluster_name="mended",
            policy="edge",
            old=BAD,
            new=OK,
            at=project.clock.now(),
            direction=Direction.FIXED,
        )
        assert entry.cluster.text == mended
        assert report.previous is not None
        assert report.previous.counts[BAD] == 2

    def test_what_was_mended_and_broke_again_came_back(self, project: Project, flux: Mapping[str, Any]) -> None:
        project.put("edge-01")
        project.scan()
        project.put("edge-01", extensions=flux)
        project.clock.advance(days=1)
        project.scan()
        project.clock.advance(days=8)
        project.put("edge-01")
        project.scan()

        assert directions(project.report()) == {"edge-01": Direction.BACK}

    def test_there_and_back_is_no_change(self, project: Project, flux: Mapping[str, Any]) -> None:
        for extensions in (flux, {}, flux):
            project.put("edge-01", extensions=extensions)
            project.scan()
            project.clock.advance(hours=1)

        assert project.report().changes == ()

    def test_what_changed_longer_than_a_week_ago_is_not_told(self, project: Project, flux: Mapping[str, Any]) -> None:
        project.put("edge-01")
        project.scan()
        project.clock.advance(days=20)
        project.put("edge-01", extensions=flux)
        project.scan()
        week_ago = project.clock.now()
        project.clock.advance(days=7)
        project.scan()

        report = project.report()

        assert report.changes == ()
        assert report.previous is not None
        assert report.previous.at == week_ago

    def test_a_week_is_a_week_however_often_it_is_scanned(self, project: Project, flux: Mapping[str, Any]) -> None:
        """More scans than the trend shows: the one to compare with is older than those."""
        project.put("edge-01", extensions=flux)
        project.scan()
        project.clock.advance(days=7)
        project.put("edge-01")
        project.scan()
        for _ in range(TREND_POINTS):
            project.clock.advance(minutes=1)
            now, policies = project.clock.now(), project.store.policies()
            project.store.record_scan(started=now, finished=now, verdicts=[], policies=policies, complete=True, at=now)

        report = project.report()

        assert directions(report) == {"edge-01": Direction.NEW}
        assert len(report.trend) == TREND_POINTS


class TestLamps:
    def lamps(self, project: Project) -> tuple[Lamp, Lamp, Lamp]:
        project.scan()
        (cluster,) = project.report().clusters
        lamps = cluster.lamps
        return lamps.declared, lamps.reconciled, lamps.reachable

    def test_all_is_well(self, project: Project, flux: Mapping[str, Any]) -> None:
        project.put("edge-01", extensions=flux, flux={"apps": APPS}, connectivityStatus="Connected")

        assert self.lamps(project) == (Lamp.ON, Lamp.ON, Lamp.ON)

    def test_declared_is_not_reconciled(self, project: Project, flux: Mapping[str, Any]) -> None:
        failing = {**APPS, "complianceState": "Non-Compliant"}
        project.put("edge-01", extensions=flux, flux={"apps": APPS, "infra": failing})

        assert self.lamps(project) == (Lamp.ON, Lamp.OFF, Lamp.ON)

    def test_nobody_knows(self, project: Project) -> None:
        project.put("edge-01", flux={"apps": {**APPS, "complianceState": "Pending"}}, connectivityStatus="Offline")

        assert self.lamps(project) == (Lamp.OFF, Lamp.UNKNOWN, Lamp.OFF)


class TestExemptions:
    def test_it_says_what_it_covers_and_whether_it_is_needed(self, project: Project, flux: Mapping[str, Any]) -> None:
        project.write("policies/a.yaml", exemption("needed", project.put("edge-01")))
        project.write("policies/b.yaml", exemption("spare", project.put("edge-02", extensions=flux)))
        project.write("policies/c.yaml", exemption("over", project.put("edge-03"), until="2026-01-01T00:00:00Z"))
        project.scan()

        found = {entry.name: entry for entry in project.report().exemptions}

        assert {name: (entry.covers, entry.still_needed) for name, entry in found.items()} == {
            "needed": (1, True),
            "spare": (1, False),
            "over": (0, False),
        }
        assert found["needed"] == ExemptionEntry(
            name="needed",
            assignment="edge",
            scopes=found["needed"].scopes,
            category="Waiver",
            covers=1,
            still_needed=True,
            reason="freeze",
            owner="anna",
            ticket="CHG-1",
            expires_on=datetime(2027, 1, 5, tzinfo=UTC),
        )


class TestRemediations:
    def test_a_plan_that_was_not_begun_is_none(self, project: Project) -> None:
        project.put("edge-01")
        project.scan()
        project.plan()

        assert project.report().remediations == ()

    def test_failures_are_grouped_by_their_cause(self, project: Project) -> None:
        for name in ("edge-01", "edge-02", "edge-03"):
            project.put(name)
        project.scan()
        plan = project.plan(assignment="edge").plan
        now = project.clock.now()
        for id in ("s001", "s003"):
            for state, message in ((StepState.INTENT, ""), (StepState.FAILED, "no quota")):
                project.store.record_outcome(plan.id, StepOutcome(id, state, now, message))

        (entry,) = project.report().remediations

        assert (entry.plan_id, entry.scope, entry.steps) == (
            plan.id,
            "assignment edge",
            {"failed": 2, "planned": 1},
        )
        assert entry.failures == (FailureCause("no quota", ("edge-01", "edge-03")),)


def test_a_source_that_was_read_in_part_is_told(project: Project) -> None:
    id = project.put("edge-01")
    orphan = f"{id.replace('edge-01', 'gone')}/providers/{FLUX_CONFIGURATIONS}/apps"
    project.documents["orphan"] = [{"id": orphan, "properties": {}}]
    project.put("edge-02")
    project.scan()

    report = project.report()

    assert report.scan is not None
    assert not report.scan.complete
    assert report.inventory.incomplete != ()
    assert report.inventory.source == project.settings.inventory


class TestLargeFleets:
    """Of more clusters and findings than a page has room for, some are named and all are counted."""

    @pytest.fixture
    def report(self, project: Project, flux: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Report:
        for name, most in (("FINDINGS", 4), ("CAUSES", 2), ("SMALL", 5), ("CLUSTERS", 3), ("UNREACHED", 1)):
            monkeypatch.setattr(report_module, name, most)
        for n in range(12):
            status: dict[str, Any] = {"connectivityStatus": "Offline"} if n < 2 else {}
            broken = {"flux": {**flux["flux"], "releaseTrain": f"train-{n}"}} if n < 4 else {}
            project.put(f"edge-{n:02d}", extensions=flux if n == 11 else broken, **status)
        project.scan()
        return project.report()

    def test_all_is_counted(self, report: Report) -> None:
        assert report.fleet == FleetEntry(12, {"Arc": 12}, unreachable=2, failing=11)
        assert dict(report.policies[0].counts) == {OK: 1, BAD: 11}
        assert (report.ages, everything(report.scopes)) == ((11, 0, 0, 0), Counter({OK: 1, BAD: 11}))

    def test_findings_are_named_by_their_commonest_causes(self, report: Report) -> None:
        common = report.causes[0]

        assert (common.findings, len(report.causes)) == (7, 2)
        assert Counter(f.reason for f in report.findings)[common.reason] == 2
        assert len(report.findings) == 3
        assert all(f.command and f.fix for f in report.findings)

    def test_clusters_are_listed_that_have_those_findings(self, report: Report) -> None:
        assert {cluster.id for cluster in report.clusters} == {finding.cluster for finding in report.findings}
        assert [entry.reason for entry in report.unreached] == ["agent offline"]

    def test_lists_leave_nothing_out(self, project: Project, report: Report) -> None:
        findings = list(list_pairs(project.settings, project.store, project.clock))
        pairs = list(list_pairs(project.settings, project.store, project.clock, everything=True))

        assert [pair.cluster.name for pair in pairs] == [f"edge-{n:02d}" for n in range(12)]
        assert [pair.finding is None for pair in pairs] == [False] * 11 + [True]
        assert findings == pairs[:11]
        assert {pair.finding for pair in findings} >= set(report.findings)


def test_a_list_needs_a_scan_before_its_first_line(project: Project) -> None:
    with pytest.raises(UsageError, match="nothing has been scanned yet"):
        list_pairs(project.settings, project.store, project.clock)


@contextmanager
def statements() -> Iterator[list[object]]:
    """Those that any database is asked inside."""
    seen: list[object] = []

    def asked(*_: object) -> None:
        seen.append(_)

    event.listen(Engine, "before_cursor_execute", asked)
    yield seen
    event.remove(Engine, "before_cursor_execute", asked)


def test_a_larger_fleet_takes_no_more_statements_and_no_longer_page(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, most in (("FINDINGS", 6), ("SMALL", 5), ("CLUSTERS", 3)):
        monkeypatch.setattr(report_module, name, most)
    project.put("edge-0000")
    project.scan()
    asked, pages = [], []
    for size in (40, 700):
        for n in range(size):
            project.put(f"edge-{n:04d}")
        project.clock.advance(hours=1)
        project.scan()
        with statements() as seen:
            report = project.report()
        asked.append((len(seen), len(report.findings), len(report.clusters)))
        pages.append(len(FORMATS["html"](replace(report, changes=()))))

    assert asked[0] == asked[1]
    assert pages[1] < pages[0] * 1.1
