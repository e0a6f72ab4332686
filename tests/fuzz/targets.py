# ruff: noqa: E501 (vocabularies read best on one line)
"""What is fuzzed: each target takes any bytes, and lets nothing out but a result or a PolicyEngineError.

Bytes become text, or choose among the words of the language one after another, so that much of what they say is nearly
right. The suite runs the targets on bytes that Hypothesis draws; `run.py` runs them under atheris for as long as wanted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from policyengine.errors import ExpressionError, PolicyEngineError
from policyengine.evaluation import Context, Subject, evaluate, trace
from policyengine.expressions.compiled import ExpressionContext, Where, compile_value
from policyengine.expressions.functions import FUNCTIONS
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.expressions.limits import Effort
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import check
from policyengine.language.documents import PolicyDefinition
from policyengine.language.library import PolicyLibrary
from policyengine.language.operators import OPERATORS
from policyengine.language.parser import parse_documents
from policyengine.model.diagnostic import render
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree
from policyengine.templates import DeploymentScope, expand

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALIASES = AliasCatalogue.packaged()
TYPE = "Microsoft.Kubernetes/connectedClusters"
GROUP = "/subscriptions/s/resourceGroups/g"
SCOPE = DeploymentScope(
    {"id": "/subscriptions/s", "subscriptionId": "s"}, {"id": GROUP, "name": "g", "location": "x"}, "d", NOON
)

DEEPEST = 6
ATOMS: Sequence[Any] = (
    *(None, True, False, 0, 1, -1, 2**63, 1.5, 1e308, "", "x", "X", "1", " 2 ", "true", "*", "a*b", "#?.", "ß", "\x00"),
    *(
        "a",
        "b",
        "2026-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "East US",
        "10.0.0.0/8",
        "[",
        "[[x]",
        "[x]",
        "\ud800",
    ),
)
PATHS = (
    "type",
    "name",
    "location",
    "tags",
    "tags.a",
    "tags['x']",
    "properties.a",
    "properties.a[*]",
    "properties.a[*].b",
)
MORE_PATHS = (f"{TYPE}/distribution", "properties.a[*].b[*]", "identity.type", "", "[*]", "properties", "a..b", "a['")
KEYS = ("a", "b", "A", "properties", "field", "value", "count", "where", "name", "allOf", "anyOf", "not", "jmespath")
WORDS = (
    "if",
    "then",
    "effect",
    "details",
    "policyRule",
    "parameters",
    "mode",
    "kind",
    "apiVersion",
    "spec",
    "metadata",
)
MEMBERS = (
    "resources",
    "type",
    "copy",
    "condition",
    "dependsOn",
    "template",
    "variables",
    "outputs",
    "scope",
    "defaultValue",
)
SEARCHES = (
    "a",
    "a[*]",
    "a[]",
    "@",
    "*",
    "a[?b]",
    "a[::2]",
    "{a: b}",
    "[a, b]",
    "`1`",
    "'x'",
    "&a",
    "a.b",
    "!a",
    "a || b",
)


class Choices:
    """Bytes as a row of decisions; when they are used up, every decision is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def number(self, below: int) -> int:
        return next(self._data, 0) % below

    def one_of(self, choices: Sequence[Any]) -> Any:
        return choices[self.number(len(choices))]

    def several(self, make: Callable[[], Any], most: int = 4) -> list[Any]:
        return [make() for _ in range(self.number(most))]

    def value(self, depth: int = 0) -> Any:
        kind = self.number(8) if depth < DEEPEST else 0
        if kind == 6:
            return self.several(lambda: self.value(depth + 1))
        if kind == 7:
            return {self.one_of((*KEYS, *WORDS, *MEMBERS)): self.value(depth + 1) for _ in range(self.number(4))}
        return f"[{self.expression(depth)}]" if kind == 5 else self.one_of(ATOMS)

    def expression(self, depth: int = 0) -> str:
        kind = self.number(4) if depth < DEEPEST else 0
        if kind == 0:
            return str(self.one_of(("'x'", "''", "1", "-2", "true", "null", "1e308", "'a,b'", "9223372036854775807")))
        if kind == 1:
            path = self.one_of((*PATHS, *MORE_PATHS)).replace("'", "''")
            return str(
                self.one_of(
                    (f"field('{path}')", "parameters('p')", "current()", f"current('{path}')", "parameters('q')")
                )
            )
        if kind == 2:
            return self.expression(depth + 1) + str(self.one_of((".a", "[0]", "['b']", "[1]")))
        arguments = ", ".join(self.several(lambda: self.expression(depth + 1)))
        return f"{self.one_of(tuple(FUNCTIONS))}({arguments})"

    def search(self, depth: int = 0) -> str:
        if depth >= DEEPEST or self.number(2) == 0:
            return str(self.one_of(SEARCHES))
        inner = self.search(depth + 1)
        names = (
            "length",
            "sum",
            "to_string",
            "sort",
            "join",
            "matches",
            "semver_compare",
            "age_days",
            "map",
            "avg",
            "keys",
        )
        form = self.one_of(
            ("{0}.{1}", "{0} | {1}", "{0}[{1}]", "[{0}, {1}]", "{0}=={1}", "{0}<{1}", "{2}({0})", "{2}({0}, {1})")
        )
        return str(form.format(inner, self.search(depth + 1), self.one_of(names)))

    def condition(self, depth: int = 0) -> Any:
        kind = self.number(7) if depth < DEEPEST else 6
        if kind == 0:
            return {"allOf": self.several(lambda: self.condition(depth + 1))}
        if kind == 1:
            return {"anyOf": self.several(lambda: self.condition(depth + 1))}
        if kind == 2:
            return {"not": self.condition(depth + 1)}
        left: dict[str, Any] = {"field": self.one_of((*PATHS, *MORE_PATHS))}
        if kind == 3:
            left = {"value": self.value(depth + 1)}
        elif kind == 4:
            over = self.one_of(({"field": self.one_of(PATHS)}, {"value": self.value(depth + 1), "name": "x"}))
            left = {"count": {**over, "where": self.condition(depth + 1)}}
        elif kind == 5:
            left = {"jmespath": self.search()}
        return {**left, self.one_of(tuple(OPERATORS)): self.value(depth + 1)}

    def resource(self, depth: int = 0) -> Any:
        type = self.one_of(
            ("Microsoft.X/y", "Microsoft.X/y/z", "Microsoft.Resources/deployments", TYPE, "y", "[variables('a')]")
        )
        name = self.one_of(("n", "n/m", "[concat('n', copyIndex())]", "[parameters('a')]"))
        found = {"type": type, "name": name, "apiVersion": "1", "properties": self.value(depth + 1)}
        if depth < DEEPEST and self.number(2):
            found["resources"] = self.several(lambda: self.resource(depth + 1), 3)
        if self.number(2):
            found[self.one_of(("condition", "dependsOn", "scope", "comments"))] = self.value(depth + 1)
        if self.number(2):
            found["copy"] = self.one_of(
                ({"name": "c", "count": self.value(DEEPEST)}, {"name": "c", "count": 3}, self.value(depth))
            )
        if depth < DEEPEST and self.number(3) == 0:
            scope = {"scope": self.one_of(("inner", "outer"))}
            found["properties"] = {"template": self.template(depth + 1), "expressionEvaluationOptions": scope}
        return found

    def template(self, depth: int = 0) -> Any:
        return {
            "parameters": {
                "a": {"type": self.one_of(("string", "int", "object", "array")), "defaultValue": self.value(depth + 1)}
            },
            "variables": {"a": self.value(depth + 1), "b": self.one_of(("[variables('a')]", "[variables('b')]", "x"))},
            "resources": self.several(lambda: self.resource(depth + 1), 3),
        }


