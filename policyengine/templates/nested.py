"""`Microsoft.Resources/deployments` inside a template: where it goes, and what its expressions see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policyengine.errors import TemplateError
from policyengine.expressions.compiled import ExpressionContext
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded, walk
from policyengine.templates.copy import array_of, evaluated
from policyengine.templates.live_reads import OnlyWhole, Reader
from policyengine.templates.scope import DeploymentScope
from policyengine.templates.surroundings import section, surroundings

DEPLOYMENTS = "Microsoft.Resources/deployments"


@dataclass(frozen=True, slots=True)
class NestedDeployment:
    """A template ready to be expanded: resources go to ``scope``, expressions are evaluated in ``context``."""

    template: Mapping[str, JSON]
    context: ExpressionContext
    scope: DeploymentScope
    is_inner: bool = True


def target_of(
    resource: Mapping[str, JSON], name: str, context: ExpressionContext, scope: DeploymentScope, place: str
) -> DeploymentScope:
    """Where the nested deployment ``name`` goes: its `subscriptionId` and `resourceGroup`, or its `scope`."""
    if get_folded(resource, "scope") is not None:
        return _by_scope(evaluated(get_folded(resource, "scope"), context, f"{place}: scope"), name, scope, place)
    subscription = _text(resource, "subscriptionId", context, place)
    group = _text(resource, "resourceGroup", context, place)
    return scope.retargeted(name=name, subscription=subscription, resource_group=group)


def open_nested(
    resource: Mapping[str, JSON], context: ExpressionContext, target: DeploymentScope, reader: Reader, place: str
) -> NestedDeployment:
    """The nested template with its surroundings.

    With `expressionEvaluationOptions.scope: inner` it has parameters and variables of its own; otherwise its
    expressions are those of the template around it, also `resourceGroup()`. Source: policy language §6.4.
    """
    template = walk(resource, "properties", "template")
    if walk(resource, "properties", "templateLink") is not None:
        raise OnlyWhole("it links to a template that only Resource Manager reads")
    if not isinstance(template, Mapping):
        raise TemplateError(f"{place}: a nested deployment needs its `properties.template`")
    mode = str(walk(resource, "properties", "mode") or "Incremental")
    if mode.casefold() != "incremental":
        raise TemplateError(f"{place}: the mode `{mode}` is not supported", help="only `Incremental` deletes nothing")
    if str(walk(resource, "properties", "expressionEvaluationOptions", "scope") or "").casefold() != "inner":
        return NestedDeployment(template, context, target, is_inner=False)
    given = evaluated(section(section(resource, "properties"), "parameters"), context, f"{place}: parameters")
    try:
        return NestedDeployment(template, surroundings(template, given, target, reader), target)
    except TemplateError as error:
        raise TemplateError(f"{place}: {error.message}", help=error.help) from error


def outputs_of(deployment: NestedDeployment, context: ExpressionContext, place: str) -> dict[str, JSON]:
    """``{name: {"type": …, "value": …}}``, as `reference()` shows them; an unmet condition leaves one out."""
    found: dict[str, JSON] = {}
    for name, declared in section(deployment.template, "outputs").items():
        where = f"{place}: output `{name}`"
        if evaluated(get_folded(declared, "condition", True), context, where) is not False:
            loop = get_folded(declared, "copy")
            value = array_of(loop, context, where, name) if loop else evaluated(walk(declared, "value"), context, where)
            found[name] = {"type": walk(declared, "type"), "value": value}
    return found


def _text(resource: Mapping[str, JSON], key: str, context: ExpressionContext, place: str) -> str | None:
    value = evaluated(get_folded(resource, key), context, f"{place}: {key}")
    if value is not None and (not isinstance(value, str) or not value):
        raise TemplateError(f"{place}: `{key}` must be a text")
    return value


def _by_scope(text: JSON, name: str, scope: DeploymentScope, place: str) -> DeploymentScope:
    try:
        id = ResourceId(text if isinstance(text, str) else "")
    except ValueError as error:
        raise TemplateError(f"{place}: the deployment's `scope` must be an id") from error
    if id.subscription is None:
        raise TemplateError(f"{place}: deployments above a subscription are not supported by this release")
    return scope.retargeted(name=name, subscription=id.subscription, resource_group=id.resource_group)
