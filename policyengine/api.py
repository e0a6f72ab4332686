"""The public functions: read a definition, evaluate it on one resource, evaluate one expression.

Nothing here reads files, the network or a database; only the clock is read, when no instant is given. What is
exported from `policyengine` is stable; everything else may change. Described in docs/api.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from policyengine.clock import SystemClock
from policyengine.compliance.applicability import is_applicable, unknown_aliases
from policyengine.compliance.parameters import Given, resolve
from policyengine.effects.base import Judgement
from policyengine.effects.existence import is_underneath, judge_existence, required_details
from policyengine.effects.words import of_match
from policyengine.errors import ExpressionError, PolicyError, UsageError
from policyengine.evaluation import Context, Subject, Trace, redact_text, secrets_in, trace
from policyengine.expressions.compiled import compile_value
from policyengine.language.alias_file import catalogue_of
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.details import EFFECTS
from policyengine.language.documents import PolicyDefinition
from policyengine.language.indexed import looks_at
from policyengine.language.parser import parse_documents
from policyengine.language.syntax import ExistenceDetails
from policyengine.model.diagnostic import Diagnostic, did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, LooseResource, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, Reason
from policyengine.model.values import JSON, NO_RESULT, Nothing, get_folded, is_array

Catalogue: TypeAlias = AliasCatalogue | Mapping[str, JSON] | Sequence[JSON]
"""An `AliasCatalogue`, or what it can be made of: a list of providers with their resource types, as
`az provider list --expand resourceTypes/aliases` prints it, or a catalogue file's content."""

CONTEXT_KEYS: Final = ("resourceGroup", "subscription", "policy", "requestContext")

_CANONICAL: Final = {name.casefold(): name for name in EFFECTS}
_IF_NOT_EXISTS: Final = frozenset({"auditIfNotExists", "deployIfNotExists"})
_STATES: Final = {
    **dict.fromkeys(("append", "audit", "auditAction", "deny", "modify"), ComplianceState.NON_COMPLIANT),
    "denyAction": ComplianceState.PROTECTED,
}
"""The state of a resource for which `if` holds; effects that only a provider can carry out leave it unknown."""

