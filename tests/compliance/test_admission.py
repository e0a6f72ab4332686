"""What policies do to a request. Policy language §5.5, §6 ("Order at write time"), §6.1, §6.2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from policyengine.compliance.admission import Act, Admission, Answer, admit
from policyengine.compliance.bind import BoundPolicy
from policyengine.effects.base import World
from policyengine.language.aliases import Alias, AliasCatalogue, TypeAliases
from policyengine.model.resource import ARC, Cluster

Bound = Callable[..., tuple[BoundPolicy, ...]]
Admit = Callable[..., Admission]
ROOT = "/providers/Microsoft.Management/managementGroups/root"


def assigned(name: str, condition: str, effect: str, details: str = "null", extra: str = "") -> str:
    return f"""
name: {name}
properties: {{policyRule: {{if: {condition}, then: {{effect: {effect}, details: {details}}}}}}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: {name}}}
spec: {{policy: {name}, scope: {ROOT}{extra}}}
"""


def deny(name: str, condition: str, extra: str = "") -> str:
    return assigned(name, condition, "deny", extra=extra)


def append(name: str, condition: str, field: str, value: str) -> str:
    return assigned(name, condition, "append", f"[{{field: {field}, value: {value}}}]")


def modify(name: str, value: str, conflict: str = "deny", condition: str = "{field: type, exists: true}") -> str:
    operation = f"{{operation: addOrReplace, field: tags.env, value: {value}}}"
    details = f"{{roleDefinitionIds: [x], conflictEffect: {conflict}, operations: [{operation}]}}"
    return assigned(name, condition, "modify", details)


NO_ENV = "{field: tags.env, exists: false}"


@pytest.fixture
def admitted(bound: Bound, cluster: Callable[..., Cluster], world: Callable[..., World]) -> Admit:
    def admitted(*texts: str, **document: Any) -> Admission:
        return admit(bound(*texts), cluster(document=document).resource, world())

    return admitted


def told(admission: Admission) -> list[tuple[str, Act]]:
    return [(ruling.policy, ruling.act) for ruling in admission.rulings]


def test_nobody_minds(admitted: Admit) -> None:
    found = admitted(deny("a", "{field: tags.env, equals: test}"), tags={"env": "prod"})

    assert (found.answer, found.rulings) == (Answer.ALLOWED, ())


def test_deny_refuses(admitted: Admit) -> None:
    found = admitted(deny("a", NO_ENV))

    assert found.answer is Answer.DENIED
    assert told(found) == [("a", Act.DENIES)]
    assert "env" in found.rulings[0].words


def test_an_audit_only_remarks(admitted: Admit) -> None:
    found = admitted(assigned("a", NO_ENV, "audit"))

    assert (found.answer, told(found)) == (Answer.ALLOWED, [("a", Act.AUDITS)])


@pytest.mark.parametrize("change", [append("b", NO_ENV, "tags.env", "prod"), modify("b", "prod")])
def test_deny_sees_what_came_of_the_request(admitted: Admit, change: str) -> None:
    found = admitted(deny("a", NO_ENV), change)

    assert found.answer is Answer.CHANGED
    assert found.resource.tags == {"env": "prod"}
    assert told(found) == [("b", Act.CHANGES)]
    assert found.rulings[0].words == 'sets tags.env to "prod"'


def test_a_change_may_bring_a_denial_about(admitted: Admit) -> None:
    found = admitted(deny("a", "{field: tags.env, equals: prod}"), modify("b", "prod"))

    assert found.answer is Answer.DENIED
    assert told(found) == [("b", Act.CHANGES), ("a", Act.DENIES)]


def test_an_append_over_another_value_refuses(admitted: Admit) -> None:
    found = admitted(append("a", "{field: type, exists: true}", "tags.env", "prod"), tags={"env": "test"})

    assert found.answer is Answer.DENIED
    assert found.resource.tags == {"env": "test"}
    assert "`tags.env` has another value already" in found.rulings[0].words


def test_two_that_deny_and_disagree_refuse(admitted: Admit) -> None:
    found = admitted(modify("a", "prod"), modify("b", "test"))

    assert told(found) == [("a", Act.DENIES), ("b", Act.DENIES)]
    assert found.answer is Answer.DENIED


@pytest.mark.parametrize("other", ["audit", "disabled"])
def test_one_that_denies_wins(admitted: Admit, other: str) -> None:
    found = admitted(modify("a", "prod", other), modify("b", "test"))

    assert told(found) == [("a", Act.YIELDS), ("b", Act.CHANGES)]
    assert found.resource.tags == {"env": "test"}


def test_those_that_audit_do_nothing_when_they_disagree(admitted: Admit) -> None:
    found = admitted(modify("a", "prod", "audit"), modify("b", "test", "audit"))

    assert (found.answer, told(found)) == (Answer.ALLOWED, [("a", Act.YIELDS), ("b", Act.YIELDS)])


def test_those_that_agree_are_no_conflict(admitted: Admit) -> None:
    found = admitted(modify("a", "prod"), modify("b", "prod"))

    assert (found.answer, found.resource.tags) == (Answer.CHANGED, {"env": "prod"})


@pytest.mark.parametrize(
    "text",
    [
        deny("a", "{value: \"[split(field('name'), 7)]\", exists: true}"),
        modify("a", "\"[split('a', 7)]\""),
        assigned("a", "{value: \"[split(field('name'), 7)]\", exists: true}", "audit"),
    ],
)
def test_what_cannot_be_evaluated_refuses(admitted: Admit, text: str) -> None:
    found = admitted(text)

    assert found.answer is Answer.DENIED
    assert "cannot be evaluated" in found.rulings[0].words


EXEMPTION = f"""
apiVersion: policyengine/v1
kind: Exemption
metadata: {{name: leave}}
spec: {{assignment: a, scopes: [{ROOT}], category: Waiver}}
"""


@pytest.mark.parametrize(
    "texts",
    [
        [deny("a", NO_ENV, ", enforcementMode: DoNotEnforce")],
        [deny("a", NO_ENV), EXEMPTION],
        [deny("a", NO_ENV, ', notScopes: ["/subscriptions/5b0c0000-0000-0000-0000-000000000001"]')],
        [deny("a", NO_ENV).replace("policyRule:", "mode: Microsoft.Kubernetes.Data, policyRule:")],
        [assigned("a", NO_ENV, "disabled")],
    ],
)
def test_what_is_not_in_force_says_nothing(admitted: Admit, texts: list[str]) -> None:
    assert admitted(*texts).rulings == ()


def test_secrets_are_not_told(admitted: Admit) -> None:
    found = admitted(append("a", NO_ENV, "properties.clientSecret", "hunter2"), properties={})

    assert found.answer is Answer.CHANGED
    assert "hunter2" not in found.rulings[0].words


@pytest.mark.parametrize(
    ("conflict", "answer", "acts"),
    [("deny", Answer.DENIED, [Act.DENIES]), ("audit", Answer.ALLOWED, [Act.AUDITS]), ("disabled", Answer.ALLOWED, [])],
)
def test_for_a_field_that_cannot_be_modified_the_conflict_effect_decides(
    bound: Bound, cluster: Callable[..., Cluster], world: Callable[..., World], conflict: str, answer: Answer, acts: Any
) -> None:
    """Policy language §6.2, "field"."""
    alias = f"{ARC}/infrastructure"
    fixed = AliasCatalogue.of([TypeAliases.of(ARC, [Alias(alias, modifiable=False)])])
    operation = f"{{operation: addOrReplace, field: {alias}, value: azure}}"
    details = f"{{roleDefinitionIds: [x], conflictEffect: {conflict}, operations: [{operation}]}}"
    policies = bound(assigned("a", "{field: type, exists: true}", "modify", details))
    surroundings = replace(world(), aliases=fixed.over(AliasCatalogue.packaged()))

    found = admit(policies, cluster().resource, surroundings)

    assert (found.answer, [ruling.act for ruling in found.rulings]) == (answer, acts)
    assert all(ruling.words == f"`{alias}` cannot be modified" for ruling in found.rulings)


def test_a_denial_says_the_author_s_message_beside_the_reason(admitted: Admit) -> None:
    """Policy language §8.4."""
    messages = ", nonComplianceMessages: [{message: 'ask for {cluster.name} at the desk'}]"

    (ruling,) = admitted(deny("a", NO_ENV, messages)).rulings

    assert ruling.words == "tags.env is missing"
    assert ruling.message == "ask for edge-osl-03 at the desk"
