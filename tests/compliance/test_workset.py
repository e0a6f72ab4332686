"""What must be judged again, told from policies, exemptions and marks alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from policyengine.compliance.bind import bind
from policyengine.compliance.workset import Cause, Mark, Standing, demand, standings
from policyengine.effects.base import World
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.scope import ManagementGroup, ScopeTree

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALIASES = AliasCatalogue.packaged()
SCOPE = "/subscriptions/one"

POLICIES = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: stable}
spec: {appliesTo: [arc], require: {extension: {extensionType: microsoft.flux, releaseTrain: Stable}}}
---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: preview}
spec: {appliesTo: [arc], require: {extension: {extensionType: microsoft.flux, releaseTrain: Preview}}}
---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: vaulted}
spec:
  policyRule:
    if: {field: type, equals: Microsoft.Kubernetes/connectedClusters}
    then: {effect: auditIfNotExists, details: {type: Microsoft.KeyVault/vaults, existenceScope: resourceGroup}}
---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: asked}
spec:
  policyRule:
    if: {field: type, equals: Microsoft.Kubernetes/connectedClusters}
    then: {effect: manual}
"""


def assignment(policy: str, scope: str = SCOPE) -> str:
    return f"""---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: {policy}}}
spec: {{policy: {policy}, scope: {scope}}}
"""


def exemption(name: str, policy: str, until: str = "2026-11-25", reason: str = "later") -> str:
    return f"""---
apiVersion: policyengine/v1
kind: Exemption
metadata: {{name: {name}}}
spec: {{assignment: {policy}, category: Waiver, scopes: [{SCOPE}], expiresOn: {until}, reason: {reason}}}
"""


def stamping(name: str, value: str) -> str:
    return f"""---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {{name: {name}}}
spec:
  policyRule:
    if: {{field: type, equals: Microsoft.Kubernetes/connectedClusters}}
    then:
      effect: modify
      details:
        roleDefinitionIds: [/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c]
        operations: [{{operation: addOrReplace, field: tags.day, value: "{value}"}}]
"""


def attestation(until: str) -> str:
    return f"""---
apiVersion: policyengine/v1
kind: Attestation
metadata: {{name: seen}}
spec: {{assignment: asked, scopes: [{SCOPE}], complianceState: Compliant, expiresOn: {until}}}
"""


def standing(
    *documents: str,
    at: datetime = AT,
    tree: ScopeTree | None = None,
    engine: str = "1",
    edition: str | None = "",
    aliases: AliasCatalogue = ALIASES,
) -> dict[str, Standing]:
    parsed = parse_documents(POLICIES + "".join(documents), "p.yaml", ALIASES)
    assert not [d for d in parsed.diagnostics if d.is_error], parsed.diagnostics
    library, _ = PolicyLibrary.build(parsed.documents)
    world = World(tree or ScopeTree(), at, aliases, edition=edition)
    return {one.key: one for one in standings(bind(library, ALIASES), world, engine)}


def asked(before: Standing, now: Standing) -> tuple[Cause | None, tuple[str, ...], tuple[str, ...]]:
    found = demand(now, before.mark(7))
    return found.cause, found.ended, tuple(one.name for one in found.begun)


def test_what_has_no_mark_was_never_judged() -> None:
    assert demand(standing(assignment("stable"))["stable"], None).cause is Cause.NEW


def test_the_same_policy_asks_for_what_changed_since_its_mark() -> None:
    before, now = (standing(assignment("stable"))["stable"] for _ in range(2))
    found = demand(now, before.mark(7))

    assert (found.cause, found.since, found.ended, found.begun) == (None, 7, (), ())


def test_another_scope_and_another_engine_make_another_policy() -> None:
    before = standing(assignment("stable"))["stable"]

    assert asked(before, standing(assignment("stable", SCOPE + "/resourceGroups/a"))["stable"])[0] is Cause.POLICY
    assert asked(before, standing(assignment("stable"), engine="2")["stable"])[0] is Cause.POLICY


def test_a_management_group_that_becomes_known_changes_who_is_asked() -> None:
    text = assignment("stable", "/providers/Microsoft.Management/managementGroups/mg")
    known = ScopeTree((ManagementGroup("mg", "Group"),))

    assert asked(standing(text)["stable"], standing(text, tree=known)["stable"])[0] is Cause.POLICY


def test_exemptions_are_told_apart() -> None:
    before = standing(assignment("stable"), exemption("a", "stable"), exemption("b", "stable"))["stable"]
    now = standing(
        assignment("stable"),
        exemption("a", "stable"),
        exemption("b", "stable", reason="never"),
        exemption("c", "stable"),
    )["stable"]

    assert asked(before, now) == (None, ("b",), ("b", "c"))


