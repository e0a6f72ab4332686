"""Assignment × definition → bound policy: parameters folded in, effect chosen, nothing left to look up.

An assignment of an initiative gives one bound policy per member. All problems of all assignments are found before
any is reported. Source: policy language §1.3–§1.6, §6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from policyengine.compliance.applicability import unknown_aliases
from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.digest import digest_of, digest_with, is_volatile
from policyengine.compliance.fold import folded
from policyengine.compliance.order import depends_on
from policyengine.compliance.overrides import Case, allowed_effects, by_place, with_variants
from policyengine.compliance.parameters import Given, resolve
from policyengine.effects import EFFECTS, elsewhere
from policyengine.effects.base import BoundEffect
from policyengine.effects.manual import Manual
from policyengine.errors import ExpressionError, PolicyError
from policyengine.evaluation.subject import parameter
from policyengine.expressions.compiled import CompiledValue, ExpressionContext
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import (
    Assignment,
    Attestation,
    Initiative,
    InitiativeMember,
    PolicyDefinition,
)
from policyengine.language.library import PolicyLibrary
from policyengine.language.names import label
from policyengine.language.providers import RESOURCE_MODES, is_provider_mode
from policyengine.language.selectors import Override, OverrideKind, Selector
from policyengine.language.versions import version_key
from policyengine.model.diagnostic import Diagnostic, Span, did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, Nothing

__all__ = ["BoundPolicy", "bind", "bind_alone", "effect_of"]

_CANONICAL: Final = {name.casefold(): name for name in EFFECTS}

_NO_INSTANT: Final = datetime(1970, 1, 1, tzinfo=UTC)  # nothing that is evaluated while binding may ask for the time


def bind(library: PolicyLibrary, aliases: AliasCatalogue) -> tuple[BoundPolicy, ...]:
    """Every assignment of the library, bound, in the order of the library. Raises PolicyError with every problem."""
    binder = _Binder(library, aliases)
    bound = [policy for assignment in library.assignments for policy in binder.bind_assignment(assignment)]
    if binder.problems:
        raise PolicyError(binder.problems)
    return tuple(replace(policy, depends_on=depends_on(policy, bound, library)) for policy in bound)


def bind_alone(definition: PolicyDefinition, values: Mapping[str, JSON], aliases: AliasCatalogue) -> BoundPolicy:
    """A definition that nobody assigned, with values for its parameters. Raises PolicyError with every problem."""
    binder = _Binder(PolicyLibrary(definitions=(definition,)), aliases)
    nobody = Assignment(name=definition.name, scope=ResourceId("/"))
    given = Given(values, "the call", f"policy {label(definition)}")
    bound = binder.bind_definition(_Slot(nobody), definition, given)
    if binder.problems:
        raise PolicyError(binder.problems)
    return bound[0]


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a definition stands: under an assignment, perhaps as a member of its initiative."""

    assignment: Assignment
    initiative: Initiative | None = None
    member: InitiativeMember | None = None

    @property
    def key(self) -> str:
        return f"{self.assignment.name}/{self.member.reference_id}" if self.member else self.assignment.name


