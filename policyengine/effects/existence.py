"""What auditIfNotExists and deployIfNotExists share: the related set, and whether anything in it will do.

The existence condition's `field:` reads the candidate, its `field()` reads the cluster. An empty set never satisfies,
not even a condition made of negations. Source: policy language §6.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policyengine.effects import words
from policyengine.effects.base import Judgement
from policyengine.errors import ExpressionError, NotReadError, PolicyError
from policyengine.evaluation import Context, Subject, Trace, evaluate, short_name, trace
from policyengine.expressions.compiled import CompiledValue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import AllOf, Condition, ExistenceDetails, Field, Logic
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource, Sought
from policyengine.model.states import ComplianceState, Reason
from policyengine.model.values import get_folded

EXTENSION_TYPES: Final = frozenset(
    type.casefold()
    for type in (
        EXTENSIONS,
        FLUX_CONFIGURATIONS,
        "Microsoft.KubernetesConfiguration/sourceControlConfigurations",
        "Microsoft.Insights/diagnosticSettings",
        "Microsoft.Insights/dataCollectionRuleAssociations",
        "Microsoft.Authorization/locks",
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.GuestConfiguration/guestConfigurationAssignments",
    )
)
"""Types that hang on any resource: like children, they are looked for underneath it."""

COLLECTED: Final = frozenset({EXTENSIONS.casefold(), FLUX_CONFIGURATIONS.casefold()})
"""Types that every inventory reads with a cluster: when there is none, there is none. Others it reads when asked to."""

_IDENTIFYING: Final = frozenset({"extensiontype", "name"})
"""Labels of conditions that say which object is meant, rather than how it should be."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One related resource, and how near it comes. ``trace`` is None when there is no existence condition."""

    resource: Resource
    trace: Trace | None

    @property
    def clauses(self) -> tuple[Trace, ...]:
        return self.trace.clauses if self.trace is not None else ()

    @property
    def satisfies(self) -> bool:
        return self.trace is None or self.trace.result

    @property
    def met(self) -> int:
        return sum(clause.result for clause in self.clauses)

    @property
    def total(self) -> int:
        return len(self.clauses)

    @property
    def is_other(self) -> bool:
        """True when a condition on what it *is* fails: a resource of another kind, not a faulty one."""
        return any(c.label.casefold() in _IDENTIFYING and not c.result for c in self.clauses)

    @property
    def distance(self) -> tuple[bool, bool, int, str]:
        """Sorts the nearest first."""
        return (not self.satisfies, self.is_other, self.total - self.met, self.resource.id.key)


def required_details(definition: PolicyDefinition, effect: str) -> ExistenceDetails:
    """The details the effect cannot do without. Raises PolicyError when they are missing."""
    if definition.then.details is None:
        problem = Diagnostic(
            "missing-key",
            f"policy `{definition.name}` has the effect {effect} and no `details.type`",
            definition.then.span or definition.span,
            "add `details:` with the `type` of the resource that must exist",
        )
        raise PolicyError([problem])
    return definition.then.details


def judge_existence(details: ExistenceDetails, cluster: Cluster, context: Context) -> Judgement:
    found = related(details, cluster, context)
    condition = details.existence_condition
    for resource in found:
        if condition is None or evaluate(condition, Subject(resource, cluster.resource, context)):
            return Judgement(ComplianceState.COMPLIANT, matched=resource, related_count=len(found))
    reason = _reason(details, cluster, context, found)
    return Judgement(ComplianceState.NON_COMPLIANT, reason, related_count=len(found))


def candidates(details: ExistenceDetails, cluster: Cluster, context: Context) -> tuple[Candidate, ...]:
    """The related set with its traces, nearest first."""
    condition = details.existence_condition
    found = [
        Candidate(r, trace(condition, Subject(r, cluster.resource, context)) if condition is not None else None)
        for r in related(details, cluster, context)
    ]
    return tuple(sorted(found, key=lambda candidate: candidate.distance))


def related(details: ExistenceDetails, cluster: Cluster, context: Context) -> tuple[Resource, ...]:
    """The resources the effect looks at, narrowed by name and kind, in id order where the inventory keeps it."""
    subject = Subject.of(cluster.resource, context)
    type = related_type(details, subject)
    wanted = None if details.name is None else _text(details.name, subject, "details.name")
    found: Sequence[Resource] | None
    if type.casefold() == cluster.resource.type.casefold() and _is_itself(cluster, wanted):
        found = (cluster.resource,)
    else:
        found = _on_cluster(Sought(type, plain_name(wanted)), cluster)
    if found is None:
        underneath = is_underneath(type, cluster.resource.type)
        found = context.resources(type, cluster.id if underneath else _scope(details, subject))
    return tuple(r for r in found if _is_named(r, wanted, cluster) and _is_kind(r, details.kind))


def looked_for(details: ExistenceDetails, subject: Subject) -> Sought | None:
    """What the inventory should have read on the cluster; None where every inventory has it. Raises ExpressionError."""
    type = related_type(details, subject)
    if type.casefold() in COLLECTED or type.casefold() == subject.root.type.casefold():
        return None
    return Sought(type, plain_name(None if details.name is None else _text(details.name, subject, "details.name")))


