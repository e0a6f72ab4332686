"""Single clusters in the control API: what is really on one, and what is done to it from outside Azure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from policyengine.emulator.agent import next_poll
from policyengine.emulator.answers import Answer
from policyengine.emulator.clock import stamp
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.kubernetes_api import answer_kubernetes
from policyengine.emulator.residency import stored_in
from policyengine.emulator.routes.control_request import ControlRequest
from policyengine.emulator.state import EmulatedCluster
from policyengine.errors import UsageError
from policyengine.model.values import JSON


def told_clusters(emulator: Emulator, request: ControlRequest) -> JSON:
    emulator.settle()
    if request.rest:
        return _inside(emulator, emulator.look_at("/".join(request.rest)))
    found = emulator.state.clusters.heads()
    return {"value": [{"id": head.id.text, "connected": head.connected} for head in found]}


def ask_kubernetes(emulator: Emulator, method: str, path: list[str], query: Mapping[str, str]) -> Answer:
    emulator.settle()
    at = path.index("kubernetes")
    return answer_kubernetes(emulator.look_at("/".join(path[:at])), method, path[at + 1 :], query)


def change_cluster(emulator: Emulator, request: ControlRequest) -> JSON:
    *path, verb = request.rest or ("",)
    cluster = "/".join(path)
    changes: dict[str, Callable[[], None]] = {
        "connect": lambda: emulator.connect(cluster),
        "disconnect": lambda: emulator.disconnect(cluster),
        "objects": lambda: emulator.put_object(cluster, request.body),
        "simulation": lambda: emulator.simulate(cluster, request.body),
        "rebuild": lambda: emulator.rebuild(cluster),
        "private-link": lambda: emulator.use_private_link(cluster, _scope(request)),
    }
    if verb.casefold() not in changes:
        raise UsageError(f"a cluster can be told `{'`, `'.join(changes)}`, not `{verb}`")
    changes[verb.casefold()]()
    return _inside(emulator, emulator.cluster(cluster))


def _scope(request: ControlRequest) -> str | None:
    if "scope" not in request.body:
        raise ValueError("say which private link `scope`, or null for none")
    scope = request.body["scope"]
    return None if scope is None else str(scope)


def delete_object(emulator: Emulator, request: ControlRequest) -> JSON:
    *path, noun = request.rest or ("",)
    kind, namespace, name = (request.query.get(key, "") for key in ("kind", "namespace", "name"))
    if noun.casefold() != "objects" or not emulator.delete_object("/".join(path), kind, namespace, name):
        raise UsageError(f"there is no `{kind}` `{namespace}/{name}` to delete")
    return _inside(emulator, emulator.cluster("/".join(path)))


def _inside(emulator: Emulator, cluster: EmulatedCluster) -> dict[str, JSON]:
    """The cluster as its own administrator would see it, and where every secret has gone."""
    return {
        "id": cluster.id.text,
        "connected": cluster.connected,
        "lastSeen": stamp(cluster.last_seen) if cluster.last_seen else None,
        "lastPoll": stamp(cluster.last_poll) if cluster.last_poll else None,
        "nextPoll": stamp(next_poll(cluster, emulator.clock.now())) if cluster.connected else None,
        **cluster.objects.document(),
        "protectedSettings": [
            {"id": record.id.text, **record.secrets.document()}
            for record in sorted(cluster.records.values(), key=lambda r: r.id)
        ],
        "records": [
            {"id": id.text, "storedIn": stored_in(cluster.location)}
            for id in (cluster.id, *sorted(record.id for record in cluster.records.values()))
        ],
    }
