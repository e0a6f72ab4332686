"""What assigned policies would do to a request for a resource: let it through, change it, or refuse it.

In the order of Azure: append and modify may change the request, deny then sees what came of it, audit only remarks.
A policy that cannot be evaluated refuses, as it does there. Pure.
Source: policy language §5.5 ("Errors"), §6 ("Order at write time"), §6.1, §6.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from policyengine.compliance.applicability import unknown_aliases
from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.judge import context_for, exemption_for
from policyengine.effects import words
from policyengine.effects.append import Append
from policyengine.effects.audit import Audit
from policyengine.effects.base import World
from policyengine.effects.changes import Change, apply, overwrites
from policyengine.effects.modify import Modify
from policyengine.errors import PolicyEngineError
from policyengine.evaluation import MASK, Context, Subject, evaluate, mask, trace
from policyengine.evaluation.masking import names_secret
from policyengine.language.aliases import format_path
from policyengine.model.resource import Cluster, Resource
from policyengine.model.values import JSON, canonical_json

_PARTIES: Final = 2
"""How many that deny make a disagreement a refusal."""


class Answer(Enum):
    ALLOWED = "allowed"
    CHANGED = "changed"
    DENIED = "denied"


class Act(Enum):
    """What one policy does to the request."""

    CHANGES = "changes"
    DENIES = "denies"
    AUDITS = "audits"
    YIELDS = "yields"  # it would change a field that another policy decides


_REFUSALS: Final = {"deny": Act.DENIES, "audit": Act.AUDITS}
"""What a `conflictEffect` makes of a field that cannot be modified; `disabled` says nothing. Source: §6.2, "field"."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """One policy that has something to say, and what; ``message`` is what its author says about it."""

    policy: str
    effect: str
    act: Act
    words: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """``resource`` is the request as the policies leave it, also when it is denied."""

    answer: Answer
    resource: Resource
    rulings: tuple[Ruling, ...]


def admit(policies: Sequence[BoundPolicy], resource: Resource, world: World) -> Admission:
    """What becomes of a request for ``resource``; policies that are not enforced say nothing."""
    here = [policy.on(resource) for policy in policies]
    pairs = [_Pair(policy, resource, world) for policy in here if _is_in_force(policy, resource, world)]
    changed, rulings = _change(pairs, resource)
    for pair in pairs:
        rulings += pair.rule_on(changed)
    denied = any(ruling.act is Act.DENIES for ruling in rulings)
    altered = changed.document is not resource.document
    answer = Answer.DENIED if denied else Answer.CHANGED if altered else Answer.ALLOWED
    return Admission(answer, changed, tuple(rulings))


def _is_in_force(policy: BoundPolicy, resource: Resource, world: World) -> bool:
    if not isinstance(policy.effect, Append | Modify | Audit) or not policy.in_scope(resource, world.tree):
        return False
    if not policy.is_enforced_on(resource, world.tree):
        return False
    if resource.type.casefold() in unknown_aliases(policy.definition.condition, world.aliases):
        return False
    return exemption_for(policy, Cluster(resource), world) is None


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """One change a policy asks for. ``conflict_effect`` says what becomes of it when others want another value."""

    pair: _Pair
    change: Change
    conflict_effect: str

    @property
    def field(self) -> str:
        return format_path(self.change.steps).casefold()

    @property
    def value(self) -> str:
        return canonical_json([self.change.kind == "remove", self.change.value])


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """One policy and the request."""

    policy: BoundPolicy
    request: Resource
    world: World

    def wanted(self) -> list[_Wanted]:
        """Raises PolicyEngineError."""
        effect, context = self.policy.effect, self.context(self.request)
        subject = Subject.of(self.request, context)
        if isinstance(effect, Modify) and not effect.may_change(self.request):
            return []
        if not isinstance(effect, Append | Modify) or not evaluate(effect.condition, subject):
            return []
        conflict = effect.conflict_effect(self.request, context) if isinstance(effect, Modify) else "deny"
        return [_Wanted(self, change, conflict) for change in effect.changes(subject)]

    def refusals(self) -> list[Ruling]:
        """For fields that cannot be modified, what `conflictEffect` says. Raises PolicyEngineError."""
        effect, context = self.policy.effect, self.context(self.request)
        subject = Subject.of(self.request, context)
        if not isinstance(effect, Modify) or not evaluate(effect.condition, subject):
            return []
        act = _REFUSALS.get(effect.conflict_effect(self.request, context))
        if act is None:
            return []
        return [self.ruling(act, f"`{field}` cannot be modified") for field in effect.fixed_fields(subject)]

    def rule_on(self, changed: Resource) -> list[Ruling]:
        """What deny and audit say about the request as it has become."""
        effect = self.policy.effect
        if not isinstance(effect, Audit):
            return []
        subject = Subject.of(changed, self.context(changed))
        act = Act.DENIES if effect.name == "deny" else Act.AUDITS
        try:
            if not evaluate(self.policy.definition.condition, subject):
                return []
            said = self.policy.message_for(changed.name)
            return [self.ruling(act, words.of_match(trace(effect.rule, subject)), said)]
        except PolicyEngineError as problem:
            return [self.ruling(Act.DENIES, f"it cannot be evaluated: {problem.message}")]

    def context(self, resource: Resource) -> Context:
        return context_for(self.policy, Cluster(resource), self.world)

    def ruling(self, act: Act, text: str, message: str | None = None) -> Ruling:
        return Ruling(self.policy.key, self.policy.effect_name, act, text, message)


def _change(pairs: Iterable[_Pair], request: Resource) -> tuple[Resource, list[Ruling]]:
    """The request after every append and modify, and what each of them said."""
    rulings: list[Ruling] = []
    wanted: list[_Wanted] = []
    for pair in pairs:
        try:
            wanted += pair.wanted()
            rulings += pair.refusals()
        except PolicyEngineError as problem:
            rulings.append(pair.ruling(Act.DENIES, f"it cannot be evaluated: {problem.message}"))
    appended = sorted(wanted, key=lambda w: isinstance(w.pair.policy.effect, Modify))
    document = request.document
    for want in appended:
        ruling = _obstacle(want, wanted, document)
        if ruling is None:
            after = apply([want.change], document)
            if after is not document:
                rulings.append(want.pair.ruling(Act.CHANGES, _said(want.change)))
                document = after
        elif ruling not in rulings:
            rulings.append(ruling)
    return Resource(request.id, document), rulings


def _obstacle(want: _Wanted, wanted: Sequence[_Wanted], document: Mapping[str, JSON]) -> Ruling | None:
    """Why a change is not made: it would overwrite, or another policy wants another value for that field."""
    if isinstance(want.pair.policy.effect, Append):
        if overwrites(want.change, document):
            return want.pair.ruling(Act.DENIES, f"`{want.change.field}` has another value already")
        return None
    others = [
        w for w in wanted if w.pair is not want.pair and w.field == want.field and w.value != want.value and _decides(w)
    ]
    if not others:
        return None
    rivals = ", ".join(f"`{key}`" for key in dict.fromkeys(w.pair.policy.key for w in others))
    text = f"{rivals} wants another value for `{want.change.field}`"
    if want.conflict_effect != "deny":
        return want.pair.ruling(Act.YIELDS, text)
    denying = [w for w in (want, *others) if w.conflict_effect == "deny"]
    return want.pair.ruling(Act.DENIES, text) if len(denying) >= _PARTIES else None


def _decides(want: _Wanted) -> bool:
    return isinstance(want.pair.policy.effect, Modify)


def _said(change: Change) -> str:
    if change.kind == "remove":
        return f"removes {change.field}"
    return f"sets {change.field} to {MASK if names_secret(change.field) else words.value(mask(change.value))}"
