"""`copy`: the same resource, property, variable or output several times, each with its own `copyIndex()`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policyengine.errors import ExpressionError, TemplateError
from policyengine.expressions.compiled import ExpressionContext
from policyengine.expressions.functions.base import kind_of
from policyengine.model.values import JSON, get_folded, is_array
from policyengine.templates.compiled import Piece, is_loop, piece
from policyengine.templates.evaluated import evaluated_piece, with_function

MAX_COUNT = 800
STEPS_A_TURN = 8
"""What a resource is worth in steps, beside the expressions in it."""


@dataclass(frozen=True, slots=True)
class Loop:
    """``contexts``, one an iteration. With ``batch_size`` a batch waits for the one before; None: all at once."""

    name: str | None
    contexts: tuple[ExpressionContext, ...]
    batch_size: int | None = None

    def names(self, turn: int) -> frozenset[str]:
        """What others may depend on: the loop's name, and that of the iteration's batch."""
        if self.name is None:
            return frozenset()
        return frozenset({self.name.casefold(), self._batch(turn // (self.batch_size or 1))})

    def waits_for(self, turn: int) -> frozenset[str]:
        """The batch before the iteration's own."""
        if self.batch_size is None or turn < self.batch_size:
            return frozenset()
        return frozenset({self._batch(turn // self.batch_size - 1)})

    def _batch(self, number: int) -> str:
        return f"{self.name} batch {number}".casefold()


def loop_of(resource: Mapping[str, JSON], context: ExpressionContext, place: str) -> Loop:
    """The iterations of ``resource``: one in ``context`` itself when it has no `copy`. Raises TemplateError."""
    copy = get_folded(resource, "copy")
    if copy is None:
        return Loop(None, (context,))
    if not isinstance(copy, Mapping):
        raise TemplateError(f"{place}: `copy` must be an object with `name` and `count`, got {kind_of(copy)}")
    settings = evaluated(copy, context, f"{place}: copy")
    name, count = get_folded(settings, "name"), get_folded(settings, "count")
    if not isinstance(name, str) or not _is_count(count):
        raise TemplateError(f"{place}: `copy` needs a `name`, and a `count` from 0 to {MAX_COUNT}")
    try:
        context.effort.spend(count * STEPS_A_TURN)
    except ExpressionError as error:
        raise TemplateError(f"{place}: {error.message}", help=error.help) from error
    return Loop(name, tuple(_iteration(context, name, index) for index in range(count)), _batch_size(settings))


def evaluated(value: JSON, context: ExpressionContext, place: str) -> JSON:
    """``value`` with its expressions evaluated and its property loops written out.

    ``place`` begins the message of the TemplateError it may raise. Source: ARM template syntax, "property iteration".
    """
    found = piece_of(value, place)
    if found.compiled is not None:
        return evaluated_piece(found.compiled, context, place)
    if is_array(value):
        return [evaluated(item, context, f"{place}[{index}]") for index, item in enumerate(value)]
    result: dict[str, JSON] = {}
    for key, member in value.items():
        if is_loop(key, member):
            for turn in member:
                name = evaluated(get_folded(turn, "name"), context, f"{place}: copy")
                result[str(name)] = array_of(turn, context, f"{place}: copy", str(name))
        else:
            result[str(evaluated(key, context, place))] = evaluated(member, context, f"{place}: {key}")
    return result


def array_of(turn: Mapping[str, JSON], context: ExpressionContext, place: str, name: str) -> list[JSON]:
    """The array that ``{"count": …, "input": …}`` stands for; `copyIndex('name')` counts in it."""
    count = evaluated(get_folded(turn, "count"), context, f"{place}: count")
    if not _is_count(count):
        raise TemplateError(f"{place}: the `count` of `{name}` must be a whole number from 0 to {MAX_COUNT}")
    each = get_folded(turn, "input")
    contexts = (_iteration(context, name, index, is_resource=False) for index in range(count))
    return [evaluated(each, inner, f"{place}: {name}[{index}]") for index, inner in enumerate(contexts)]


def piece_of(value: JSON, place: str) -> Piece:
    try:
        return piece(value)
    except ExpressionError as error:
        raise TemplateError(f"{place}: {error.message}", help=error.help) from error


def _is_count(count: JSON) -> bool:
    return kind_of(count) == "a whole number" and 0 <= count <= MAX_COUNT


def _batch_size(settings: Mapping[str, JSON]) -> int | None:
    serial = str(get_folded(settings, "mode") or "").casefold() == "serial"
    if not serial:
        return None
    size = get_folded(settings, "batchSize", 1)
    if kind_of(size) != "a whole number" or size < 1:
        raise TemplateError(f"the `batchSize` of a `copy` must be a whole number from 1, got `{size}`")
    return int(size)


def _iteration(context: ExpressionContext, loop: str, index: int, *, is_resource: bool = True) -> ExpressionContext:
    """``context`` inside one turn. Without a name `copyIndex()` counts the resource, inside property loops too."""
    outer = context.functions.get("copyindex")

    def copy_index(*arguments: JSON) -> int:
        """``copyIndex([loop], [offset])``."""
        name, offset = _named(arguments)
        if name is None and outer is not None and not is_resource:
            return int(outer(*arguments))
        if name is None or name.casefold() == loop.casefold():
            return index + offset
        if outer is None:
            raise ExpressionError(f"there is no loop `{name}` around this")
        return int(outer(*arguments))

    return with_function(context, "copyindex", copy_index)


def _named(arguments: tuple[JSON, ...]) -> tuple[str | None, int]:
    name = arguments[0] if arguments and isinstance(arguments[0], str) else None
    rest = arguments if name is None else arguments[1:]
    return name, int(rest[0]) if rest else 0
