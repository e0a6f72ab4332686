"""Deployments at a group and at a subscription: put, get, list, delete, validate, cancel, operations.

Source: configuration API §10. What carries them out is in `deployments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal, conflict, invalid_content
from policyengine.emulator.deployments import parameters as deployment_parameters
from policyengine.emulator.deployments.record import DEPLOYMENTS, Deployment
from policyengine.emulator.deployments.run import Run, World
from policyengine.emulator.deployments.template import DeploymentScope, Sheet, opened
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.generic_rules import keys_of, secret_value
from policyengine.emulator.operations import CANCELED, SUCCEEDED
from policyengine.emulator.paging import page
from policyengine.emulator.routes.resource_groups import document_of as group_document
from policyengine.emulator.routes.resource_groups import find_resource_group
from policyengine.emulator.routes.subscriptions import document_of as subscription_document
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Route
from policyengine.errors import TemplateError
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, fingerprint, get_folded, walk

MAX_NAME: Final = 64
KEPT: Final = 800
"""Deployments kept at a scope: the oldest that has ended makes room."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What templates ask, answered from the state and, for reads, through the routes as the caller."""

    emulator: Emulator
    request: ArmRequest

    def read(self, id: ResourceId, api_version: str) -> Mapping[str, JSON]:
        body: Mapping[str, JSON] = self.request.send("GET", id.text, api_version, None, self.emulator.clock.now()).body
        return body

    def keys(self, id: ResourceId) -> Mapping[str, JSON]:
        self.request.caller.demand(f"{id.type}/listKeys/action", id)
        document = self.emulator.state.resources.get(id)
        if document is None:
            raise Refusal(404, "ResourceNotFound", f"The Resource '{id}' was not found.")
        return keys_of(document)

    def secret(self, vault: str, name: str) -> str:
        try:
            at, id = ResourceId(vault), deployment_parameters.vault_secret_id(vault, name)
        except ValueError:
            raise invalid_template(f"the Key Vault id '{vault}' is not a resource id") from None
        self.request.caller.demand("Microsoft.KeyVault/vaults/deploy/action", at)
        found = self.emulator.state.resources.get(id)
        value = secret_value(found) if found is not None else None
        if value is None:
            raise Refusal(
                400,
                "KeyVaultParameterReferenceSecretRetrieveFailed",
                f"The secret of KeyVault parameter cannot be retrieved: there is no secret '{name}' in '{vault}'.",
            )
        return value

    def guid(self) -> str:
        return self.emulator.identifiers.guid()

    def scope(self, id: ResourceId, name: str, at: datetime) -> DeploymentScope:
        tree = self.emulator.state.tree
        subscription = tree.subscription(id.subscription)
        if subscription is None:
            raise Refusal(404, "SubscriptionNotFound", f"The subscription '{id.subscription}' could not be found.")
        group = tree.resource_group(id)
        if group is None and id.resource_group is not None:
            message = f"Resource group '{id.resource_group}' could not be found."
            raise Refusal(404, "ResourceGroupNotFound", message)
        location = None if group is not None else get_folded(self.request.body or {}, "location")
        shown = group_document(group) if group is not None else None
        return DeploymentScope(subscription_document(subscription), shown, name, at, location)


def _put(emulator: Emulator, request: ArmRequest) -> Answer:
    id = _id(emulator, request)
    old = emulator.state.deployments.get(id.key)
    if old is not None and old.active:
        message = f"The deployment with resource id '{id}' cannot be saved, because this would overwrite an existing "
        raise Refusal(409, "DeploymentActive", f"{message}deployment which is still active.")
    deployment, sheet, world = _read(emulator, request, id)
    if old is not None and old.location and old.location != deployment.location:
        message = f"Invalid deployment location '{deployment.location}'. The deployment '{id.name}' already exists in "
        raise Refusal(409, "InvalidDeploymentLocation", f"{message}location '{old.location}'.")
    _keep(emulator, deployment)
    run = Run(deployment, sheet, world, partial(_complete, emulator, request, deployment))
    emulator.timeline.at(request.at, run.start)
    return Answer(201 if old is None else 200, deployment.document(), _headers(emulator, request, deployment))


def _validate(emulator: Emulator, request: ArmRequest) -> Answer:
    deployment, sheet, _ = _read(emulator, request, _id(emulator, request))
    document = deployment.document()
    document["properties"]["provisioningState"] = SUCCEEDED
    document["properties"]["validatedResources"] = [{"id": entry.id.text} for entry in sheet.entries]
    return Answer(200, document)


