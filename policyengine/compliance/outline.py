"""A bound policy made ready for many clusters of one type: its conditions as trees, and all that it reads.

`reads` holds everything a verdict depends on beside the place of a cluster: clusters that agree in it (and in what is
read of each of their children) get the same verdict with the same reason, word for word. Mostly they need to agree in
much less, see `telling`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property, reduce
from operator import or_

from policyengine.compliance.applicability import selecting_part
from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.judge import context_for
from policyengine.effects.append import Append
from policyengine.effects.audit import Audit
from policyengine.effects.base import BoundEffect, World
from policyengine.effects.elsewhere import HandledElsewhere
from policyengine.effects.manual import Manual
from policyengine.effects.modify import Modify
from policyengine.errors import ExpressionError
from policyengine.evaluation.projection import projectable
from policyengine.evaluation.questions import Group, Negation, Tree, compile_tree, questions
from policyengine.evaluation.reads import NOTHING, Reads, reads_of_value
from policyengine.evaluation.subject import Subject
from policyengine.evaluation.vector import MAX_QUESTIONS
from policyengine.language.indexed import looks_at
from policyengine.language.shape import PROPERTIES, shape_of
from policyengine.language.syntax import ExistenceDetails, Logic
from policyengine.model.cluster_text import CHILD_TYPES
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource


class Way(Enum):
    """How the clusters are told apart that need a closer look."""

    SILENT = auto()  # nothing is evaluated on this type
    BY_RULE = auto()  # those for which the `if` holds
    BY_CHILDREN = auto()  # those for which the `if` holds and no child of theirs will do
    EACH = auto()  # those for which the `if` holds, or all that are in scope


@dataclass(frozen=True)
class Outline:
    """``applies`` and ``rule`` are the parts of the `if`; ``child`` and ``children`` name and test what must exist.
    Without a ``rule`` more than the `if` tells apart whom the policy has nothing to say of.

    ``told`` is what the reason of a finding speaks of, None where it says the same of every cluster.

    ``reads`` is of the cluster, ``child_reads`` of each child under that key. ``slow`` says why the scalar driver is
    asked row by row, None when it is not.
    """

    way: Way
    applies: Tree | None = None
    rule: Tree | None = None
    child: str | None = None
    child_name: str | None = None
    child_kind: str | None = None
    children: Tree | None = None
    told: Tree | None = None
    reads: Reads = NOTHING
    child_reads: Reads = NOTHING
    slow: str | None = None

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of children that are looked at, by their keys."""
        related = self.reads.related | self.child_reads.related
        return frozenset(key for key, _ in related) | ({self.child} if self.child is not None else frozenset())

    @cached_property
    def asked(self) -> int:
        """How many conditions are asked of a cluster."""
        return sum(len(questions(tree)) for tree in (self.applies, self.rule) if tree is not None)

    @cached_property
    def asked_in_all(self) -> int:
        """The same when the reason is asked for, too."""
        return self.asked + (len(questions(self.told)) if self.told is not None else 0)

    @cached_property
    def asked_of_child(self) -> int:
        """The reason looks at each child once more."""
        return 2 * len(questions(self.children)) if self.children is not None else 0

    @cached_property
    def few(self) -> int:
        """So many children can be asked about within the budget of an evaluation."""
        return (MAX_QUESTIONS - self.asked_in_all) // max(self.asked_of_child, 1)


def outline(policy: BoundPolicy, type: str, world: World) -> Outline:
    """``policy`` stands as it does on the clusters it is asked about: overrides are behind it."""
    effect = policy.effect
    seen = looks_at(policy.definition.mode, type, world.aliases)
    if effect is None or not seen or type.casefold() in policy.unknown_aliases or isinstance(effect, HandledElsewhere):
        return Outline(Way.SILENT)
    cluster = Resource(ResourceId(f"/subscriptions/0/resourceGroups/0/providers/{type}/0"), {})
    subject = Subject.of(cluster, context_for(policy, Cluster(cluster), world))
    rule = _settled(compile_tree(policy.definition.condition, subject), type)
    found = Outline(Way.BY_RULE, rule=rule, reads=_reads(rule))
    if isinstance(effect, Manual) and effect.attestations:
        return _complete(replace(found, way=Way.EACH, rule=None, reads=found.reads | Reads(root_id=True)))
    if effect.details is not None:
        return _complete(_of_existence(found, effect.details, subject))
    applies = _settled(compile_tree(selecting_part(policy.definition.condition), subject), type)
    logic = what_is_told(effect)
    if logic is None:
        return _complete(replace(found, applies=applies))
    told = _settled(compile_tree(logic, subject), type)
    return _complete(replace(found, applies=applies, told=told, reads=found.reads | _reads(told)))


