"""From a finding to a change and its report, on a fleet of our own: a cluster for each story."""

from __future__ import annotations

import json
import re
import signal
from datetime import timedelta
from typing import Any

import httpx
import pytest

from policyengine.cli.exit_codes import ExitCode
from policyengine.model.fleet import FleetFile, parse_fleet
from tests.cli.conftest import DEFINITIONS, Place

SHOPS = "00000000-0000-0000-0000-00000000000a"
PLANTS = "00000000-0000-0000-0000-00000000000b"
FORMATS = ("table", "json", "csv")
CAUSE = 'admission webhook "validation.contoso.com" denied the request'
PREVIEW = {"name": "flux", "properties": {"extensionType": "microsoft.flux", "releaseTrain": "Preview"}}
ASSIGNMENT = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: %s}
spec: {policy: flux-extension-required, scope: /subscriptions/%s}
"""


@pytest.fixture(scope="module")
def fleet() -> FleetFile:
    def cluster(name: str, subscription: str = "shops", **more: Any) -> dict[str, Any]:
        return {"name": name, "kind": "arc", "subscription": subscription, "resourceGroup": subscription, **more}

    return parse_fleet(
        {
            "apiVersion": "policyengine/v1",
            "kind": "Fleet",
            "tenantId": "00000000-0000-0000-0000-00000000000f",
            "subscriptions": [
                {"subscriptionId": SHOPS, "displayName": "shops"},
                {"subscriptionId": PLANTS, "displayName": "plants"},
            ],
            "resourceGroups": [
                {"subscription": "shops", "name": "shops", "location": "norwayeast"},
                {"subscription": "plants", "name": "plants", "location": "norwayeast"},
            ],
            "clusters": [
                cluster("fine", extensions=[{"name": "flux", "properties": {"extensionType": "microsoft.flux"}}]),
                cluster("planned"),
                cluster("applied"),
                cluster("asked"),
                cluster("changed", extensions=[PREVIEW]),
                cluster("stale", extensions=[PREVIEW]),
                cluster("failing", simulation={"installFailures": {"microsoft.flux": CAUSE}}),
                cluster("offline", simulation={"offlineFor": "3d"}),
                *(cluster(f"plant-{n}", "plants") for n in range(4)),
            ],
        }
    )


@pytest.fixture(scope="module")
def policies() -> str:
    return f"{DEFINITIONS}/flux-extension-required.yaml, policies"


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    """Scanned."""
    place.write("policies/shops.yaml", ASSIGNMENT % ("shops", SHOPS))
    place.write("policies/plants.yaml", ASSIGNMENT % ("plants", PLANTS))
    assert place.run("scan").code == 0
    return place


def planned(place: Place, *arguments: str) -> str:
    """The id of a new plan."""
    ran = place.run("plan", *arguments, "--query", "id")
    assert ran.code == 0, ran.err
    return ran.out.strip()


def test_a_plan_shows_what_would_be_sent(ready: Place) -> None:
    ran = ready.run("plan", "--cluster", "planned")

    assert ran.code == 0
    assert re.match(r"Plan p-[0-9a-f]{8} · 1 request on 1 cluster, 1 will be sent · for cluster planned$", ran.lines[0])
    assert ran.lines[2].split() == ["STEP", "CLUSTER", "ACTION", "PREFLIGHT"]
    assert ran.lines[3].split() == ["s001", "planned", "create", "extension", "flux", "✔", "ready"]
    assert [line.strip() for line in ran.lines[4:8]] == [
        '+ extensionType   "microsoft.flux"',
        '+ releaseTrain   "Stable"',
        "+ autoUpgradeMinorVersion   true",
        '+ identity.type   "SystemAssigned"',
    ]
    assert "API budget  1 write, about " in ran.out
    assert "touches 1 of 12 clusters" in ran.out
    assert re.search(r"Nothing was changed\. Apply: policyengine remediate --plan p-[0-9a-f]{8}$", ran.out.strip())


def test_a_plan_shows_a_change_field_by_field(ready: Place) -> None:
    ran = ready.run("plan", "--cluster", "changed")

    assert "s001  changed  update extension flux  ✔ ready" in ran.lines
    assert '~ releaseTrain   "Preview" → "Stable"' in ran.out


def test_a_plan_is_written_down_and_nothing_else(ready: Place) -> None:
    before = ready.accepted_writes()
    id = planned(ready, "--cluster", "planned")
    with ready.store() as store:
        stored = store.plan(id)

    assert [step.action for step in stored.steps] == ["create extension flux"]
    assert ready.accepted_writes() == before


def test_a_plan_for_programs_holds_the_whole_request(ready: Place) -> None:
    plan = ready.run("plan", "--cluster", "changed", "-o", "json").json()
    (step,) = plan["steps"]

    assert (plan["kind"], plan["scope"]) == ("Plan", "cluster changed")
    assert (step["method"], step["body"]) == ("PATCH", {"properties": {"releaseTrain": "Stable"}})
    assert step["changes"] == [{"path": "properties.releaseTrain", "old": "Preview", "new": "Stable"}]
    assert step["resource"].endswith(
        "/connectedClusters/changed/providers/Microsoft.KubernetesConfiguration/extensions/flux"
    )


@pytest.mark.parametrize("output", FORMATS)
def test_an_exit_code_tells_whether_there_is_something_to_do(ready: Place, output: str) -> None:
    assert ready.run("plan", "--cluster", "planned", "--exit-code", "-o", output).code == ExitCode.NO
    assert ready.run("plan", "--cluster", "fine", "--exit-code", "-o", output).code == ExitCode.OK


def test_an_unreachable_cluster_is_parked(ready: Place) -> None:
    ran = ready.run("plan", "--cluster", "offline")

    assert "⏸ parked: agent offline, last seen " in ran.out
    assert ran.out.endswith("\nNothing to do: no request is ready to be sent.\n")


def test_a_plan_for_nobody_is_no_error(ready: Place) -> None:
    ran = ready.run("plan", "--cluster", "fine")

    assert ran.code == 0
    assert "0 requests on 0 clusters" in ran.out
    assert "Nothing to do" in ran.out


def test_a_plan_may_be_bounded(ready: Place) -> None:
    assert ready.run("plan", "--assignment", "plants", "--max", "2", "--query", "length(steps)").out == "2\n"
    scope = f"/subscriptions/{PLANTS}/resourceGroups/plants"
    assert ready.run("plan", "--scope", scope, "--query", "steps[].id", "-o", "json").json() == [
        f"s00{n}" for n in range(1, 5)
    ]


def test_the_name_of_a_plan_is_its_id(ready: Place) -> None:
    """So that a script may hand it to `remediate`."""
    (name,) = ready.run("plan", "--cluster", "fine", "-o", "name").lines

    assert name.startswith("p-")


@pytest.mark.parametrize("output", FORMATS)
def test_nothing_is_sent_without_consent(ready: Place, output: str) -> None:
    """Nobody is at a terminal, and nobody said --yes."""
    id = planned(ready, "--cluster", "planned")
    ran = ready.run("remediate", "--plan", id, "-o", output)

    assert ran.code == ExitCode.REFUSED
    assert f"plan {id} was not agreed to" in ran.err
    assert "add --yes" in ran.err
    assert ready.accepted_writes("planned") == []


def test_nothing_is_sent_when_the_person_at_the_terminal_says_no(ready: Place) -> None:
    id = planned(ready, "--cluster", "planned")
    ran = ready.run("remediate", "--plan", id, terminal=True, typed="n\n")

    assert ran.code == ExitCode.REFUSED
    assert "Send 1 request to 1 cluster? [y/N]:" in ran.err
    assert "nothing was sent" in ran.err
    assert ready.accepted_writes("planned") == []


def test_a_plan_is_applied_when_the_person_at_the_terminal_says_yes(ready: Place) -> None:
    id = planned(ready, "--cluster", "asked")
    ran = ready.run("remediate", "--plan", id, terminal=True, typed="y\n")

    assert ran.code == 0, ran.err
    assert "✔ succeeded" in ran.out
    assert ready.accepted_writes("asked") == ["PUT asked flux"]


def test_a_plan_is_applied_exactly_once(ready: Place) -> None:
    id = planned(ready, "--cluster", "applied")
    ran = ready.run("remediate", "--plan", id[:6], "--yes")
    again = ready.run("remediate", "--plan", id, "--yes")
    resumed = ready.run("remediate", "--plan", id, "--resume")

    assert ran.code == 0, ran.err
    assert ran.lines[1].split() == ["s001", "applied", "create", "extension", "flux", "✔", "succeeded", "Compliant"]
    assert ran.lines[-1] == f"plan {id}: 1 succeeded · 1 of 1 finding mended"
    assert ran.err == "applied  create extension flux  ✔ succeeded\n"
    assert (again.code, resumed.code) == (ExitCode.REFUSED, ExitCode.REFUSED)
    assert f"plan {id} was applied already" in again.err
    assert ready.accepted_writes("applied") == ["PUT applied flux"]
    assert ready.run("plan", "--cluster", "applied", "--exit-code").code == 0


def test_a_plan_that_was_never_begun_is_not_resumed(ready: Place) -> None:
    """Resuming asks nobody, so it must not begin anything."""
    id = planned(ready, "--cluster", "planned")
    ran = ready.run("remediate", "--plan", id, "--resume")

    assert ran.code == ExitCode.REFUSED
    assert f"plan {id} was never begun" in ran.err
    assert ready.accepted_writes("planned") == []


def test_what_changed_since_the_plan_is_refused(ready: Place) -> None:
    plan = ready.run("plan", "--cluster", "stale", "-o", "json").json()
    step = plan["steps"][0]
    changed = httpx.patch(
        f"{ready.url}{step['resource']}",
        params={"api-version": step["apiVersion"]},
        headers={"Authorization": "Bearer t"},
        json={"properties": {"autoUpgradeMinorVersion": False, "version": "1.15.3"}},
    )
    assert changed.is_success, changed.text
    ready.emulator.advance(timedelta(minutes=10))
    ran = ready.run("remediate", "--plan", plan["id"], "--yes")

    assert ran.code == ExitCode.REFUSED
    assert "≠ stale" in ran.out
    assert "`flux` was changed since the plan was made: plan again" in ran.out
    assert ready.accepted_writes("stale") == ["PATCH stale flux"], "only ours from above"


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_step_that_fails_says_the_innermost_cause(ready: Place, output: str) -> None:
    id = planned(ready, "--cluster", "failing")
    ran = ready.run("remediate", "--plan", id, "--yes", "-o", output)

    assert ran.code == ExitCode.INCOMPLETE
    if output == "table":
        assert "✘ failed" in ran.out
        assert CAUSE in ran.out
        assert ran.lines[-1] == f"plan {id}: 1 failed · 0 of 1 finding mended"
    else:
        (step,) = ran.json()["steps"]
        assert (step["result"], step["now"]) == ("failed", "NonCompliant")
        assert CAUSE in step["message"]


def test_a_plan_without_a_request_that_is_ready_is_refused(ready: Place) -> None:
    id = planned(ready, "--cluster", "offline")
    ran = ready.run("remediate", "--plan", id, "--yes")

    assert ran.code == ExitCode.REFUSED
    assert "has no request that is ready" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--plan", "p-zzzz"), "there is no plan `p-zzzz`"),
        (("--plan", "p-"), "is the beginning of"),
        (("--resume",), "no remediation is unfinished"),
        ((), "which plan?"),
    ],
)
def test_a_plan_nobody_knows_is_wrong_usage(ready: Place, arguments: tuple[str, ...], told: str) -> None:
    planned(ready, "--cluster", "planned")
    planned(ready, "--cluster", "offline")
    ran = ready.run("remediate", *arguments, "--yes")

    assert ran.code == ExitCode.USAGE
    assert told in ran.err


def test_a_fleet_in_a_file_cannot_be_written_to(ready: Place) -> None:
    id = planned(ready, "--cluster", "planned")
    read_only = Place(ready.folder, {"POLICYENGINE_INVENTORY": "file:fleet.yaml"})
    ran = read_only.run("remediate", "--plan", id, "--yes")

    assert ran.code == ExitCode.REFUSED
    assert "nothing can be written to" in ran.err


def test_an_interrupted_remediation_is_resumed_without_a_second_write(ready: Place) -> None:
    id = planned(ready, "--assignment", "plants")
    process = ready.start("remediate", "--plan", id, "--yes", "--parallel", "1")
    while len(ready.accepted_writes("plant-")) < 2:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    written = len(ready.accepted_writes("plant-"))
    again = ready.run("remediate", "--plan", id, "--yes")
    resumed = ready.run("remediate", "--resume")

    assert process.returncode == ExitCode.TERMINATED
    assert f"finish it with `policyengine remediate --plan {id} --resume`" in told
    assert "Traceback" not in told
    assert written < 4
    assert again.code == ExitCode.REFUSED
    assert f"plan {id} was interrupted" in again.err
    assert resumed.code == 0, resumed.err
    assert sorted(ready.accepted_writes("plant-")) == [f"PUT plant-{n} flux" for n in range(4)]


class TestReport:
    """In every format, on paper and on stdout."""

    def test_markdown_goes_to_stdout(self, ready: Place) -> None:
        ran = ready.run("report")

        assert ran.code == 0
        assert ran.out.startswith("# Compliance report\n")
        assert ran.err == ""

    @pytest.mark.parametrize(
        ("ending", "begins"),
        [
            ("html", "<!doctype html>"),
            ("md", "# Compliance report"),
            ("json", "{"),
            ("csv", "subscription,"),
            ("ndjson", "{"),
        ],
    )
    def test_the_ending_of_the_file_says_the_format(self, ready: Place, ending: str, begins: str) -> None:
        ran = ready.run("report", "--out", f"report.{ending}")

        assert (ran.code, ran.out, ran.err) == (0, "", f"Report written: report.{ending}\n")
        assert (ready.folder / f"report.{ending}").read_text(encoding="utf-8").startswith(begins)

    def test_the_format_wins_over_the_ending(self, ready: Place) -> None:
        ready.run("report", "--out", "report.txt", "--format", "csv")

        assert (ready.folder / "report.txt").read_text(encoding="utf-8").startswith("subscription,")

    def test_it_answers_like_any_other_result(self, ready: Place) -> None:
        document = ready.run("report", "-o", "json").json()

        assert document["kind"] == "ComplianceReport"
        assert ready.run("report", "--query", "length(clusters)").out == "12\n"
        assert ready.run("report", "-o", "csv").out == ready.run("report", "--format", "csv").out
        assert ready.run("report", "-o", "name").lines == [found["clusterName"] for found in document["findings"]]

    def test_every_pair_is_listed_when_asked(self, ready: Place) -> None:
        document = ready.run("report", "-o", "json").json()
        pairs = [json.loads(line) for line in ready.run("report", "--format", "ndjson", "--all").lines]

        assert len(pairs) == 12 * len(document["policies"])
        assert len(ready.run("report", "--format", "csv", "--all").lines) == len(pairs) + 1
        assert len(ready.run("report", "-o", "ndjson").lines) == len(document["findings"])
        assert {pair["resource_id"] for pair in pairs} == {cluster["id"] for cluster in document["clusters"]}

    def test_a_page_does_not_list_every_pair(self, ready: Place) -> None:
        ran = ready.run("report", "--all", "--out", "pairs.html")

        assert (ran.code, (ready.folder / "pairs.html").exists()) == (ExitCode.USAGE, False)
        assert "use it with `--format csv` or `--format ndjson`" in ran.err

    def test_it_says_no_from_a_severity_on(self, ready: Place) -> None:
        assert ready.run("report", "--fail-on", "high").code == ExitCode.NO
        assert ready.run("report", "--fail-on", "critical", "-o", "yaml").code == ExitCode.OK
        assert ready.run("report", "--fail-on", "any", "-o", "json").code == ExitCode.NO

    @pytest.mark.parametrize(
        ("out", "told"),
        [("report.pdf", "has no ending that names a format"), ("no/such/report.html", "cannot be written")],
    )
    def test_a_file_that_cannot_be_is_wrong_usage(self, ready: Place, out: str, told: str) -> None:
        ran = ready.run("report", "--out", out)

        assert ran.code == ExitCode.USAGE
        assert told in ran.err


def test_the_report_knows_what_was_remediated(ready: Place) -> None:
    remediations = ready.run("report", "-o", "json").json()["remediations"]

    assert "assignment plants" in {one["scope"] for one in remediations}
