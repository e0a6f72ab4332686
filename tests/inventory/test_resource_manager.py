"""The listing against the emulator, over HTTP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from policyengine.arm import ArmClient, EmulatorCredential
from policyengine.emulator import Emulator, RunningEmulator, Settings
from policyengine.errors import ArmError
from policyengine.inventory import read
from policyengine.inventory.live import read_clusters
from policyengine.inventory.reconcile import told_apart
from policyengine.inventory.related import Related
from policyengine.inventory.resource_manager import ProgressListener
from policyengine.model.fleet import Fleet, FleetFile, parse_fleet
from policyengine.model.resource import ARC
from policyengine.model.synthetic import SyntheticFleet
from policyengine.text.reader import read as read_text
from policyengine.text.reader import to_value
from policyengine.workflows.demo import load_fleet, sample_fleet

FLEET = """\
apiVersion: policyengine/v1
kind: Fleet
tenantId: 0d4f2b8c-0000-4000-8000-000000000000
managementGroups:
  - {name: contoso}
  - {name: mg-edge, parent: contoso}
subscriptions:
  - {subscriptionId: aaaaaaaa-0000-4000-8000-00000000000a, displayName: edge-nordics, managementGroup: mg-edge}
  - {subscriptionId: bbbbbbbb-0000-4000-8000-00000000000b, displayName: online, managementGroup: contoso}
resourceGroups:
  - {subscription: edge-nordics, name: shops, location: norwayeast, tags: {site: osl}}
  - {subscription: online, name: web, location: westeurope}
clusters:
  - name: osl-01
    kind: arc
    subscription: edge-nordics
    resourceGroup: shops
    extensions: [{name: flux, properties: {extensionType: microsoft.flux}}]
    fluxConfigurations:
      - {name: apps, properties: {gitRepository: {url: "https://git.example/a", repositoryRef: {branch: main}}}}
  - {name: osl-02, kind: arc, subscription: edge-nordics, resourceGroup: shops}
  - {name: osl-03, kind: arc, subscription: edge-nordics, resourceGroup: shops}
  - {name: web-01, kind: aks, subscription: online, resourceGroup: web}
"""
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading certificates takes longer than these tests
UNLIMITED = Settings(throttling=False)  # it counts real seconds, and here none pass
NORDICS = "/subscriptions/aaaaaaaa-0000-4000-8000-00000000000a"


class NoTime:
    """Sleeps take none."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def fleet_file() -> FleetFile:
    return parse_fleet(to_value(read_text(FLEET, "fleet.yaml")[0]))


@pytest.fixture
def emulator(fleet_file: FleetFile) -> Iterator[RunningEmulator]:
    with RunningEmulator(Emulator(fleet_file, clock="frozen", settings=UNLIMITED)) as running:
        yield running


def add_fault(emulator: RunningEmulator, **fault: Any) -> None:
    assert httpx.post(f"{emulator.url}/_emulator/faults", json=fault, verify=NO_TLS).is_success


def listing(emulator: RunningEmulator, on_progress: ProgressListener | None = None) -> Fleet:
    async def main() -> Fleet:
        async with ArmClient(emulator.url, EmulatorCredential(), timer=NoTime(), jitter=lambda: 0.5) as arm:
            return await read("arm:list", arm=arm, on_progress=on_progress)

    return asyncio.run(main())


@pytest.mark.parametrize("page_size", [1, 100])
def test_it_finds_what_is_there(fleet_file: FleetFile, page_size: int) -> None:
    with RunningEmulator(
        Emulator(fleet_file, clock="frozen", settings=Settings(page_size=page_size, throttling=False))
    ) as emulator:
        fleet = listing(emulator)

    assert fleet.complete
    assert [c.id for c in fleet.clusters] == [c.id for c in fleet_file.fleet.clusters]
    assert [c.kind for c in fleet.clusters] == ["Arc", "Arc", "Arc", "AKS"]
    assert [r.name for r in fleet.clusters[0].children] == ["flux", "apps"]
    assert not fleet.clusters[1].children
    assert [g.tags for g in fleet.tree.resource_groups] == [{"site": "osl"}, {}]


