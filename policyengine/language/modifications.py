"""`details` of modify and of append: what is done to which field. Source: policy language §6.1, §6.2."""

from __future__ import annotations

from typing import Final

from policyengine.expressions.compiled import CompiledValue, constant
from policyengine.language.aliases import FieldKind, classify_field
from policyengine.language.fields import Fields, first_line, one_of
from policyengine.language.problems import Problems
from policyengine.language.scalars import compile_node
from policyengine.language.syntax import Modification, Operation
from policyengine.model.diagnostic import did_you_mean
from policyengine.text.nodes import MappingNode, Node, SequenceNode, describe

ADD: Final = "add"
ADD_OR_REPLACE: Final = "addOrReplace"
REMOVE: Final = "remove"
APPEND: Final = "append"

_KINDS: Final = {kind: kind for kind in (ADD, ADD_OR_REPLACE, REMOVE)}
CONFLICT_EFFECTS: Final = ("audit", "deny", "disabled")
_DENY: Final = constant("deny")
_NOT_IN_CONDITIONS: Final = {"field": "field()", "resourcegroup": "resourceGroup()", "subscription": "subscription()"}


def parse_modify(node: MappingNode, problems: Problems) -> Modification:
    fields = Fields(node, "`details`", problems)
    operations = [_parse_operation(item, problems) for item in fields.items("operations")]
    modification = Modification(
        operations=tuple(operation for operation in operations if operation is not None),
        conflict_effect=_parse_conflict_effect(fields),
        role_definition_ids=fields.texts("roleDefinitionIds"),
        span=first_line(node),
    )
    fields.close()
    if not operations:
        fields.missing("operations", "name what is to be done: `operation`, `field` and `value`")
    return modification


def parse_append(node: SequenceNode, problems: Problems) -> Modification:
    operations = [_parse_addition(item, problems) for item in node.items]
    return Modification(tuple(o for o in operations if o is not None), _DENY, span=first_line(node))


def _parse_addition(node: Node, problems: Problems) -> Operation | None:
    fields = _fields(node, "a field to append", problems)
    if fields is None:
        return None
    target, value = fields.take("field"), fields.entry("value")
    fields.close()
    for name, given in (("field", target), ("value", value)):
        if given is None:
            fields.missing(name)
    if target is None or value is None:
        return None
    return Operation(APPEND, compile_node(target, problems), compile_node(value.value, problems), span=first_line(node))


def _parse_operation(node: Node, problems: Problems) -> Operation | None:
    fields = _fields(node, "an operation", problems)
    if fields is None:
        return None
    fields.required_text("operation")
    kind = fields.choice("operation", _KINDS, ADD)
    target, value = fields.take("field"), fields.entry("value")
    condition = _parse_condition(fields)
    fields.close()
    if target is None:
        fields.missing("field")
        return None
    name = compile_node(target, problems)
    if kind == REMOVE:
        _check_removes_tag(name, target, problems)
    elif value is None:
        fields.missing("value", f"`{kind}` sets the field to it")
        return None
    compiled = compile_node(value.value, problems) if value is not None and kind != REMOVE else None
    return Operation(kind, name, compiled, condition, first_line(node))


def _parse_condition(operation: Fields) -> CompiledValue | None:
    node = operation.take("condition")
    if node is None:
        return None
    condition = compile_node(node, operation.problems)
    for name in sorted(condition.functions & _NOT_IN_CONDITIONS.keys()):
        message = f"the condition of an operation cannot ask for `{_NOT_IN_CONDITIONS[name]}`"
        operation.problems.error("invalid-expression", message, node.span, "put that into the `if`")
    return condition


def _parse_conflict_effect(details: Fields) -> CompiledValue:
    node = details.take("conflictEffect")
    if node is None:
        return _DENY
    effect = compile_node(node, details.problems)
    if effect.is_constant and str(effect.constant).casefold() not in CONFLICT_EFFECTS:
        help = did_you_mean(str(effect.constant), CONFLICT_EFFECTS) or one_of(CONFLICT_EFFECTS)
        message = f"`conflictEffect` cannot be `{effect.constant}`"
        details.problems.error("unknown-value", message, node.span, help)
    return effect


def _check_removes_tag(name: CompiledValue, node: Node, problems: Problems) -> None:
    if name.is_constant and classify_field(str(name.constant)).kind is not FieldKind.TAG:
        message = f"`remove` takes tags away, and `{name.constant}` is none"
        problems.error("invalid-value", message, node.span, "name a tag, such as `tags['owner']`")


def _fields(node: Node, noun: str, problems: Problems) -> Fields | None:
    if isinstance(node, MappingNode):
        return Fields(node, noun, problems)
    problems.error("wrong-type", f"{noun} must be a mapping, got {describe(node)}", first_line(node))
    return None
