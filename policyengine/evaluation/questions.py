"""Condition trees made ready to be asked of many documents: what each condition reads, and which of them are the same.

A question knows no document; the vector driver asks it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

from policyengine.evaluation.reads import Reads, reads_of
from policyengine.evaluation.subject import Context, Subject
from policyengine.expressions.calls import calls
from policyengine.expressions.compiled import CompiledValue
from policyengine.expressions.syntax import Literal
from policyengine.language.description import describe, values
from policyengine.language.syntax import AllOf, AnyOf, Condition, Field, JMESPath, Logic, Not
from policyengine.model.values import JSON, canonical_json

FALSE: Final = 0
TRUE: Final = 1
ERROR: Final = 2  # in no bit like TRUE


@dataclass(frozen=True)
class Question:
    """One condition with all that it needs beside documents, ready to be asked of many tables.

    ``key`` is equal for conditions that must have equal answers. ``is_safe``: asking it never raises. ``known`` are
    the answers found so far, by the key of what was read.
    """

    condition: Condition
    context: Context
    reads: Reads
    key: str
    is_safe: bool
    known: dict[Hashable, int] = field(default_factory=dict)


Tree: TypeAlias = "Question | Group | Negation"


@dataclass(frozen=True)
class Group:
    """allOf (``decisive`` FALSE) or anyOf (``decisive`` TRUE)."""

    members: tuple[Tree, ...]
    decisive: int

    @cached_property
    def key(self) -> str:
        """Equal for groups that must have equal answers."""
        return f"{self.decisive}({','.join(member.key for member in self.members)})"

    @cached_property
    def is_safe(self) -> bool:
        """Whether asking its members, all of them questions, never raises, in whatever order."""
        return all(isinstance(member, Question) and member.is_safe for member in self.members)


@dataclass(frozen=True)
class Negation:
    member: Tree

    @cached_property
    def key(self) -> str:
        return f"!{self.member.key}"


def compile_tree(logic: Logic, subject: Subject) -> Tree:
    """``subject`` gives types and parameters; its documents are not looked at."""
    if isinstance(logic, AllOf | AnyOf):
        members = tuple(compile_tree(child, subject) for child in logic.conditions)
        return Group(members, TRUE if isinstance(logic, AnyOf) else FALSE)
    if isinstance(logic, Not):
        return Negation(compile_tree(logic.condition, subject))
    return Question(logic, subject.context, reads_of(logic, subject), _key(logic, subject.context), _is_safe(logic))


def questions(tree: Tree) -> list[Question]:
    """All conditions of a tree, in reading order."""
    if isinstance(tree, Question):
        return [tree]
    if isinstance(tree, Negation):
        return questions(tree.member)
    return [question for member in tree.members for question in questions(member)]


def _is_safe(condition: Condition) -> bool:
    operand = condition.operand
    return isinstance(operand, Field) and operand.name.is_constant and condition.expected.is_constant


def _key(condition: Condition, context: Context) -> str:
    """Equal for conditions that say the same, with equal values of the parameters they use."""
    used: dict[str, JSON] = {}
    for value in values(condition):
        if "policy" in value.functions:
            used["policy()"] = dict(context.policy)
        if "parameters" in value.functions:
            used |= _parameters(value, context)
    if isinstance(condition.operand, JMESPath):
        used |= context.parameters
    literal = [value.is_constant for value in values(condition)]
    return canonical_json([describe(condition), literal, used])


def _parameters(value: CompiledValue, context: Context) -> Mapping[str, JSON]:
    named: dict[str, JSON] = {}
    for call in calls(value.source):
        if call.name.casefold() != "parameters":
            continue
        given = call.arguments[0]
        if not isinstance(given, Literal):
            return context.parameters
        name = str(given.value).casefold()
        named[name] = context.parameters.get(name)
    return named
