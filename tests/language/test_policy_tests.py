"""PolicyTest documents: fixtures laid out, everything wrong named with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.language.policy_tests import PolicyTest, parse_policy_tests
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.states import ComplianceState
from policyengine.text.reader import read

SAMPLES: dict[str, Any] = {"aks-basic": {"id": "/x", "name": "aks-basic", "type": "T", "properties": {"a": 1, "b": 2}}}
HEAD = "apiVersion: policyengine/v1\nkind: PolicyTest\nmetadata: {name: t}\n"


def parse(spec: str) -> tuple[tuple[PolicyTest, ...], tuple[Diagnostic, ...]]:
    return parse_policy_tests(read(f"{HEAD}spec: {spec}\n", "t.test.yaml"), SAMPLES)


def parse_case(case: str, fixtures: str = "{}") -> tuple[PolicyTest, tuple[Diagnostic, ...]]:
    (test,), problems = parse(f"{{policy: p, fixtures: {fixtures}, cases: [{case}]}}")
    return test, problems


def test_a_case_carries_whole_documents() -> None:
    test, problems = parse_case(
        "{name: c, given: {cluster: {use: mine, patch: {properties: {b: 3}}}, extensions: [flux], "
        "fluxConfigurations: [{name: x}], parameters: {p: [1]}, at: 2026-05-01}, expect: {state: NonCompliant, "
        "reason: {contains: why}, failedClauses: [], plan: [{op: put, type: T, name: n, "
        "body: [{jmespath: a.b, equals: null}]}], afterApply: {state: compliant, plan: []}}}",
        "{mine: {use: 'sample:aks-basic', patch: {properties: {a: null}}}, flux: {name: flux}}",
    )
    (case,) = test.cases

    assert problems == ()
    assert case.given.cluster["properties"] == {"a": None, "b": 3}
    assert [e["name"] for e in (*case.given.extensions, *case.given.flux_configurations)] == ["flux", "x"]
    assert case.given.parameters == {"p": [1]}
    assert case.given.at == datetime(2026, 5, 1, tzinfo=UTC)
    assert case.expect.state is ComplianceState.NON_COMPLIANT
    assert (case.expect.reason, case.expect.failed_clauses) == ("why", ())
    assert case.expect.plan is not None
    assert [(w.op, w.type, w.name, w.body[0].equals) for w in case.expect.plan] == [("PUT", "T", "n", None)]
    assert case.expect.after_apply is not None
    assert (case.expect.after_apply.state, case.expect.after_apply.plan) == (ComplianceState.COMPLIANT, ())
    assert SAMPLES["aks-basic"]["properties"] == {"a": 1, "b": 2}


def test_what_a_case_does_not_expect_is_not_looked_at() -> None:
    test, _ = parse_case("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {state: Compliant}}")
    expect = test.cases[0].expect

    assert (expect.reason, expect.failed_clauses, expect.plan, expect.after_apply) == (None, None, None, None)


def test_documents_of_other_kinds_are_passed_over() -> None:
    assert parse_policy_tests(read("kind: Fleet\n---\n- 1\n---\nx\n", "t.yaml"), {}) == ((), ())


GOOD = "given: {cluster: 'sample:aks-basic'}, expect: {state: Compliant}"


@pytest.mark.parametrize(
    ("case", "code", "column"),
    [
        (f"{{{GOOD}}}", "missing-key", None),
        ("{name: c, expect: {state: Compliant}}", "missing-key", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}}", "missing-key", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {}}", "missing-key", None),
        ("{name: c, given: {}, expect: {state: Compliant}}", "missing-key", None),
        (f"{{name: c, {GOOD}, extra: 1}}", "unknown-key", None),
        ("{name: c, given: {cluster: nobody}, expect: {state: Compliant}}", "missing-reference", 68),
        ("{name: c, given: {cluster: 'sample:aks-basics'}, expect: {state: Compliant}}", "missing-reference", 68),
        ("{name: c, given: {cluster: {type: T, name: x}}, expect: {state: Compliant}}", "missing-key", None),
        ("{name: c, given: {cluster: [x]}, expect: {state: Compliant}}", "wrong-type", None),
        ("{name: c, given: {cluster: 'sample:aks-basic', extensions: [{}]}, expect: {state: Compliant}}",
         "missing-key", None),
        ("{name: c, given: {cluster: 'sample:aks-basic', at: soon}, expect: {state: Compliant}}", "invalid-date", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {state: Good}}", "unknown-value", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {reason: {}}}", "missing-key", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {plan: {}}}", "wrong-type", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {plan: [{type: T, name: n}]}}", "missing-key", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {plan: [{op: EAT, type: T, name: n}]}}",
         "unknown-value", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {plan: [{op: PUT, type: T, name: n, "
         "body: {jmespath: 'a[', equals: 1}}]}}", "invalid-jmespath", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {plan: [{op: PUT, type: T, name: n, "
         "body: {jmespath: a}}]}}", "missing-key", None),
        ("{name: c, given: {cluster: 'sample:aks-basic'}, expect: {afterApply: {afterApply: {}}}}",
         "unknown-key", None),
        ("just text", "wrong-type", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(case: str, code: str, column: int | None) -> None:
    _, problems = parse_case(case)

    assert [p.code for p in problems] == [code]
    assert problems[0].span is not None
    assert problems[0].span.line == 4
    assert column is None or problems[0].span.column == column


def test_a_fixture_that_uses_itself_is_an_error_also_when_no_case_uses_it() -> None:
    _, problems = parse_case(f"{{name: c, {GOOD}}}", "{a: {use: b}, b: a}")

    assert {p.code for p in problems} == {"cycle"}


def test_a_test_without_cases_or_policy_is_an_error() -> None:
    _, problems = parse("{fixtures: {}}")

    assert [p.code for p in problems] == ["missing-key", "missing-key"]
