"""Flux v1 configurations on a cluster: list, get, put, delete, none of them long-running. Source: configuration API §1.

New ones have not been accepted since 2024: a setting brings that time back.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Final

from policyengine.emulator import source_control_rules as rules
from policyengine.emulator.answers import Answer, ArmRequest, Refusal, invalid_content, validation_failed
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.flux_rules import check_name
from policyengine.emulator.paging import page
from policyengine.emulator.routes.clusters import find_cluster
from policyengine.emulator.routes.lifecycle import system_data
from policyengine.emulator.routes.providers import check_registered
from policyengine.emulator.routing import Route
from policyengine.emulator.shapes import complete, read, split_secrets
from policyengine.emulator.source_control_rules import SOURCE_CONTROL_CONFIGURATIONS
from policyengine.emulator.state import EmulatedCluster, Record
from policyengine.model.resource import AKS, ARC
from policyengine.model.values import JSON, get_folded


def _list(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    cluster = _cluster(type, emulator, request)
    values = [record.document() for record in cluster.of_type(SOURCE_CONTROL_CONFIGURATIONS)]
    return page(request, values, emulator.settings.page_size)


def _get(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    record = _cluster(type, emulator, request).find(SOURCE_CONTROL_CONFIGURATIONS, request["name"])
    if record is None:
        message = f"SourceControlConfiguration with name '{request['name']}' not found."
        raise Refusal(404, "ResourceNotFound", message, cause="service")
    return Answer(200, record.document())


def _put(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    cluster = _cluster(type, emulator, request)
    check_name(request["name"])
    old = cluster.find(SOURCE_CONTROL_CONFIGURATIONS, request["name"])
    if old is None and not emulator.settings.allow_flux_v1:
        raise validation_failed(
            "Creating new sourceControlConfigurations (Flux v1) is not supported since 2024-01-01: "
            "use fluxConfigurations."
        )
    spec, secrets = _read(request)
    record = old or Record(
        id=cluster.id.extension(SOURCE_CONTROL_CONFIGURATIONS, request["name"]),
        type=SOURCE_CONTROL_CONFIGURATIONS,
        spec=spec,
        status=copy.deepcopy(dict(rules.BLANK_STATUS)),
        envelope={},
        system_data={},
        generation=0,
    )
    record.spec, record.generation = spec, record.generation + 1
    record.system_data = system_data(request, record.system_data)
    record.secrets.put(secrets)
    _hand_over(emulator, cluster, record, request)
    return Answer(201 if old is None else 200, record.document())


def _delete(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    cluster = _cluster(type, emulator, request)
    record = cluster.find(SOURCE_CONTROL_CONFIGURATIONS, request["name"])
    if record is None:
        return Answer(204)
    cluster.remove(record)
    return Answer(200)


def _cluster(type: str, emulator: Emulator, request: ArmRequest) -> EmulatedCluster:
    cluster = find_cluster(emulator, request, type)
    check_registered(emulator, request["subscription"])
    return cluster


def _read(request: ArmRequest) -> tuple[dict[str, JSON], dict[str, JSON]]:
    if not isinstance(request.body, Mapping):
        raise invalid_content("an object is expected")
    sent = read(rules.PROPERTIES, get_folded(request.body, "properties"), "properties") or {}
    public, secrets = split_secrets(rules.PROPERTIES, sent)
    spec = complete(rules.PROPERTIES, public)
    rules.check(spec)
    spec.setdefault("operatorInstanceName", request["name"])
    return spec, secrets


def _hand_over(emulator: Emulator, cluster: EmulatedCluster, record: Record, request: ArmRequest) -> None:
    """The agent takes it at its next poll, however long that is away."""
    record.public_key = record.public_key or emulator.identifiers.public_key()
    record.status["repositoryPublicKey"] = record.public_key if rules.uses_key_pair(record) else ""
    cluster.add(record)
    cluster.outbox.append(partial(rules.apply, cluster, record, record.generation))
    emulator.agents.wake(cluster, request.at)


def _routes(type: str) -> tuple[Route, ...]:
    group = "/subscriptions/{subscription}/resourceGroups/{group}"
    many = f"{group}/providers/{type}/{{cluster}}/providers/{SOURCE_CONTROL_CONFIGURATIONS}"
    return (
        Route(many, {"GET": partial(_list, type)}),
        Route(
            f"{many}/{{name}}",
            {"GET": partial(_get, type), "PUT": partial(_put, type), "DELETE": partial(_delete, type)},
        ),
    )


ROUTES: Final = (*_routes(AKS), *_routes(ARC))