def what_is_told(effect: BoundEffect) -> Logic | None:
    """What the reason of a finding speaks of, for an effect that looks at the cluster alone."""
    if isinstance(effect, Audit):
        return effect.rule
    return effect.condition if isinstance(effect, Modify | Append) else None


def _of_existence(found: Outline, details: ExistenceDetails, subject: Subject) -> Outline:
    named = (details.type, details.name, details.resource_group_name)
    type = subject.root.type
    above = reduce(or_, (reads_of_value(value, subject) for value in named), NOTHING)
    child = _child_key(details, subject)
    if child is None or above != NOTHING:
        whole = Reads(opaque="it looks for resources beyond the extensions and Flux configurations of the cluster")
        return replace(found, way=Way.EACH, reads=found.reads | whole)
    name = None if details.name is None else details.name.evaluate(subject.expression_context)
    if name is not None and (not isinstance(name, str) or "/" in name):
        return replace(found, way=Way.EACH, reads=found.reads | Reads(opaque="the name looked for has several parts"))
    resource = Resource(subject.root.id.extension(CHILD_TYPES[child], "0"), {})
    inside = Subject(resource, subject.root, subject.context)
    tree = None
    if details.existence_condition is not None:
        tree = _settled(compile_tree(details.existence_condition, inside), type, CHILD_TYPES[child])
    reads = _reads(tree) if tree is not None else NOTHING
    kind = frozenset({("kind",)}) if details.kind is not None else frozenset()
    return replace(
        found,
        way=Way.BY_CHILDREN,
        child=child,
        child_name=None if name is None or name.endswith("?") else name.casefold(),
        child_kind=details.kind,
        children=tree,
        reads=found.reads | replace(reads, own=frozenset(), own_name=False, own_id=False),
        child_reads=Reads(own=reads.own | kind, own_name=True, own_id=reads.own_id, opaque=reads.opaque),
    )


def _child_key(details: ExistenceDetails, subject: Subject) -> str | None:
    try:
        type = details.type.evaluate(subject.expression_context)
    except ExpressionError:
        return None
    wanted = str(type).casefold()
    return next((key for key, child in CHILD_TYPES.items() if child.casefold() == wanted), None)


def _settled(tree: Tree, root: str, own: str | None = None) -> Tree:
    """The tree with those conditions marked whose paths cannot be projected."""
    if isinstance(tree, Group):
        return replace(tree, members=tuple(_settled(member, root, own) for member in tree.members))
    if isinstance(tree, Negation):
        return replace(tree, member=_settled(tree.member, root, own))
    return replace(tree, reads=_projectable(tree.reads, root, own))


def _projectable(reads: Reads, root: str, own: str | None = None) -> Reads:
    every = [(path, own or root) for path in reads.own] + [(path, root) for path in reads.root]
    every += [(path, CHILD_TYPES[key]) for key, path in reads.related if path]
    odd = [path for path, type in every if not projectable(path, shape_of(type.casefold()))]
    if not odd or reads.opaque is not None:
        return reads
    if odd[0] == (PROPERTIES,):
        return Reads(opaque=f"all of `{PROPERTIES}` is read")
    return Reads(opaque=f"`{'.'.join(map(str, odd[0]))}` is no name that documents of this type are known to have")


def _reads(tree: Tree) -> Reads:
    return reduce(or_, (question.reads for question in questions(tree)), NOTHING)


def _complete(found: Outline) -> Outline:
    return replace(found, slow=found.reads.opaque or found.child_reads.opaque)
