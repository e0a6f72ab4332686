"""Explaining a cluster answers as the last scan did, and says why a policy does not apply."""

from __future__ import annotations

import asyncio

import pytest

from policyengine.clock import SystemClock
from policyengine.emulator import Emulator, RunningEmulator
from policyengine.model.states import ComplianceState
from policyengine.store.store import Store
from policyengine.workflows.demo import load_fleet, sample_fleet
from policyengine.workflows.explain import explain_cluster
from policyengine.workflows.scan import ScanRequest, scan
from policyengine.workflows.settings import ArmSettings, Settings
from policyengine.workflows.sync import unwatched


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The sample fleet, scanned twice: whole, then with one subscription that cannot be listed."""
    folder = tmp_path_factory.mktemp("explain")
    emulator = Emulator(load_fleet(sample_fleet()), clock="frozen")
    with RunningEmulator(emulator) as running:
        settings = Settings(
            policies=["library:", "samples:"],
            database=f"sqlite:///{folder}/policyengine.db",
            inventory="arm:list",
            arm=ArmSettings(endpoint=running.url, credential="emulator"),
        )
        with Store.open(settings.database) as store:
            for fault in (None, {"method": "GET", "path": "*9e27f0d8*/connectedClusters*", "status": 403, "times": 99}):
                if fault is not None:
                    emulator.add_fault({**fault, "code": "AuthorizationFailed", "message": "no"})
                asyncio.run(scan(settings, store, SystemClock(), ScanRequest(), on_sync=unwatched, on_scan=unwatched))
    return settings


def test_a_cluster_that_could_not_be_read_is_unknown_as_the_scan_said(scanned: Settings) -> None:
    with Store.open(scanned.database) as store:
        found = explain_cluster(scanned, store, SystemClock(), "edge-osl-03")

    assert found.explanations
    assert {e.verdict.state for e in found.explanations} == {ComplianceState.UNKNOWN}
    assert all(e.verdict.reason and "could not be read" in e.verdict.reason.message for e in found.explanations)
    assert not any(e.is_mendable for e in found.explanations)


def test_a_cluster_without_policies_says_what_excludes_it(scanned: Settings) -> None:
    with Store.open(scanned.database) as store:
        found = explain_cluster(scanned, store, SystemClock(), "lab-ml-01")

    assert found.applicable == 0
    assert not found.explanations
    assert "notScopes" in found.not_applicable["platform-baseline/config"]
    assert found.not_applicable["edge-baseline/config"] == "the cluster is not in the scope of `edge-baseline`"


def test_only_what_a_request_may_mend_is_mendable(scanned: Settings) -> None:
    with Store.open(scanned.database) as store:
        web = explain_cluster(scanned, store, SystemClock(), "web-weu-02")
        tools = explain_cluster(scanned, store, SystemClock(), "tools-weu-01")

    assert any(e.is_mendable for e in web.explanations)
    assert not any(e.is_mendable for e in tools.explanations)


def test_a_named_policy_is_explained_also_when_satisfied(scanned: Settings) -> None:
    with Store.open(scanned.database) as store:
        found = explain_cluster(scanned, store, SystemClock(), "web-weu-01", policy="platform-baseline/extension")

    assert [e.verdict.state for e in found.explanations] == [ComplianceState.COMPLIANT]
