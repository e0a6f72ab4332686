"""Snapshots: everything as it was, what waits to happen included; and beginning anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

SECRET = "s3cr3t-of-the-test"


def snapshot(api: Api, **said: str) -> Any:
    return api.http.post("/_emulator/snapshots", json=said).json()


def everything(api: Api) -> list[object]:
    return [[api.inside(cluster), api.get(cluster, **{}).json()] for cluster in api.clusters]


def test_loading_goes_back_in_time_with_what_was_pending(api: Api) -> None:
    operation = api.install(api.arc).headers["Azure-AsyncOperation"]
    snapshot(api, save="under way")
    api.advance("10m")
    done = everything(api)
    assert api.http.get(operation).json()["status"] == "Succeeded"
    told = snapshot(api, load="under way")
    assert told["time"] == "2026-11-23T08:00:00.000Z" == api.http.get("/_emulator/clock").json()["now"]
    assert api.http.get(operation).json()["status"] == "InProgress"
    api.advance("10m")
    assert everything(api) == done


def test_a_snapshot_holds_whatever_the_emulator_remembers(api: Api) -> None:
    """One of each thing that waits: a deployment, an offline write, a scripted source, a lag, a fault, a principal."""
    group = api.arc.partition("/providers/")[0]
    objects = [{"kind": "Deployment", "name": "web", "healthyAfter": "40s"}]
    api.emulator.script_source({"url": api.git["url"], "heads": {"main": "r1"}, "revisions": {"r1": objects}})
    api.http.post("/_emulator/graph", json={"lag": "5m"})
    api.http.post("/_emulator/faults", json={"status": 503, "path": "*never*"})
    api.http.post("/_emulator/principals", json={"token": "t", "objectId": "o", "roles": []})
    api.http.post("/_emulator/versions", json={"version": "1.21.0", "locations": {"norwayeast": "2h"}})
    api.configure(api.arc, configurationProtectedSettings={"sshPrivateKey": "a2V5"})
    api.configure(api.offline)
    name = "cfg2"
    template = {
        "resources": [
            {
                "type": "Microsoft.KubernetesConfiguration/extensions",
                "apiVersion": "2023-05-01",
                "name": "flux",
                "scope": "Microsoft.Kubernetes/connectedClusters/osl-01",
                "properties": {"extensionType": "microsoft.flux"},
            }
        ]
    }
    body = {"properties": {"mode": "Incremental", "template": template}}
    api.put(f"{group}/providers/Microsoft.Resources/deployments/{name}", body)
    api.advance("45s")
    snapshot(api, save="s")
    first = api.emulator.freeze()
    api.advance("3h")
    after = everything(api)
    snapshot(api, load="s")
    assert len(api.emulator.freeze()) == pytest.approx(len(first), rel=0.02)
    assert api.http.get("/_emulator/graph").json() == {"lag": "300s"}
    assert [p["objectId"] for p in api.http.get("/_emulator/principals").json()["value"]] == ["o"]
    api.advance("3h")
    assert everything(api) == after
    state = api.get(f"{group}/providers/Microsoft.Resources/deployments/{name}").json()["properties"]
    assert state["provisioningState"] == "Succeeded"


def test_two_snapshots_differ_by_what_happened_between_them(api: Api) -> None:
    snapshot(api, save="before")
    api.install(api.arc, configurationProtectedSettings={"key": SECRET})
    api.http.patch(f"{api.aks}?api-version=2024-01-01", json={"tags": {"ring": "2"}})
    api.advance("5m")
    snapshot(api, save="after")
    told = api.http.get("/_emulator/snapshots/diff?from=before&to=after").json()["value"]
    assert told == api.http.get("/_emulator/snapshots/diff?from=before").json()["value"]
    by_id = {change["id"]: change for change in told}
    assert by_id[api.extension(api.arc)]["change"] == "added"
    assert by_id[api.aks]["paths"] == [{"path": "tags.ring", "before": None, "after": "2"}]
    assert set(by_id) == {api.extension(api.arc), api.aks, f"{api.arc}#cluster"}
    assert SECRET not in json.dumps(told)


def test_snapshots_are_listed_and_removed(api: Api) -> None:
    snapshot(api, save="b")
    snapshot(api, save="a")
    assert [s["name"] for s in api.http.get("/_emulator/snapshots").json()["value"]] == ["a", "b"]
    left = api.http.delete("/_emulator/snapshots?name=a").json()["value"]
    assert [s["name"] for s in left] == ["b"]
    assert api.http.delete("/_emulator/snapshots?name=a").status_code == 404


@pytest.mark.parametrize(("body", "status"), [({}, 400), ({"save": "a", "load": "a"}, 400), ({"load": "x"}, 404)])
def test_what_cannot_be_done_with_a_snapshot_is_refused(api: Api, body: object, status: int) -> None:
    assert api.http.post("/_emulator/snapshots", json=body).status_code == status


def test_reset_begins_anew_and_keeps_snapshots(start: Callable[..., Api]) -> None:
    api = start()
    beginning = everything(api)
    api.install(api.arc)
    api.http.post("/_emulator/faults", json={"status": 503})
    api.advance("3d")
    snapshot(api, save="later")
    assert api.http.post("/_emulator/reset").json()["time"] == "2026-11-23T08:00:00.000Z"
    assert everything(api) == beginning
    assert snapshot(api, load="later")["time"] == "2026-11-26T08:00:00.000Z"
