"""Answers against Microsoft's API descriptions. Every other test of this folder holds its answers against them too."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.emulator.openapi import FOLDER, Descriptions

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"THE API DESCRIPTIONS ARE NOT THERE: {FOLDER}; answers stay unvalidated"
)

EXTENSION_TYPES = "Microsoft.KubernetesConfiguration/extensionTypes"
REGION = "/providers/Microsoft.KubernetesConfiguration/locations/norwayeast"
NEVER_ANSWERED = {
    ("connectedClusters", "PUT", "200"): "clusters come from the fleet, not through the API: 501",
    ("connectedClusters", "PUT", "201"): "the same",
    ("connectedClusters", "DELETE", "200"): "the same",
    ("connectedClusters", "DELETE", "202"): "the same",
    ("connectedClusters", "DELETE", "204"): "the same",
    ("connectedClusters", "PATCH", "202"): "a PATCH of a cluster is done at once",
}
"""(last type of the path, method, status) that are described but never answered, and why."""


@pytest.fixture(scope="module")
def judge(descriptions: Descriptions | None) -> Descriptions:
    assert descriptions is not None
    return descriptions


def test_every_described_answer_is_given_and_is_as_described(api: Api, judge: Descriptions) -> None:
    seen: set[tuple[str, str, str]] = set()

    def note(answer: httpx.Response) -> None:
        operation = judge.find(answer.request.method, answer.request.url.path)
        if operation is not None:
            status = str(answer.status_code) if answer.status_code < 400 else "default"
            seen.add((operation.path, operation.method, status))

    api.http.event_hooks["response"].append(note)
    tell_everything(api)

    described = {(op.path, op.method, status) for op in judge.operations for status in op.answers}
    missing = {(last_type(path), method, status) for path, method, status in described - seen}
    assert missing == set(NEVER_ANSWERED)


def last_type(path: str) -> str:
    return [part for part in path.split("/") if not part.startswith("{")][-1]


def tell_everything(api: Api) -> None:
    """Every described operation, in success and in failure."""
    tell_clusters(api)
    for cluster in (api.arc, api.aks):
        tell_lifecycle(api, api.extension(cluster), {"extensionType": "microsoft.flux"}, {"releaseTrain": "Preview"})
        configuration = {"gitRepository": api.git, "kustomizations": {"apps": {}}}
        tell_lifecycle(api, api.configuration(cluster), configuration, {"suspend": True})
        tell_extension_types(api, cluster)


def tell_clusters(api: Api) -> None:
    group = api.arc.rpartition("/")[0]
    subscription = f"/subscriptions/{api.shops}"
    for path in (group, f"{subscription}/providers/Microsoft.Kubernetes/connectedClusters", api.arc, api.offline):
        assert api.get(path).status_code == 200
    for path in (
        group.replace("Stores", "none"),
        f"/subscriptions/{api.tenant}/providers/Microsoft.Kubernetes/connectedClusters",
        f"{group}/none",
    ):
        assert api.get(path).status_code == 404
    assert api.send("PATCH", api.arc, {"tags": {"ring": "2"}}).status_code == 200
    assert api.send("PATCH", f"{group}/none", {}).status_code == 404
    assert api.put(api.arc, {"location": "x"}).status_code == 501
    assert api.send("DELETE", api.arc).status_code == 501


def tell_lifecycle(api: Api, path: str, properties: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
    assert api.put(path, {}).status_code == 400
    created = api.put(path, {"properties": properties})
    assert created.status_code == 201
    assert api.operation(created)["status"] == "InProgress"
    api.advance("5m")
    assert api.operation(created)["status"] == "Succeeded"
    assert api.put(path, {"properties": properties}).status_code == 200
    api.advance("5m")
    assert api.patch(path, patch).status_code == 202
    api.advance("5m")
    assert api.patch(path, patch).status_code == 200
    many = path.rpartition("/")[0]
    assert api.get(many).json()["value"]
    assert api.get(path).status_code == 200
    assert api.get(f"{path}/operations/none").status_code == 404
    assert api.get(f"{many}/none").status_code == 404
    assert api.patch(f"{many}/none", patch).status_code == 404
    assert api.get(many.replace("01/", "99/")).status_code == 404
    assert api.send("DELETE", path.replace("01/", "99/")).status_code == 404
    deleted = api.send("DELETE", path)
    assert deleted.status_code == 202
    assert api.operation(deleted)["status"] == "InProgress"
    assert api.send("DELETE", path, forceDelete="true").status_code == 200
    assert api.send("DELETE", path).status_code == 204


def tell_extension_types(api: Api, cluster: str) -> None:
    subscription = "/".join(cluster.split("/")[:3])
    nowhere, none = f"/subscriptions/{api.tenant}", cluster.replace("01", "99")
    for place, elsewhere in ((cluster, none), (f"{subscription}{REGION}", f"{nowhere}{REGION}")):
        types = f"{place}/providers/{EXTENSION_TYPES}" if place == cluster else f"{place}/extensionTypes"
        for below in ("", "/microsoft.flux", "/microsoft.flux/versions", "/microsoft.flux/versions/1.19.5"):
            assert api.get(f"{types}{below}").status_code == 200
            assert api.get(f"{types.replace(place, elsewhere)}{below}").status_code == 404
        for below in ("/none", "/none/versions", "/microsoft.flux/versions/0.0.0"):
            assert api.get(f"{types}{below}").status_code == 404


def examples() -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("examples/*.json"))]


def path_of(example: Mapping[str, Any]) -> str:
    """The path that an example's operation and parameters stand for."""
    said = example["parameters"]
    kind = "extensions" if "extensionName" in said else "fluxConfigurations"
    name = said.get("extensionName") or said["fluxConfigurationName"]
    cluster = "/".join((said["clusterRp"], said["clusterResourceName"], said["clusterName"]))
    path = f"/subscriptions/{said['subscriptionId']}/resourceGroups/{said['resourceGroupName']}/providers/{cluster}"
    operation = f"/operations/{said['operationId']}" if "operationId" in said else ""
    return f"{path}/providers/Microsoft.KubernetesConfiguration/{kind}/{name}{operation}"


