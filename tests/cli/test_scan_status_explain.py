"""Reading commands on the sample fleet, served: what they print, for whom, and how they end."""

from __future__ import annotations

import csv
import io
import os
import signal
from collections import Counter
from typing import Any

import pytest

from policyengine.cli.exit_codes import ExitCode
from policyengine.store.scanning import Scanning
from tests.cli.conftest import DEFINITIONS, Place, Ran, Shell

FORMATS = ("table", "json", "ndjson", "yaml", "csv", "name")
POLICIES = f"{DEFINITIONS}/flux-extension-required.yaml,policies"
ASSIGNMENT = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: shops}
spec: {policy: flux-extension-required, scope: /subscriptions/9e27f0d8-61ac-4b39-8d57-04be1c93a605}
"""

OWNED = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: owned}
spec:
  policyRule:
    if:
      allOf:
      - {field: type, in: [Microsoft.Kubernetes/connectedClusters, Microsoft.ContainerService/managedClusters]}
      - {field: tags.owner, exists: false}
    then: {effect: audit}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: owned}
spec: {policy: owned, scope: /providers/Microsoft.Management/managementGroups/mg-synthetic}
"""


@pytest.fixture(scope="module")
def scanned(place: Place) -> Ran:
    return place.run("scan")


def test_a_scan_tells_each_policy_and_the_fleet(scanned: Ran) -> None:
    assert scanned.code == 0
    assert scanned.lines[0].split() == [
        *("POLICY", "SEVERITY", "COMPLIANT", "✔", "YES", "✘", "NO", "≠", "CONFLICT", "–", "EXEMPT", "SINCE", "LAST")
    ]
    (shown,) = [line for line in scanned.lines if line.startswith("edge-baseline/config ")]
    told = ["edge-baseline/config", "high", "48", "%", "of", "21", "████░░░░░░", "10", "10", "1", "0", "first", "scan"]
    assert shown.split() == told
    assert scanned.lines[-1].startswith("fleet  78 % compliant (191 of 246)   scan s-000001, took ")
    assert scanned.err.startswith("48 clusters (26 AKS, 22 Arc), 15 policies\n")
    assert "Next: policyengine status" in scanned.err


def test_a_scan_writes_to_no_cluster(place: Place, scanned: Ran) -> None:
    assert place.accepted_writes() == []


def test_a_second_scan_tells_what_changed_since(place: Place, scanned: Ran) -> None:
    rows = place.run("scan", "--policy", "aks-local-accounts", "-o", "json").json()

    assert [(row["policy"], row["nonCompliant"], row["fixed"], row["new"]) for row in rows] == [
        ("aks-local-accounts", 3, 0, 0)
    ]
    assert rows[0]["ratio"] == pytest.approx(20 / 23)


@pytest.mark.parametrize(("level", "code"), [("never", 0), ("critical", 0), ("high", 1)])
def test_fail_on_answers_no_from_a_severity_on(place: Place, scanned: Ran, level: str, code: int) -> None:
    assert place.run("scan", "--no-sync", "--fail-on", level).code == code


@pytest.mark.parametrize("output", FORMATS)
def test_the_exit_code_does_not_depend_on_the_format(place: Place, scanned: Ran, output: str) -> None:
    one = ("--no-sync", "--assignment", "aks-local-accounts", "-o", output)

    assert place.run("scan", *one, "--fail-on", "medium").code == ExitCode.NO
    assert place.run("explain", "nope", "-o", output).code == ExitCode.USAGE


def test_a_process_of_its_own_says_the_same(place: Place, scanned: Ran) -> None:
    alone, here = place.process("status"), place.run("status")

    assert (alone.code, alone.out, alone.err) == (0, here.out, here.err)


def test_status_is_what_the_scan_said(place: Place, scanned: Ran) -> None:
    ran = place.run("status")

    def counts(ran: Ran) -> list[list[str]]:
        return [line.split()[:10] for line in ran.lines if line.startswith("edge-")]

    assert ran.code == 0
    assert len(counts(ran)) == 5
    assert counts(ran) == counts(scanned)


