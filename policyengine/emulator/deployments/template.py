"""A template being carried out: the only module here that knows `policyengine.templates`.

Unlike a plan, a deployment reads what it has written itself, so its resources are evaluated one by one, each when what
it needs is there. Source: ARM template syntax; policy language §6.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol

from policyengine.emulator.deployments.parameters import is_secure, shown_type, with_secrets
from policyengine.errors import TemplateError
from policyengine.expressions.compiled import ExpressionContext
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded, is_array, walk
from policyengine.templates.compiled import sent_of
from policyengine.templates.copy import evaluated
from policyengine.templates.evaluated import with_function
from policyengine.templates.live_reads import Deferred, OnlyWhole, Reader
from policyengine.templates.nested import NestedDeployment, outputs_of
from policyengine.templates.occurrences import Occurrence, Site, occurrences, text_of
from policyengine.templates.placement import place_resource
from policyengine.templates.scope import DeploymentScope as DeploymentScope
from policyengine.templates.surroundings import section, surroundings


class NotReady(Exception):
    """An expression needs a resource of the template that is not there yet."""


class Live(Protocol):
    """What a template may ask of everything outside it. Each raises Refusal when it cannot be told."""

    def read(self, id: ResourceId, api_version: str) -> Mapping[str, JSON]: ...

    def keys(self, id: ResourceId) -> Mapping[str, JSON]: ...

    def secret(self, vault: str, name: str) -> str: ...

    def guid(self) -> str: ...

    def scope(self, id: ResourceId, name: str, at: datetime) -> DeploymentScope:
        """A subscription or group with its facts, as the place of deployment ``name``."""


@dataclass(eq=False)
class Entry:
    """A resource of a template. ``outputs`` are those of a nested deployment that has ended."""

    found: Occurrence
    id: ResourceId
    names: frozenset[str]
    depends_on: frozenset[str]
    done: bool = False
    outputs: Mapping[str, JSON] | None = None

    @property
    def is_deployment(self) -> bool:
        return self.found.header.is_deployment

    def is_on(self) -> bool:
        return self.found.is_on

    def api_version(self) -> str:
        return text_of(self.found.resource, "apiVersion", self.found.site)

    def body(self) -> dict[str, JSON]:
        body: dict[str, JSON] = evaluated(sent_of(self.found.resource), self.found.site.context, self.found.site.place)
        return body


@dataclass(eq=False)
class Sheet:
    """One template in its surroundings. ``around`` is the template whose expressions it shares, if it does."""

    live: Live
    template: Mapping[str, JSON]
    scope: DeploymentScope
    context: ExpressionContext
    place: str = ""
    around: Sheet | None = None
    entries: list[Entry] = field(default_factory=list)

    def read(self) -> Sheet:
        """Find the resources. Raises TemplateError."""
        resources = get_folded(self.template, "resources")
        if not is_array(resources):
            raise TemplateError(f"{self.place}`resources` of the template must be an array")
        self.context = with_function(self.context, "reference", self.reference)
        for found in occurrences(resources, Site(self.context, self.scope, self.place)):
            header = found.header
            id = place_resource(found.target.id, header.type, header.name) if header.is_deployment else found.id
            self.entries.append(Entry(found, id, found.names, _depends_on(found)))
        self._check_dependencies()
        for name, output in section(self.template, "outputs").items():
            if not isinstance(output, Mapping):
                raise TemplateError(f"{self.place}output `{name}` must be an object")
        return self

    def waits_for(self, entry: Entry) -> list[Entry]:
        return [other for other in self.entries if other.names & entry.depends_on]

    def reference(self, target: str, api_version: str = "", full: str = "") -> JSON:
        """`reference()`: of a resource of the template once it is there, of any other as it is now."""
        entry = self._find(target.rstrip("/").casefold())
        if entry is not None and entry.is_on() and not entry.done:
            raise NotReady(entry.id.text)
        if entry is not None and entry.is_deployment:
            properties = {"provisioningState": "Succeeded", "outputs": entry.outputs or {}}
            return {"properties": properties} if full.casefold() == "full" else properties
        version = api_version or (entry.api_version() if entry is not None else "")
        document = self.live.read(entry.id if entry is not None else _id(target), version)
        return document if full.casefold() == "full" else get_folded(document, "properties", {})

    def nested(self, entry: Entry, at: datetime) -> Sheet:
        """The template of a nested deployment. Raises TemplateError."""
        resource, site = entry.found.resource, entry.found.site
        template = walk(resource, "properties", "template")
        place = f"{site.place}.properties.template."
        if not isinstance(template, Mapping):
            raise TemplateError(f"{site.place}: a nested deployment needs its `properties.template`")
        scope = self.live.scope(ResourceId(entry.found.target.id), entry.found.header.name, at)
        inner = str(walk(resource, "properties", "expressionEvaluationOptions", "scope") or "").casefold() == "inner"
        if not inner:
            return Sheet(self.live, template, scope, site.context, place, self).read()
        given = evaluated(section(section(resource, "properties"), "parameters"), site.context, site.place)
        return opened(self.live, template, with_secrets(given, self.live.secret), scope, place)

    def outputs(self) -> dict[str, JSON]:
        """As a deployment tells them: types with a capital, secure ones without a value. Raises TemplateError."""
        found = outputs_of(NestedDeployment(self.template, self.context, self.scope), self.context, "outputs")
        return {
            name: {"type": shown_type(str(output["type"]))}
            if is_secure(output["type"])
            else {"type": shown_type(str(output["type"])), "value": output["value"]}
            for name, output in found.items()
        }

    def _find(self, name: str) -> Entry | None:
        own = next((entry for entry in self.entries if name in entry.names), None)
        return own if own is not None or self.around is None else self.around._find(name)

    def _check_dependencies(self) -> None:
        known = frozenset[str]().union(*(entry.names for entry in self.entries))
        for entry in self.entries:
            unknown = sorted(entry.depends_on - known)
            if unknown:
                raise TemplateError(
                    f"{entry.found.site.place}: depends on `{unknown[0]}`, which the template does not declare"
                )
        waiting = list(self.entries)
        while waiting:
            ready = [entry for entry in waiting if not any(other in waiting for other in self.waits_for(entry))]
            if not ready:
                names = ", ".join(f"`{entry.id.name}`" for entry in waiting)
                raise TemplateError(f"resources wait for each other in a circle: {names}")
            waiting = [entry for entry in waiting if entry not in ready]


def opened(
    live: Live, template: Mapping[str, JSON], given: Mapping[str, JSON], scope: DeploymentScope, place: str = ""
) -> Sheet:
    """``template`` with the parameters ``given``, secrets included. Raises TemplateError."""
    sheets: list[Sheet] = []

    def reference(target: str, api_version: str = "", full: str = "") -> JSON:
        """For variables, which are evaluated on behalf of the sheet."""
        return sheets[0].reference(target, api_version, full) if sheets else live.read(_id(target), api_version)

    own: dict[str, Callable[..., JSON]] = {
        "reference": reference,
        "list*": lambda target, *_: live.keys(_id(target)),
        "newguid": live.guid,
        "environment": lambda: ENVIRONMENT,
        "providers": partial(_unanswered, "providers"),
        "pickzones": partial(_unanswered, "pickZones"),
    }
    try:
        context = surroundings(template, given, scope, Reader({}, own))
        sheets.append(Sheet(live, template, scope, context, place))
        return sheets[0].read()
    except NotReady as early:
        raise TemplateError(
            f"`{early}` is read before anything is deployed, by a name, a condition or a default"
        ) from None
    except Deferred as deferred:
        reason = deferred.reason if isinstance(deferred, OnlyWhole) else "it needs a read that nobody answers"
        raise TemplateError(f"the template cannot be deployed by this emulator: {reason}") from None


ENVIRONMENT: Mapping[str, JSON] = {
    "name": "AzureCloud",
    "resourceManager": "https://management.azure.com/",
    "portal": "https://portal.azure.com",
    "suffixes": {"storage": "core.windows.net", "keyvaultDns": ".vault.azure.net"},
    "authentication": {"loginEndpoint": "https://login.microsoftonline.com/", "tenant": "common"},
}
"""What `environment()` gives, in so far as templates of clusters ask."""


def _unanswered(name: str, *_: JSON) -> JSON:
    raise TemplateError(f"`{name}()` is not answered by this emulator")


def _depends_on(found: Occurrence) -> frozenset[str]:
    site = found.site
    names = evaluated(get_folded(found.resource, "dependsOn") or [], site.context, f"{site.place}: dependsOn")
    if not is_array(names) or not all(isinstance(name, str) for name in names):
        raise TemplateError(f"{site.place}: `dependsOn` must be an array of texts")
    return frozenset(name.rstrip("/").casefold() for name in names) | found.waits_for


def _id(target: str) -> ResourceId:
    try:
        return ResourceId(target)
    except ValueError:
        raise TemplateError(f"`reference('{target}')` is neither an id nor the name of a resource here") from None
