"""What a deployment is asked to be: its body read and checked, and what its template asks of the world.

Source: configuration API §10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from policyengine.emulator.answers import ArmRequest, Refusal, invalid_content
from policyengine.emulator.deployments import parameters as deployment_parameters
from policyengine.emulator.deployments.record import DEPLOYMENTS, Deployment
from policyengine.emulator.deployments.run import World
from policyengine.emulator.deployments.template import DeploymentScope, Sheet, opened
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.generic_rules import keys_of, secret_value
from policyengine.emulator.routes.resource_groups import document_of as group_document
from policyengine.emulator.routes.subscriptions import document_of as subscription_document
from policyengine.errors import TemplateError
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, fingerprint, get_folded, walk

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


def read_deployment(emulator: Emulator, request: ArmRequest, id: ResourceId) -> tuple[Deployment, Sheet, World]:
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
    keep(emulator, nested)
    return nested


def keep(emulator: Emulator, deployment: Deployment) -> None:
    known = emulator.state.deployments
    known.pop(deployment.id.key, None)
    known[deployment.id.key] = deployment
    if len(known) <= KEPT:
        return
    place = deployment.id.key.rpartition("/")[0]
    beside = [d for key, d in known.items() if key.rpartition("/")[0] == place]
    if len(beside) > KEPT:
        oldest = next((d for d in beside if not d.active), None)
        if oldest is not None:
            del known[oldest.id.key]


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