def test_the_tree_above_subscriptions_is_read(emulator: RunningEmulator) -> None:
    tree = listing(emulator).tree

    assert [(g.name, g.parent) for g in tree.management_groups] == [("contoso", None), ("mg-edge", "contoso")]
    assert [(s.display_name, s.management_group) for s in tree.subscriptions] == [
        ("edge-nordics", "mg-edge"),
        ("online", "contoso"),
    ]


def test_without_leave_for_management_groups_the_fleet_is_still_whole(emulator: RunningEmulator) -> None:
    add_fault(emulator, method="GET", path="*managementGroups*", status=403, code="AuthorizationFailed")
    fleet = listing(emulator)

    assert fleet.complete
    assert fleet.tree.management_groups == ()
    assert len(fleet.clusters) == 4


def test_progress_is_told_from_none_to_all(emulator: RunningEmulator) -> None:
    heard: list[tuple[int, int]] = []
    listing(emulator, lambda *told: heard.append(told))

    assert heard[-1] == (4, 4)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert all(done <= total for done, total in heard)


def test_a_subscription_that_fails_makes_the_fleet_incomplete(emulator: RunningEmulator) -> None:
    known = tuple(cluster.id for cluster in listing(emulator).clusters)
    add_fault(
        emulator,
        method="GET",
        path=f"{NORDICS}/providers/*connectedClusters",
        status=403,
        code="AuthorizationFailed",
        message="no leave",
    )
    fleet = listing(emulator)

    assert [c.name for c in fleet.clusters] == ["web-01"]
    assert [(f.scope.text, f.reason) for f in fleet.failures] == [
        (
            NORDICS,
            f"GET {NORDICS}/providers/Microsoft.Kubernetes/connectedClusters was answered 403: "
            "AuthorizationFailed: no leave; "
            "this identity may lack a role such as Reader here; or a firewall keeps it out",
        )
    ]
    shown = {cluster.id for cluster in fleet.clusters}
    assert told_apart([id for id in known if id not in shown], fleet)[0] == ()


def test_a_cluster_whose_children_cannot_be_read_is_not_shown_without_them(emulator: RunningEmulator) -> None:
    add_fault(emulator, method="GET", path="*/osl-02/*fluxConfigurations", status=500, times=100)
    fleet = listing(emulator)

    assert [c.name for c in fleet.clusters] == ["osl-01", "osl-03", "web-01"]
    assert [f.scope.name for f in fleet.failures] == ["osl-02"]


def test_a_cluster_that_is_deleted_meanwhile_is_left_out(emulator: RunningEmulator) -> None:
    add_fault(emulator, method="GET", path="*/osl-02/*extensions", status=404, code="ResourceNotFound")
    add_fault(emulator, method="GET", path="*/connectedClusters/osl-02", status=404, code="ResourceNotFound")
    fleet = listing(emulator)

    assert fleet.complete
    assert "osl-02" not in [c.name for c in fleet.clusters]


def test_a_404_below_a_cluster_does_not_delete_it(emulator: RunningEmulator) -> None:
    add_fault(emulator, method="GET", path="*/osl-02/*extensions", status=404, code="ResourceNotFound")
    fleet = listing(emulator)

    assert [failure.scope.name for failure in fleet.failures] == ["osl-02"]


def test_management_groups_that_may_not_be_read_are_not_known(emulator: RunningEmulator) -> None:
    add_fault(emulator, method="GET", path="*/managementGroups", status=403, code="AuthorizationFailed")

    assert not listing(emulator).groups_known
    assert listing(emulator).groups_known


@pytest.mark.parametrize("code", ["NoRegisteredProviderFound", "InvalidResourceType"])
def test_a_version_the_service_does_not_know_is_a_failure(emulator: RunningEmulator, code: str) -> None:
    """It must not look like a subscription without clusters."""
    add_fault(emulator, method="GET", path="*/providers/*connectedClusters", status=400, times=9, code=code)

    assert not listing(emulator).complete


def test_a_provider_that_was_never_registered_has_no_resources(emulator: RunningEmulator) -> None:
    add_fault(
        emulator,
        method="GET",
        path="*/providers/*managedClusters",
        status=409,
        times=2,  # once for each subscription
        code="MissingSubscriptionRegistration",
        message="The subscription is not registered to use namespace 'Microsoft.ContainerService'",
    )
    fleet = listing(emulator)

    assert fleet.complete
    assert [c.name for c in fleet.clusters] == ["osl-01", "osl-02", "osl-03"]


