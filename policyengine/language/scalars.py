"""Scalars with a grammar of their own: expressions, durations, dates, references to names and versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.expressions.compiled import CompiledValue, compile_value, constant, is_expression
from policyengine.expressions.parser import parse
from policyengine.expressions.syntax import Access, Call, Expression, Literal
from policyengine.language.documents import Parameter, Reference
from policyengine.language.fields import Fields, text_of
from policyengine.language.problems import Problems
from policyengine.model.diagnostic import Span, did_you_mean
from policyengine.text.nodes import MappingNode, Node, ScalarNode, SequenceNode, to_value

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9}[smhd])+")
_VERSION = re.compile(r"(\d+|\*)(\.(\d+|\*)){0,2}(-preview)?", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def compile_node(node: Node, problems: Problems) -> CompiledValue:
    """The value with its expressions compiled for a rule; every expression that cannot be right is reported."""
    try:
        return compile_value(to_value(node))
    except ExpressionError:
        for scalar in _expressions(node):
            _report_expression(scalar, problems)
        return constant(None)


def _report_expression(scalar: ScalarNode, problems: Problems) -> None:
    try:
        compile_value(scalar.value)
    except ExpressionError as error:
        problems.error("invalid-expression", error.message, place_in(scalar, error.offset), error.help)


def place_in(scalar: ScalarNode, offset: int | None) -> Span:
    """Where an expression goes wrong: the word at ``offset`` characters into the text, else all of it."""
    if offset is None:
        return scalar.span
    word = _WORD.match(str(scalar.value), offset)
    return scalar.at(offset, len(word[0]) if word else 1)


def _expressions(node: Node, skip: str | None = None) -> Iterator[ScalarNode]:
    """Every scalar that is an expression, in the order written; nothing below a key called ``skip``."""
    if isinstance(node, MappingNode):
        for entry in node:
            if entry.name.casefold() != skip:
                yield from _expressions(entry.value, skip)
    elif isinstance(node, SequenceNode):
        for item in node.items:
            yield from _expressions(item, skip)
    elif isinstance(node.value, str) and is_expression(node.value):
        yield node


def check_parameter_names(node: Node, parameters: Mapping[str, Parameter], problems: Problems) -> None:
    """Report every `parameters('x')` whose ``x`` is not declared. Names are compared without case.

    Deployment templates are left out: there `parameters()` means the template's own.
    """
    for scalar in _expressions(node, skip="template"):
        try:
            tree = parse(scalar.value)
        except ExpressionError:
            continue
        for literal in _parameter_names(tree):
            name = str(literal.value)
            if name.casefold() not in parameters:
                help = did_you_mean(name, [p.name for p in parameters.values()]) or "declare it under `parameters`"
                span = scalar.at(literal.offset, len(name) + 2)
                problems.error("unknown-parameter", f"parameter `{name}` is not declared", span, help)


def _parameter_names(tree: Expression) -> Iterator[Literal]:
    if isinstance(tree, Access):
        yield from _parameter_names(tree.target)
        yield from _parameter_names(tree.key)
    elif isinstance(tree, Call):
        for argument in tree.arguments:
            if tree.name.casefold() == "parameters" and isinstance(argument, Literal):
                yield argument
            yield from _parameter_names(argument)


def parse_duration(text: str) -> int | None:
    """Seconds in ``30m``, ``1h30m``, ``90s`` or ``2d``; None for anything else."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(int(part[:-1]) * _SECONDS[part[-1]] for part in re.findall(r"\d+[smhd]", text))


def duration_of(node: Node, name: str, problems: Problems) -> int | None:
    """Seconds, at least one; None with an error otherwise."""
    value = node.value if isinstance(node, ScalarNode) else None
    seconds = parse_duration(value) if isinstance(value, str) else None
    if seconds:
        return seconds
    help = "write a number and a unit, such as `30m`, `90s`, `6h` or `1d`"
    problems.error("invalid-duration", f"`{name}` must be a duration longer than nothing", node.span, help)
    return None


def instant_of(text: str, span: Span, problems: Problems) -> datetime | None:
    """An aware instant in UTC; a date alone means its first moment, a time without an offset is UTC."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        help = "write it as `2027-01-05` or `2027-01-05T12:00:00Z`"
        problems.error("invalid-date", f"`{text}` is not a date", span, help)
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def reference_of(text: str, span: Span, problems: Problems, *, version: str | None = None) -> Reference:
    """``name``, ``name@1.*``, a full Azure id, or a display name of several words; ``version`` where written apart."""
    name, at, written = text.partition("@")
    pattern = written if at else version
    if pattern is not None:
        pattern = version_pattern_of(pattern, span, problems)
    if not name.startswith("/") and not is_name(name) and len(name.split()) < 2:
        problems.error("invalid-reference", f"`{name}` is neither a name nor a full Azure id", span)
    return Reference(name, pattern, span)


def version_pattern_of(text: str, span: Span, problems: Problems) -> str | None:
    if _VERSION.fullmatch(text):
        return text
    help = "write `1.2.3`, `1.2.*` or `1.*`"
    problems.error("invalid-reference", f"`{text}` is not a version or a version pattern", span, help)
    return None


def references_of(fields: Fields, name: str) -> tuple[Reference, ...]:
    """A list of references, such as `dependsOn`."""
    problems = fields.problems
    texts = [(text_of(item, f"each of `{name}`", problems), item.span) for item in fields.items(name)]
    return tuple(reference_of(text, span, problems) for text, span in texts if text is not None)


def is_name(text: str) -> bool:
    """Letters, digits, dots, hyphens and underscores; what names of documents are made of."""
    return _NAME.fullmatch(text) is not None


def name_of(text: str, span: Span, problems: Problems) -> str:
    if text and not is_name(text):
        help = "use letters, digits, `-`, `_` and `.`, beginning with a letter or digit"
        problems.error("invalid-name", f"`{' '.join(text.split())}` cannot be the name of a document", span, help)
    return text