def plain_name(wanted: str | None) -> str | None:
    """The one name that will do; None when several may."""
    return None if wanted is None or wanted.endswith("?") or "/" in wanted else wanted


def _on_cluster(what: Sought, cluster: Cluster) -> Sequence[Resource] | None:
    """What is on it, None when nobody looked. Raises NotReadError when somebody tried."""
    found, key = cluster.related(what.type), Sought(what.type).key
    if key in COLLECTED:
        return found
    told = [cluster.looked_for[known] for known in (key, what.key) if known in cluster.looked_for]
    if None in told:
        return found
    if told:
        raise NotReadError(f"`{what.type}` on `{cluster.name}` could not be read: {told[0]}")
    names_only = any(told.startswith(f"{key}:") for told in cluster.looked_for)
    return found if found and not names_only else None


def related_type(details: ExistenceDetails, subject: Subject) -> str:
    return _text(details.type, subject, "details.type")


def is_underneath(type: str, parent: str) -> bool:
    """True for child types of ``parent`` and for types that hang on anything."""
    return type.casefold() in EXTENSION_TYPES or type.casefold().startswith(parent.casefold() + "/")


def _scope(details: ExistenceDetails, subject: Subject) -> ResourceId:
    """Where resources that are not underneath are looked for."""
    id = subject.root.id
    if id.subscription is None:
        raise ExpressionError(f"`{id}` is not in a subscription, so nothing related can be looked for")
    subscription = ResourceId.for_subscription(id.subscription)
    if details.existence_scope.casefold() == "subscription":
        return subscription
    named = details.resource_group_name
    group = id.resource_group if named is None else _text(named, subject, "details.resourceGroupName")
    return ResourceId(f"{subscription}/resourceGroups/{group}") if group else subscription


def _is_itself(cluster: Cluster, wanted: str | None) -> bool:
    if wanted is None:
        raise ExpressionError(f"`details.type` is the type of `{cluster.name}` itself, so `details.name` is needed")
    return _is_named(cluster.resource, wanted, cluster)


def _is_named(resource: Resource, wanted: str | None, cluster: Cluster) -> bool:
    """Exact without case; `parent/child` or the bare last segment for a child; a last `?` means any."""
    if wanted is None:
        return True
    own = {resource.name, resource.id.full_name, f"{cluster.name}/{resource.name}"}
    head, _, last = wanted.rpartition("/")
    if last == "?":
        return not head or any(name.rpartition("/")[0].casefold() == head.casefold() for name in own)
    return wanted.casefold() in {name.casefold() for name in own}


def _is_kind(resource: Resource, kind: str | None) -> bool:
    return kind is None or str(get_folded(resource.document, "kind") or "").casefold() == kind.casefold()


def _text(value: CompiledValue, subject: Subject, what: str) -> str:
    result = value.evaluate(subject.expression_context)
    if not isinstance(result, str):
        raise ExpressionError(f"`{what}` must be a text, `{value.source}` is not")
    return result


def _reason(details: ExistenceDetails, cluster: Cluster, context: Context, found: Sequence[Resource]) -> Reason:
    if not found or details.existence_condition is None:
        return Reason("no-related-resource", f"no {sought(details, cluster, context)}")
    nearest = candidates(details, cluster, context)[0]
    if nearest.is_other:
        return Reason("no-related-resource", f"no {sought(details, cluster, context)}")
    unmet = [words.of_unmet(clause) for clause in nearest.clauses if not clause.result]
    more = f" (and {len(unmet) - 1} more)" if len(unmet) > 1 else ""
    head = f"`{nearest.resource.name}` matches {nearest.met} of {nearest.total}"
    return Reason("existence-condition", f"{head}: {unmet[0]}{more}")


def sought(details: ExistenceDetails, cluster: Cluster, context: Context) -> str:
    """What is looked for, in words: ``extension of type microsoft.flux``."""
    subject = Subject.of(cluster.resource, context)
    return words.noun(related_type(details, subject)) + _identity(details, subject)


def _identity(details: ExistenceDetails, subject: Subject) -> str:
    """Which object is meant, by its name or by what the existence condition says of its type."""
    if details.name is not None:
        name = _text(details.name, subject, "details.name")
        if not name.endswith("?"):
            return f" named `{name}`"
    for condition in conjuncts(details.existence_condition):
        label = _label(condition)
        if label in _IDENTIFYING and condition.operator == "equals":
            wanted = condition.expected.evaluate(subject.expression_context)
            return f" of type {wanted}" if label == "extensiontype" else f" named `{wanted}`"
    return ""


def conjuncts(logic: Logic | None) -> Iterator[Condition]:
    """The conditions that must all hold: those of nested allOf."""
    if isinstance(logic, AllOf):
        for condition in logic.conditions:
            yield from conjuncts(condition)
    elif isinstance(logic, Condition):
        yield logic


def _label(condition: Condition) -> str:
    operand = condition.operand
    name = operand.name.source if isinstance(operand, Field) else None
    return short_name(name).casefold() if isinstance(name, str) else ""
