"""A small fleet, served for real: every test here speaks HTTP to a running emulator whose clock stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from policyengine.emulator import Emulator, RunningEmulator, Settings
from policyengine.emulator.durations import parse_duration
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.synthetic import SyntheticFleet
from tests.emulator.openapi import FOLDER, Descriptions

TENANT = "0d4f2b8c-9e15-4a7b-83c6-f1a25e7d9000"
SHOPS = "00000000-0000-4000-8000-000000000001"
WEB = "00000000-0000-4000-8000-000000000002"
ARC = f"/subscriptions/{SHOPS}/resourceGroups/Stores/providers/Microsoft.Kubernetes/connectedClusters/osl-01"
OFFLINE = ARC.replace("osl-01", "got-02")
REFUSING = ARC.replace("osl-01", "trd-01")
SETTLED = ARC.replace("osl-01", "cph-01")
AKS = f"/subscriptions/{WEB}/resourceGroups/web/providers/Microsoft.ContainerService/managedClusters/web-01"
STOPPED = AKS.replace("web-01", "web-02")
REFUSED = 'admission webhook "validation.contoso.com" denied the request'
BROKEN = {"reason": "GitOperationFailed", "message": "unable to clone", "since": "9d"}

GIT: dict[str, Any] = {"url": "https://github.com/contoso/fleet", "repositoryRef": {"branch": "main"}}
CONFIGURATION: dict[str, Any] = {
    "namespace": "cluster-config",
    "gitRepository": GIT,
    "kustomizations": {"apps": {"path": "./apps"}},
}
FLUX = {"name": "flux", "properties": {"extensionType": "microsoft.flux", "currentVersion": "1.19.5"}}


def fleet() -> FleetFile:
    shop = {"kind": "arc", "subscription": "shops", "resourceGroup": "Stores"}
    web = {"kind": "aks", "subscription": "web", "resourceGroup": "web"}
    configuration = {"name": "settled", "properties": {"gitRepository": GIT, "kustomizations": {"apps": {}}}}
    broken = {"name": "broken", "properties": {"gitRepository": GIT, "kustomizations": {"apps": {}}}}
    return parse_fleet(
        {
            "apiVersion": "policyengine/v1",
            "kind": "Fleet",
            "tenantId": TENANT,
            "managementGroups": [
                {"name": "contoso", "displayName": "Contoso"},
                {"name": "mg-edge", "displayName": "Edge", "parent": "contoso"},
            ],
            "subscriptions": [
                {"subscriptionId": SHOPS, "displayName": "shops", "managementGroup": "mg-edge"},
                {"subscriptionId": WEB, "displayName": "web", "managementGroup": "contoso"},
            ],
            "resourceGroups": [
                {"subscription": "shops", "name": "Stores", "location": "norwayeast"},
                {"subscription": "web", "name": "web", "location": "westeurope"},
            ],
            "clusters": [
                {**shop, "name": "osl-01", "tags": {"ring": "1"}},
                {**shop, "name": "got-02", "simulation": {"offlineFor": "3d"}},
                {**shop, "name": "trd-01", "simulation": {"installFailures": {"Microsoft.Flux": REFUSED}}},
                {
                    **shop,
                    "name": "cph-01",
                    "extensions": [FLUX],
                    "fluxConfigurations": [configuration, broken],
                    "simulation": {"reconcileFailures": {"broken": BROKEN}},
                },
                {**web, "name": "web-01"},
                {**web, "name": "web-02", "properties": {"powerState": {"code": "Stopped"}}},
            ],
        }
    )


class ManualClock:
    """Wall-clock time that passes only when told to."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def pass_(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


