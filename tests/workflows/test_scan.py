from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.errors import PolicyError, UsageError
from policyengine.inventory.reading import BATCH
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS
from policyengine.model.states import ComplianceState
from policyengine.store.blocks import CHUNK
from policyengine.store.driver import Row
from policyengine.store.scanning import Scanning
from policyengine.workflows.scan import PolicyLine, ScanRequest, scan, total_counts
from policyengine.workflows.status import read_status
from policyengine.workflows.sync import sync, unwatched
from tests.workflows.conftest import SUBSCRIPTION

if TYPE_CHECKING:
    from tests.workflows.conftest import Project

EVERYWHERE = "/providers/Microsoft.Management/managementGroups/mg-synthetic"
OK, BAD = ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT


@pytest.fixture
def fleet(project: Project, flux: Mapping[str, Any], aks: str) -> Project:
    project.put("edge-01")
    project.put("edge-02", extensions=flux)
    project.put("web-01", group="web", type=aks)
    return project


class TestScan:
    def test_it_reads_the_inventory_and_counts_states(self, fleet: Project) -> None:
        result = fleet.scan()

        (line,) = result.lines
        assert line.policy.key == "edge"
        assert {state: line.counts[state] for state in (OK, BAD)} == {OK: 1, BAD: 2}
        assert result.clusters == {"Arc": 2, "AKS": 1}
        assert result.complete
        assert result.sync is not None

    def test_it_says_how_much_moved(self, fleet: Project, flux: Mapping[str, Any]) -> None:
        fleet.scan()
        fleet.clock.advance(hours=1)
        fleet.put("edge-01", extensions=flux)
        fleet.put("edge-02")

        (line,) = fleet.scan().lines

        assert (line.fixed, line.new) == (1, 1)

    def test_it_can_do_with_what_it_knows(self, fleet: Project) -> None:
        fleet.scan()
        fleet.put("edge-03")

        result = fleet.scan(sync=False)

        assert result.sync is None
        assert sum(result.clusters.values()) == 3

    def test_what_it_was_not_asked_for_keeps_its_state(self, fleet: Project) -> None:
        other = (fleet.folder / "policies" / "flux.yaml").read_text().replace("name: edge", "name: other")
        fleet.write("policies/other.yaml", other.partition("---")[2])
        fleet.scan()
        fleet.put("edge-02")

        (line,) = fleet.scan(assignment="other").lines

        assert line.policy.key == "other"
        states = {(row.policy_key, row.state): row.count for row in fleet.store.rollups() if row.state is OK}
        assert states == {("edge", OK): 1}

    def test_a_cluster_that_was_not_read_is_unknown(self, fleet: Project) -> None:
        """The file lists its extension, and not the cluster itself."""
        fleet.scan()
        id = fleet.documents.pop("edge-01")[0]["id"]
        fleet.documents["orphan"] = [{"id": f"{id}/providers/{EXTENSIONS}/flux", "properties": {}}]
        fleet.put("edge-02")

        result = fleet.scan()

        assert not result.complete
        (finding,) = fleet.store.findings(states=[ComplianceState.UNKNOWN])
        assert finding.cluster.name == "edge-01"
        assert "could not be read" in finding.reason.message

    def test_an_inventory_that_was_never_read_to_its_end_is_incomplete(self, fleet: Project) -> None:
        """The first sync was killed after a batch: what it had read is there, and nobody knows what is missing."""
        (edge,) = fleet.documents.pop("edge-01")
        for number in range(BATCH):
            fleet.documents[f"edge-{number:04d}"] = [{**edge, "id": f"{edge['id']}-{number:04d}"}]
        fleet.put("edge-01")

        def killed(done: int, total: int | None) -> None:
            if done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            asyncio.run(sync(fleet.settings, fleet.store, fleet.clock, killed))
        result = fleet.scan(sync=False)

        assert sum(result.clusters.values()) == BATCH
        assert (result.complete, result.whole, result.scan.complete) == (False, False, False)
        assert fleet.scan().complete
        assert fleet.scan(sync=False).complete

    def test_an_assignment_whose_scope_holds_no_cluster_is_named(self, fleet: Project) -> None:
        text = (fleet.folder / "policies" / "flux.yaml").read_text()
        (assignment,) = (part for part in text.split("---") if "kind: Assignment" in part)
        (name,) = re.findall(r"name: ([\w-]+)", assignment.partition("spec")[0])
        (scope,) = re.findall(r"scope: ([^\s,}]+)", assignment)
        elsewhere = assignment.replace(name, "nowhere", 1).replace(scope, "/subscriptions/nowhere")
        fleet.write("policies/nowhere.yaml", elsewhere)

        assert fleet.scan().idle == ("nowhere",)

    def test_who_is_in_scope_is_asked_only_until_one_is_found(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A policy that speaks of no cluster is not idle because of that, and the fleet is not read to know it."""
        assignment = (project.folder / "policies" / "flux.yaml").read_text().partition("---")[2]
        nobodys = {
            "if": {"field": "tags.owner", "equals": "nobody"},
            "then": {"effect": "auditIfNotExists", "details": {"type": EXTENSIONS}},
        }
        definition = {"name": "flux", "properties": {"mode": "Indexed", "policyRule": nobodys}}
        project.write("policies/flux.yaml", assignment.replace(SUBSCRIPTION, EVERYWHERE))
        project.write("policies/nobodys.json", json.dumps(definition))
        settings = project.settings.model_copy(update={"inventory": f"synthetic:{CHUNK + 1}"})
        asked: list[int] = []
        headings = Scanning.headings

        def noted(self: Scanning, chunk: int) -> list[Row]:
            asked.append(chunk)
            return headings(self, chunk)

        monkeypatch.setattr(Scanning, "headings", noted)

        found = asyncio.run(
            scan(settings, project.store, project.clock, ScanRequest(), on_sync=unwatched, on_scan=unwatched)
        )

        assert (found.idle, asked) == ((), [0])

    def test_wrong_files_stop_it_before_anything_is_touched(self, fleet: Project) -> None:
        fleet.write("policies/wrong.yaml", "kind: [")

        with pytest.raises(PolicyError):
            fleet.scan()
        assert fleet.store.last_sync() is None

    def test_something_must_be_assigned(self, fleet: Project) -> None:
        text = (fleet.folder / "policies" / "flux.yaml").read_text()
        fleet.write("policies/flux.yaml", text.partition("---")[0])

        with pytest.raises(UsageError) as refused:
            fleet.scan()
        assert refused.value.message == "no policy is assigned"

    def test_there_must_be_something_to_scan(self, project: Project) -> None:
        with pytest.raises(UsageError, match="the inventory is empty"):
            project.scan(sync=False)

    def test_totals_are_the_sum_of_the_lines(self, fleet: Project) -> None:
        lines: tuple[PolicyLine, ...] = fleet.scan().lines

        assert total_counts(lines * 2) == {OK: 2, BAD: 4}


class TestStatus:
    def test_it_is_that_of_the_last_scan(self, fleet: Project) -> None:
        result = fleet.scan()
        status = read_status(fleet.store, findings=10)

        assert status.scan == result.scan
        assert status.policies == result.lines
        assert [finding.cluster.name for finding in status.findings] == ["edge-01", "web-01"]

    def test_a_scope_counts_what_is_under_it(self, fleet: Project) -> None:
        fleet.scan()

        lines = read_status(fleet.store).scopes

        assert [(line.name, line.depth, dict(line.counts)) for line in lines] == [
            ("5b0c0000-0000-0000-0000-000000000001", 0, {OK: 1, BAD: 2}),
            ("stores-no", 1, {OK: 1, BAD: 1}),
            ("web", 1, {BAD: 1}),
        ]
        assert lines[0].id == ResourceId.for_subscription("5b0c0000-0000-0000-0000-000000000001")

    def test_findings_can_be_narrowed_to_states(self, fleet: Project) -> None:
        fleet.scan()

        assert read_status(fleet.store, states=[ComplianceState.ERROR], findings=10).findings == ()

    def test_it_names_as_many_findings_as_are_asked_for_and_says_of_how_many(self, fleet: Project) -> None:
        fleet.scan()

        status = read_status(fleet.store, findings=1)

        assert (len(status.findings), status.in_all) == (1, 2)
        assert set(status.observed) == {finding.cluster for finding in status.findings}

    def test_there_must_have_been_a_scan(self, project: Project) -> None:
        with pytest.raises(UsageError, match="nothing has been scanned yet"):
            read_status(project.store)


def test_a_scan_imports_what_speaks_to_azure_when_it_must_only() -> None:
    """An inventory from a file, or none, needs half a second less."""
    program = "import policyengine.workflows.scan, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert set(done.stdout.split()) & {"httpx", "aiohttp", "alembic"} == set()