def test_a_busy_service_is_asked_again(emulator: RunningEmulator) -> None:
    add_fault(emulator, method="GET", path="*", status=429, code="TooManyRequests", times=3)
    add_fault(emulator, method="GET", path="*", status=503, code="ServiceUnavailable", times=2)

    assert len(listing(emulator).clusters) == 4


def test_without_subscriptions_there_is_no_fleet_to_speak_of() -> None:
    with RunningEmulator(Emulator(None, clock="frozen")) as emulator:
        fleet = listing(emulator)

    assert not fleet.complete
    assert fleet.failures[0].reason == "no subscription is visible to this identity"


def test_when_not_even_subscriptions_can_be_listed_it_raises(emulator: RunningEmulator) -> None:
    add_fault(emulator, method="GET", path="/subscriptions", status=403, code="AuthorizationFailed")

    with pytest.raises(ArmError, match="GET /subscriptions was answered 403"):
        listing(emulator)


def test_an_answer_that_makes_no_sense_is_a_failure_where_it_was_given() -> None:
    """A server of our own making: the emulator never answers so."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/subscriptions":
            return httpx.Response(200, json={"value": [{"id": NORDICS, "displayName": "edge-nordics"}]})
        if path.endswith("connectedClusters"):
            return httpx.Response(200, json={"value": [{"id": f"{NORDICS}/resourceGroups/shops/providers/{ARC}/osl"}]})
        if path.endswith("extensions"):
            return httpx.Response(200, json={"value": [{"name": "flux"}]})
        return httpx.Response(200, json={"value": []})

    async def main() -> Fleet:
        transport = httpx.MockTransport(answer)
        async with ArmClient("https://arm.example", EmulatorCredential(), timer=NoTime(), transport=transport) as arm:
            return await read("arm:list", arm=arm)

    fleet = asyncio.run(main())
    assert fleet.clusters == ()
    assert [(f.scope.name, f.reason.partition(": ")[2]) for f in fleet.failures] == [
        ("osl", "a resource needs an `id`")
    ]


def test_the_sample_fleet_reads_the_same_from_its_file_and_over_the_wire() -> None:
    samples = Path(__file__).resolve().parents[2] / "samples" / "fleet.yaml"
    written = parse_fleet(to_value(read_text(samples.read_text(encoding="utf-8"), "fleet.yaml")[0]))
    with RunningEmulator(Emulator(written, clock="frozen", settings=UNLIMITED)) as emulator:
        fleet = listing(emulator)

    assert fleet.complete
    assert [c.id for c in fleet.clusters] == [c.id for c in written.fleet.clusters]
    assert [[r.name for r in c.children] for c in fleet.clusters] == [
        [r.name for r in c.children] for c in written.fleet.clusters
    ]
    assert {s.id: s.management_group for s in fleet.tree.subscriptions} == {
        s.id: s.management_group for s in written.fleet.tree.subscriptions
    }


@pytest.mark.parametrize("size", [None, "40?seed=3"])
def test_every_way_of_reading_gives_the_same_content(size: str | None) -> None:
    """Else a subscription that is listed for once, or a cluster looked at by itself, would seem to have changed."""
    fleet = SyntheticFleet.parse(size) if size else load_fleet(sample_fleet())

    async def main(url: str) -> list[dict[str, str]]:
        async with ArmClient(url, EmulatorCredential(), timer=NoTime()) as arm:
            asked, listed = await read("arm:", arm=arm), await read("arm:list", arm=arm)
            looked_at = await read_clusters(
                Related(arm), [c.id for c in asked.clusters], on_progress=lambda _done, _all: None
            )
        return [{c.id.text: c.content_hash for c in way.clusters} for way in (asked, listed, looked_at)]

    with RunningEmulator(Emulator(fleet, clock="frozen", settings=UNLIMITED)) as emulator:
        by_graph, by_list, by_get = asyncio.run(main(emulator.url))

    assert by_graph
    assert by_graph == by_list == by_get
