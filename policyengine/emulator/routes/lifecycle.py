"""What extensions and Flux configurations have in common: list, get, put, patch, delete, and operation documents.

What a body may say is the rules' affair, what becomes of it the agent's. Source: configuration API §4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from policyengine.emulator.answers import Answer, ArmRequest, Refusal, conflict
from policyengine.emulator.clock import stamp
from policyengine.emulator.durations import iso_duration
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.operations import SUCCEEDED, Operation
from policyengine.emulator.paging import page
from policyengine.emulator.routes.clusters import find_cluster
from policyengine.emulator.routes.providers import check_registered
from policyengine.emulator.routing import Route
from policyengine.emulator.state import EmulatedCluster, Record
from policyengine.model.resource import AKS, ARC
from policyengine.model.values import JSON


@dataclass(frozen=True, slots=True)
class Draft:
    """A body that was read, completed and found good; its secrets set apart.

    ``forgotten`` names secrets that are to be done without.
    """

    spec: dict[str, JSON]
    secrets: dict[str, JSON]
    envelope: dict[str, JSON]
    forgotten: frozenset[str] = frozenset()

    def changes(self, record: Record) -> bool:
        """False when ``record`` says and keeps all this already."""
        known = {key.casefold() for key in record.secrets.keys}
        return self.spec != record.spec or bool(self.secrets) or any(n.casefold() in known for n in self.forgotten)


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a resource on a cluster that exists."""

    emulator: Emulator
    cluster: EmulatedCluster
    request: ArmRequest


class Rules(Protocol):
    """One resource type: what may be written, and what follows from a write."""

    @property
    def type(self) -> str: ...

    def missing(self, name: str) -> Refusal:
        """The 404 for an instance that is not there."""

    def put(self, call: Call, old: Record | None) -> Draft:
        """The whole resource as a PUT wants it. Raises Refusal."""

    def patch(self, call: Call, record: Record) -> Draft:
        """The whole resource as a PATCH leaves it. Raises Refusal."""

    def blank_status(self) -> dict[str, JSON]:
        """What only the service writes, of a resource just created."""

    def written(self, call: Call, record: Record) -> None:
        """Called after every accepted write, before the agent hears of it."""


def routes_for(rules: Rules) -> tuple[Route, ...]:
    """The rows of the table for one type, on both kinds of cluster."""
    return (*_routes(Lifecycle(rules, AKS)), *_routes(Lifecycle(rules, ARC)))


def create(rules: Rules, call: Call, draft: Draft, name: str) -> tuple[Record, Operation]:
    """Add a resource; the agent hears of it."""
    record = Record(
        id=call.cluster.id.extension(rules.type, name),
        type=rules.type,
        spec=draft.spec,
        status=rules.blank_status(),
        envelope=draft.envelope,
        system_data=system_data(call.request, {}),
    )
    record.secrets.put(draft.secrets)
    call.cluster.add(record)
    return record, _begin(rules, call, record, "Creating")


def update(rules: Rules, call: Call, record: Record, draft: Draft) -> Operation:
    """A new generation of ``record``; the agent hears of it."""
    record.generation += 1
    record.spec, record.envelope = draft.spec, draft.envelope
    record.secrets.forget(draft.forgotten)
    record.secrets.put(draft.secrets)
    record.system_data = system_data(call.request, record.system_data)
    return _begin(rules, call, record, "Updating")