@dataclass
class _Binder:
    """Binds what can be bound and collects what is wrong with the rest."""

    library: PolicyLibrary
    aliases: AliasCatalogue
    problems: list[Diagnostic] = field(default_factory=list)

    def bind_assignment(self, assignment: Assignment) -> list[BoundPolicy]:
        """Overrides of the version come before what the assignment itself names, each where its selectors say."""
        otherwise = self.bind_target(assignment)
        cases: list[Case] = []
        for override in assignment.overrides:
            if override.kind is OverrideKind.VERSION:
                policies = self.bind_target(self.at_version(assignment, override))
                if not override.conditions:
                    return by_place(cases, policies)
                cases.append((override.conditions, policies))
        return by_place(cases, otherwise)

    def at_version(self, assignment: Assignment, override: Override) -> Assignment:
        """The assignment naming another version. A lower one than its own is a problem. Source: §1.5."""
        policy, initiative = (
            replace(reference, version=override.value, span=override.span) if reference is not None else None
            for reference in (assignment.policy, assignment.initiative)
        )
        raised = replace(assignment, policy=policy, initiative=initiative)
        own, other = self.version_of(assignment), self.version_of(raised)
        if own and other and version_key(other) < version_key(own):
            message = f"assignment `{assignment.name}` overrides version `{own}` with `{other}`, which is lower"
            help = "an override may only raise the version"
            self.problems.append(Diagnostic("invalid-override", message, override.span, help))
        return raised

    def version_of(self, assignment: Assignment) -> str | None:
        document: PolicyDefinition | Initiative | None = None
        if assignment.policy is not None:
            document = self.library.definition(assignment.policy, assignment.cloud)
        elif assignment.initiative is not None:
            document = self.library.initiative(assignment.initiative, assignment.cloud)
        return document.version if document is not None else None

    def bind_target(self, assignment: Assignment) -> list[BoundPolicy]:
        if assignment.policy is not None:
            definition = self.library.definition(assignment.policy, assignment.cloud)
            if definition is not None:
                given = _given_by_assignment(assignment, f"policy {label(definition)}")
                return self.bind_definition(_Slot(assignment), definition, given)
            names = [d.name for d in self.library.definitions]
            self.missing_reference(
                f"policy `{assignment.policy}`", assignment.policy.span, assignment.policy.name, names
            )
        elif assignment.initiative is not None:
            initiative = self.library.initiative(assignment.initiative, assignment.cloud)
            if initiative is not None:
                return self.bind_initiative(assignment, initiative)
            reference, names = assignment.initiative, [i.name for i in self.library.initiatives]
            self.missing_reference(f"initiative `{reference}`", reference.span, reference.name, names)
        return []

    def bind_initiative(self, assignment: Assignment, initiative: Initiative) -> list[BoundPolicy]:
        given = _given_by_assignment(assignment, f"initiative {label(initiative)}")
        values, problems = resolve(initiative.parameters, given)
        self.problems += problems
        bound: list[BoundPolicy] = []
        for member in initiative.members:
            definition = self.library.definition_of(initiative, member)
            if definition is None:
                names = [d.name for d in self.library.definitions]
                self.missing_reference(f"policy `{member.reference}`", member.span, member.reference.name, names)
            elif not problems:
                bound += self.bind_member(_Slot(assignment, initiative, member), definition, values)
        return bound

    def bind_member(self, slot: _Slot, definition: PolicyDefinition, values: Mapping[str, JSON]) -> list[BoundPolicy]:
        """Expressions in a member's parameters see the initiative's parameters. Source: policy language §1.4."""
        member, initiative = slot.member, slot.initiative
        assert member is not None
        assert initiative is not None
        giver = f"member `{member.reference_id}` of initiative `{initiative.name}`"
        passed = {
            name: self.constant(value, values, f"{giver}: parameter `{name}`", member.span)
            for name, value in member.parameters.items()
            if name.casefold() in definition.parameters or not initiative.is_built_in
        }
        if any(isinstance(value, Nothing) for value in passed.values()):
            return []
        given = Given(values=passed, giver=giver, taker=f"policy {label(definition)}", span=member.span)
        return self.bind_definition(slot, definition, given)

    def bind_definition(self, slot: _Slot, definition: PolicyDefinition, given: Given) -> list[BoundPolicy]:
        parameters, problems = resolve(definition.parameters, given)
        problems += _unknown_mode(definition)
        self.problems += problems
        effect_name = None if problems else self.effect_name(definition, parameters)
        if effect_name is None:
            return []
        try:
            reference_id = slot.member.reference_id if slot.member else None
            ready = folded(definition, parameters)
            effect = self.effect(slot.assignment, reference_id, ready, effect_name)
        except PolicyError as error:
            self.problems += error.diagnostics
            return []
        policy = self.bound(slot, definition, parameters, effect_name, effect)
        return [self.overridden(slot, replace(policy, definition=ready))]

    def overridden(self, slot: _Slot, policy: BoundPolicy) -> BoundPolicy:
        """The policy with the effects that overrides choose, everywhere or where their selectors say."""
        variants: list[tuple[Sequence[Selector], BoundPolicy]] = []
        for override in slot.assignment.overrides:
            if override.kind is OverrideKind.EFFECT and override.speaks_of(policy.reference_id):
                changed = self.with_effect(policy, override)
                if not override.conditions:
                    return with_variants(changed, variants)
                variants.append((override.conditions, changed))
        return with_variants(policy, variants)

    def with_effect(self, policy: BoundPolicy, override: Override) -> BoundPolicy:
        """The policy under another effect, itself after a problem."""
        name = _CANONICAL.get(override.value.casefold(), override.value)
        allowed = allowed_effects(policy.definition, policy.effect_name)
        try:
            if name.casefold() not in {effect.casefold() for effect in allowed}:
                raise PolicyError([_not_allowed(policy, override, allowed)])
            effect = self.effect(policy.assignment, policy.reference_id, policy.definition, name)
        except PolicyError as error:
            self.problems += error.diagnostics
            return policy
        return replace(policy, effect=effect, effect_name=name, digest=digest_with(policy.digest, name))

    def effect(
        self, assignment: Assignment, reference_id: str | None, definition: PolicyDefinition, name: str
    ) -> BoundEffect | None:
        """The effect called ``name`` with what people attest to. Raises PolicyError without what it needs."""
        effect = effect_of(definition, name)
        if isinstance(effect, Manual):
            return replace(effect, reference_id=reference_id, attestations=self.attestations(assignment))
        return effect

    def attestations(self, assignment: Assignment) -> tuple[Attestation, ...]:
        return tuple(a for a in self.library.attestations if assignment.is_named(a.assignment))

    def bound(
        self,
        slot: _Slot,
        definition: PolicyDefinition,
        parameters: Mapping[str, JSON],
        effect_name: str,
        effect: BoundEffect | None,
    ) -> BoundPolicy:
        return BoundPolicy(
            key=slot.key,
            assignment=slot.assignment,
            definition=definition,
            effect=effect,
            effect_name=effect_name,
            digest=digest_of(slot.assignment, definition, parameters),
            volatile=is_volatile(definition),
            initiative=slot.initiative,
            reference_id=slot.member.reference_id if slot.member else None,
            parameters=parameters,
            spellings={folded: declared.name for folded, declared in definition.parameters.items()},
            exemptions=tuple(e for e in self.library.exemptions if slot.assignment.is_named(e.assignment)),
            enrollments=tuple(e for e in self.library.enrollments if slot.assignment.is_named(e.assignment)),
            unknown_aliases=unknown_aliases(definition.condition, self.aliases),
        )

    def effect_name(self, definition: PolicyDefinition, parameters: Mapping[str, JSON]) -> str | None:
        """The canonical name of the effect that the bound parameters choose; None after a problem."""
        span = definition.then.span or definition.span
        what = f"the effect of policy `{definition.name}`"
        name = self.constant(definition.then.effect, parameters, what, span)
        if isinstance(name, Nothing):
            return None
        canonical = _CANONICAL.get(str(name).casefold())
        if canonical is None:
            near = did_you_mean(str(name), EFFECTS)
            self.problems.append(Diagnostic("unknown-effect", f"{what} is `{name}`, which does not exist", span, near))
        return canonical

    def constant(
        self, value: CompiledValue, parameters: Mapping[str, JSON], what: str, span: Span | None
    ) -> JSON | Nothing:
        """What an expression gives that may ask for parameters only; Nothing after a problem."""
        functions = {"parameters": lambda name: parameter(parameters, name)}
        try:
            if "utcnow" in value.functions:
                raise ExpressionError("it must not depend on the time")
            result = value.evaluate(ExpressionContext(functions=functions, at=_NO_INSTANT))
        except ExpressionError as error:
            self.problems.append(Diagnostic("invalid-expression", f"{what}: {error.message}", span, error.help))
            return Nothing.NO_RESULT
        if isinstance(result, Nothing):
            self.problems.append(Diagnostic("invalid-expression", f"{what} has no result: `{value.source}`", span))
        return result

    def missing_reference(self, what: str, span: Span | None, name: str, known: Sequence[str]) -> None:
        help = did_you_mean(name, known) or "define it in one of the policy files"
        self.problems.append(Diagnostic("missing-reference", f"{what} is not defined", span, help))


