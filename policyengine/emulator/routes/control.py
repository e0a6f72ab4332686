"""The control API under `/_emulator`: the clock, the journal, and what no Azure API shows. Needs no token.

GET  /_emulator/health
GET  /_emulator/clock                     POST {"advance": "48h"} and/or {"mode": "frozen" | "real" | "x60"}
GET  /_emulator/journal[?method=PUT]      DELETE empties it
GET  /_emulator/clusters[/{id or name}]   POST .../connect, .../disconnect
POST /_emulator/clusters/{id}/objects     one object by hand; DELETE ?kind=&namespace=&name= takes it away
POST /_emulator/clusters/{id}/simulation  keys of a fleet file's `simulation`
POST /_emulator/clusters/{id}/rebuild
POST /_emulator/clusters/{id}/private-link  {"scope": id of a private link scope, or null}
GET  /_emulator/clusters/{id}/kubernetes/...    the cluster's own API, for reading
GET  /_emulator/sources                   POST scripts one (see `source_script`), DELETE ?url= forgets it
GET  /_emulator/versions?type=&train=     POST {"type": "microsoft.flux", "train": "Stable", "version": "1.20.0",
                                          "locations": {"westeurope": "2d"}}
GET  /_emulator/faults                    POST one fault (see `faults`), DELETE takes all back
GET  /_emulator/graph                     POST {"lag": "2m"}: for how long Resource Graph shows the past
GET  /_emulator/principals                POST {"token", "objectId", "name", "roles": [{"role", "scope"}],
                                          "clientId", "clientSecret"}
GET  /_emulator/denials                   POST {"path", "policy"}, DELETE takes all back
GET  /_emulator/snapshots                 POST {"save": name} or {"load": name}; DELETE ?name=
GET  /_emulator/snapshots/diff?from=&to=  what changed, by id; without `to`, up to now
POST /_emulator/reset                     everything as in the beginning
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from policyengine.emulator.access import Principal
from policyengine.emulator.answers import Answer, Refusal, invalid_content
from policyengine.emulator.clock import stamp
from policyengine.emulator.durations import parse_duration
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.restrictions import Denial
from policyengine.emulator.roles import role_name
from policyengine.emulator.routes.control_clusters import ask_kubernetes, change_cluster, delete_object, told_clusters
from policyengine.emulator.routes.control_request import ControlHandler, ControlRequest
from policyengine.emulator.versions import is_version
from policyengine.emulator.written import length, mapping
from policyengine.errors import ConfigError, PolicyEngineError, UsageError
from policyengine.model.values import JSON

PREFIX: Final = "_emulator"


def answer_control(emulator: Emulator, method: str, parts: list[str], query: Mapping[str, str], body: JSON) -> Answer:
    """Answers errors in ARM's shape and how to mend them, 404 for what is not there, 400 for what cannot be done."""
    noun, *rest = parts or [""]
    handler = HANDLERS.get((method, noun.casefold()))
    try:
        if handler is None:
            raise Refusal(404, "NotFound", f"The control API has no {method} '{noun}'.")
        if not isinstance(body, Mapping | None):
            raise invalid_content("an object is expected")
        if noun.casefold() == "clusters" and "kubernetes" in rest:
            return ask_kubernetes(emulator, method, rest, query)
        answer = Answer(200, handler(emulator, ControlRequest(method, tuple(rest), query, body or {})))
        emulator.writes += method != "GET"
        return answer
    except Refusal as refusal:
        return refusal.answer
    except UsageError as error:
        return _refused(404, "NotFound", error.message, error.help)
    except PolicyEngineError as error:
        return _refused(400, "BadRequest", error.message, error.help)
    except ValueError as error:
        return _refused(400, "BadRequest", str(error), None)


def _refused(status: int, code: str, message: str, help: str | None) -> Answer:
    """An error that also says how to mend it, in ``help``: no API of Azure's does."""
    refused = Refusal(status, code, message)
    return replace(refused.answer, body={"error": {**refused.error, **({"help": help} if help else {})}})


def _health(emulator: Emulator, request: ControlRequest) -> JSON:  # noqa: ARG001
    return {"status": "ok", "clusters": len(emulator.state.clusters), "time": stamp(emulator.settle())}


def _clock(emulator: Emulator, request: ControlRequest) -> JSON:  # noqa: ARG001
    return {
        "now": stamp(emulator.settle()),
        "mode": emulator.clock.mode,
        "wallTime": stamp(emulator.clock.wall_now()),
    }


def _set_clock(emulator: Emulator, request: ControlRequest) -> JSON:
    if not {"advance", "mode"} & set(request.body):
        raise ConfigError("the clock is told nothing", help="say `advance`, `mode`, or both")
    by = parse_duration(request.body.get("advance") or 0)
    if "mode" in request.body:
        emulator.clock.set_mode(str(request.body["mode"]))
    emulator.advance(by)
    return _clock(emulator, request)


def _journal(emulator: Emulator, request: ControlRequest) -> JSON:
    return {"value": [entry.document() for entry in emulator.journal.entries(request.query.get("method"))]}


def _clear_journal(emulator: Emulator, request: ControlRequest) -> JSON:  # noqa: ARG001
    emulator.journal.clear()
    return {"value": []}


def _sources(emulator: Emulator, request: ControlRequest) -> JSON:  # noqa: ARG001
    return {"value": [source.document() for source in emulator.scripts.all()]}


def _script_source(emulator: Emulator, request: ControlRequest) -> JSON:
    return emulator.script_source(request.body).document()


