"""Deployments at a group and at a subscription: put, get, list, delete, validate, cancel, operations.

Source: configuration API §10. What carries them out is in `deployments`.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal, conflict
from policyengine.emulator.deployments.record import DEPLOYMENTS, Deployment
from policyengine.emulator.deployments.run import Run
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.operations import CANCELED, SUCCEEDED
from policyengine.emulator.paging import page
from policyengine.emulator.routes.deployment_bodies import keep, read_deployment
from policyengine.emulator.routes.resource_groups import find_resource_group
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Route
from policyengine.model.ids import ResourceId

MAX_NAME: Final = 64


def _put(emulator: Emulator, request: ArmRequest) -> Answer:
    id = _id(emulator, request)
    old = emulator.state.deployments.get(id.key)
    if old is not None and old.active:
        message = f"The deployment with resource id '{id}' cannot be saved, because this would overwrite an existing "
        raise Refusal(409, "DeploymentActive", f"{message}deployment which is still active.")
    deployment, sheet, world = read_deployment(emulator, request, id)
    if old is not None and old.location and old.location != deployment.location:
        message = f"Invalid deployment location '{deployment.location}'. The deployment '{id.name}' already exists in "
        raise Refusal(409, "InvalidDeploymentLocation", f"{message}location '{old.location}'.")
    keep(emulator, deployment)
    run = Run(deployment, sheet, world, partial(_complete, emulator, request, deployment))
    emulator.timeline.at(request.at, run.start)
    return Answer(201 if old is None else 200, deployment.document(), _headers(emulator, request, deployment))


def _validate(emulator: Emulator, request: ArmRequest) -> Answer:
    deployment, sheet, _ = read_deployment(emulator, request, _id(emulator, request))
    document = deployment.document()
    document["properties"]["provisioningState"] = SUCCEEDED
    document["properties"]["validatedResources"] = [{"id": entry.id.text} for entry in sheet.entries]
    return Answer(200, document)


def _complete(emulator: Emulator, request: ArmRequest, deployment: Deployment, at: datetime) -> None:
    """`Complete`: what is stored in the group and is not in the template goes."""
    if deployment.mode != "Complete" or deployment.state != SUCCEEDED:
        return
    group = ResourceId(deployment.id.text.rpartition("/providers/")[0])
    kept = {id.key for id in deployment.output_resources}
    for document in list(emulator.state.resources.below(group)):
        id = ResourceId(str(document["id"]))
        if id.parent == group and "location" in document and id.key not in kept:
            request.send("DELETE", id.text, "2021-04-01", None, at)


def _get(emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(200, _found(emulator, request).document())


def _head(emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(204 if _id(emulator, request).key in emulator.state.deployments else 404)


def _list(emulator: Emulator, request: ArmRequest) -> Answer:
    scope = _scope(emulator, request)
    place = f"{scope.key}/providers/{DEPLOYMENTS}".casefold()
    found = [d for key, d in emulator.state.deployments.items() if key.rpartition("/")[0] == place]
    wanted = request.query.get("$filter", "")
    if wanted:
        word, _, state = (part.strip(" '") for part in wanted.partition(" eq "))
        if word.casefold() != "provisioningstate":
            raise Refusal(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{wanted}' specified in the query string."
            )
        found = [d for d in found if d.state.casefold() == state.casefold()]
    documents = [d.document() for d in sorted(found, key=lambda d: d.id.key)]
    return page(request, documents, emulator.settings.page_size)


def _delete(emulator: Emulator, request: ArmRequest) -> Answer:
    """Forgets the deployment; what it made stays."""
    found = emulator.state.deployments.get(_id(emulator, request).key)
    if found is not None and found.active:
        raise conflict(f"The deployment '{found.id.name}' is still active: cancel it first.", code="DeploymentActive")
    if found is not None:
        del emulator.state.deployments[found.id.key]
    return Answer(204)


def _cancel(emulator: Emulator, request: ArmRequest) -> Answer:
    """Nothing more is begun; what runs already goes on."""
    found = _found(emulator, request)
    if not found.active:
        message = f"The deployment '{found.id.name}' cannot be cancelled, because it has ended."
        raise conflict(message, code="DeploymentCannotBeCancelled")
    found.move(CANCELED, request.at)
    return Answer(204)


def _export(emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(200, {"template": _found(emulator, request).template})


def _status(emulator: Emulator, request: ArmRequest) -> Answer:
    found = _found(emulator, request)
    if found.operation_id.casefold() != request["operation"].casefold():
        raise Refusal(404, "OperationNotFound", f"The operation '{request['operation']}' was not found.")
    return Answer(200, found.status(), _retry_after(emulator) if found.active else {})


def _operations(emulator: Emulator, request: ArmRequest) -> Answer:
    found = _found(emulator, request)
    documents = sorted((step.document(found.id) for step in found.steps), key=lambda d: str(d["id"]).casefold())
    return page(request, documents, emulator.settings.page_size)


def _operation(emulator: Emulator, request: ArmRequest) -> Answer:
    found = _found(emulator, request)
    step = next((step for step in found.steps if step.number == request["operation"].casefold()), None)
    if step is None:
        raise Refusal(404, "DeploymentOperationNotFound", f"The operation '{request['operation']}' was not found.")
    return Answer(200, step.document(found.id))


def _found(emulator: Emulator, request: ArmRequest) -> Deployment:
    found = emulator.state.deployments.get(_id(emulator, request).key)
    if found is None:
        raise Refusal(404, "DeploymentNotFound", f"Deployment '{request['name']}' could not be found.")
    return found


def _scope(emulator: Emulator, request: ArmRequest) -> ResourceId:
    if "group" in request.variables:
        return find_resource_group(emulator, request).id
    return find_subscription(emulator, request).id


def _id(emulator: Emulator, request: ArmRequest) -> ResourceId:
    name = request["name"]
    if len(name) > MAX_NAME:
        raise Refusal(
            400,
            "DeploymentNameLengthLimitExceeded",
            f"The deployment name '{name}' has {len(name)} characters and exceeds the maximum length of {MAX_NAME}.",
        )
    return _scope(emulator, request).extension(DEPLOYMENTS, name)


def _headers(emulator: Emulator, request: ArmRequest, deployment: Deployment) -> dict[str, str]:
    link = f"{request.base_url}{deployment.id}/operationStatuses/{deployment.operation_id}"
    return {"Azure-AsyncOperation": f"{link}?api-version={request.api_version}", **_retry_after(emulator)}


def _retry_after(emulator: Emulator) -> dict[str, str]:
    return {"Retry-After": str(emulator.clock.retry_after_s(emulator.settings.retry_after))}


def _routes(scope: str) -> tuple[Route, ...]:
    many = f"{scope}/providers/{DEPLOYMENTS}"
    one = f"{many}/{{name}}"
    return (
        Route(many, {"GET": _list}),
        Route(one, {"GET": _get, "HEAD": _head, "PUT": _put, "DELETE": _delete}),
        Route(f"{one}/validate", {"POST": _validate}),
        Route(f"{one}/cancel", {"POST": _cancel}),
        Route(f"{one}/exportTemplate", {"POST": _export}),
        Route(f"{one}/operationStatuses/{{operation}}", {"GET": _status}),
        Route(f"{one}/operations", {"GET": _operations}),
        Route(f"{one}/operations/{{operation}}", {"GET": _operation}),
    )


_GROUP: Final = "/subscriptions/{subscription}/resourceGroups/{group}"
ROUTES: Final = (
    *_routes(_GROUP),
    # Of a group's deployments, clients ask for the operations without the provider in the path.
    Route(f"{_GROUP}/deployments/{{name}}/operations", {"GET": _operations}),
    Route(f"{_GROUP}/deployments/{{name}}/operations/{{operation}}", {"GET": _operation}),
    *_routes("/subscriptions/{subscription}"),
)
