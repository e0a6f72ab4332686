"""Our PolicyDefinition documents: Azure's language under `policyRule`, or the short form.

Source: experience, "Policy file format".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from policyengine.expressions.compiled import compile_value, constant
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.details import check_effect_parameter, parse_then
from policyengine.language.documents import Parameter, PolicyDefinition
from policyengine.language.fields import Fields, first_line
from policyengine.language.metadata import METADATA_KEYS, parse_metadata
from policyengine.language.parameters import parse_parameters
from policyengine.language.problems import Problems
from policyengine.language.rule import NEVER, parse_logic
from policyengine.language.scalars import check_parameter_names, references_of
from policyengine.language.short_form import parse_applies_to, parse_require
from policyengine.language.syntax import AllOf, Logic, Then
from policyengine.text.nodes import MappingNode

_NOT_YET: Final = ("remediation", "resourceSelectors", "externalEvaluationEnforcementSettings")


def parse_definition(document: Fields, aliases: AliasCatalogue) -> PolicyDefinition:
    """A document of kind PolicyDefinition."""
    metadata = parse_metadata(document)
    spec = document.inner("spec", "the spec of a PolicyDefinition")
    if spec is None:
        document.missing("spec")
        spec = Fields(MappingNode((), document.node.span), "an empty spec", Problems())
    parameters = parse_parameters(spec.mapping("parameters"), spec.problems)
    condition, then, own = _parse_spec(spec, aliases, parameters)
    check_effect_parameter(then, parameters, spec.problems)
    definition = PolicyDefinition(
        name=metadata.name,
        condition=condition,
        then=then,
        rule=own,
        parameters=parameters,
        display_name=metadata.display_name,
        description=metadata.description,
        version=metadata.version,
        mode=spec.optional_text("mode"),
        category=metadata.category,
        severity=metadata.severity,
        owner=metadata.owner,
        runbook=metadata.runbook,
        controls=metadata.controls,
        depends_on=references_of(spec, "dependsOn"),
        non_compliance_message=spec.optional_text("nonComplianceMessage"),
        metadata=metadata.everything,
        span=metadata.span,
    )
    spec.not_yet(*_NOT_YET)
    spec.close({"metadata": METADATA_KEYS})
    for name in ("when", "require", "policyRule"):
        if (node := spec.node.get(name)) is not None:
            check_parameter_names(node, parameters, spec.problems)
    return definition


def _parse_spec(
    spec: Fields, aliases: AliasCatalogue, parameters: Mapping[str, Parameter]
) -> tuple[Logic, Then, Logic | None]:
    """`appliesTo` and `when`, and-ed to the `if` of a `policyRule` when there is one; last, that `if` alone."""
    own: Logic | None = None
    scope, when = parse_applies_to(spec), spec.take("when")
    conditions = [scope] if scope else []
    if when is not None:
        conditions.append(parse_logic(when, spec.problems))
    require, rule = spec.mapping("require"), spec.mapping("policyRule")
    if require is not None:
        then = _parse_require(require, spec, aliases, parameters)
    elif rule is not None:
        own, then = parse_rule(Fields(rule, "`policyRule`", spec.problems))
        conditions.append(own)
    else:
        spec.missing("policyRule", "or write the short form, with `appliesTo` and `require`")
        then = Then(constant("disabled"))
    if require is None and (reconciled := spec.entry("reconciled")):
        message = "`reconciled` goes with `require.fluxConfiguration`"
        spec.problems.error("unknown-key", message, reconciled.key.span)
    return _all_of(conditions), then, own


def _parse_require(
    require: MappingNode, spec: Fields, aliases: AliasCatalogue, parameters: Mapping[str, Parameter]
) -> Then:
    """The effect is the parameter `effect` when one is declared, else deployIfNotExists."""
    if (rule := spec.node.entry("policyRule")) is not None:
        message = "a definition has `require` or `policyRule`, not both"
        spec.problems.error("unknown-key", message, rule.key.span)
    if spec.node.entry("appliesTo") is None:
        spec.missing("appliesTo", "write `appliesTo: [aks, arc]`")
    details = parse_require(require, spec, aliases)
    effect = "[parameters('effect')]" if "effect" in parameters else "deployIfNotExists"
    return Then(compile_value(effect), details, span=first_line(require))


def _all_of(conditions: Sequence[Logic]) -> Logic:
    if not conditions:
        return NEVER
    return conditions[0] if len(conditions) == 1 else AllOf(tuple(conditions), conditions[0].span)


def parse_rule(rule: Fields) -> tuple[Logic, Then]:
    """`{if, then}`, Azure's or ours."""
    condition = rule.take("if")
    then = rule.take("then")
    for name, node in (("if", condition), ("then", then)):
        if node is None:
            rule.missing(name)
    rule.close()
    return parse_logic(condition, rule.problems) if condition else NEVER, parse_then(then, rule)
