"""Operations on one document: what they come to there, and the document after them.

Nothing is changed in place: a changed document shares what did not change, and a document that is the very same
object says that nothing did. A property whose parent is absent is left alone. Source: policy language §6.1, §6.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.evaluation import Subject
from policyengine.evaluation.fields import steps
from policyengine.evaluation.paths import select
from policyengine.evaluation.places import api_version
from policyengine.expressions.compiled import CompiledValue
from policyengine.language.aliases import STAR, FieldKind, Step, classify_field
from policyengine.language.modifications import ADD, ADD_OR_REPLACE, APPEND, REMOVE
from policyengine.language.syntax import Operation
from policyengine.model.values import JSON, UNDEFINED, Nothing, canonical_json, get_folded, is_array

_ALWAYS_THERE: Final = frozenset({"properties", "tags"})
"""Objects every resource has, so that the first member may be set where the document leaves them out."""


@dataclass(frozen=True, slots=True)
class Change:
    """An operation with everything in it evaluated. ``steps`` is the walk to the field on the resource's type."""

    kind: str
    field: str
    steps: tuple[Step, ...]
    value: JSON = None


def resolve(operations: Iterable[Operation], subject: Subject) -> tuple[Change, ...]:
    """The changes asked for; left out are those whose condition is false or whose field the type does not have.

    Left out as well is what `modify` asks of an alias that cannot be modified. Raises ExpressionError.
    """
    found = (_resolve(operation, subject) for operation in operations)
    return tuple(c for c in found if c is not None and not (c.kind != APPEND and _is_fixed(c.field, subject)))


def fixed_fields(operations: Iterable[Operation], subject: Subject) -> tuple[str, ...]:
    """The aliases that would be changed and that the catalogue says cannot be modified. Raises ExpressionError."""
    found = (_resolve(operation, subject) for operation in operations)
    return tuple(dict.fromkeys(c.field for c in found if c is not None and _is_fixed(c.field, subject)))


def apply(changes: Iterable[Change], document: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The document after all of them, one after the other."""
    return reduce(lambda before, change: _walk(before, change.steps, change), changes, document)


def overwrites(change: Change, document: Mapping[str, JSON]) -> bool:
    """True when an `append` would replace what is there, which makes it a deny. Source: policy language §6.1."""
    if change.steps[-1] is STAR:
        return False
    for present in select(document, change.steps).values:
        if present is not UNDEFINED and present is not None:
            return is_array(present) or not _is_same(present, change.value)
    return False


def patch_between(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> dict[str, JSON]:
    """The merge patch that turns one into the other: null takes a member away, a list stands for itself."""
    patch: dict[str, JSON] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if value is old and key in before:
            continue
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if nested := patch_between(old, value):
                patch[key] = nested
        elif key not in before or not _is_same(old, value):
            patch[key] = value
    return patch


def _resolve(operation: Operation, subject: Subject) -> Change | None:
    if operation.condition is not None and not _holds(operation.condition, subject):
        return None
    name = _evaluated(operation.field, subject, "the field of an operation")
    if not isinstance(name, str):
        raise ExpressionError(f"the field of an operation must be text, `{operation.field.source}` is not")
    if operation.kind == REMOVE and classify_field(name).kind is not FieldKind.TAG:
        raise ExpressionError(f"`remove` takes tags away, and `{name}` is none")
    path = steps(name, subject.resource, subject.context.aliases)
    if not path:
        return None
    value = operation.value
    return Change(
        operation.kind, name, path, None if value is None else _evaluated(value, subject, f"the value for `{name}`")
    )


def _is_fixed(field: str, subject: Subject) -> bool:
    """In the API version of the document. What the catalogue does not say may be modified. Source: §4.3, §6.2."""
    resource = subject.resource
    alias = subject.context.aliases.alias(resource.type, field)
    return alias is not None and alias.is_modifiable(api_version(resource)) is False


def _holds(condition: CompiledValue, subject: Subject) -> bool:
    result = _evaluated(condition, subject, "the condition of an operation")
    if isinstance(result, bool):
        return result
    if isinstance(result, str) and result.casefold() in {"true", "false"}:
        return result.casefold() == "true"
    raise ExpressionError(f"the condition of an operation must be true or false, `{condition.source}` is neither")


def _evaluated(value: CompiledValue, subject: Subject, what: str) -> JSON:
    result = value.evaluate(subject.expression_context)
    if isinstance(result, Nothing):
        raise ExpressionError(f"{what} has no result: `{value.source}`")
    return result


def _walk(value: JSON, path: Sequence[Step], change: Change, *, root: bool = True) -> JSON:
    step, rest = path[0], path[1:]
    if step is STAR:
        return _each(value, rest, change)
    if not isinstance(value, Mapping):
        return value
    key = next((name for name in value if name.casefold() == str(step).casefold()), str(step))
    old = value.get(key)
    if not rest:
        new = _one(old, change)
    elif rest == (STAR,):
        new = _array(old, change)
    else:
        parent = {} if old is None and root and key.casefold() in _ALWAYS_THERE else old
        new = _walk(parent, rest, change, root=False)
        if new is parent:
            return value
    if new is old:
        return value
    return {name: member for name, member in {**value, key: new}.items() if name != key or new is not None}


def _each(value: JSON, rest: Sequence[Step], change: Change) -> JSON:
    """Every member; members that are sub-resources keep their values one level down. Source: §4.3 (a)."""
    if not is_array(value):
        return value
    members = [_walk(item, _inside(item, rest), change, root=False) for item in value]
    return value if all(new is old for new, old in zip(members, value, strict=True)) else members


def _inside(item: JSON, rest: Sequence[Step]) -> Sequence[Step]:
    if not isinstance(item, Mapping) or rest[0] is STAR or get_folded(item, str(rest[0])) is not None:
        return rest
    inner = get_folded(item, "properties")
    there = isinstance(inner, Mapping) and get_folded(inner, str(rest[0])) is not None
    return ("properties", *rest) if there else rest


def _one(old: JSON, change: Change) -> JSON:
    if change.kind == REMOVE:
        return None
    if change.kind in {ADD, APPEND} and old is not None:
        return old
    return old if _is_same(old, change.value) else change.value


def _array(old: JSON, change: Change) -> JSON:
    if old is not None and not is_array(old):
        return old
    if change.kind == ADD_OR_REPLACE:
        new = [change.value]
        return old if old is not None and _is_same(list(old), new) else new
    return [*(old or ()), change.value]


def _is_same(one: JSON, other: JSON) -> bool:
    return canonical_json(one) == canonical_json(other)