def reader(data: bytes) -> None:
    """Any text as YAML and as JSON."""
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for name in ("file.yaml", "file.json"):
        _read(text, name)


def document(data: bytes) -> None:
    """Definitions, initiatives, assignments and exemptions whose members are anything."""
    choices = Choices(data)
    spec = {choices.one_of((*WORDS, *KEYS)): choices.value() for _ in range(choices.number(8))}
    kind = choices.one_of(("PolicyDefinition", "Initiative", "Assignment", "Exemption", "Attestation", "Enrollment"))
    ours = {"apiVersion": "policyengine/v1", "kind": kind, "metadata": choices.value(), "spec": spec}
    azures = {"name": "x", "properties": {**spec, "policyRule": {"if": choices.condition(), "then": choices.value()}}}
    for written in (ours, azures):
        _read(json.dumps(written), "file.json")


def rule(data: bytes) -> None:
    """A condition on a resource that is anything, with its trace, which gives the same answer."""
    choices = Choices(data)
    text = json.dumps(
        {"name": "x", "properties": {"policyRule": {"if": choices.condition(), "then": {"effect": "audit"}}}}
    )
    parsed = parse_documents(text, "file.json", ALIASES)
    definition = next(iter(parsed.documents), None)
    if not isinstance(definition, PolicyDefinition) or any(d.is_error for d in parsed.diagnostics):
        return
    properties = {"a": choices.value(), "b": choices.value()}
    own = {
        "id": f"{GROUP}/providers/{TYPE}/c",
        "name": "c",
        "type": TYPE,
        "properties": properties,
        "tags": choices.value(),
    }
    cluster = Cluster(Resource.from_document(own))
    context = Context({"p": choices.value(), "q": choices.value()}, ScopeTree(), NOON, ALIASES, cluster=cluster)
    subject = Subject.of(cluster.resource, context)
    found = _outcome(lambda: evaluate(definition.condition, subject))
    assert _outcome(lambda: trace(definition.condition, subject).result) == found


