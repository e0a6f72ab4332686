"""The control API: clock, journal, clusters, versions, faults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyengine.emulator import Emulator
from policyengine.emulator.routes.control import answer_control
from tests.emulator.conftest import fleet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api


def test_it_needs_no_token(api: Api) -> None:
    answer = api.http.get("/_emulator/health", headers={"Authorization": ""})
    assert answer.json()["status"] == "ok"
    assert answer.json()["clusters"] == len(api.clusters)


def test_the_clock_is_read_and_advanced(api: Api) -> None:
    before = api.http.get("/_emulator/clock").json()
    assert before == {"now": "2026-11-23T08:00:00.000Z", "mode": "frozen", "wallTime": "2026-11-23T08:00:00.000Z"}
    after = api.http.post("/_emulator/clock", json={"advance": "1h30m"}).json()
    assert after["now"] == "2026-11-23T09:30:00.000Z"
    assert api.http.post("/_emulator/clock", json={"advance": "PT30M"}).json()["now"] == "2026-11-23T10:00:00.000Z"
    assert api.http.post("/_emulator/clock", json={"mode": "x60"}).json()["mode"] == "x60"
    api.wall.pass_(2)
    assert api.http.get("/_emulator/clock").json()["now"] == "2026-11-23T10:02:00.000Z"


@pytest.mark.parametrize(
    "body", [{}, {"advance": "soon"}, {"advance": -5}, {"advance": "9999999d"}, {"mode": "backwards"}, [1], "x"]
)
def test_a_clock_that_cannot_be_set_so_says_why(api: Api, body: object) -> None:
    answer = api.http.post("/_emulator/clock", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_the_journal_tells_what_was_asked_and_is_emptied(api: Api) -> None:
    api.get("/subscriptions")
    api.install(api.arc)
    api.advance("5m")
    api.get("/nothing")
    entries = api.http.get("/_emulator/journal").json()["value"]
    assert [(e["method"], e["status"]) for e in entries] == [("GET", 200), ("PUT", 201), ("GET", 501)]
    assert entries[1]["path"] == api.extension(api.arc)
    assert entries[1]["body"] == {"properties": {"extensionType": "microsoft.flux"}}
    assert entries[1]["principal"].startswith("token-")
    assert (entries[0]["time"], entries[2]["time"]) == ("2026-11-23T08:00:00.000Z", "2026-11-23T08:05:00.000Z")
    assert entries[2]["wallTime"] == "2026-11-23T08:00:00.000Z"
    assert [e["method"] for e in api.http.get("/_emulator/journal?method=put").json()["value"]] == ["PUT"]
    api.http.delete("/_emulator/journal")
    assert api.http.get("/_emulator/journal").json() == {"value": []}


def test_refused_requests_are_journalled_too(api: Api) -> None:
    api.http.get("/subscriptions?api-version=2022-12-01", headers={"Authorization": ""})
    (entry,) = api.emulator.journal.entries()
    assert (entry.status, entry.principal) == (401, "anonymous")


def test_clusters_are_listed_and_looked_into_by_id_or_name(api: Api) -> None:
    listed = api.http.get("/_emulator/clusters").json()["value"]
    assert {c["id"] for c in listed if not c["connected"]} == {api.offline, api.stopped}
    by_name = api.http.get("/_emulator/clusters/OSL-01").json()
    assert by_name == api.inside(api.arc)
    assert by_name["nextPoll"] is not None
    assert api.inside(api.offline)["nextPoll"] is None
    assert api.http.get("/_emulator/clusters/nobody").status_code == 404


def test_a_cluster_is_disconnected_and_connected(api: Api) -> None:
    assert api.http.post(f"/_emulator/clusters{api.arc}/disconnect").json()["connected"] is False
    assert api.http.post("/_emulator/clusters/osl-01/connect").json()["connected"] is True
    assert api.http.post("/_emulator/clusters/osl-01/explode").status_code == 404


def test_versions_are_published(api: Api) -> None:
    told = api.http.post("/_emulator/versions", json={"version": "1.20.1"}).json()
    assert told["versions"][-1] == "1.20.1"
    assert api.http.get("/_emulator/versions?type=Microsoft.Flux&train=stable").json()["versions"] == told["versions"]
    assert api.http.post("/_emulator/versions", json={}).status_code == 400


def test_a_source_is_scripted_read_back_and_forgotten(api: Api) -> None:
    url = "https://github.com/contoso/fleet"
    first = {"url": f"{url}.git", "heads": {"main": "r1"}, "revisions": {"r1": [{"kind": "Namespace", "name": "shop"}]}}
    api.http.post("/_emulator/sources", json=first)
    failure = {"reason": "GitOperationFailed", "message": "connection refused"}
    told = api.http.post(
        "/_emulator/sources", json={"url": f"{url}/", "heads": {"v1": "r0"}, "failure": failure}
    ).json()
    assert told == {
        "url": f"{url}.git",
        "heads": {"main": "r1", "v1": "r0"},
        "revisions": {"r1": [{"kind": "Namespace", "namespace": "", "name": "shop"}]},
        "failure": failure,
        "private": False,
    }
    assert api.http.get("/_emulator/sources").json() == {"value": [told]}
    assert api.http.delete("/_emulator/sources", params={"url": url.upper()}).json() == {"value": []}


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ({}, "url"),
        ({"url": "https://x", "head": {}}, "`head`"),
        ({"url": "https://x", "heads": "main"}, "`heads`"),
        ({"url": "https://x", "revisions": {"r1": {}}}, "revision `r1`"),
        ({"url": "https://x", "revisions": {"r1": [{"kind": "Pod"}]}}, "`name`"),
        ({"url": "https://x", "revisions": {"r1": [{"kind": "Pod", "name": "a", "healthy": "1s"}]}}, "`healthy`"),
        ({"url": "https://x", "revisions": {"r1": [{"kind": "Pod", "name": "a", "healthyAfter": "soon"}]}}, "soon"),
    ],
)
def test_a_script_that_cannot_be_used_says_why_and_changes_nothing(api: Api, script: object, named: str) -> None:
    answer = api.http.post("/_emulator/sources", json=script)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]
    assert api.http.get("/_emulator/sources").json() == {"value": []}


def test_objects_are_put_and_deleted_by_hand(api: Api) -> None:
    path = f"/_emulator/clusters{api.arc}/objects"
    put = api.http.post(path, json={"kind": "configmap", "name": "vars", "data": {"a": "1"}}).json()
    assert [(o["kind"], o["namespace"], o["name"], o["owner"]) for o in put["applied"]] == [
        ("ConfigMap", "default", "vars", None)
    ]
    where = {"kind": "ConfigMap", "namespace": "default", "name": "vars"}
    assert api.http.delete(path, params=where).json()["applied"] == []
    assert api.http.delete(path, params=where).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"offlineFor": "3d"},
        {"installDuration": "soon"},
        {"polls": "30s"},
        {"installFailures": "yes"},
        {"reconcileFailures": {"*": "no"}},
        {"allowedHosts": "github.com"},
        {"servicePrincipal": "no"},
    ],
)
def test_a_simulation_that_cannot_be_changed_so_says_why(api: Api, changes: object) -> None:
    answer = api.http.post(f"/_emulator/clusters{api.arc}/simulation", json=changes)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_the_same_script_ends_in_the_same_clusters(start: Callable[..., Api]) -> None:
    def run() -> object:
        api = start()
        objects = [{"kind": "Deployment", "namespace": "shop", "name": n, "healthyAfter": "20s"} for n in "abc"]
        api.emulator.script_source({"url": api.git["url"], "revisions": {"*": objects}})
        for cluster in (api.aks, api.arc):
            api.configure(cluster, kustomizations={"infra": {}, "apps": {"dependsOn": ["infra"]}})
        api.advance("20m")
        return [api.inside(cluster) for cluster in api.clusters]

    assert run() == run()


def test_faults_are_added_and_spent(api: Api) -> None:
    fault = {"method": "put", "path": "*/OSL-01/*", "status": 409, "code": "Conflict", "message": "busy", "times": 2}
    assert api.http.post("/_emulator/faults", json=fault).status_code == 200
    assert api.get(api.arc).status_code == 200
    assert [api.install(api.arc).status_code for _ in range(3)] == [409, 409, 201]
    assert api.http.get("/_emulator/faults").json() == {"value": []}


def test_a_fault_may_say_when_to_come_back(api: Api) -> None:
    api.http.post("/_emulator/faults", json={"status": 503, "retryAfter": 7})
    answer = api.get("/subscriptions")
    assert api.error(answer) == (503, "ServiceUnavailable")
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("noun", "body", "mend"),
    [
        ("clock", {"mode": "slow"}, "`frozen`"),
        ("faults", {"staus": 503}, "`status`"),
        ("faults", {"status": 503, "times": "many"}, "like `5`"),
        ("sources", {"url": "fleet"}, "https://"),
        ("versions", {"version": "1.x"}, "1.20.0"),
        ("versions", {"version": "1.21.0", "locations": ["norwayeast"]}, "westeurope: 2d"),
        ("principals", {"objectId": "x", "roles": "Reader"}, "scope"),
        ("principals", {"objectId": "x", "roles": [{"role": "Raeder"}]}, "`Reader`"),
        ("clusters/nobody/connect", {}, "policyengine emulator clusters"),
    ],
)
def test_what_is_refused_comes_with_a_way_to_mend_it(api: Api, noun: str, body: object, mend: str) -> None:
    answer = api.http.post(f"/_emulator/{noun}", json=body)
    assert answer.status_code in {400, 404}
    assert mend in answer.json()["error"]["help"]


MEMBERS = {
    "clock": ("advance", "mode"),
    "clusters/osl-01/simulation": (
        "pollInterval",
        "allowedHosts",
        "servicePrincipal",
        "installFailures",
        "reconcileFailures",
    ),
    "clusters/osl-01/objects": ("kind", "name", "namespace", "data", "healthyAfter", "failure", "source"),
    "sources": ("url", "heads", "revisions", "failure", "private"),
    "versions": ("type", "train", "version", "locations"),
    "faults": ("status", "method", "times", "probability", "after", "drop", "delay", "install", "lag", "retryAfter"),
    "graph": ("lag",),
    "principals": ("token", "objectId", "roles", "clientId", "clientSecret"),
    "denials": ("path", "policy"),
    "snapshots": ("save", "load"),
}
ODD = st.sampled_from(
    (None, True, -1, 1, 10**30, 1.5, float("inf"), "", "x", "1.2.0", "https://x/y", "5m", "9999999999d", "\ud800")
) | st.sampled_from(([], ["x"], [{}], {}, {"x": "y"}, {"x": 1}, {"x": [{}]}, {"kind": "ConfigMap"}))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(MEMBERS)).flatmap(
        lambda noun: st.tuples(st.just(noun), st.dictionaries(st.sampled_from(MEMBERS[noun]), ODD, min_size=1))
    )
)
def test_whatever_is_sent_is_done_or_refused(sent: tuple[str, dict[str, object]]) -> None:
    noun, body = sent
    answer = answer_control(_SHARED, "POST", noun.split("/"), {}, body)
    assert answer.status in {200, 400, 404}
    json.dumps(answer.body).encode()
    _SHARED.settle()


_SHARED = Emulator(fleet(), clock="frozen")


@pytest.mark.parametrize("fault", [{}, {"status": 200}, {"status": 409, "paht": "x"}])
def test_a_fault_that_could_never_be_answered_is_refused(api: Api, fault: object) -> None:
    assert api.http.post("/_emulator/faults", json=fault).status_code == 400


def test_what_it_does_not_know_is_not_found(api: Api) -> None:
    assert api.http.get("/_emulator/nothing").status_code == 404
    assert api.http.post("/_emulator/health").status_code == 404


@pytest.mark.parametrize(
    ("noun", "body"),
    [
        ("clusters/osl-01/simulation", {"installFailures": "microsoft.flux"}),
        ("clusters/osl-01/simulation", {"reconcileFailures": {"*": "no"}}),
        ("clusters/osl-01/simulation", {"allowedHosts": "github.com"}),
        ("clusters/osl-01/simulation", {"pollInterval": -1}),
        ("clusters/osl-01/simulation", {"pollInterval": 1e300}),
        ("faults", {"status": 503, "times": {}}),
        ("faults", {"status": 503, "times": -1}),
        ("faults", {"status": 503, "retryAfter": "soon"}),
        ("principals", {"token": "x", "roles": 3}),
        ("versions", {"version": "1.21.0", "locations": ["norwayeast"]}),
    ],
)
def test_a_body_of_another_shape_is_refused_and_changes_nothing(api: Api, noun: str, body: dict[str, Any]) -> None:
    before = api.emulator.freeze()
    answer = api.http.post(f"/_emulator/{noun}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert api.emulator.freeze() == before
