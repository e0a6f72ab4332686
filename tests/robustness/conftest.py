"""Rules, expressions, searches and templates in one line each."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.evaluation import Context, Subject, evaluate
from policyengine.expressions.compiled import ExpressionContext, Where, compile_value
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.expressions.limits import Effort
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import check
from policyengine.language.documents import PolicyDefinition
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.diagnostic import render
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TYPE = "Microsoft.Kubernetes/connectedClusters"
ID = f"/subscriptions/s/resourceGroups/g/providers/{TYPE}/c"


def azure(condition: Any, **properties: Any) -> str:
    """A definition as Azure writes it."""
    rule = {"if": condition, "then": {"effect": "audit"}}
    return json.dumps({"name": "x", "properties": {"policyRule": rule, **properties}})


def load_text(text: str, name: str = "x.yaml") -> list[str]:
    """The codes of everything that is wrong with ``text``, in order, each of them rendered on the way."""
    aliases = AliasCatalogue.packaged()
    parsed = parse_documents(text, name, aliases)
    library, between = PolicyLibrary.build(parsed.documents)
    found = [*parsed.diagnostics, *between, *check(library, aliases)]
    for diagnostic in found:
        assert render(diagnostic)
        assert "\n" not in diagnostic.message
    return [diagnostic.code for diagnostic in found]


def evaluate_rule(condition: Any, properties: Any = None, **parameters: Any) -> bool:
    """Whether the condition holds for an Arc cluster."""
    declared = {name: {"type": "Object"} for name in parameters}
    parsed = parse_documents(azure(condition, parameters=declared), "x.json", AliasCatalogue.packaged())
    assert [d.message for d in parsed.diagnostics if d.is_error] == []
    (definition,) = parsed.documents
    assert isinstance(definition, PolicyDefinition)
    document = {"id": ID, "name": "c", "type": TYPE, "location": "x", "properties": properties or {}}
    cluster = Cluster(Resource.from_document(document))
    context = Context(parameters, ScopeTree(), NOON, AliasCatalogue.packaged(), cluster=cluster)
    subject = Subject.of(cluster.resource, context)
    return evaluate(definition.condition, subject)


def evaluate_expression(text: str, where: Where = Where.RULE, **values: Any) -> Any:
    context = ExpressionContext({"parameters": values.__getitem__}, NOON, where)
    return compile_value(text, where=where).evaluate(context)


def search_document(text: str, document: Any) -> Any:
    return compile_jmespath(text).search(document, at=NOON, effort=Effort())


@pytest.fixture
def load() -> Callable[..., list[str]]:
    return load_text


@pytest.fixture
def rule() -> Callable[..., bool]:
    return evaluate_rule


@pytest.fixture
def expression() -> Callable[..., Any]:
    return evaluate_expression


@pytest.fixture
def search() -> Callable[..., Any]:
    return search_document