def _read(emulator: Emulator, request: ArmRequest, id: ResourceId) -> tuple[Deployment, Sheet, World]:
    """What the body asks for, checked as far as it can be before anything is done. Raises Refusal."""
    properties = walk(request.body, "properties")
    if not isinstance(properties, Mapping):
        raise invalid_content("a deployment needs 'properties'")
    template, given = _template(properties), _object(get_folded(properties, "parameters") or {}, "parameters")
    mode, location = _mode(emulator, properties, id), _location(request, id)
    live = Outside(emulator, request)
    scope = live.scope(ResourceId(id.text.rpartition("/providers/")[0]), id.name, request.at)
    try:
        sheet = opened(live, template, deployment_parameters.with_secrets(given, live.secret), scope)
    except TemplateError as error:
        raise invalid_template(error.message) from error
    deployment = _record(emulator, id, template, given, request.at, emulator.identifiers.guid())
    deployment.mode, deployment.location = mode, location
    tags = get_folded(request.body, "tags")
    deployment.tags = tags if isinstance(tags, Mapping) else None
    world = World(request.send, emulator.operations, emulator.identifiers, partial(_begin_nested, emulator, request))
    return deployment, sheet, world


def _record(
    emulator: Emulator,
    id: ResourceId,
    template: Mapping[str, JSON],
    given: Mapping[str, JSON],
    at: datetime,
    correlation: str,
) -> Deployment:
    declared = get_folded(template, "parameters") or {}
    return Deployment(
        id=id,
        mode="Incremental",
        template=template,
        parameters=deployment_parameters.shown(declared, given),
        correlation_id=correlation,
        operation_id=emulator.identifiers.guid(),
        started=at,
        template_hash=str(int(fingerprint(template)[:15], 16)),
    )


def _begin_nested(
    emulator: Emulator, request: ArmRequest, id: ResourceId, sheet: Sheet, around: Deployment, at: datetime
) -> Deployment:
    nested = _record(emulator, id, sheet.template, {}, at, around.correlation_id)
    request.caller.demand(f"{DEPLOYMENTS}/write", id)
    _keep(emulator, nested)
    return nested


def _keep(emulator: Emulator, deployment: Deployment) -> None:
    known = emulator.state.deployments
    known.pop(deployment.id.key, None)
    known[deployment.id.key] = deployment
    if len(known) <= KEPT:
        return
    beside = [d for d in known.values() if d.id.parent == deployment.id.parent]
    if len(beside) > KEPT:
        oldest = next((d for d in beside if not d.active), None)
        if oldest is not None:
            del known[oldest.id.key]


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
    found = [d for d in emulator.state.deployments.values() if d.id.parent == scope]
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


def _template(properties: Mapping[str, JSON]) -> Mapping[str, JSON]:
    template = get_folded(properties, "template")
    if get_folded(properties, "templateLink") is not None:
        raise Refusal(501, "NotImplemented", "The emulator does not serve deployments by 'templateLink'.")
    return _object(template, "template")


def _mode(emulator: Emulator, properties: Mapping[str, JSON], id: ResourceId) -> str:
    said = str(get_folded(properties, "mode") or "")
    mode = next((mode for mode in ("Incremental", "Complete") if mode.casefold() == said.casefold()), None)
    if mode is None:
        raise invalid_content(f"Error converting value '{said}' to a deployment mode: use Incremental or Complete")
    if mode == "Complete" and id.resource_group is None:
        message = "The 'Complete' mode is not supported for deployments at subscription scope."
        raise Refusal(400, "InvalidDeployment", message)
    if mode == "Complete" and any(emulator.state.clusters.ids(ResourceId(id.text.rpartition("/providers/")[0]))):
        message = (
            "The emulator does not serve deployments of mode 'Complete' to a group with clusters: it deletes none."
        )
        raise Refusal(501, "NotImplemented", message)
    return mode


def _location(request: ArmRequest, id: ResourceId) -> str | None:
    if id.resource_group is not None:
        return None
    location = get_folded(request.body, "location")
    if not isinstance(location, str) or not location:
        message = f"The 'location' property must be specified for deployment '{id.name}'."
        raise Refusal(400, "LocationRequired", message)
    return location


def _object(value: JSON, name: str) -> Mapping[str, JSON]:
    if not isinstance(value, Mapping):
        raise invalid_content(f"'{name}' must be an object")
    return value


def invalid_template(reason: str) -> Refusal:
    return Refusal(400, "InvalidTemplate", f"Deployment template validation failed: '{reason}'.")


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
