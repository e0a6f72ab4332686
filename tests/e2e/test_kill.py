"""The process is killed at random moments; nothing is written twice and everything ends as planned."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import pytest

from policyengine.cli.main import main
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.remediation.diff import holds
from policyengine.remediation.steps import StepState
from policyengine.store.store import Store
from policyengine.workflows.settings import Budget
from tests.e2e.conftest import Project

SEED = 20261123
KILLS = 20
MOST_DELAY_S = 0.6
CLUSTERS = 40
UNHASTY = Budget(writesPerSecond=2, readsPerSecond=500, writesAtOnce=2)
"""What keeps a plan of this size going for all the kills."""
ASSIGNMENT = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: baseline}
spec:
  initiative: gitops-baseline
  scope: /subscriptions/00000000-0000-0000-0000-00000000000a
  parameters: {repositoryUrl: https://git.contoso.example/fleet, trustedHosts: [git.contoso.example]}
"""


def bare_fleet() -> FleetFile:
    """Clusters with nothing on them: each needs an extension, then a configuration."""
    return parse_fleet(
        {
            "apiVersion": "policyengine/v1",
            "kind": "Fleet",
            "tenantId": "00000000-0000-0000-0000-00000000000f",
            "subscriptions": [{"subscriptionId": "00000000-0000-0000-0000-00000000000a", "displayName": "shops"}],
            "resourceGroups": [{"subscription": "shops", "name": "rg", "location": "westeurope"}],
            "clusters": [
                {
                    "name": f"edge-{n:02d}",
                    "kind": "arc" if n % 2 else "aks",
                    "subscription": "shops",
                    "resourceGroup": "rg",
                    "tags": {"site": f"s{n}"},
                }
                for n in range(CLUSTERS)
            ],
        }
    )


def unhasty(project: Project) -> list[str]:
    """What makes a command line one of this project, on a small budget."""
    arm = project.settings.arm.model_copy(update={"budget": UNHASTY})
    file = project.folder / "unhasty.yaml"
    file.write_text(json.dumps(project.settings.model_copy(update={"arm": arm}).model_dump(by_alias=True)), "utf-8")
    return ["--config", str(file)]


def forked(project: Project, *arguments: str) -> BaseProcess:
    """The command as a process of its own, forked from one that has imported everything: quick to start."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["policyengine.cli.main", "policyengine.workflows.remediate", "aiohttp"])
    process = context.Process(target=main, args=([*unhasty(project), "--quiet", *arguments],))
    process.start()
    return process


@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_repeat_nothing(make_project: Callable[[FleetFile], Project]) -> None:
    chance = random.Random(SEED)
    project = make_project(bare_fleet())
    (project.folder / "policies" / "assignment.yaml").write_text(ASSIGNMENT, encoding="utf-8")
    assert project.run("scan").returncode == 0
    assert project.run("plan", "-o", "name").returncode == 0
    with Store.open(project.settings.database) as store:
        plan = store.latest_plan()
    assert plan is not None
    assert len(plan.runnable) == 2 * CLUSTERS

    arguments = ["remediate", "--plan", plan.id, "--yes", "--parallel", "2"]
    for _ in range(KILLS):
        seen = len(project.emulator.journal.entries())
        process = forked(project, *arguments)
        while len(project.emulator.journal.entries()) == seen:
            assert process.is_alive(), process.exitcode
            time.sleep(0.02)
        time.sleep(chance.uniform(0, MOST_DELAY_S))
        assert process.is_alive(), "the plan must be long enough for every kill to hit it"
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        arguments = ["remediate", "--resume", "--parallel", "2"]
    ended = project.run("remediate", "--resume", "--parallel", "40")
    assert ended.returncode == 0, ended.stderr

    assert set(Counter(project.accepted_writes()).values()) == {1}
    assert set(project.accepted_writes()) == {f"{s.write.method} {s.write.id.key}" for s in plan.runnable}
    with Store.open(project.settings.database) as store:
        assert {o.state for o in store.progress(plan.id).values()} == {StepState.SUCCEEDED}
    assert project.run("scan").returncode == 0
    with Store.open(project.settings.database) as store:
        live = {r.id: r.document for cluster in store.clusters() for r in cluster.children}
    assert all(holds(live[step.write.id], step.write.body) for step in plan.runnable)
