"""A mapping while it is being read: each key is asked for by name, and what nobody asked for is unknown.

Keys are matched without case. A wrong value is reported and read as if it were absent, so that reading goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from policyengine.language.problems import Problems
from policyengine.model.diagnostic import Span, did_you_mean
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, describe

T = TypeVar("T")


@dataclass(slots=True)
class Fields:
    """``noun`` is what a person calls the mapping, for messages: ``an assignment``."""

    node: MappingNode
    noun: str
    problems: Problems
    asked: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for entry in self.node:
            first = seen.setdefault(entry.name.casefold(), entry.name)
            if first != entry.name:
                message = f"`{entry.name}` and `{first}` are the same key"
                self.problems.error("duplicate-key", message, entry.key.span, "keys are compared without case")

    def entry(self, name: str) -> Entry | None:
        """The member, null ones included."""
        self.asked[name.casefold()] = name
        return self.node.entry(name)

    def take(self, name: str) -> Node | None:
        """The value; None when the key is absent or its value is null."""
        entry = self.entry(name)
        if entry is None or (isinstance(entry.value, ScalarNode) and entry.value.value is None):
            return None
        return entry.value

    def text(self, name: str, default: str = "") -> str:
        value = self.optional_text(name)
        return default if value is None else value

    def optional_text(self, name: str) -> str | None:
        node = self.take(name)
        return None if node is None else text_of(node, f"`{name}`", self.problems)

    def required_text(self, name: str) -> str:
        """The text; empty, with an error, when the key is absent or empty."""
        entry = self.entry(name)
        if entry is None:
            self.missing(name)
            return ""
        value = text_of(entry.value, f"`{name}`", self.problems)
        if value is not None and not value.strip():
            self.problems.error("missing-key", f"`{name}` is empty", entry.span)
        return value or ""

    def texts(self, name: str) -> tuple[str, ...]:
        texts = [text_of(item, f"each of `{name}`", self.problems) for item in self.items(name)]
        return tuple(text for text in texts if text is not None)

    def items(self, name: str) -> tuple[Node, ...]:
        """The members of a list; none when the key is absent."""
        node = self.take(name)
        if node is None:
            return ()
        if isinstance(node, SequenceNode):
            return node.items
        self.wrong_type(node, f"`{name}`", "a list")
        return ()

    def mapping(self, name: str) -> MappingNode | None:
        node = self.take(name)
        if node is None or isinstance(node, MappingNode):
            return node
        self.wrong_type(node, f"`{name}`", "a mapping")
        return None

    def inner(self, name: str, noun: str) -> Fields | None:
        """A mapping within this one, to be read in the same way."""
        node = self.mapping(name)
        return None if node is None else Fields(node, noun, self.problems)

    def choice(self, name: str, choices: Mapping[str, T], default: T, *, later: Iterable[str] = ()) -> T:
        """One of a few words, compared without case; the ``later`` ones are not supported yet."""
        node = self.take(name)
        if node is None:
            return default
        text = text_of(node, f"`{name}`", self.problems)
        if text is None:
            return default
        for word, value in choices.items():
            if word.casefold() == text.casefold():
                return value
        if text.casefold() in {word.casefold() for word in later}:
            message = f"`{name}: {text}` is not supported yet"
            self.problems.error("not-supported-yet", message, node.span, one_of(choices))
            return default
        help = did_you_mean(text, choices) or one_of(choices)
        self.problems.error("unknown-value", f"`{name}` cannot be `{text}`", node.span, help)
        return default

    def not_yet(self, *names: str) -> None:
        """Keys the format has and this release does not act on: an error each, never ignored."""
        for name in names:
            entry = self.entry(name)
            if entry is not None:
                help = "remove it; this release would not act on it"
                message = f"`{entry.name}` is not supported yet"
                self.problems.error("not-supported-yet", message, entry.key.span, help)

    def allow(self, *names: str) -> None:
        """Keys that only describe, or that somebody else reads."""
        self.asked.update({name.casefold(): name for name in names})

    def missing(self, name: str, help: str | None = None) -> None:
        self.problems.error("missing-key", f"{self.noun} needs `{name}`", first_line(self.node), help)

    def wrong_type(self, node: Node, what: str, wanted: str) -> None:
        self.problems.error("wrong-type", f"{what} must be {wanted}, got {describe(node)}", first_line(node))

    def close(self, elsewhere: Mapping[str, Iterable[str]] | None = None) -> None:
        """Report the keys nobody asked for. ``elsewhere`` names keys that belong under another one."""
        for entry in self.node:
            if entry.name.casefold() not in self.asked:
                help = did_you_mean(entry.name, self.asked.values()) or _home(entry.name, elsewhere or {})
                message = f"`{entry.name}` has no meaning in {self.noun}"
                self.problems.error("unknown-key", message, entry.key.span, help)


def _home(name: str, elsewhere: Mapping[str, Iterable[str]]) -> str | None:
    for place, names in elsewhere.items():
        if name.casefold() in {known.casefold() for known in names}:
            return f"it belongs under `{place}`"
    return None


def one_of(words: Iterable[str]) -> str:
    """Help naming every possible word."""
    listed = [f"`{word}`" for word in words]
    return f"choose {listed[0]}" if len(listed) == 1 else f"choose one of {', '.join(listed)}"


def text_of(node: Node, what: str, problems: Problems) -> str | None:
    """The text of a scalar; None, with an error, for anything else."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node.value
    help = "put it in quotes" if isinstance(node, ScalarNode) and node.value is not None else None
    problems.error("wrong-type", f"{what} must be text, got {describe(node)}", first_line(node), help)
    return None


def first_line(node: Node) -> Span:
    """The node's place, or its first key's: a mapping over many lines would underline too much."""
    if isinstance(node, MappingNode) and node.entries and node.span.end_line != node.span.line:
        return node.entries[0].key.span
    return node.span