class Lifecycle:
    """The handlers of one resource type on one kind of cluster."""

    def __init__(self, rules: Rules, cluster_type: str) -> None:
        self.rules = rules
        self.cluster_type = cluster_type

    def list(self, emulator: Emulator, request: ArmRequest) -> Answer:
        cluster = self._call(emulator, request).cluster
        values = [record.document() for record in cluster.of_type(self.rules.type)]
        return page(request, values, emulator.settings.page_size)

    def get(self, emulator: Emulator, request: ArmRequest) -> Answer:
        return Answer(200, self._existing(self._call(emulator, request)).document())

    def operation(self, emulator: Emulator, request: ArmRequest) -> Answer:
        call = self._call(emulator, request)
        resource = call.cluster.id.extension(self.rules.type, request["name"])
        operation = emulator.operations.find(resource, request["operation"], request.at)
        if operation is None:
            message = f"The operation '{request['operation']}' was not found."
            raise Refusal(404, "OperationNotFound", message, cause="service")
        return Answer(200, operation.document(), _retry_after(emulator) if operation.running else {})

    def put(self, emulator: Emulator, request: ArmRequest) -> Answer:
        call = self._call(emulator, request)
        old = call.cluster.find(self.rules.type, request["name"])
        if old is None:
            record, operation = create(self.rules, call, self.rules.put(call, None), request["name"])
            return _accepted(call, record, operation, 201)
        _refuse_busy(emulator, old)
        operation = update(self.rules, call, old, self.rules.put(call, old))
        return _accepted(call, old, operation, 200)

    def patch(self, emulator: Emulator, request: ArmRequest) -> Answer:
        call = self._call(emulator, request)
        record = self._existing(call)
        _refuse_busy(emulator, record)
        draft = self.rules.patch(call, record)
        if not draft.changes(record) and record.provisioning_state == SUCCEEDED:
            return Answer(200, record.document())
        operation = update(self.rules, call, record, draft)
        return _accepted(call, record, operation, 202)

    def delete(self, emulator: Emulator, request: ArmRequest) -> Answer:
        """With `forceDelete` the Azure resource goes without waiting for the agent."""
        call = self._call(emulator, request)
        record = call.cluster.find(self.rules.type, request["name"])
        if record is None:
            return Answer(204)
        operation = _depart(call, record)
        if request.query.get("forcedelete", "").casefold() == "true":
            call.cluster.remove(record)
            emulator.provisioning.removed(record, request.at)
            return Answer(200)
        if emulator.settings.gone_at_once:
            call.cluster.remove(record)
        return Answer(202, None, _operation_headers(call, operation, emulator.settings.delete_timeout))

    def _call(self, emulator: Emulator, request: ArmRequest) -> Call:
        cluster = find_cluster(emulator, request, self.cluster_type)
        check_registered(emulator, request["subscription"])
        return Call(emulator, cluster, request)

    def _existing(self, call: Call) -> Record:
        record = call.cluster.find(self.rules.type, call.request["name"])
        if record is None:
            raise self.rules.missing(call.request["name"])
        return record


def _routes(lifecycle: Lifecycle) -> tuple[Route, ...]:
    group = "/subscriptions/{subscription}/resourceGroups/{group}"
    many = f"{group}/providers/{lifecycle.cluster_type}/{{cluster}}/providers/{lifecycle.rules.type}"
    verbs = {"GET": lifecycle.get, "PUT": lifecycle.put, "PATCH": lifecycle.patch, "DELETE": lifecycle.delete}
    return (
        Route(many, {"GET": lifecycle.list}),
        Route(f"{many}/{{name}}", verbs),
        Route(f"{many}/{{name}}/operations/{{operation}}", {"GET": lifecycle.operation}),
    )


def _refuse_busy(emulator: Emulator, record: Record) -> None:
    if record.deleting:
        raise conflict(f"'{record.name}' is being deleted.")
    if emulator.settings.refuse_concurrent_writes and not record.settled:
        raise conflict(f"Another operation is in progress on '{record.name}'.", code="OperationInProgress")


def _begin(rules: Rules, call: Call, record: Record, state: str) -> Operation:
    emulator, at = call.emulator, call.request.at
    rules.written(call, record)
    operation = emulator.provisioning.begin(call.cluster, record, state, at, emulator.settings.write_timeout)
    emulator.agents.wake(call.cluster, at)
    return operation


def _depart(call: Call, record: Record) -> Operation:
    emulator, at = call.emulator, call.request.at
    emulator.provisioning.cancel(record, at)
    operation = emulator.provisioning.begin(call.cluster, record, "Deleting", at, emulator.settings.delete_timeout)
    if record not in call.cluster.departing:
        call.cluster.departing.append(record)
    emulator.agents.wake(call.cluster, at)
    return operation


def system_data(request: ArmRequest, old: Mapping[str, JSON]) -> dict[str, JSON]:
    """Who made it, as ``old`` says when it is there, and who changed it last."""
    now = {"By": request.principal, "ByType": "Application", "At": stamp(request.at)}
    created = {f"created{name}": value for name, value in now.items()}
    return {**(old or created), **{f"lastModified{name}": value for name, value in now.items()}}


def _accepted(call: Call, record: Record, operation: Operation, status: int) -> Answer:
    headers = _operation_headers(call, operation, call.emulator.settings.write_timeout)
    return Answer(status, record.document(), headers)


def _operation_headers(call: Call, operation: Operation, timeout: timedelta) -> dict[str, str]:
    link = f"{call.request.base_url}{operation.path}?api-version={call.request.api_version}"
    return {
        "Azure-AsyncOperation": link,
        "Operation-Location": operation.path,
        "x-ms-async-operation-timeout": iso_duration(timeout),
        **_retry_after(call.emulator),
    }


def _retry_after(emulator: Emulator) -> dict[str, str]:
    return {"Retry-After": str(emulator.clock.retry_after_s(emulator.settings.retry_after))}
