"""The door for jmespath: expressions compiled once, our functions added, its errors turned into ours.

Functions beyond JMESPath's own: `semver_compare`, `version_minor`, `age_days`, `lower`, `matches`, `get_tag`,
`cidr_contains`. A null argument gives null (false for `matches` and `cidr_contains`), as absent fields are null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import jmespath
from jmespath import exceptions, visitor
from jmespath.functions import Functions, signature
from jmespath.parser import ParsedResult

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.dates import parse_instant
from policyengine.expressions.functions.networks import ip_range_contains
from policyengine.expressions.lexer import MAX_CHARACTERS
from policyengine.expressions.limits import Effort, check_length
from policyengine.expressions.regular import compile_pattern
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON, walk

if TYPE_CHECKING:
    from jmespath.functions import _Signature

_SECONDS_A_DAY = 86_400
_VISITS_A_STEP = 8

_COMPOSED = frozenset(
    {"multi_select_list", "multi_select_dict", "flatten", "projection", "value_projection", "filter_projection"}
)
"""Nodes that put a new value together; sharing one part many times, it may be far larger than what it takes to make."""

_TEXT: _Signature = {"types": ["string", "null"]}
_ANY: _Signature = {"types": []}


@dataclass(frozen=True, slots=True, eq=False)
class JMESPathExpression:
    """A compiled JMESPath expression; ``text`` is as written."""

    text: str
    _parsed: ParsedResult = field(repr=False)

    @property
    def tree(self) -> Mapping[str, JSON]:
        """The syntax tree: nodes with ``type``, ``children`` and sometimes ``value``."""
        return self._parsed.parsed

    def search(self, document: JSON, *, at: datetime, effort: Effort | None = None) -> JSON:
        """What the expression finds in ``document``, null when nothing. Raises ExpressionError for a wrong type.

        Without ``effort`` the search may take as long as it wants.
        """
        functions = _PolicyFunctions(at)
        interpreter = visitor.TreeInterpreter(jmespath.Options(custom_functions=functions))
        if effort is not None:
            interpreter = _Interpreter(functions, effort)
        try:
            return interpreter.visit(self._parsed.parsed, document)
        except exceptions.JMESPathTypeError as error:
            raise ExpressionError(_wrong_type(error), offset=_place_of(self.text, error.function_name)) from error
        except (exceptions.JMESPathError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ExpressionError(f"`{self.text}` cannot be evaluated: {error}".replace("\n", " ")) from error


def compile_jmespath(text: str) -> JMESPathExpression:
    """Raises ExpressionError, with an offset, for bad syntax, an unknown function, or a wrong number of arguments."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"the expression has {len(text)} characters, {MAX_CHARACTERS} are allowed")
    try:
        parsed = jmespath.compile(text)
    except exceptions.EmptyExpressionError as error:
        raise ExpressionError("the JMESPath expression is empty", offset=0) from error
    except exceptions.LexerError as error:
        raise ExpressionError(f"`{error.token_value}` does not belong here", offset=error.lex_position) from error
    except exceptions.ParseError as error:
        raise _syntax_error(error, text) from error
    except RecursionError as error:
        raise ExpressionError("the JMESPath expression nests too deeply", offset=0) from error
    except ValueError as error:
        raise ExpressionError("a number in the JMESPath expression is too large", offset=0) from error
    for name, arguments in _calls(parsed.parsed):
        _check_call(text, name, arguments)
    return JMESPathExpression(text, parsed)


def _syntax_error(error: exceptions.ParseError, text: str) -> ExpressionError:
    if not error.token_value:
        return ExpressionError("the JMESPath expression is cut short", offset=len(text))
    return ExpressionError(f"`{error.token_value}` does not belong here", offset=error.lex_position)