METHODS = {"Create": "PUT", "CreateOrUpdate": "PUT", "Update": "PATCH", "Get": "GET", "Delete": "DELETE"}


def method_of(example: Mapping[str, Any]) -> str:
    return METHODS[example["operationId"].rpartition("_")[2]]


def answered(example: Mapping[str, Any]) -> list[tuple[int, Any]]:
    return [(int(status), said.get("body")) for status, said in example.get("responses", {}).items()]


def test_microsoft_s_own_examples_pass(judge: Descriptions) -> None:
    found = [
        (status, judge.problems(method_of(e), path_of(e), status, body))
        for e in examples()
        for status, body in answered(e)
    ]
    assert len(found) > 10
    assert [problems for _, problems in found if problems] == []


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda p: p.update(invented=1), "'invented' was unexpected"),
        (lambda p: p.update(provisioningState="Done"), "'Done' is not one of"),
        (lambda p: p.update(suspend="no"), "'no' is not of type 'boolean'"),
        (lambda p: p.update(suspend=None), "None is not of type 'boolean'"),
        (lambda p: p.update(statusUpdatedAt="yesterday"), "'yesterday' is not a 'date-time'"),
        (lambda p: p.update(configurationProtectedSettings={"key": "hunter2"}), "is not one of [None, '', {}]"),
    ],
)
def test_an_answer_that_strays_is_found(
    judge: Descriptions, spoil: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    example = next(
        e for e in examples() if e["operationId"].endswith("_Get") and "fluxConfigurationName" in e["parameters"]
    )
    body = copy.deepcopy(example["responses"]["200"]["body"])
    spoil(body["properties"])
    (problem,) = judge.problems("GET", path_of(example), 200, body)
    assert complaint in problem


def test_requests_of_microsoft_s_examples_are_taken_and_read_back(api: Api) -> None:
    for example in examples():
        if method_of(example) != "PUT":
            continue
        said = example["parameters"]
        body = said.get("extension") or said["fluxConfiguration"]
        _, _, tail = path_of(example).rpartition("/providers/")
        path = f"{api.arc}/providers/{tail.lower()}"
        accepted = api.put(path, body)
        assert accepted.status_code == 201, accepted.text
        assert missing(body["properties"], accepted.json()["properties"]) == []


SECRETS = ("configurationProtectedSettings",)


def missing(sent: Any, found: Any, path: str = "") -> list[str]:
    """Paths at which an answer does not say what was sent, secrets apart; it may say more."""
    if isinstance(sent, dict) and isinstance(found, dict):
        names = [name for name in sent if name not in SECRETS]
        return [deeper for name in names for deeper in missing(sent[name], found.get(name), f"{path}.{name}")]
    return [] if sent == found else [f"{path}: {sent!r} became {found!r}"]