_DEFAULT_STATES: Final = {
    "compliant": ComplianceState.COMPLIANT,
    "noncompliant": ComplianceState.NON_COMPLIANT,
    "non-compliant": ComplianceState.NON_COMPLIANT,
}
_NOWHERE: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a definition says of one resource.

    ``effect`` is the canonical name of the effect the rule asks for, None when it asks for nothing: when `if` does not
    hold, when a related resource satisfies it, when the effect is `disabled`, when the policy does not apply.
    ``details`` are the effect's details with every expression resolved; existence conditions are left out, templates
    and conditions of operations stay as written. None without an effect, or without details.
    ``trace`` tells of every condition of `if` why it holds or not, secrets masked; None when nothing was evaluated.
    ``reason`` is why the state is not Compliant. ``matched`` is the id of the related resource that satisfies.
    """

    effect: str | None
    state: ComplianceState
    details: JSON = None
    trace: Trace | None = None
    reason: Reason | None = None
    matched: str | None = None


def parse_definition(
    text_or_mapping: str | Mapping[str, JSON], *, source: str | None = None, catalogue: Catalogue | None = None
) -> PolicyDefinition:
    """The one policy definition in a text (YAML or JSON) or a mapping.

    It may be Azure's envelope, its bare `properties`, a bare rule (`if`, `then`; its mode is All, and it may read
    parameters that nobody declares) or our own `kind: PolicyDefinition`. ``source`` is what diagnostics call the text.
    Raises PolicyError with every diagnostic.
    """
    text = text_or_mapping if isinstance(text_or_mapping, str) else _as_text(text_or_mapping)
    name = source or ("<string>" if isinstance(text_or_mapping, str) else "<mapping>")
    parsed = parse_documents(text, name, catalogue_of(catalogue))
    definition = parsed.documents[0] if len(parsed.documents) == 1 else None
    bare = isinstance(definition, PolicyDefinition) and definition.is_bare_rule
    problems = [d for d in parsed.diagnostics if not (bare and d.code == "unknown-parameter")]
    if not any(d.is_error for d in problems) and not isinstance(definition, PolicyDefinition):
        problems.append(Diagnostic("unknown-document", f"`{name}` must hold one policy definition, and nothing else"))
    if any(d.is_error for d in problems):
        raise PolicyError(problems)
    assert isinstance(definition, PolicyDefinition)
    return replace(definition, mode="All") if bare else definition


def evaluate(
    definition: PolicyDefinition,
    resource: Mapping[str, JSON],
    *,
    parameters: Mapping[str, JSON] | None = None,
    related: Iterable[Mapping[str, JSON]] = (),
    context: Mapping[str, JSON] | None = None,
    catalogue: Catalogue | None = None,
    at: datetime | None = None,
    raw_paths: bool = False,
) -> Evaluation:
    """What ``definition`` says of ``resource``, a document of any type, with or without an `id`.

    ``parameters`` are values by name, checked against the declarations. ``related`` are documents that
    `auditIfNotExists` and `deployIfNotExists` may look for; one without an `id` belongs to the resource, one without a
    `type` is of the type that is looked for. ``context`` says what `resourceGroup()`, `subscription()`, `policy()` and
    `requestContext()` give; what neither it nor the resource's id tells has no result. ``catalogue`` comes before the
    packaged one. ``at`` is what `utcNow()` gives, an aware instant; by default now.
    ``raw_paths`` reads a field name that is no alias as a path from the resource's root, wherever it begins;
    otherwise only built-in fields, tags, aliases and paths under ARM's own members (`properties`, `sku`, …) are read.

    Raises PolicyError for parameters that do not fit and for an effect that does not exist, UsageError for arguments
    that cannot be used. An expression that cannot be evaluated gives the state Error with its reason.
    """
    call = _Call(context or {}, catalogue_of(catalogue).reading_raw_paths(raw_paths), _instant(at))
    values = _parameters(definition, parameters or {})
    subject_of = call.placed(resource)
    details = definition.then.details
    world = call.context(definition, values, subject_of, [dict(document) for document in related], details)
    subject = Subject.of(subject_of, world)
    try:
        return _evaluate(definition, subject)
    except ExpressionError as error:
        carried = secrets_in(resource, *(r.document for r in world.cluster.children)) if world.cluster else frozenset()
        message = redact_text(error.message, carried)
        return Evaluation(None, ComplianceState.ERROR, reason=Reason("evaluation-error", message))


def evaluate_expression(
    text: JSON,
    *,
    parameters: Mapping[str, JSON] | None = None,
    resource: Mapping[str, JSON] | None = None,
    context: Mapping[str, JSON] | None = None,
    at: datetime | None = None,
) -> JSON | Nothing:
    """The value of an expression such as ``[concat('a', parameters('b'))]``, as in the condition of a rule.

    Text that is no expression is its own value; in lists and mappings every text is looked at. Gives `NO_RESULT`, which
    is false and is not None, where a rule would have no result. ``parameters`` need no declaration; without a
    ``resource`` every field is absent. Raises ExpressionError.
    """
    call = _Call(context or {}, AliasCatalogue.packaged(), _instant(at))
    values = {name.casefold(): value for name, value in (parameters or {}).items()}
    subject_of = call.placed(resource or {})
    subject = Subject.of(subject_of, call.context(None, values, subject_of, [], None))
    return compile_value(text).evaluate(subject.expression_context)


def _as_text(document: Mapping[str, JSON]) -> str:
    try:
        return json.dumps(document, indent=2, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        problem = Diagnostic("wrong-type", f"the mapping cannot be written as JSON: {str(error).lower()}")
        raise PolicyError([problem]) from error


def _plain(value: object) -> JSON:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"it holds a {type(value).__name__}")


def _instant(at: datetime | None) -> datetime:
    if at is None:
        return SystemClock().now()
    if at.tzinfo is None:
        raise UsageError("`at` must be an aware instant", help="give it a time zone, such as `datetime.now(UTC)`")
    return at.astimezone(UTC)


def _parameters(definition: PolicyDefinition, given: Mapping[str, JSON]) -> dict[str, JSON]:
    if definition.is_bare_rule:
        return {name.casefold(): value for name, value in given.items()}
    values, problems = resolve(definition.parameters, Given(given, "the call", f"policy `{definition.name}`"))
    if problems:
        raise PolicyError(problems)
    return values


@dataclass(frozen=True)
class _Call:
    """What an evaluation is given beside the policy and the resource."""

    given: Mapping[str, JSON]
    aliases: AliasCatalogue
    at: datetime

    def __post_init__(self) -> None:
        for key in self.given:
            if key not in CONTEXT_KEYS:
                help = did_you_mean(str(key), CONTEXT_KEYS) or f"it may hold {', '.join(CONTEXT_KEYS)}"
                raise UsageError(f"`context` cannot hold `{key}`", help=help)

    def placed(self, document: Mapping[str, JSON]) -> LooseResource:
        """The document as a resource, standing in the group of the context when it has no id of its own."""
        if not isinstance(document, Mapping):
            raise UsageError("a resource must be a mapping", help="give the document as Resource Manager returns it")
        asked = get_folded(self.given.get("requestContext") or {}, "apiVersion")
        if isinstance(asked, str) and get_folded(document, "apiVersion") is None:
            document = {**document, "apiVersion": asked}
        return LooseResource(_written_id(document) or self._place(document), document)

    def _place(self, document: Mapping[str, JSON]) -> ResourceId:
        subscription = self._named("subscription", "subscriptionId") or _NOWHERE
        group = self._named("resourceGroup", "name") or "-"
        return _child(ResourceId(f"/subscriptions/{subscription}/resourceGroups/{group}"), document)

    def _named(self, key: str, member: str) -> str | None:
        value = self.given.get(key)
        name = get_folded(value, member) if isinstance(value, Mapping) else None
        return name if isinstance(name, str) and name and "/" not in name else None

    def context(
        self,
        definition: PolicyDefinition | None,
        parameters: Mapping[str, JSON],
        resource: Resource,
        related: Sequence[Mapping[str, JSON]],
        details: ExistenceDetails | None,
    ) -> Context:
        answers: dict[str, JSON | Nothing] = {
            key: value for key, value in self.given.items() if key in CONTEXT_KEYS and key != "policy"
        }
        if resource.written_id is None:
            answers = {"resourceGroup": NO_RESULT, "subscription": NO_RESULT, **answers}
        around = Context(
            parameters=parameters,
            tree=ScopeTree(),
            at=self.at,
            aliases=self.aliases,
            policy=self.given.get("policy") or {"definitionId": definition.azure_id if definition else None},
            spellings={folded: p.name for folded, p in definition.parameters.items()} if definition else {},
            answers=answers,
        )
        wanted = details.type.source if details is not None and details.type.is_constant else None
        others = tuple(_beside(resource, document, wanted) for document in related)
        own = tuple(other for other in others if resource.id.contains(other.id))

        def lookup(type: str, scope: ResourceId) -> Sequence[Resource]:
            return [r for r in others if r.type.casefold() == type.casefold() and scope.contains(r.id)]

        return replace(around, cluster=Cluster(resource, others=own), resources=lookup)


def _written_id(document: Mapping[str, JSON]) -> ResourceId | None:
    text = get_folded(document, "id")
    try:
        return ResourceId(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _child(parent: ResourceId, document: Mapping[str, JSON]) -> ResourceId:
    """A place for a document without an id: its type and name below ``parent``, as far as they are told."""
    type, name = get_folded(document, "type"), get_folded(document, "name")
    last = str(name).rpartition("/")[2] if isinstance(name, str) else ""
    kind = "-".join(str(type).split("/")) if isinstance(type, str) and type.strip("/") else "-"
    return parent.extension(f"-/{kind}", last or "-")


def _beside(resource: Resource, document: Mapping[str, JSON], wanted: JSON) -> LooseResource:
    if get_folded(document, "type") is None and _written_id(document) is None and isinstance(wanted, str):
        document = {**document, "type": wanted}
    type = str(get_folded(document, "type") or "")
    group = resource.id if is_underneath(type, resource.type) else resource.id.parent or resource.id
    return LooseResource(_written_id(document) or _child(group, document), document)


def _evaluate(definition: PolicyDefinition, subject: Subject) -> Evaluation:
    aliases, type = subject.context.aliases, subject.resource.type
    nothing = Evaluation(None, ComplianceState.NOT_APPLICABLE)
    if definition.policy_type.casefold() == "static" or not looks_at(definition.mode, type, aliases):
        return nothing
    alias = unknown_aliases(definition.condition, aliases).get(type.casefold())
    if alias is not None and not aliases.raw_paths:
        return replace(nothing, reason=Reason("unknown-alias", f"`{alias}` is not an alias"))
    effect = _effect(definition, subject)
    if effect == "disabled":
        return nothing
    seen = trace(definition.condition, subject)
    if not seen.result:
        applies = effect not in _IF_NOT_EXISTS and is_applicable(definition.condition, subject)
        return Evaluation(None, ComplianceState.COMPLIANT if applies else ComplianceState.NOT_APPLICABLE, trace=seen)
    verdict = _verdict(effect, definition, subject, seen)
    matched = verdict.matched.written_id if verdict.matched is not None else None
    if effect in _IF_NOT_EXISTS and verdict.state is ComplianceState.COMPLIANT:
        return Evaluation(None, verdict.state, trace=seen, matched=matched)
    details = _resolved(_written_details(definition), subject)
    return Evaluation(effect, verdict.state, details, seen, verdict.reason, matched)


def _effect(definition: PolicyDefinition, subject: Subject) -> str:
    name = definition.then.effect.evaluate(subject.expression_context)
    canonical = _CANONICAL.get(str(name).casefold())
    if canonical is None:
        message = f"the effect of policy `{definition.name}` is `{name}`, which does not exist"
        span = definition.then.span or definition.span
        raise PolicyError([Diagnostic("unknown-effect", message, span, did_you_mean(str(name), EFFECTS))])
    return canonical


def _verdict(effect: str, definition: PolicyDefinition, subject: Subject, seen: Trace) -> Judgement:
    """The state of a resource for which `if` holds."""
    if effect in _IF_NOT_EXISTS:
        cluster = subject.context.cluster
        assert cluster is not None
        return judge_existence(required_details(definition, effect), cluster, subject.context)
    state = _STATES.get(effect, ComplianceState.UNKNOWN)
    if effect == "manual":
        raw = definition.then.raw if isinstance(definition.then.raw, Mapping) else {}
        state = _DEFAULT_STATES.get(str(get_folded(raw, "defaultState")).casefold(), ComplianceState.UNKNOWN)
    reason = Reason("matched", of_match(seen)) if state is ComplianceState.NON_COMPLIANT else None
    return Judgement(state, reason)


def _written_details(definition: PolicyDefinition) -> JSON:
    """The details as the author wrote them, or as the short form stands for."""
    details = definition.then.details
    return definition.then.raw if details is None or definition.then.raw is not None else _spelt_out(details)


def _spelt_out(details: ExistenceDetails) -> JSON:
    written: dict[str, JSON] = {"type": details.type.source}
    for key, value in (("name", details.name), ("resourceGroupName", details.resource_group_name)):
        if value is not None:
            written[key] = value.source
    if details.role_definition_ids:
        written["roleDefinitionIds"] = list(details.role_definition_ids)
    if details.deployment is not None:
        inner = {name: value.source for name, value in details.deployment.parameters.items()}
        properties = {"mode": "incremental", "template": details.deployment.template, "parameters": inner}
        written["deployment"] = {"properties": properties}
    return written


_VERBATIM: Final = frozenset({("properties", "template"), ("operations", "condition")})
_CONDITION: Final = ("", "existencecondition")


def _resolved(value: JSON, subject: Subject, inside: str = "") -> JSON:
    """``inside`` is the folded key that ``value``, or the list it is in, stands under."""
    if isinstance(value, Mapping):
        members = {(inside, str(key).casefold()): (key, item) for key, item in value.items()}
        return {
            key: item if place in _VERBATIM else _resolved(item, subject, place[1])
            for place, (key, item) in members.items()
            if place != _CONDITION
        }
    if is_array(value):
        return [_resolved(item, subject, inside) for item in value]
    result = compile_value(value).evaluate(subject.expression_context)
    return None if isinstance(result, Nothing) else result