def expression(data: bytes) -> None:
    """An expression made of the language's words, and one of any text."""
    choices = Choices(data)
    values = {"p": choices.value(), "q": choices.value(), "a": [{"b": 1}]}

    def supplied(name: str = "a", *_: Any) -> Any:
        if name in values:
            return values[name]
        raise ExpressionError(f"there is no `{name}`")

    functions = dict.fromkeys(("parameters", "variables", "field", "current", "resourcegroup", "copyindex"), supplied)
    for text in (choices.expression(), data.decode("utf-8", "replace")):
        for where in Where:
            context = ExpressionContext(functions, NOON, where)
            _outcome(partial(_evaluate, f"[{text}]", context))


def search(data: bytes) -> None:
    """A JMESPath expression made of its own words, and one of any text."""
    choices = Choices(data)
    found = {"a": choices.value(), "b": choices.value()}
    for text in (choices.search(), data.decode("utf-8", "replace")):
        _outcome(partial(_search, text, found))


def template(data: bytes) -> None:
    choices = Choices(data)
    _outcome(lambda: expand(choices.template(), {"a": {"value": choices.value()}}, SCOPE))


def _read(text: str, name: str) -> None:
    parsed = parse_documents(text, name, ALIASES)
    library, between = PolicyLibrary.build(parsed.documents)
    for diagnostic in (*parsed.diagnostics, *between, *check(library, ALIASES)):
        assert render(diagnostic)
        assert "\n" not in diagnostic.message


def _evaluate(text: str, context: ExpressionContext) -> Any:
    return compile_value(text, where=context.where).evaluate(context)


def _search(text: str, found: Any) -> Any:
    return compile_jmespath(text).search(found, at=NOON, effort=Effort())


def _outcome(call: Callable[[], Any]) -> Any:
    """What it gives, or that it is refused."""
    try:
        return call()
    except PolicyEngineError:
        return "refused"


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (reader, document, rule, expression, search, template)
}