@dataclass
class Api:
    """A client that says only what a test is about."""

    http: httpx.Client
    emulator: Emulator
    wall: ManualClock
    version: str = "2025-04-01"

    shops = SHOPS
    web = WEB
    tenant = TENANT
    arc = ARC
    offline = OFFLINE
    refusing = REFUSING
    settled = SETTLED
    aks = AKS
    stopped = STOPPED
    refused = REFUSED
    git = GIT
    clusters = (ARC, OFFLINE, REFUSING, SETTLED, AKS, STOPPED)

    @property
    def url(self) -> str:
        return str(self.http.base_url).rstrip("/")

    @staticmethod
    def extension(cluster: str, name: str = "flux") -> str:
        return f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/{name}"

    @staticmethod
    def configuration(cluster: str, name: str = "cfg") -> str:
        return f"{cluster}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/{name}"

    @staticmethod
    def error(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["error"]["code"]

    def send(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        joined = "".join(f"&{name}={value}" for name, value in query.items())
        return self.http.request(method, f"{path}?api-version={self.version}{joined}", json=body)

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.send("GET", path, **query)

    def put(self, path: str, body: Any) -> httpx.Response:
        return self.send("PUT", path, body)

    def patch(self, path: str, properties: Mapping[str, Any]) -> httpx.Response:
        return self.send("PATCH", path, {"properties": properties})

    def install(self, cluster: str, name: str = "flux", **properties: Any) -> httpx.Response:
        """PUT an extension, of microsoft.flux unless told otherwise."""
        return self.put(
            self.extension(cluster, name), {"properties": {"extensionType": "microsoft.flux", **properties}}
        )

    def configure(self, cluster: str, name: str = "cfg", **properties: Any) -> httpx.Response:
        """PUT a Flux configuration that would do, but for ``properties``."""
        return self.put(self.configuration(cluster, name), {"properties": {**CONFIGURATION, **properties}})

    def properties(self, path: str) -> dict[str, Any]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["properties"]
        return found

    def operation(self, accepted: httpx.Response) -> dict[str, Any]:
        answer = self.http.get(accepted.headers["azure-asyncoperation"])
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def inside(self, cluster: str) -> dict[str, Any]:
        """What is really on the cluster."""
        found: dict[str, Any] = self.http.get(f"/_emulator/clusters{cluster}").json()
        return found

    def objects(self, cluster: str) -> dict[tuple[str, str], dict[str, Any]]:
        return {(o["kind"], o["name"]): o for o in self.inside(cluster)["objects"]}

    def advance(self, by: str) -> None:
        self.emulator.advance(parse_duration(by))


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def stopper() -> Iterator[ThreadPoolExecutor]:
    """Stops servers while the next test runs already; the last test waits for all of them."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield pool


@pytest.fixture(scope="session")
def descriptions() -> Descriptions | None:
    """Microsoft's API descriptions, where they are beside this checkout; `test_openapi` says so where they are not."""
    return Descriptions(FOLDER) if FOLDER.is_dir() else None


@pytest.fixture
def start(
    wall: ManualClock, stopper: ThreadPoolExecutor, descriptions: Descriptions | None
) -> Iterator[Callable[..., Api]]:
    """Serves a fleet of its own for each call, with the settings given. Answers are held against their descriptions."""

    def judge(answer: httpx.Response) -> None:
        if descriptions is not None:
            answer.read()
            path = answer.request.url.path
            body = answer.json() if answer.content else None
            assert descriptions.problems(answer.request.method, path, answer.status_code, body) == []

    opened: list[tuple[httpx.Client, RunningEmulator]] = []

    def start_one(of: FleetFile | SyntheticFleet | None = None, *, clock: str = "frozen", **settings: Any) -> Api:
        emulator = Emulator(of or fleet(), clock=clock, settings=Settings(**settings), wall=wall)
        running = RunningEmulator(emulator).start()
        # Nothing here is encrypted: loading certificates would take longer than the test.
        client = httpx.Client(
            base_url=running.url, headers={"Authorization": "Bearer secret-token"}, verify=False, timeout=60
        )
        client.event_hooks = {"response": [judge]}
        opened.append((client, running))
        return Api(client, emulator, wall)

    yield start_one
    for client, running in opened:
        client.close()
        stopper.submit(running.stop)


@pytest.fixture
def api(start: Callable[..., Api]) -> Api:
    return start()


@pytest.fixture
def flux(api: Api) -> Api:
    """With microsoft.flux installed on both clusters that are well."""
    for cluster in (ARC, AKS):
        assert api.install(cluster).status_code == 201
    api.advance("2m")
    return api
