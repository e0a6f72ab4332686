"""The public functions: read a definition, evaluate it on one resource, evaluate one expression.

A definition is bound and judged by what binds and judges for scans; here only its surroundings are made up from the
arguments. Nothing reads files, the network or a database; only the clock is read, when no instant is given. What is
exported from `policyengine` is stable; everything else may change. Described in docs/api.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from policyengine.clock import SystemClock
from policyengine.compliance.bind import BoundPolicy, bind_alone
from policyengine.compliance.judge import judgement_of
from policyengine.compliance.loose import beside, placed
from policyengine.effects.base import Judgement
from policyengine.effects.details import resolved_details
from policyengine.effects.elsewhere import HandledElsewhere
from policyengine.errors import PolicyEngineError, PolicyError, UsageError
from policyengine.evaluation import Context, Subject, Trace, trace
from policyengine.expressions.compiled import compile_value
from policyengine.language.alias_file import catalogue_of
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Parameter, PolicyDefinition
from policyengine.language.parser import parse_documents
from policyengine.model.diagnostic import Diagnostic, did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, LooseResource, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, Reason
from policyengine.model.values import JSON, NO_RESULT, Nothing, get_folded

Catalogue: TypeAlias = AliasCatalogue | Mapping[str, JSON] | Sequence[JSON]
"""An `AliasCatalogue`, or what it can be made of: a list of providers with their resource types, as
`az provider list --expand resourceTypes/aliases` prints it, or a catalogue file's content."""

CONTEXT_KEYS: Final = ("resourceGroup", "subscription", "policy", "requestContext")

_NO_POLICY: Final = dict.fromkeys(("assignmentId", "definitionId", "setDefinitionId", "definitionReferenceId"), "")
_NOWHERE: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a definition says of one resource.

    ``effect`` is the canonical name of the effect the rule asks for, None when it asks for nothing: when `if` does not
    hold, when a related resource satisfies it, when the effect is `disabled`, when the policy does not apply.
    ``state`` and ``reason`` are what a scan would say; a policy that its provider evaluates is not applicable here.
    ``details`` are the effect's details with every expression resolved. Existence conditions are left out; templates,
    and what cannot be resolved, stay as written. None without an effect, or without details.
    ``trace`` tells of every condition of `if` why it holds or not, secrets masked; None when nothing was evaluated.
    ``matched`` is the id of the related resource that satisfies, None also when it has none.
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

    Raises PolicyError for parameters that do not fit, and for an effect that does not exist or lacks its details;
    UsageError for arguments that cannot be used. An expression that cannot be evaluated gives the state Error with
    its reason.
    """
    call = _Call(context or {}, catalogue_of(catalogue).reading_raw_paths(raw_paths), _instant(at))
    policy = _bound(definition, parameters or {}, call.aliases)
    root = call.placed(resource)
    others = beside(root, map(_document, related), definition.then.details)
    cluster = Cluster(root, others=tuple(other for other in others if root.id.contains(other.id)))
    world = replace(
        call.context(root),
        parameters=policy.parameters,
        spellings=policy.spellings,
        policy={**_NO_POLICY, "definitionId": policy.identity["definitionId"], **_mapping(call.given.get("policy"))},
        cluster=cluster,
        resources=lambda kind, scope: [
            r for r in others if r.type.casefold() == kind.casefold() and scope.contains(r.id)
        ],
    )
    return _told(policy, Subject.of(root, world), judgement_of(policy, cluster, world))


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
    root = call.placed(resource or {})
    values = {name.casefold(): value for name, value in (parameters or {}).items()}
    world = replace(call.context(root), parameters=values, policy={**_NO_POLICY, **_mapping(call.given.get("policy"))})
    return compile_value(text).evaluate(Subject.of(root, world).expression_context)


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


def _bound(definition: PolicyDefinition, given: Mapping[str, JSON], aliases: AliasCatalogue) -> BoundPolicy:
    """Raises PolicyError. Read as raw paths, names that are no aliases are not unknown."""
    if definition.is_bare_rule:
        declared = {name.casefold(): Parameter(name, "Object", value) for name, value in given.items()}
        definition, given = replace(definition, parameters=declared), {}
    policy = bind_alone(definition, given, aliases)
    return replace(policy, unknown_aliases={}) if aliases.raw_paths else policy


@dataclass(frozen=True)
class _Call:
    """What an evaluation is given beside the policy and the resource."""

    given: Mapping[str, JSON]
    aliases: AliasCatalogue
    at: datetime

    def __post_init__(self) -> None:
        if not isinstance(self.given, Mapping):
            raise UsageError("`context` must be a mapping", help=f"it may hold {', '.join(CONTEXT_KEYS)}")
        for key in self.given:
            if key not in CONTEXT_KEYS:
                help = did_you_mean(str(key), CONTEXT_KEYS) or f"it may hold {', '.join(CONTEXT_KEYS)}"
                raise UsageError(f"`context` cannot hold `{key}`", help=help)

    def placed(self, document: Mapping[str, JSON]) -> LooseResource:
        """The document as a resource, standing in the group of the context when it has no id of its own."""
        document = _document(document)
        asked = _member(self.given.get("requestContext"), "apiVersion")
        if isinstance(asked, str) and get_folded(document, "apiVersion") is None:
            document = {**document, "apiVersion": asked}
        subscription = self._named("subscription", "subscriptionId") or _NOWHERE
        group = self._named("resourceGroup", "name") or "-"
        return placed(document, ResourceId(f"/subscriptions/{subscription}/resourceGroups/{group}"))

    def _named(self, key: str, member: str) -> str | None:
        name = _member(self.given.get(key), member)
        return name if isinstance(name, str) and name and "/" not in name else None

    def context(self, resource: Resource) -> Context:
        """What expressions can ask for, parameters and policy left out."""
        untold = {"resourceGroup": NO_RESULT, "subscription": NO_RESULT} if resource.written_id is None else {}
        return Context({}, ScopeTree(), self.at, self.aliases, answers={**untold, **self.given})


def _document(value: JSON) -> Mapping[str, JSON]:
    if isinstance(value, Mapping):
        return value
    raise UsageError("a resource must be a mapping", help="give the document as Resource Manager returns it")


def _mapping(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, Mapping) else {}


def _member(value: JSON, key: str) -> JSON:
    return get_folded(_mapping(value), key)


def _told(policy: BoundPolicy, subject: Subject, judged: Judgement) -> Evaluation:
    seen = _traced(policy, subject)
    matched = judged.matched.written_id if judged.matched is not None else None
    asks = seen is not None and seen.result and _asks(policy, judged)
    return Evaluation(
        effect=policy.effect_name if asks else None,
        state=judged.state,
        details=resolved_details(policy.definition, subject) if asks else None,
        trace=seen,
        reason=judged.reason,
        matched=matched,
    )


def _traced(policy: BoundPolicy, subject: Subject) -> Trace | None:
    """As far as evaluation gets: the judgement says what is wrong."""
    if policy.effect is None:
        return None
    try:
        return trace(policy.definition.condition, subject)
    except PolicyEngineError:
        return None


def _asks(policy: BoundPolicy, judged: Judgement) -> bool:
    """Whether the effect has anything to do where `if` holds."""
    if judged.state is ComplianceState.NOT_APPLICABLE:
        return isinstance(policy.effect, HandledElsewhere) and judged.reason is not None
    if judged.state is ComplianceState.ERROR:
        return False
    looks_for_others = policy.effect is not None and policy.effect.details is not None
    return not (looks_for_others and judged.state is ComplianceState.COMPLIANT)