def test_status_by_scope_adds_up(place: Place, scanned: Ran) -> None:
    ran = place.run("status", "--by", "scope")
    rows = place.run("status", "--by", "scope", "-o", "json").json()

    assert ran.lines[1].startswith("Contoso Outfitters  ")
    assert [line for line in ran.lines if line.startswith("      stores-no ")]
    top, *below = rows
    assert (top["scope"], top["depth"], top["applicable"]) == ("Contoso Outfitters", 0, 246)
    assert sum(row["applicable"] for row in below if row["depth"] == 1) == 246
    assert {row["scope"] for row in rows if row["id"].endswith("stores-no")} == {"stores-no"}


def test_status_by_cluster_lists_findings_with_their_reasons(place: Place, scanned: Ran) -> None:
    ran = place.run("status", "--by", "cluster")
    rows = list(csv.DictReader(io.StringIO(place.run("status", "--by", "cluster", "-o", "csv").out)))

    assert ran.lines[0].split() == ["CLUSTER", "POLICY", "STATE", "SINCE", "(UTC)", "REASON"]
    assert Counter(row["state"] for row in rows) == {"NonCompliant": 53, "Conflict": 2, "Exempt": 1}
    (found,) = [row for row in rows if row["cluster"] == "edge-osl-03"]
    assert found["reason"].endswith('gitRepository.repositoryRef.branch is "release/1.8", wanted "main"')
    assert found["since"].endswith("+00:00")
    assert found["id"].endswith("/connectedClusters/edge-osl-03")


def test_status_and_explain_say_the_author_s_message(place: Place, scanned: Ran) -> None:
    """Policy language §8.4: in addition to the generated reason."""
    said = "edge-osl-03 does not follow the fleet repository; see "
    rows = place.run("status", "--by", "cluster", "-o", "json").json()
    (explained,) = place.run("explain", "edge-osl-03", "-o", "json").json()["policies"]

    assert [row["message"].startswith(said) for row in rows if row["cluster"] == "edge-osl-03"] == [True]
    assert {row["message"] for row in rows if row["state"] != "NonCompliant"} == {None}
    assert explained["message"].startswith(said)
    assert f"message: {said}" in place.run("explain", "edge-osl-03").out
    assert said.split()[0] in place.run("status", "--by", "cluster").out


def test_programs_are_told_what_each_value_must_be(place: Place, scanned: Ran) -> None:
    (explained,) = place.run("explain", "edge-osl-03", "-o", "json").json()["policies"]
    (demand,) = explained["demands"]

    assert (demand["label"], demand["must"]) == ("gitRepository.repositoryRef.branch", 'must equal "main"')
    assert (demand["operator"], demand["actual"], demand["expected"]) == ("equals", "release/1.8", "main")
    assert demand["place"].rpartition("/")[2].startswith("flux-configuration-git.yaml:")


def test_status_by_state(place: Place, scanned: Ran) -> None:
    asked = ("status", "--by", "cluster", "--state", "Exempt")

    assert place.run(*asked, "-o", "name").out == "pay-prod-01\n"
    assert "– Exempt" in place.run(*asked).out
    assert place.run(*asked, "--state", "NonCompliant", "--query", "length(@)").out == "54\n"


def test_two_policies_that_want_different_branches_are_in_conflict(place: Place, scanned: Ran) -> None:
    rows = place.run("status", "--by", "cluster", "--state", "Conflict", "-o", "json").json()

    assert {(row["cluster"], row["policy"]) for row in rows} == {
        ("plant-dus-01", "edge-baseline/config"),
        ("plant-dus-01", "plant-dus-pilot"),
    }
    assert all("want different values for `gitRepository.repositoryRef.branch`" in row["reason"] for row in rows)


def test_a_piped_table_has_a_line_for_each_row_and_nothing_behind_it(place: Place, scanned: Ran) -> None:
    ran = place.run("status", "--by", "cluster")

    assert len(ran.lines) == 1 + 56 + 2
    assert [line for line in ran.lines if line != line.rstrip() or "\x1b" in line] == []


@pytest.mark.parametrize("columns", [60, 100, 140])
def test_a_terminal_gets_lines_that_fit(place: Place, scanned: Ran, columns: int) -> None:
    here = Place(place.folder, {"COLUMNS": str(columns), "NO_COLOR": "1"})
    ran = here.run("status", "--by", "cluster", terminal=True)

    assert max(map(len, ran.lines)) <= columns
    words = place.run("status", "--by", "cluster").out.split()
    assert Counter("".join(ran.out.split())) == Counter("".join(words))