def _forget_source(emulator: Emulator, request: ControlRequest) -> JSON:
    emulator.forget_source(request.query.get("url", ""))
    return _sources(emulator, request)


def _versions(emulator: Emulator, request: ControlRequest) -> JSON:
    type, train = request.query.get("type", "microsoft.flux"), request.query.get("train", "Stable")
    return _told_versions(emulator, type, train)


def _told_versions(emulator: Emulator, type: str, train: str) -> dict[str, JSON]:
    versions = emulator.catalogue.versions(type, train)
    dates = {v: {n: stamp(at) for n, at in emulator.catalogue.arrivals(type, train, v).items()} for v in versions}
    arrivals = {version: found for version, found in dates.items() if found}
    return {"type": type, "train": train, "versions": list(versions), "arrivals": arrivals}


def _publish(emulator: Emulator, request: ControlRequest) -> JSON:
    type, train = str(request.body.get("type") or "microsoft.flux"), str(request.body.get("train") or "Stable")
    version = str(request.body.get("version") or "")
    if not is_version(version):
        raise ConfigError(f"`{version}` is no `version` that can appear", help="write it like `1.20.0`")
    locations = mapping(request.body.get("locations"), "`locations`", "write it like `westeurope: 2d`")
    arrivals = {str(name): length(delay, f"`locations.{name}`") for name, delay in locations.items()}
    emulator.publish_version(type, train, version, arrivals)
    return _told_versions(emulator, type, train)


def _faults(emulator: Emulator, request: ControlRequest) -> JSON:  # noqa: ARG001
    return {"value": [fault.document() for fault in emulator.faults.pending()]}


def _add_fault(emulator: Emulator, request: ControlRequest) -> JSON:
    return emulator.add_fault(request.body).document()


def _clear_faults(emulator: Emulator, request: ControlRequest) -> JSON:
    emulator.faults.clear()
    return _faults(emulator, request)


def _graph(emulator: Emulator, request: ControlRequest) -> JSON:  # noqa: ARG001
    return {"lag": f"{emulator.graph.lag.total_seconds():g}s"}


def _set_graph(emulator: Emulator, request: ControlRequest) -> JSON:
    emulator.graph.lag = length(request.body.get("lag") or 0, "`lag`")
    return _graph(emulator, request)


def _principals(emulator: Emulator, request: ControlRequest) -> JSON:  # noqa: ARG001
    return {"value": [_principal(known) for known in emulator.principals.all()]}


def _add_principal(emulator: Emulator, request: ControlRequest) -> JSON:
    return _principal(emulator.principals.add(request.body))


def _principal(principal: Principal) -> dict[str, JSON]:
    held = principal.grants
    roles = None if held is None else [{"role": role_name(g.role), "scope": g.scope.text} for g in held]
    return {"objectId": principal.object_id, "name": principal.name, "roles": roles}


def _snapshots(emulator: Emulator, request: ControlRequest) -> JSON:
    """All of them, or, below `diff`, what changed between two."""
    if request.rest:
        before, after = request.query.get("from", ""), request.query.get("to")
        return {"value": emulator.compare(before, after)}
    return {"value": [snapshot.document() for snapshot in emulator.snapshots.all()]}


def _use_snapshot(emulator: Emulator, request: ControlRequest) -> JSON:
    if len({"save", "load"} & set(request.body)) != 1:
        raise ConfigError("the snapshots are told nothing", help="say `save` or `load`, and the name of the snapshot")
    if "save" in request.body:
        return emulator.save_snapshot(str(request.body["save"])).document()
    return emulator.load_snapshot(str(request.body["load"])).document()


def _remove_snapshot(emulator: Emulator, request: ControlRequest) -> JSON:
    emulator.snapshots.remove(request.query.get("name", ""))
    return _snapshots(emulator, request)


def _reset(emulator: Emulator, request: ControlRequest) -> JSON:
    emulator.reset()
    return _health(emulator, request)


def _denials(emulator: Emulator, request: ControlRequest) -> JSON:  # noqa: ARG001
    return {"value": [denial.document() for denial in emulator.denials]}


def _add_denial(emulator: Emulator, request: ControlRequest) -> JSON:
    denial = Denial.read(request.body)
    emulator.denials.append(denial)
    return denial.document()


def _clear_denials(emulator: Emulator, request: ControlRequest) -> JSON:
    emulator.denials.clear()
    return _denials(emulator, request)


HANDLERS: Final[Mapping[tuple[str, str], ControlHandler]] = {
    ("GET", "health"): _health,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _set_clock,
    ("GET", "journal"): _journal,
    ("DELETE", "journal"): _clear_journal,
    ("GET", "clusters"): told_clusters,
    ("POST", "clusters"): change_cluster,
    ("DELETE", "clusters"): delete_object,
    ("GET", "sources"): _sources,
    ("POST", "sources"): _script_source,
    ("DELETE", "sources"): _forget_source,
    ("GET", "versions"): _versions,
    ("POST", "versions"): _publish,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "graph"): _graph,
    ("POST", "graph"): _set_graph,
    ("GET", "principals"): _principals,
    ("POST", "principals"): _add_principal,
    ("GET", "denials"): _denials,
    ("POST", "denials"): _add_denial,
    ("DELETE", "denials"): _clear_denials,
    ("GET", "snapshots"): _snapshots,
    ("POST", "snapshots"): _use_snapshot,
    ("DELETE", "snapshots"): _remove_snapshot,
    ("POST", "reset"): _reset,
}