def _calls(node: Any) -> Iterator[tuple[str, int]]:
    """Every function called in a jmespath syntax tree, with its number of arguments."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node["type"] == "function_expression":
            yield node["value"], len(node["children"])
        waiting.extend(child for child in node["children"] if isinstance(child, Mapping))


def _check_call(text: str, name: str, arguments: int) -> None:
    known = _PolicyFunctions.FUNCTION_TABLE
    offset = _place_of(text, name)
    if name not in known:
        raise ExpressionError(f"`{name}` is not a JMESPath function", offset=offset, help=did_you_mean(name, known))
    wanted = known[name]["signature"]
    variadic = bool(wanted and wanted[-1].get("variadic"))
    if arguments < len(wanted) or (arguments > len(wanted) and not variadic):
        at_least = "at least " if variadic else ""
        plural = "" if len(wanted) == 1 else "s"
        raise ExpressionError(
            f"`{name}()` takes {at_least}{len(wanted)} argument{plural}, got {arguments}", offset=offset
        )


def _place_of(text: str, function: str) -> int | None:
    match = re.search(rf"\b{re.escape(function)}\s*\(", text)
    return match.start() if match else None


def _wrong_type(error: exceptions.JMESPathTypeError) -> str:
    wanted = " or ".join(error.expected_types)
    return f"`{error.function_name}()` takes {wanted}, got {error.actual_type}"


class _Interpreter(visitor.TreeInterpreter):
    """JMESPath's own, which spends effort: on every node visited, and on what it puts together or gives a function."""

    def __init__(self, functions: Functions, effort: Effort) -> None:
        super().__init__(jmespath.Options(custom_functions=functions))
        self._callable = functions
        self._effort = effort
        self._visits = 0

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._visits += 1
        if self._visits % _VISITS_A_STEP == 0:
            self._effort.spend(1)
        result = super().visit(node, *args, **kwargs)
        if node["type"] in _COMPOSED:
            self._effort.look_at(result)
        return result

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        arguments = [self.visit(child, value) for child in node["children"]]
        for argument in arguments:
            self._effort.look_at(argument)
        return self._callable.call_function(node["value"], arguments)


class _PolicyFunctions(Functions):
    """JMESPath's functions and ours; one instance per search, for it knows the instant."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    @signature(_TEXT, _TEXT)
    def _func_semver_compare(self, left: str | None, right: str | None) -> int | None:
        """-1, 0 or 1 by semantic versioning; missing parts are 0, a pre-release comes before its release."""
        if left is None or right is None:
            return None
        a, b = _version_key(left), _version_key(right)
        return (a > b) - (a < b)

    @signature(_TEXT)
    def _func_version_minor(self, version: str | None) -> int | None:
        """29 of ``1.29.4``."""
        return None if version is None else _version_key(version)[0][1]

    @signature(_TEXT)
    def _func_age_days(self, instant: str | None) -> float | None:
        """Days since an ISO 8601 date, with a fraction; negative when it lies ahead."""
        if instant is None:
            return None
        return (self._at - parse_instant(instant)).total_seconds() / _SECONDS_A_DAY

    @signature(_TEXT)
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()

    @signature(_TEXT, {"types": ["string"]})
    def _func_matches(self, text: str | None, pattern: str) -> bool:
        """True when the regular expression is found anywhere in the text."""
        try:
            return text is not None and compile_pattern(pattern).is_in(text)
        except ExpressionError as error:
            raise ExpressionError(f"`matches()`: {error.message}", help=error.help) from error

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, texts: list[str]) -> str:
        check_length(sum(map(len, texts)) + len(separator) * max(len(texts) - 1, 0))
        return separator.join(texts)

    @signature(_ANY, {"types": ["string"]})
    def _func_get_tag(self, resource: JSON, name: str) -> JSON:
        """The resource's tag of that name without regard to case, or null."""
        return walk(resource, "tags", name)

    @signature(_TEXT, _TEXT)
    def _func_cidr_contains(self, outer: str | None, inner: str | None) -> bool:
        return outer is not None and inner is not None and ip_range_contains(outer, inner)


_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)


def _version_key(text: str) -> tuple[tuple[int, int, int], bool, list[tuple[bool, int, str]]]:
    """Sorts as semantic versions do: numbers, then pre-releases before the release, part by part."""
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        raise ExpressionError(f"`{text}` is not a version", help="versions look like `1.29.4` or `v2.0.0-rc.1`")
    major, minor, patch, pre = match.groups()
    parts = [(not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in (pre or "").split(".")] if pre else []
    return (int(major), int(minor or 0), int(patch or 0)), pre is None, parts
