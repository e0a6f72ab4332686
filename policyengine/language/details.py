"""`then`: the effect and its details. Source: policy language §6."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from policyengine.expressions.compiled import CompiledValue
from policyengine.language.documents import Parameter
from policyengine.language.fields import Fields, first_line
from policyengine.language.modifications import parse_append, parse_modify
from policyengine.language.problems import Problems
from policyengine.language.rule import parse_logic
from policyengine.language.scalars import compile_node
from policyengine.language.syntax import Deployment, ExistenceDetails, Modification, Then
from policyengine.model.diagnostic import Span, did_you_mean
from policyengine.model.values import UNDEFINED
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, describe, to_value

EFFECTS: Final = (
    *("addToNetworkGroup", "append", "audit", "auditIfNotExists", "deny", "denyAction", "deployIfNotExists"),
    *("disabled", "manual", "modify", "mutate"),
    *("auditAction", "enforceRegoPolicy", "enforceSetting"),  # legacy, still in built-ins
)
"""Every effect Azure Policy has; which of them this release acts on is known in `effects/`."""

_CONTAINERS: Final = {"ResourceGroup": "ResourceGroup", "Subscription": "Subscription"}
_EFFECT_PARAMETER: Final = re.compile(r"\[\s*parameters\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
_IF_NOT_EXISTS: Final = {"auditifnotexists", "deployifnotexists"}
_CHANGING: Final = {"append", "modify"}


def parse_then(node: Node | None, rule: Fields) -> Then:
    problems = rule.problems
    if not isinstance(node, MappingNode):
        if node is not None:
            rule.wrong_type(node, "`then`", "a mapping")
        return Then(effect=compile_node(_nothing(rule.node.span), problems))
    fields = Fields(node, "`then`", problems)
    effect = _parse_effect(fields)
    details = fields.take("details")
    fields.close()
    if effect.is_constant and str(effect.constant).casefold() in _IF_NOT_EXISTS:
        _check_details(fields, details, str(effect.constant))
    if details is None and effect.is_constant and str(effect.constant).casefold() in _CHANGING:
        fields.missing("details", f"`{effect.constant}` says there what it changes")
    typed = None
    if isinstance(details, MappingNode) and details.get("type") is not None:
        typed = parse_existence(details, problems)
    raw = None if details is None else to_value(details)
    return Then(effect, typed, raw, first_line(node), _parse_modification(details, problems))


def _parse_modification(details: Node | None, problems: Problems) -> Modification | None:
    if isinstance(details, SequenceNode):
        return parse_append(details, problems)
    if isinstance(details, MappingNode) and details.get("operations") is not None:
        return parse_modify(details, problems)
    return None


def _nothing(span: Span) -> ScalarNode:
    return ScalarNode(None, span)


def _parse_effect(fields: Fields) -> CompiledValue:
    node = fields.take("effect")
    if node is None:
        fields.missing("effect")
        return compile_node(_nothing(fields.node.span), fields.problems)
    effect = compile_node(node, fields.problems)
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        fields.problems.error("wrong-type", f"`effect` must be text, got {describe(node)}", first_line(node))
    elif effect.is_constant and isinstance(effect.constant, str):
        check_effect(effect.constant, node.span, fields.problems)
    return effect


def check_effect(name: str, span: Span | None, problems: Problems) -> None:
    if name.casefold() not in {effect.casefold() for effect in EFFECTS}:
        problems.error("unknown-effect", f"`{name}` is not an effect", span, did_you_mean(name, EFFECTS))


def check_effect_parameter(then: Then, parameters: Mapping[str, Parameter], problems: Problems) -> None:
    """When a parameter gives the effect, its default and its allowed values have to be effects."""
    parameter = effect_parameter(then, parameters)
    if parameter is None:
        return
    default = [] if parameter.default is UNDEFINED else [parameter.default]
    for name in (*default, *(parameter.allowed_values or ())):
        if isinstance(name, str):
            check_effect(name, parameter.span, problems)


def effect_parameter(then: Then, parameters: Mapping[str, Parameter]) -> Parameter | None:
    """The parameter that gives the effect, when nothing but a parameter does."""
    match = _EFFECT_PARAMETER.fullmatch(then.effect.source) if isinstance(then.effect.source, str) else None
    return parameters.get(match[1].casefold()) if match else None


def _check_details(then: Fields, details: Node | None, effect: str) -> None:
    if not isinstance(details, MappingNode):
        then.missing("details", f"`{effect}` names the related resource there")
        return
    wanted = ["type"] + ["deployment"] * (effect.casefold() == "deployifnotexists")
    for key in wanted:
        if details.get(key) is None:
            message = f"the details of `{effect}` need `{key}`"
            then.problems.error("missing-key", message, first_line(details))


def parse_existence(node: MappingNode, problems: Problems) -> ExistenceDetails:
    """Source: policy language §6, the rows of auditIfNotExists and deployIfNotExists; §6.3."""
    fields = Fields(node, "`details`", problems)
    type = fields.take("type")
    assert type is not None
    condition = fields.take("existenceCondition")
    details = ExistenceDetails(
        type=compile_node(type, problems),
        name=_compiled(fields, "name"),
        kind=fields.optional_text("kind"),
        resource_group_name=_compiled(fields, "resourceGroupName"),
        existence_scope=fields.choice("existenceScope", _CONTAINERS, "ResourceGroup"),
        existence_condition=parse_logic(condition, problems) if condition is not None else None,
        role_definition_ids=fields.texts("roleDefinitionIds"),
        deployment=_parse_deployment(fields),
        span=first_line(node),
    )
    fields.allow("evaluationDelay")  # it delays evaluation after a write; scans have none
    fields.close()
    return details


def _compiled(fields: Fields, name: str) -> CompiledValue | None:
    node = fields.take(name)
    return None if node is None else compile_node(node, fields.problems)


def _parse_deployment(details: Fields) -> Deployment | None:
    """Source: policy language §6.4."""
    scope = details.choice("deploymentScope", _CONTAINERS, "ResourceGroup")
    outer = details.inner("deployment", "`deployment`")
    if outer is None:
        return None
    location = _compiled(outer, "location")
    inner = outer.inner("properties", "the properties of `deployment`")
    if inner is None:
        outer.missing("properties")
        return None
    template = inner.mapping("template")
    if template is None:
        inner.missing("template", "linked templates cannot be used")
    parameters = inner.mapping("parameters")
    inner.allow("mode")
    inner.close()
    outer.close()
    return Deployment(
        template=to_value(template) if template else {},
        parameters={entry.name: _parse_argument(entry, details.problems) for entry in parameters or ()},
        location=location,
        scope=scope,
    )


def _parse_argument(entry: Entry, problems: Problems) -> CompiledValue:
    """``{value: …}`` or ``{reference: {keyVault: …}}``, kept in that shape."""
    node = entry.value
    if not isinstance(node, MappingNode) or (node.entry("value") is None and node.entry("reference") is None):
        message = f"the template's parameter `{entry.name}` needs a `value` or a `reference`"
        problems.error("missing-key", message, entry.key.span, f"write `{entry.name}: {{value: …}}`")
    return compile_node(node, problems)