def test_a_cluster_is_explained_down_to_the_line_of_the_policy(place: Place, scanned: Ran) -> None:
    ran = place.run("explain", "edge-osl-03")

    assert ran.code == 0
    assert ran.lines[0] == "edge-osl-03  Arc · sub edge-nordics · rg stores-no · reachable"
    assert "✘ NonCompliant since " in ran.out
    assert "through assignment edge-baseline (mg-edge) → initiative gitops-baseline@1.2.0" in ran.out
    assert "if ✔ true" in ran.out
    assert 'type is "Microsoft.Kubernetes/connectedClusters" (one of 2)   flux-configuration-git.yaml:' in ran.out
    assert "cluster-config   matches 12 of 13   nearest" in ran.out
    assert (
        '✘ gitRepository.repositoryRef.branch is "release/1.8", wanted "main"   flux-configuration-git.yaml:' in ran.out
    )
    assert (
        'Fix: one field of `cluster-config`: gitRepository.repositoryRef.branch is "release/1.8", wanted "main"'
        in ran.out
    )
    assert ran.err == "\nNext: policyengine plan --cluster edge-osl-03\n"


def test_a_cluster_that_is_as_it_should_be_has_nothing_to_explain(place: Place, scanned: Ran) -> None:
    ran = place.run("explain", "web-weu-01")

    assert ran.out.endswith("Nothing to explain: it satisfies every policy that applies (--full shows them).\n")
    assert ran.err == ""
    assert "✔ Compliant" in place.run("explain", "web-weu-01", "--full").out


def test_a_policy_that_is_named_is_explained_also_when_it_is_satisfied(place: Place, scanned: Ran) -> None:
    ran = place.run("explain", "web-weu-01", "--policy", "extension")

    assert "✔ Compliant" in ran.out
    assert "flux matches" in ran.out


def test_an_exemption_is_explained(place: Place, scanned: Ran) -> None:
    assert "exempt until 2027-01-05 by `payments-freeze`" in place.run("explain", "pay-prod-01").out


def test_an_explanation_for_programs_is_one_document(place: Place, scanned: Ran) -> None:
    found = place.run("explain", "edge-osl-03", "-o", "json").json()
    (policy,) = found["policies"]

    assert (found["cluster"], found["kind"], found["reachable"]) == ("edge-osl-03", "Arc", True)
    assert (policy["policy"], policy["state"]) == ("edge-baseline/config", "NonCompliant")
    assert policy["condition"]["result"] is True
    assert [c["met"] for c in policy["candidates"]] == [12]
    assert place.run("explain", "edge-osl-03", "--query", "policies[].state").out == "NonCompliant\n"


def test_names_are_found_without_regard_to_case_and_by_id(place: Place, scanned: Ran) -> None:
    id = place.run("inventory", "list", "--query", "[?name=='edge-osl-03'].id").out.strip()

    assert place.run("explain", id.upper()).out == place.run("explain", "EDGE-OSL-03").out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("scan", "--assignment", "edge-basline"), "did you mean `edge-baseline`?"),
        (("scan", "--policy", "konfig"), "did you mean `config`?"),
        (("explain", "edge-osl-3"), "did you mean `edge-osl-03`?"),
        (("explain", "edge-osl-03", "--policy", "zzz"), "there are: "),
        (("plan", "--cluster", "edge-osl-3"), "did you mean `edge-osl-03`?"),
        (("plan", "--assignment", "edge-basline"), "did you mean `edge-baseline`?"),
        (("plan", "--scope", "stores-no"), "stores-no"),
    ],
)
def test_a_name_nobody_knows_is_wrong_usage(place: Place, scanned: Ran, arguments: tuple[str, ...], told: str) -> None:
    ran = place.run(*arguments)

    assert ran.code == ExitCode.USAGE
    assert told in ran.err
    assert ran.out == ""


def test_before_anything_was_scanned_the_next_step_is_told(shell: Shell) -> None:
    shell.variables["POLICYENGINE_POLICIES"] = "library:,samples:"
    status, explained = shell.run("status"), shell.run("explain", "edge-osl-03")
    unsynced, planned, reported = shell.run("scan", "--no-sync"), shell.run("plan"), shell.run("report")

    assert {ran.code for ran in (status, explained, unsynced, planned, reported)} == {ExitCode.USAGE}
    assert "run `policyengine scan`" in status.err
    assert "run `policyengine inventory sync`" in unsynced.err
    assert "run `policyengine scan`" in planned.err