def _given_by_assignment(assignment: Assignment, taker: str) -> Given:
    return Given(
        values=assignment.parameters,
        giver=f"assignment `{assignment.name}`",
        taker=taker,
        span=assignment.span,
        spans=assignment.parameter_spans,
    )


def effect_of(definition: PolicyDefinition, name: str) -> BoundEffect | None:
    """The effect called ``name``, bound; None when nothing is evaluated. Raises PolicyError without what it needs.

    Static policies audit Microsoft's own premises. Source: policy language §1.1, §1.2.
    """
    if definition.policy_type.casefold() == "static" or name == "disabled":
        return None
    if is_provider_mode(definition.mode):
        return elsewhere.bind(definition, name)
    return EFFECTS[name](definition)


def _not_allowed(policy: BoundPolicy, override: Override, allowed: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "not-allowed",
        f"assignment `{policy.assignment.name}` overrides the effect of policy `{policy.definition.name}` with "
        f"`{override.value}`, which the policy does not allow",
        override.span,
        did_you_mean(override.value, allowed) or f"it allows {', '.join(f'`{effect}`' for effect in allowed)}",
    )


def _unknown_mode(definition: PolicyDefinition) -> list[Diagnostic]:
    mode = definition.mode or ""
    if mode.casefold() in RESOURCE_MODES or is_provider_mode(mode) or definition.policy_type.casefold() == "static":
        return []
    message = f"policy `{definition.name}` has the mode `{mode}`, which does not exist"
    help = "choose `All` or `Indexed`, or the mode of a provider, such as `Microsoft.Kubernetes.Data`"
    return [Diagnostic("unknown-value", message, definition.span, help)]