def test_an_exemption_ends_with_its_time() -> None:
    text = (assignment("stable"), exemption("a", "stable", "2026-11-25"))
    before, now = (standing(*text, at=AT + timedelta(days=days))["stable"] for days in (0, 5))

    assert asked(before, now) == (None, ("a",), ())


def test_the_first_exemption_that_covers_counts_so_their_order_does() -> None:
    one, other = exemption("a", "stable"), exemption("b", "stable")
    before, now = (standing(assignment("stable"), *order)["stable"] for order in ((one, other), (other, one)))

    assert asked(before, now) == (None, ("a", "b"), ("b", "a"))


def test_an_attestation_that_runs_out_changes_its_policy() -> None:
    text = (assignment("asked"), attestation("2026-11-25"))
    before, now = (standing(*text, at=AT + timedelta(days=days))["asked"] for days in (0, 5))

    assert asked(before, now)[0] is Cause.POLICY


def test_an_attestation_that_will_run_out_asks_for_nothing_before() -> None:
    text = (assignment("asked"), attestation("2026-11-25"))
    before, now = (standing(*text, at=AT + timedelta(days=days))["asked"] for days in (0, 1))

    assert asked(before, now) == (None, (), ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("complianceState: Compliant", "complianceState: NonCompliant"),
        ("complianceState: Compliant", "complianceState: Compliant, policyDefinitionReferenceId: two"),
        (f"scopes: [{SCOPE}]", f"scopes: [{SCOPE}/resourceGroups/a]"),
        ("expiresOn: 2026-11-25", "expiresOn: 2026-11-26"),
    ],
)
def test_another_word_of_an_attestation_changes_its_policy(old: str, new: str) -> None:
    said = attestation("2026-11-25")
    before, now = (standing(assignment("asked"), text)["asked"] for text in (said, said.replace(old, new)))

    assert old in said
    assert asked(before, now)[0] is Cause.POLICY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("category: Waiver", "category: Mitigated"),
        (f"scopes: [{SCOPE}]", f"scopes: [{SCOPE}/resourceGroups/a]"),
        ("reason: later", "reason: later, policyDefinitionReferenceIds: [two]"),
        ("reason: later", "reason: later, resourceSelectors: [{selectors: [{kind: resourceLocation, in: [a]}]}]"),
    ],
)
def test_an_exemption_that_speaks_otherwise_ends_and_begins(old: str, new: str) -> None:
    said = exemption("a", "stable")
    before, now = (standing(assignment("stable"), text)["stable"] for text in (said, said.replace(old, new)))

    assert old in said
    assert asked(before, now) == (None, ("a",), ("a",))


def test_a_definition_under_another_name_is_another_policy() -> None:
    """`policy()` tells its id."""
    before = standing(stamping("day", "x"), assignment("day"))["day"]
    renamed = stamping("other", "x"), assignment("day").replace("policy: day", "policy: other")

    assert asked(before, standing(*renamed)["day"])[0] is Cause.POLICY


def test_policies_that_may_dispute_are_judged_together() -> None:
    alone = standing(assignment("stable"))["stable"]
    both = standing(assignment("stable"), assignment("preview"))
    exempt = standing(assignment("stable"), assignment("preview"), exemption("a", "preview"))

    assert both["stable"].partners == ("preview",)
    assert asked(alone, both["stable"])[0] is Cause.RIVALS
    assert asked(both["stable"], exempt["stable"])[0] is Cause.RIVALS
    assert Mark(both["stable"].digest, {}, 1) == both["stable"].mark(1)


def test_a_dispute_over_the_time_is_judged_every_time() -> None:
    """Two that write a tag are of one mind, or not, by the day."""
    text = (stamping("today", "[utcNow('dd')]"), stamping("fixed", "23"))
    both = standing(*text, assignment("today"), assignment("fixed"))
    alone = standing(text[0], assignment("today"))

    assert asked(both["fixed"], both["fixed"])[0] is Cause.CLOCK
    assert asked(alone["today"], alone["today"])[0] is None


def test_other_resources_make_those_policies_due_that_look_at_them() -> None:
    text = (assignment("stable"), assignment("vaulted"))
    before, same, other = (standing(*text, edition=edition) for edition in ("1", "1", "2"))

    assert asked(before["vaulted"], same["vaulted"])[0] is None
    assert asked(before["vaulted"], other["vaulted"])[0] is Cause.POLICY
    assert asked(before["stable"], other["stable"])[0] is None


def test_resources_that_are_looked_at_live_make_those_policies_due_every_time() -> None:
    text = (assignment("stable"), assignment("vaulted"))
    before, now = (standing(*text, edition=None) for _ in range(2))

    assert asked(before["vaulted"], now["vaulted"])[0] is Cause.RESOURCES
    assert asked(before["stable"], now["stable"])[0] is None
