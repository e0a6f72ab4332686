"""PolicyTest documents: clusters as Resource Manager would return them, and what a policy must say of each.

Fixtures are laid out here, so that whoever runs a case has whole documents before it.
Source: experience, "Policy file format", "Unit test".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.expressions.jmespath import JMESPathExpression, compile_jmespath
from policyengine.language.documents import Reference
from policyengine.language.fields import Fields, first_line, text_of
from policyengine.language.metadata import METADATA_KEYS, parse_metadata
from policyengine.language.problems import Problems
from policyengine.language.scalars import instant_of, place_in, reference_of
from policyengine.model.arm_defaults import overlay
from policyengine.model.diagnostic import Diagnostic, Span, did_you_mean
from policyengine.model.states import ComplianceState
from policyengine.model.values import JSON
from policyengine.text.nodes import MappingNode, Node, ScalarNode, SequenceNode, describe, to_value

OPERATIONS: Final = ("PUT", "PATCH")
"""How a plan may change something, as `expect.plan[].op` names it."""

SAMPLE: Final = "sample:"

_FOLDED: Final = "policytest"
_STATES: Final = {state.value: state for state in ComplianceState}


@dataclass(frozen=True, slots=True, eq=False)
class BodyCheck:
    """What a JMESPath expression must find in the body of a request."""

    expression: JMESPathExpression
    equals: JSON


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedWrite:
    """One request of a plan; ``type`` and ``name`` are compared without case."""

    op: str
    type: str
    name: str
    body: tuple[BodyCheck, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """What must come out. What is None is not looked at; an empty plan is a plan without requests.

    ``after_apply`` holds once the plan was carried out on an emulated cluster.
    """

    state: ComplianceState | None = None
    reason: str | None = None
    failed_clauses: tuple[str, ...] | None = None
    plan: tuple[ExpectedWrite, ...] | None = None
    after_apply: Expectation | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """One cluster with what stands on it, fixtures laid out. ``at`` is when it is judged; None leaves it to the run."""

    cluster: Mapping[str, JSON]
    extensions: tuple[Mapping[str, JSON], ...] = ()
    flux_configurations: tuple[Mapping[str, JSON], ...] = ()
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    parameter_spans: Mapping[str, Span] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PolicyCase:
    """One claim about a policy, with the place where it is made."""

    name: str
    given: Given
    expect: Expectation
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class PolicyTest:
    """The cases of one policy."""

    name: str
    policy: Reference
    cases: tuple[PolicyCase, ...]
    span: Span


def parse_policy_tests(
    nodes: Iterable[Node], samples: Mapping[str, Mapping[str, JSON]]
) -> tuple[tuple[PolicyTest, ...], tuple[Diagnostic, ...]]:
    """The PolicyTest documents among ``nodes``, and everything wrong with them; other documents are passed over.

    ``samples`` are the shipped clusters, which fixtures may start from.
    """
    problems = Problems()
    tests = [_parse_test(Fields(node, "the document", problems), samples) for node in _test_nodes(nodes)]
    return tuple(tests), tuple(sorted(problems.found, key=lambda d: d.sort_key))


def _test_nodes(nodes: Iterable[Node]) -> Iterator[MappingNode]:
    for node in nodes:
        kind = node.get("kind") if isinstance(node, MappingNode) else None
        if isinstance(node, MappingNode) and isinstance(kind, ScalarNode) and str(kind.value).casefold() == _FOLDED:
            yield node


def _parse_test(document: Fields, samples: Mapping[str, Mapping[str, JSON]]) -> PolicyTest:
    problems = document.problems
    document.allow("apiVersion", "kind")
    metadata = parse_metadata(document)
    spec = document.inner("spec", "the spec of a PolicyTest")
    document.close()
    if spec is None:
        document.missing("spec")
        return PolicyTest(metadata.name, Reference(""), (), metadata.span)
    text, node = spec.required_text("policy"), spec.node.get("policy")
    reference = reference_of(text, node.span, problems) if text and node is not None else Reference("")
    fixtures = _Fixtures(spec.mapping("fixtures"), samples, problems)
    fixtures.check()
    if not spec.items("cases"):
        spec.missing("cases", "write `cases: [{name: …, given: {cluster: …}, expect: {state: …}}]`")
    cases = [_parse_case(item, fixtures) for item in spec.items("cases")]
    spec.close({"metadata": METADATA_KEYS})
    return PolicyTest(metadata.name, reference, tuple(case for case in cases if case), metadata.span)


class _Fixtures:
    """Documents by name, each laid over the one it uses."""

    def __init__(self, node: MappingNode | None, samples: Mapping[str, Mapping[str, JSON]], problems: Problems) -> None:
        self.nodes = {entry.name: entry.value for entry in node or ()}
        self.samples = samples
        self.problems = problems

    def check(self) -> None:
        """Report what is wrong also with the fixtures that no case uses."""
        for name, node in self.nodes.items():
            self.document(node, (name,))

    def document(self, node: Node, inside: tuple[str, ...] = ()) -> Mapping[str, JSON] | None:
        """A fixture by its name, ``{use, patch}``, or the document itself; None, with an error, for anything else."""
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            return self._named(node.value, node.span, inside)
        if not isinstance(node, MappingNode):
            message = f"a fixture must be a mapping or a name, got {describe(node)}"
            self.problems.error("wrong-type", message, first_line(node))
            return None
        if node.get("use") is None:
            return _document(node)
        fields = Fields(node, "a fixture with `use`", self.problems)
        name, place, patch = fields.required_text("use"), fields.node.get("use"), fields.mapping("patch")
        fields.close()
        base = self._named(name, place.span if place else node.span, inside)
        return overlay(base, _document(patch)) if base is not None and patch is not None else base

    def _named(self, name: str, span: Span, inside: tuple[str, ...]) -> Mapping[str, JSON] | None:
        if name in inside:
            self.problems.error("cycle", f"fixture `{name}` uses itself", span)
            return None
        if name.startswith(SAMPLE) and (sample := self.samples.get(name.removeprefix(SAMPLE))) is not None:
            return sample
        if name in self.nodes:
            return self.document(self.nodes[name], (*inside, name))
        known = [*self.nodes, *(SAMPLE + sample for sample in self.samples)]
        listed = "there are " + ", ".join(f"`{one}`" for one in known)
        self.problems.error("missing-reference", f"no fixture `{name}`", span, did_you_mean(name, known) or listed)
        return None


def _document(node: MappingNode) -> Mapping[str, JSON]:
    value: Mapping[str, JSON] = to_value(node)
    return value


def _parse_case(node: Node, fixtures: _Fixtures) -> PolicyCase | None:
    problems = fixtures.problems
    if not isinstance(node, MappingNode):
        problems.error("wrong-type", f"a case must be a mapping, got {describe(node)}", first_line(node))
        return None
    fields = Fields(node, "a case", problems)
    name, given, expect = fields.required_text("name"), fields.inner("given", "`given`"), fields.take("expect")
    if given is None:
        fields.missing("given", "write `given: {cluster: sample:aks-basic}`")
    if expect is None:
        fields.missing("expect", "write `expect: {state: Compliant}`")
    fields.close()
    if given is None or expect is None:
        return None
    return PolicyCase(name, _parse_given(given, fixtures), _parse_expectation(expect, problems), first_line(node))


def _parse_given(fields: Fields, fixtures: _Fixtures) -> Given:
    cluster, parameters, at = fields.take("cluster"), fields.mapping("parameters"), fields.optional_text("at")
    place = fields.node.get("at")
    if cluster is None:
        fields.missing("cluster", "name a fixture, or write `{use: sample:aks-basic}`")
    given = Given(
        cluster=_cluster(cluster, fixtures) if cluster is not None else {},
        extensions=_children(fields, "extensions", fixtures),
        flux_configurations=_children(fields, "fluxConfigurations", fixtures),
        parameters=_document(parameters) if parameters is not None else {},
        parameter_spans={entry.name: entry.key.span for entry in parameters or ()},
        at=instant_of(at, place.span, fields.problems) if at is not None and place is not None else None,
    )
    fields.close()
    return given


def _cluster(node: Node, fixtures: _Fixtures) -> Mapping[str, JSON]:
    return _with_texts(node, fixtures, ("id", "type"), "a cluster")


def _children(fields: Fields, name: str, fixtures: _Fixtures) -> tuple[Mapping[str, JSON], ...]:
    return tuple(_with_texts(item, fixtures, ("name",), f"each of `{name}`") for item in fields.items(name))


def _with_texts(node: Node, fixtures: _Fixtures, keys: tuple[str, ...], noun: str) -> Mapping[str, JSON]:
    document = fixtures.document(node)
    for key in keys:
        if document is not None and not isinstance(document.get(key), str):
            fixtures.problems.error("missing-key", f"{noun} needs `{key}`", first_line(node))
    return document or {}


def _parse_expectation(node: Node, problems: Problems, *, applied: bool = False) -> Expectation:
    noun = "`afterApply`" if applied else "`expect`"
    if not isinstance(node, MappingNode):
        problems.error("wrong-type", f"{noun} must be a mapping, got {describe(node)}", first_line(node))
        return Expectation()
    fields = Fields(node, noun, problems)
    after = None if applied else fields.take("afterApply")
    expectation = Expectation(
        state=fields.choice("state", _STATES, None),
        reason=_parse_reason(fields),
        failed_clauses=fields.texts("failedClauses") if fields.entry("failedClauses") else None,
        plan=_parse_plan(fields),
        after_apply=None if after is None else _parse_expectation(after, problems, applied=True),
    )
    fields.close()
    if not node.entries:
        problems.error("missing-key", f"{noun} expects nothing", first_line(node), "write `{state: Compliant}`")
    return expectation


def _parse_reason(fields: Fields) -> str | None:
    inner = fields.inner("reason", "`reason`")
    if inner is None:
        return None
    text = inner.required_text("contains")
    inner.close()
    return text


def _parse_plan(fields: Fields) -> tuple[ExpectedWrite, ...] | None:
    if fields.entry("plan") is None:
        return None
    writes: list[ExpectedWrite] = []
    for item in fields.items("plan"):
        if isinstance(item, MappingNode):
            writes.append(_parse_write(Fields(item, "a request of `plan`", fields.problems)))
        else:
            fields.wrong_type(item, "each of `plan`", "a mapping")
    return tuple(writes)


def _parse_write(fields: Fields) -> ExpectedWrite:
    if fields.entry("op") is None:
        fields.missing("op", "choose one of " + ", ".join(f"`{op}`" for op in OPERATIONS))
    write = ExpectedWrite(
        op=fields.choice("op", {op: op for op in OPERATIONS}, OPERATIONS[0]),
        type=fields.required_text("type"),
        name=fields.required_text("name"),
        body=_parse_body(fields),
    )
    fields.close()
    return write


def _parse_body(fields: Fields) -> tuple[BodyCheck, ...]:
    """``{jmespath, equals}``, or a list of them."""
    node = fields.take("body")
    items = () if node is None else node.items if isinstance(node, SequenceNode) else (node,)
    checks: list[BodyCheck] = []
    for item in items:
        if isinstance(item, MappingNode):
            check = _parse_check(Fields(item, "`body`", fields.problems))
            checks += [check] if check is not None else []
        else:
            fields.wrong_type(item, "`body`", "a mapping")
    return tuple(checks)


def _parse_check(fields: Fields) -> BodyCheck | None:
    node, equals = fields.take("jmespath"), fields.entry("equals")
    if node is None or equals is None:
        fields.missing(
            "equals" if node is not None else "jmespath", "write `body: {jmespath: properties.x, equals: 1}`"
        )
    fields.close()
    text = text_of(node, "`jmespath`", fields.problems) if node is not None else None
    if text is None or equals is None:
        return None
    try:
        return BodyCheck(compile_jmespath(text), to_value(equals.value))
    except ExpressionError as error:
        assert isinstance(node, ScalarNode)
        fields.problems.error("invalid-jmespath", error.message, place_in(node, error.offset), error.help)
        return None
