"""What a condition is evaluated on, and what its expressions can ask.

The one asymmetry that matters: a `field:` condition reads ``resource``, the function `field()` reads ``root``.
They differ inside an existence condition only. Source: policy language §4.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from policyengine.errors import ExpressionError
from policyengine.evaluation import fields
from policyengine.evaluation.masking import secrets_in
from policyengine.evaluation.paths import NO_PINS, Pins
from policyengine.evaluation.places import api_version, resource_group_value, subscription_value
from policyengine.expressions.compiled import ExpressionContext
from policyengine.expressions.limits import Effort
from policyengine.language.aliases import AliasCatalogue
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.values import JSON, Nothing

ResourceLookup: TypeAlias = Callable[[str, ResourceId], Sequence[Resource]]
"""The resources of a type in a subscription or a resource group."""


def no_other_resources(_type: str, _scope: ResourceId) -> Sequence[Resource]:
    """An inventory that holds clusters only."""
    return ()


@dataclass(frozen=True)
class Context:
    """Everything beside the document that an answer may depend on.

    ``parameters`` is keyed by the folded name; ``spellings`` gives the declared one, for JMESPath, which tells case.
    ``policy`` is what `policy()` returns. ``at`` is aware and in UTC. ``effort`` is what everything evaluated in this
    context may take together.
    """

    parameters: Mapping[str, JSON]
    tree: ScopeTree
    at: datetime
    aliases: AliasCatalogue
    cluster: Cluster | None = None
    effort: Effort = field(default_factory=Effort, compare=False)
    policy: Mapping[str, JSON] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    resources: ResourceLookup = no_other_resources
    answers: Mapping[str, JSON | Nothing] = field(default_factory=dict)
    """What `resourceGroup`, `subscription` and `requestContext` give, where somebody tells; else it is derived."""

    @property
    def now(self) -> str:
        return self.at.strftime("%Y-%m-%dT%H:%M:%SZ")

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The secrets of the cluster and of what is on it: the same for all that is asked in this context."""
        return secrets_in(*(resource.document for resource in self.around))

    @property
    def around(self) -> tuple[Resource, ...]:
        """The cluster and what is on it."""
        return () if self.cluster is None else (self.cluster.resource, *self.cluster.children)


@dataclass(frozen=True)
class Counted:
    """The member a `count` is looking at. ``name`` is folded: the counted alias, or the name of a value count."""

    name: str
    member: JSON
    is_field: bool


@dataclass(frozen=True)
class Subject:
    """One resource to test, the resource of the `if`, and the counts that are under way, innermost last."""

    resource: Resource
    root: Resource
    context: Context
    pins: Pins = field(default_factory=dict)
    counted: tuple[Counted, ...] = ()

    @classmethod
    def of(cls, resource: Resource, context: Context) -> Subject:
        """The subject of an `if`: the resource is its own root."""
        return cls(resource, resource, context)

    def counting(self, counted: Counted, pins: Pins) -> Subject:
        return Subject(self.resource, self.root, self.context, pins, (*self.counted, counted))

    @cached_property
    def expression_context(self) -> ExpressionContext:
        return expression_context(self)

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The secrets an answer could carry."""
        around = set(map(id, self.context.around))
        beside = (resource.document for resource in (self.resource, self.root) if id(resource) not in around)
        return self.context.secrets | secrets_in(*beside)

    @cached_property
    def document(self) -> Mapping[str, JSON]:
        """What JMESPath sees as ``@``: the resource, and beside its own members what surrounds it."""
        return {**_surroundings(self), **self.resource.document}


def expression_context(subject: Subject) -> ExpressionContext:
    """The functions only the subject can answer. Source: policy language §5.4, "Policy-only"."""
    context = subject.context
    return ExpressionContext(
        functions={
            "field": lambda name: _field(subject, name),
            "current": lambda *name: _current(subject, *name),
            "parameters": lambda name: parameter(context.parameters, name),
            "resourcegroup": lambda: _resource_group(subject),
            "subscription": lambda: _subscription(subject),
            "policy": lambda: dict(context.policy),
            "requestcontext": lambda: _request(subject),
        },
        at=context.at,
        effort=context.effort,
    )


def _request(subject: Subject) -> JSON:
    told = subject.context.answers.get("requestContext")
    return {"apiVersion": api_version(subject.root), "identity": None, **(told if isinstance(told, Mapping) else {})}


def _resource_group(subject: Subject) -> JSON | Nothing:
    answers = subject.context.answers
    if "resourceGroup" in answers:
        return answers["resourceGroup"]
    return resource_group_value(subject.root.id, subject.context.tree)


def _subscription(subject: Subject) -> JSON | Nothing:
    answers = subject.context.answers
    if "subscription" in answers:
        return answers["subscription"]
    return subscription_value(subject.root.id, subject.context.tree)


def parameter(parameters: Mapping[str, JSON], name: JSON) -> JSON:
    """What `parameters('name')` gives. Raises ExpressionError for a name that is not declared."""
    if isinstance(name, str) and name.casefold() in parameters:
        return parameters[name.casefold()]
    raise ExpressionError(f"parameter `{name}` is not declared", help=did_you_mean(str(name), parameters))


def _field(subject: Subject, name: JSON) -> JSON:
    if not isinstance(name, str):
        raise ExpressionError("`field()` takes the name of a field, a text")
    pins = subject.pins if subject.root is subject.resource else NO_PINS
    selection = fields.read(name, subject.root, subject.context.aliases, pins)
    return fields.as_value(selection)


def _current(subject: Subject, *names: JSON) -> JSON:
    if not subject.counted:
        raise ExpressionError("`current()` has a meaning only inside the `where` of a `count`")
    if not names:
        return subject.counted[-1].member
    name = str(names[0])
    for counted in reversed(subject.counted):
        if counted.name == name.casefold():
            return counted.member
        if counted.is_field and name.casefold().startswith(counted.name + "."):
            return fields.read_current(name, subject.resource, subject.context.aliases, subject.pins)
    known = did_you_mean(name, [counted.name for counted in subject.counted])
    raise ExpressionError(f"`current('{name}')` names no count around it", help=known)


def _surroundings(subject: Subject) -> dict[str, JSON]:
    context, id = subject.context, subject.root.id
    cluster = context.cluster
    return {
        "cluster": subject.root.document,
        "related": {
            "extensions": [r.document for r in cluster.extensions] if cluster else [],
            "fluxConfigurations": [r.document for r in cluster.flux_configurations] if cluster else [],
        },
        "subscription": _subscription(subject) or None if id.subscription else None,
        "resourceGroup": _resource_group(subject) or None if id.resource_group else None,
        "managementGroups": [
            {"id": g.id.text, "name": g.name, "displayName": g.display_name}
            for g in context.tree.management_groups_above(id)
        ],
        "parameters": {context.spellings.get(name, name): value for name, value in context.parameters.items()},
        "now": context.now,
    }