def test_policies_that_nobody_assigned_are_told(shell: Shell) -> None:
    shell.variables["POLICYENGINE_POLICIES"] = "library:"
    ran = shell.run("scan")

    assert ran.code == ExitCode.USAGE
    assert "no policy is assigned" in ran.err


@pytest.mark.parametrize("command", [("scan",), ("plan",), ("explain", "x"), ("serve",)])
def test_broken_policy_files_stop_it_with_all_their_errors(shell: Shell, command: tuple[str, ...]) -> None:
    shell.variables["POLICYENGINE_POLICIES"] = POLICIES
    shell.write("policies/a.yaml", ASSIGNMENT.replace("scope:", "scoop:"))
    shell.write("policies/b.yaml", ASSIGNMENT.replace("kind: Assignment", "kind: Assinment"))
    ran = shell.run(*command)

    assert ran.code == ExitCode.INVALID
    assert "policies/a.yaml:5:" in ran.err
    assert "policies/b.yaml:3:" in ran.err
    assert "did you mean `Assignment`?" in ran.err
    assert ran.out == ""


@pytest.fixture
def reachless(shell: Shell) -> Shell:
    """Right in everything but that nobody answers."""
    shell.write("policies/a.yaml", ASSIGNMENT)
    shell.variables |= {
        "POLICYENGINE_POLICIES": POLICIES,
        "POLICYENGINE_ARM__ENDPOINT": "http://127.0.0.1:9",
        "POLICYENGINE_ARM__CREDENTIAL": "emulator",
    }
    return shell


def test_an_emulator_that_does_not_run_is_told(reachless: Shell) -> None:
    ran = reachless.run("scan")

    assert ran.code == ExitCode.UNAVAILABLE
    assert "got no answer from http://127.0.0.1:9" in ran.err


def test_no_token_is_told_with_how_to_get_one(reachless: Shell) -> None:
    reachless.variables["POLICYENGINE_ARM__CREDENTIAL"] = "token"
    ran = reachless.run("scan")

    assert ran.code == ExitCode.NOT_PERMITTED
    assert "POLICYENGINE_TOKEN is not set" in ran.err
    assert "az account get-access-token" in ran.err


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:////nowhere/at/all/x.db", "there is no folder"),
        ("postgresql://anna:secret@127.0.0.1:9/policies", "cannot be reached"),
        ("mysql://127.0.0.1/x", "there is no kind of database called `mysql`"),
    ],
)
@pytest.mark.parametrize("command", ["scan", "status"])
def test_a_database_that_cannot_be_used_is_told(reachless: Shell, command: str, url: str, told: str) -> None:
    ran = reachless.run(command, "--db", url)

    assert ran.code == ExitCode.UNAVAILABLE
    assert told in ran.err
    assert "secret" not in ran.err


def test_being_refused_is_not_the_same_as_not_being_reached(place: Place, scanned: Ran) -> None:
    place.emulator.add_fault({"method": "GET", "path": "/subscriptions", "status": 403, "times": 1})
    ran = place.run("scan")

    assert ran.code == ExitCode.NOT_PERMITTED


def test_a_subscription_that_cannot_be_read_makes_it_incomplete(place: Place, scanned: Ran) -> None:
    """Its clusters are unknown, not fine and not gone."""
    payments = (
        "/subscriptions/77aa31c2-5e0f-4a68-8b1d-2f9c40d7e302/providers/Microsoft.ContainerService/managedClusters"
    )
    place.emulator.add_fault({"method": "POST", "path": "*/Microsoft.ResourceGraph/*", "status": 403, "times": 9})
    place.emulator.add_fault({"method": "GET", "path": payments, "status": 403, "times": 1})
    ran = place.run("scan", "--fail-on", "any")
    unknown = place.run("status", "--by", "cluster", "--state", "Unknown", "-o", "json").json()
    again = place.run("scan")

    assert ran.code == ExitCode.INCOMPLETE
    assert "not read: /subscriptions/77aa31c2" in ran.err
    assert {row["cluster"] for row in unknown} == {"pay-prod-01", "pay-prod-02", "pay-test-01", "pay-test-02"}
    assert again.code == ExitCode.OK


