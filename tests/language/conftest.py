"""What most tests of this folder need: text in, documents and problems out."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent, indent

import pytest

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.parser import ParsedFile, parse_documents
from policyengine.language.syntax import Logic

HEAD = "apiVersion: policyengine/v1\nkind: PolicyDefinition\nmetadata: {name: sample}\nspec:\n"
RULE_HEAD = "policyRule:\n  if:\n"
RULE_TAIL = "\n  then: {effect: audit}"


@pytest.fixture(scope="session")
def aliases() -> AliasCatalogue:
    return AliasCatalogue.packaged()


@pytest.fixture
def load(aliases: AliasCatalogue) -> Callable[..., ParsedFile]:
    """A file's text, read; the indentation of the test is taken away."""

    def read(text: str, name: str = "file.yaml") -> ParsedFile:
        return parse_documents(dedent(text).lstrip("\n"), name, aliases)

    return read


@pytest.fixture
def problems(load: Callable[..., ParsedFile]) -> Callable[..., list[tuple[str, int]]]:
    """Code and line of every diagnostic of a text."""

    def find(text: str, name: str = "file.yaml") -> list[tuple[str, int]]:
        return [(d.code, d.span.line if d.span else 0) for d in load(text, name).diagnostics]

    return find


@pytest.fixture
def spec(load: Callable[..., ParsedFile]) -> Callable[[str], PolicyDefinition]:
    """The definition with this spec; there must be nothing wrong with it."""

    def read(text: str) -> PolicyDefinition:
        parsed = load(_definition(text))
        assert parsed.diagnostics == ()
        (document,) = parsed.documents
        assert isinstance(document, PolicyDefinition)
        return document

    return read


@pytest.fixture
def spec_problems(problems: Callable[[str], list[tuple[str, int]]]) -> Callable[[str], list[tuple[str, int]]]:
    """Code and line, counted from the first line of the spec, of everything wrong with it."""

    def find(text: str) -> list[tuple[str, int]]:
        return [(code, line - 4) for code, line in problems(_definition(text))]

    return find


@pytest.fixture
def rule(spec: Callable[[str], PolicyDefinition]) -> Callable[[str], Logic]:
    """What `if` becomes; there must be nothing wrong with it."""
    return lambda text: spec(_rule(text)).condition


@pytest.fixture
def rule_problems(spec_problems: Callable[[str], list[tuple[str, int]]]) -> Callable[[str], list[tuple[str, int]]]:
    """Code and line, counted from the first line of the `if`, of everything wrong with it."""
    return lambda text: [(code, line - 2) for code, line in spec_problems(_rule(text))]


def _definition(spec: str) -> str:
    return HEAD + indent(dedent(spec).strip("\n"), "  ") + "\n"


def _rule(condition: str) -> str:
    return RULE_HEAD + indent(dedent(condition).strip("\n"), "    ") + RULE_TAIL
