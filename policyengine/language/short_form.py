"""`appliesTo`, `require` and `reconciled` → the rule Azure would have: condition, existence condition, deployment.

The desired object is declared once. What is compared and what is written are both derived from it, so they cannot
drift apart. Source: experience, "Policy file format", "Meaning of `require`".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policyengine.expressions.compiled import CompiledValue, constant, is_expression
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.language.aliases import AliasCatalogue, format_path
from policyengine.language.fields import Fields, first_line
from policyengine.language.problems import Problems
from policyengine.language.require_checks import check_extension, check_flux_configuration
from policyengine.language.require_deployment import TARGETS, Target, compile_checked, derive_deployment
from policyengine.language.require_schema import conform
from policyengine.language.rule import parse_logic
from policyengine.language.scalars import compile_node, duration_of
from policyengine.language.secrets import PROTECTED_SETTINGS
from policyengine.language.syntax import (
    AllOf,
    AnyOf,
    Condition,
    Desired,
    ExistenceDetails,
    Field,
    JMESPath,
    Logic,
)
from policyengine.model.diagnostic import Span, did_you_mean
from policyengine.model.resource import CLUSTER_TYPES, EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.values import JSON
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, to_value

CONTRIBUTOR: Final = "/providers/microsoft.authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"

_DAY_S: Final = 86_400


def parse_applies_to(fields: Fields) -> Logic | None:
    """`appliesTo: [aks, arc]`, or one of them alone; a full resource type will do too."""
    entry = fields.entry("appliesTo")
    if entry is None:
        return None
    items = entry.value.items if isinstance(entry.value, SequenceNode) else (entry.value,)
    types = [type for item in items if (type := _cluster_type(item, fields.problems))]
    if not items:
        fields.problems.error("empty-logic", "`appliesTo` names no kind of cluster", entry.span)
    return _compare("type", "in", constant(types), entry.span)


def _cluster_type(node: Node, problems: Problems) -> str | None:
    text = node.value if isinstance(node, ScalarNode) else None
    if isinstance(text, str) and "/" in text:
        return text
    type = CLUSTER_TYPES.get(text.casefold()) if isinstance(text, str) else None
    if type is None:
        help = (did_you_mean(text, CLUSTER_TYPES) if isinstance(text, str) else None) or "choose `aks`, `arc` or both"
        problems.error("unknown-value", f"`{to_value(node)}` is not a kind of cluster", first_line(node), help)
    return type


def parse_require(node: MappingNode, spec: Fields, aliases: AliasCatalogue) -> ExistenceDetails | None:
    """`require` and the `reconciled` beside it; None, with an error, when nothing can be made of them."""
    problems = spec.problems
    fields = Fields(node, "`require`", problems)
    bodies = [(target, body) for target in TARGETS if (body := fields.inner(target.key, f"`{target.key}`"))]
    where = fields.take("where")
    fields.close()
    reconciled = spec.entry("reconciled")
    if len(bodies) != 1:
        help = "require each object in a policy of its own" if bodies else None
        message = "`require` needs one of `extension` and `fluxConfiguration`"
        problems.error("missing-key", message, first_line(node), help)
        return None
    target, body = bodies[0]
    requirement = _Requirement(target, body, aliases)
    extra = [parse_logic(where, problems)] if where is not None else []
    if reconciled is not None:
        extra += _parse_reconciled(reconciled, target, aliases, problems)
    return requirement.details(extra, first_line(node))


def _parse_reconciled(entry: Entry, target: Target, aliases: AliasCatalogue, problems: Problems) -> list[Logic]:
    """Flux reports Compliant, or the object is younger than `within`."""
    if target.type != FLUX_CONFIGURATIONS:
        message = "`reconciled` goes with `require.fluxConfiguration`: an extension is not reconciled"
        problems.error("unknown-key", message, entry.key.span)
        return []
    if not isinstance(entry.value, MappingNode):
        problems.error("wrong-type", "`reconciled` must be a mapping", entry.span, "write `{within: 15m}`")
        return []
    fields = Fields(entry.value, "`reconciled`", problems)
    within = fields.take("within")
    fields.close()
    if within is None:
        fields.missing("within", "write `{within: 15m}`")
        return []
    seconds = duration_of(within, "within", problems)
    state = _field_for(target.type, ("properties", "complianceState"), aliases)
    age = JMESPath(compile_jmespath("age_days(systemData.lastModifiedAt)"))
    young = Condition(age, "less", constant((seconds or 0) / _DAY_S), entry.span)
    return [AnyOf((_compare(state, "equals", constant("Compliant"), entry.span), young), entry.span)]


class _Requirement:
    """One declared body, looked at from both sides: what must be so, and what is to be written."""

    def __init__(self, target: Target, fields: Fields, aliases: AliasCatalogue) -> None:
        self.target = target
        self.problems = fields.problems
        self.aliases = aliases
        self.fields = fields
        self.name = fields.take("name")
        entries = tuple(entry for entry in fields.node if entry.name.casefold() != "name")
        self.body = conform(
            MappingNode(entries, first_line(fields.node)), target.shape, fields.problems, beside=["name"]
        )

    def details(self, extra: list[Logic], span: Span) -> ExistenceDetails:
        is_flux = self.target.type == FLUX_CONFIGURATIONS
        name = self._flux_name() if is_flux else self._extension_name()
        written = self._written()
        compile_node(self.body, self.problems)  # for its reports: each expression at its own place
        return ExistenceDetails(
            type=constant(self.target.type),
            name=name if is_flux else None,
            existence_condition=AllOf((*self._health(), *self._comparisons(), *extra), span),
            role_definition_ids=(CONTRIBUTOR,),
            deployment=derive_deployment(self.target, name, written),
            desired=Desired(
                type=self.target.type,
                name=name,
                identity=self.target.identity,
                properties=compile_checked(written),
                create_only=self.target.create_only,
            ),
            span=span,
        )

    def _written(self) -> dict[str, JSON]:
        """The declared properties, checked; for a Flux configuration with the kind of its source."""
        written: dict[str, JSON] = to_value(self.body)
        if self.target.type == EXTENSIONS:
            check_extension(self.name, self.body, self.problems)
            return written
        kind = check_flux_configuration(self.name, self.body, self.problems)
        return {**written, "sourceKind": kind} if kind else written

    def _flux_name(self) -> CompiledValue:
        if self.name is None:
            self.fields.missing("name", "a sibling could satisfy a configuration without a name")
            return constant("")
        return compile_node(self.name, self.problems)

    def _extension_name(self) -> CompiledValue:
        """As declared; by default `flux` for microsoft.flux, else the last part of the type."""
        type = self.body.get("extensionType")
        text = type.value if isinstance(type, ScalarNode) else None
        if not isinstance(text, str):
            self.fields.missing("extensionType", "it tells which extension is meant, whatever it is called")
            return constant("")
        if self.name is not None:
            return compile_node(self.name, self.problems)
        if is_expression(text):
            self.fields.missing("name", "no name can be derived from an `extensionType` that is computed")
            return constant("")
        return constant("flux" if text.casefold() == "microsoft.flux" else text.rpartition(".")[2])

    def _health(self) -> Iterator[Condition]:
        span = first_line(self.fields.node)
        field = _field_for(self.target.type, ("properties", "provisioningState"), self.aliases)
        if self.target.type == EXTENSIONS:
            type = self.body.entry("extensionType")
            if type is not None:
                yield self._comparison(("properties", "extensionType"), type)
            yield _compare(field, "equals", constant("Succeeded"), span)
        else:
            yield _compare(field, "notIn", constant(["Failed", "Canceled"]), span)

    def _comparisons(self) -> Iterator[Condition]:
        for path, entry in _leaves(self.body, ("properties",)):
            if path != ("properties", "extensionType"):
                yield self._comparison(path, entry)

    def _comparison(self, path: tuple[str, ...], entry: Entry) -> Condition:
        name = _field_for(self.target.type, path, self.aliases)
        value = to_value(entry.value)
        if value is None:
            return _compare(name, "exists", constant(False), entry.span)
        return _compare(name, "equals", compile_checked(value), entry.span)


def _leaves(node: MappingNode, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Entry]]:
    """Every declared property that is not a mapping; secrets are written and never compared."""
    for entry in node:
        if entry.name == PROTECTED_SETTINGS and path == ("properties",):
            continue
        inner = (*path, entry.name)
        if isinstance(entry.value, MappingNode):
            yield from _leaves(entry.value, inner)
        else:
            yield inner, entry


def _field_for(type: str, path: tuple[str, ...], aliases: AliasCatalogue) -> str:
    """The alias of a property where there is one, else its path from the document's root."""
    return aliases.alias_for(type, path) or format_path(path)


def _compare(field: str, operator: str, expected: CompiledValue, span: Span) -> Condition:
    return Condition(Field(constant(field)), operator, expected, span)