def test_a_state_alone_means_findings(place: Place, scanned: Ran) -> None:
    assert place.run("status", "--state", "Exempt", "-o", "name").out == "pay-prod-01\n"
    assert place.run("status", "--state", "Exempt", "--by", "scope").code == ExitCode.USAGE


def test_a_scope_that_holds_nothing_is_a_slip(place: Place, scanned: Ran) -> None:
    ran = place.run("plan", "--scope", "/subscriptions/nope")

    assert ran.code == ExitCode.USAGE
    assert "no known cluster is at or under `/subscriptions/nope`" in ran.err


def test_a_scan_says_how_much_it_judged_and_why(place: Place, scanned: Ran) -> None:
    again = place.run("scan", "--no-sync")
    rows = place.run("scan", "--no-sync", "--full", "-o", "json").json()

    assert "evaluated 720 of 720 pairs: 15 policies not judged yet" in scanned.err
    assert "of 720 pairs: " in again.err
    assert {row["evaluated"] for row in rows} == {48}
    assert rows[0]["because"] == [{"cause": "asked-for"}]


def test_a_profile_says_where_the_time_went(place: Place, scanned: Ran) -> None:
    told = place.run("scan", "--no-sync", "--full", "--profile", "-o", "json")

    assert "reading " in told.err
    assert "48 clusters decoded" in told.err
    by_type = {(way["type"], way["way"]) for way in told.json()[0]["profile"]["types"]}
    assert len(by_type) == 2


def test_a_profile_says_which_policies_are_judged_one_by_one_and_why(place: Place, scanned: Ran) -> None:
    told = place.run("scan", "--no-sync", "--full", "--profile", "-o", "json")
    why = "plant-dus-pilot: one by one where it is not complied with, because it may dispute with "
    profiles = {row["policy"]: row["profile"] for row in told.json()}

    assert f"\n{why}" in told.err
    assert "edge-baseline/config" in profiles["plant-dus-pilot"]["mayDisputeWith"]
    assert profiles["plant-dus-pilot"]["asked"] > 0
    assert profiles["aks-local-accounts"]["mayDisputeWith"] == []


def test_what_is_stored_can_be_verified(place: Place, scanned: Ran) -> None:
    """Three policies ask for the time: the next scan judges them anyway."""
    place.run("scan", "--no-sync")
    told = place.run("scan", "--full", "--verify")
    document = place.run("scan", "--verify", "--policy", "aks-local-accounts", "-o", "json").json()

    assert (told.code, told.out) == (0, "")
    assert "576 pairs compared, 0 differ from what is stored; 144 are due and were left out" in told.err
    assert document == {"pairs": 48, "due": 0, "differences": 0, "shown": []}


def test_a_scan_that_is_stopped_says_what_is_kept_and_readers_say_whose_states_they_tell(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write("policyengine.yaml", "inventory: synthetic:40\n")
    shell.write("policies/owned.yaml", OWNED)
    assert shell.run("scan").err.startswith("40 clusters (16 AKS, 24 Arc), 1 policy\n")
    shell.write("policies/owned.yaml", OWNED.replace("exists: false", "exists: true"))
    with monkeypatch.context() as patched:
        write = Scanning.write

        def stopped(*arguments: Any, **more: Any) -> None:
            write(*arguments, **more)
            os.kill(os.getpid(), signal.SIGINT)

        patched.setattr(Scanning, "write", stopped)
        scan = shell.run("scan")
    status, report = shell.run("status"), shell.run("report")
    told = "scan s-000002 of "

    assert (scan.code, scan.out) == (ExitCode.INTERRUPTED, "")
    assert "stopped: what was read and judged is kept" in scan.err
    assert status.lines[-1].partition("scan ")[2].startswith("s-000001 of ")
    assert told in status.err
    assert "is not finished: the 40 pairs that it has judged are shown as it found them" in status.err
    assert told in report.err
    assert "> **Not all of one scan.** Scan s-000002 was begun after s-000001 and is not finished" in report.out
    assert "evaluated 0 of 40 pairs: nothing changed" in shell.run("scan").err
    assert told not in shell.run("status").err


def test_an_executor_that_is_not_there_is_refused(place: Place) -> None:
    ran = place.run("scan", "--executor", "ray")

    assert ran.code == ExitCode.USAGE
    assert "there is no executor `ray`" in ran.err
