"""What the answer of a condition depends on: found from its text, before any document is looked at.

Equal values in all that a condition reads give equal answers: this is what lets the vector driver ask the scalar
driver once for each distinct combination. What cannot be told beforehand is said to be opaque, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.evaluation import fields
from policyengine.evaluation.subject import Subject
from policyengine.expressions.calls import argument, calls, names_of
from policyengine.expressions.compiled import CompiledValue
from policyengine.expressions.jmespath_reads import places_read
from policyengine.expressions.syntax import Call
from policyengine.language.aliases import FieldKind, Step, classify_field
from policyengine.language.shape import Shape, shape_of
from policyengine.language.syntax import Condition, Count, Field, JMESPath, Logic, Value
from policyengine.language.walk import leaves
from policyengine.model.cluster_text import CHILD_TYPES, EXTENSIONS_KEY, FLUX_KEY
from policyengine.model.values import JSON

Path = tuple[Step, ...]

_OF_ID: Final = frozenset({"id", "fullName"})
_PLACES: Final = frozenset({"resourcegroup", "subscription"})
_VARYING: Final = _PLACES | {"field", "current", "requestcontext"}
"""The functions whose answer differs from resource to resource."""


@dataclass(frozen=True, slots=True)
class Reads:
    """``own`` are paths in the document of the tested resource, ``root`` in that of the resource of the `if`.

    ``own_name`` and ``own_id``: the name of the tested resource matters, or all of its id; so for the root.
    ``related`` are paths in the children of the cluster, each with their key; an empty path means how many there are.
    ``place``: the resource group and subscription of the root matter. ``opaque`` says why the rest cannot be told; the
    whole cluster with all that is on it counts then.
    """

    own: frozenset[Path] = frozenset()
    root: frozenset[Path] = frozenset()
    own_name: bool = False
    own_id: bool = False
    root_name: bool = False
    root_id: bool = False
    related: frozenset[tuple[str, Path]] = frozenset()
    place: bool = False
    opaque: str | None = None

    def __or__(self, other: Reads) -> Reads:
        return Reads(
            self.own | other.own,
            self.root | other.root,
            self.own_name or other.own_name,
            self.own_id or other.own_id,
            self.root_name or other.root_name,
            self.root_id or other.root_id,
            self.related | other.related,
            self.place or other.place,
            self.opaque or other.opaque,
        )


NOTHING: Final = Reads()


def reads_of(logic: Logic, subject: Subject, inside: Count | None = None) -> Reads:
    """``subject`` gives types and parameters; its documents are not looked at. ``inside`` is the innermost count."""
    return reduce(or_, (_of_condition(condition, subject, inside) for condition in leaves(logic)), NOTHING)


def reads_of_value(value: CompiledValue | None, subject: Subject, inside: Count | None = None) -> Reads:
    """What an expression depends on."""
    if value is None or value.is_constant or not value.functions & _VARYING:
        return NOTHING
    return reduce(or_, (_of_call(call, subject, inside) for call in calls(value.source)), NOTHING)


def _of_condition(condition: Condition, subject: Subject, inside: Count | None) -> Reads:
    operand, found = condition.operand, reads_of_value(condition.expected, subject, inside)
    if isinstance(operand, Field):
        return found | _of_field(operand, subject)
    if isinstance(operand, Value):
        return found | reads_of_value(operand.value, subject, inside)
    if isinstance(operand, JMESPath):
        return found | _of_jmespath(operand, subject)
    return found | _of_count(operand, subject, inside)


def _of_count(count: Count, subject: Subject, inside: Count | None) -> Reads:
    """Members are read whole, unless the `where` says which of their properties it looks at."""
    where = NOTHING if count.where is None else reads_of(count.where, subject, count)
    if isinstance(count.over, Value):
        return where | reads_of_value(count.over.value, subject, inside)
    over = _of_field(count.over, subject)
    if all(any(path[: len(array)] == array and path != array for path in where.own) for array in over.own):
        return replace(over, own=frozenset()) | where
    return over | where


def _of_field(operand: Field, subject: Subject) -> Reads:
    if operand.name.functions & _VARYING:
        return Reads(opaque=f"the field `{operand.name.source}` is computed from the resource")
    try:
        name = operand.name.evaluate(subject.expression_context)
    except ExpressionError:
        return NOTHING  # the same error everywhere
    return _of_name(name, subject, root=False)


def _of_name(name: JSON, subject: Subject, *, root: bool) -> Reads:
    if not isinstance(name, str):
        return NOTHING
    found = classify_field(name)
    if found.kind is FieldKind.BUILT_IN and found.name == "name":
        return Reads(root_name=True) if root else Reads(own_name=True)
    if found.kind is FieldKind.BUILT_IN and found.name in _OF_ID:
        return Reads(root_id=True) if root else Reads(own_id=True)
    walks = fields.every_walk(name, subject.root if root else subject.resource, subject.context.aliases)
    return Reads(root=walks) if root else Reads(own=walks)


def _of_call(call: Call, subject: Subject, inside: Count | None) -> Reads:
    name = call.name.casefold()
    if name in _PLACES:
        return Reads(place=True)
    if name == "requestcontext":
        return Reads(root=frozenset({("apiVersion",)}))
    if name not in {"current", "field"}:
        return NOTHING
    if name == "current" and not call.arguments:
        return _of_field(inside.over, subject) if inside is not None and isinstance(inside.over, Field) else NOTHING
    if names_of(call.arguments[0]) & _VARYING:
        return Reads(opaque=f"`{call.name}()` is given a name that is computed from the resource")
    try:
        given = argument(call, 0, subject.expression_context)
    except ExpressionError:
        return NOTHING  # the same error everywhere
    if name == "field":
        return _of_name(given, subject, root=True)
    return _of_name(given, subject, root=False) if "[*]" in str(given) else NOTHING


_RELATED: Final[Mapping[tuple[str, ...], str]] = {("related", key): key for key in (EXTENSIONS_KEY, FLUX_KEY)}
_ABOVE: Final = frozenset({"subscription", "resourceGroup", "managementGroups"})
_BESIDE: Final = _ABOVE | {"cluster", "related", "parameters", "now"}


def _of_jmespath(operand: JMESPath, subject: Subject) -> Reads:
    places = places_read(operand.expression.tree, frozenset(_RELATED))
    return reduce(or_, (_of_place(place, subject) for place in places), NOTHING)


def _of_place(place: tuple[str, ...], subject: Subject) -> Reads:
    """JMESPath tells case, so that a name which is not spelled as known can only be looked for in the whole."""
    if not place:
        return Reads(opaque="`jmespath` looks at the whole document")
    first, rest = place[0], place[1:]
    if first not in _BESIDE:
        path = _exact(place, subject.resource.type)
        return Reads(opaque=f"`jmespath` looks for `{place[0]}`") if not path else Reads(own=frozenset({path}))
    own = Reads(own=frozenset({(first,)}))  # a member of the document with that name would come first
    if first == "related":
        return own | _of_related(place)
    if first in _ABOVE:
        return own | Reads(place=True)
    if first == "cluster":
        path = _exact(rest, subject.root.type)
        return own | (Reads(root=frozenset({path})) if path else Reads(opaque="`jmespath` looks at the whole cluster"))
    return own


def _of_related(place: tuple[str, ...]) -> Reads:
    key = _RELATED.get(place[:2])
    if key is None:
        return Reads(opaque="`jmespath` looks at all that is related")
    if len(place) == len(("related", key)):
        return Reads(related=frozenset({(key, ())}))
    path = _exact(place[3:], CHILD_TYPES[key])
    return Reads(related=frozenset({(key, path)})) if path else Reads(opaque="`jmespath` looks at whole resources")


def _exact(place: tuple[str, ...], type: str) -> Path:
    """The place as far as its names are known in just that spelling; what is there is read whole."""
    shape: Shape | None = shape_of(type.casefold())
    known: list[str] = []
    for name in place:
        if shape is None or shape.spelling(name) is None:
            break
        if shape.spelling(name) != name:
            return ()
        known.append(name)
        shape = shape.below(name)
    return tuple(known)
