"""Plans come back exactly; their steps move only as the table allows; no secret is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from policyengine.errors import PolicyEngineError, StoreError, UsageError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ResourceWrite
from policyengine.remediation.steps import (
    TRANSITIONS,
    FieldChange,
    Plan,
    Preflight,
    Step,
    StepOutcome,
    StepState,
    Unmended,
)
from policyengine.store.database import Database
from policyengine.store.store import Store

NOW = datetime(2026, 11, 22, 20, 0, 0, 5, tzinfo=UTC)
CLUSTER = ResourceId("/subscriptions/Edge/resourceGroups/stores/providers/Microsoft.Kubernetes/connectedClusters/e-1")
FLUX = CLUSTER.extension("Microsoft.KubernetesConfiguration/extensions", "flux")
URL = "http://arm.example/operations/1"

PATHS: dict[StepState, tuple[StepState, ...]] = {
    StepState.PLANNED: (),
    StepState.INTENT: (StepState.INTENT,),
    StepState.ACCEPTED: (StepState.INTENT, StepState.ACCEPTED),
    StepState.SUCCEEDED: (StepState.SUCCEEDED,),
    StepState.FAILED: (StepState.INTENT, StepState.FAILED),
    StepState.STALE: (StepState.STALE,),
    StepState.SKIPPED: (StepState.SKIPPED,),
}
"""How a step gets to each state."""


def step(id: str = "s001", **changes: Any) -> Step:
    write = ResourceWrite(FLUX, "2024-11-01", {"properties": {"extensionType": "microsoft.flux"}})
    return replace(Step(id, CLUSTER, ("base/flux",), write, None, ()), **changes)


def plan(*steps: Step, at: datetime = NOW, scope: str = "all") -> Plan:
    return Plan(at, steps or (step(),), scope=scope)


def with_body(body: Any) -> Plan:
    return plan(step(write=ResourceWrite(FLUX, "2024-11-01", body)))


def test_a_plan_comes_back_exactly(store: Store) -> None:
    first = step(
        before="0" * 32,
        changes=(FieldChange("properties.a", None, {"b": [1, 1.0, True, None]}), FieldChange("x", "å\x00", "\ud800")),
        write=ResourceWrite(
            FLUX, "2024-11-01", {"z": 1, "a": {"configurationProtectedSettings": {}}}, "PATCH", (CLUSTER, FLUX)
        ),
    )
    second = step("s002", preflight=Preflight.PARKED, reason="agent offline", after_steps=("s001",), policies=())
    whole = Plan(NOW, (first, second), (Unmended(CLUSTER, "audit-only", "nothing to write"),), "cluster e-1")
    store.save_plan(whole)

    found = store.plan(whole.id)

    assert found == whole
    assert (found.id, found.hash) == (whole.id, whole.hash)
    assert list(found.steps[0].write.body) == ["z", "a"]
    assert found.steps[0].write.id.text == FLUX.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.text(), json_values, max_size=4), seconds=st.integers(0, 10**6))
def test_any_body_comes_back_with_the_same_hash(store: Store, body: dict[str, Any], seconds: int) -> None:
    whole = replace(with_body(body), created_at=NOW + timedelta(microseconds=seconds))
    store.save_plan(whole)

    assert store.plan(whole.id) == whole
    assert store.plan(whole.id).hash == whole.hash


def test_a_plan_made_in_another_zone_keeps_its_id(store: Store) -> None:
    whole = plan(at=NOW.astimezone(timezone(timedelta(hours=2))))
    store.save_plan(whole)

    assert store.plan(whole.id).id == whole.id


def test_saving_a_plan_again_keeps_its_progress(store: Store) -> None:
    store.save_plan(plan())
    store.record_outcome(plan().id, StepOutcome("s001", StepState.INTENT, NOW))
    store.save_plan(plan())

    assert store.progress(plan().id)["s001"].state is StepState.INTENT


def test_plans_come_newest_first(store: Store) -> None:
    assert store.latest_plan() is None

    plans = [plan(at=NOW + timedelta(hours=n), scope=f"cluster c{n}") for n in range(3)]
    for one in plans:
        store.save_plan(one)

    assert store.plans() == plans[::-1]
    assert store.plans(limit=1) == [plans[2]]
    assert store.latest_plan() == plans[2]


def test_the_beginning_of_an_id_will_do_while_it_is_unique(store: Store) -> None:
    plans = [plan(at=NOW + timedelta(hours=n)) for n in range(40)]
    for one in plans:
        store.save_plan(one)

    assert store.plan(plans[0].id[:9].upper()).id == plans[0].id
    with pytest.raises(UsageError, match="`p-` is the beginning of 40 plans") as error:
        store.plan("p-")
    assert (error.value.help or "").count("`p-") == 5


def test_an_unknown_plan_is_told_with_its_neighbours(store: Store) -> None:
    with pytest.raises(UsageError, match="no plan `p-1`") as none_yet:
        store.plan("p-1")
    store.save_plan(plan())
    mistyped = plan().id[:-1] + ("0" if plan().id[-1] != "0" else "1")
    with pytest.raises(UsageError, match=f"no plan `{mistyped}`") as near:
        store.progress(mistyped)
    with pytest.raises(UsageError) as far:
        store.plan("%")

    assert none_yet.value.help == "no plan has been stored yet: make one with `policyengine plan`"
    assert near.value.help == f"did you mean `{plan().id}`?"
    assert far.value.help == f"the latest plan is `{plan().id}`"


def test_progress_holds_the_last_outcome_of_each_step(store: Store) -> None:
    whole = plan(step("s001"), step("s002"), step("s003"))
    store.save_plan(whole)
    accepted = StepOutcome("s001", StepState.ACCEPTED, NOW, "waiting", URL, 2)
    skipped = StepOutcome("s003", StepState.SKIPPED, NOW, "agent offline \x00")
    for outcome in (StepOutcome("s001", StepState.INTENT, NOW), accepted, skipped):
        store.record_outcome(whole.id, outcome)

    assert store.progress(whole.id) == {"s001": accepted, "s003": replace(skipped, message="agent offline \ufffd")}


def test_an_accepted_operation_is_kept_by_its_url(store: Store, database: Database) -> None:
    store.save_plan(plan())
    for outcome in (
        StepOutcome("s001", StepState.INTENT, NOW),
        StepOutcome("s001", StepState.ACCEPTED, NOW, operation_url=URL),
        StepOutcome("s001", StepState.FAILED, NOW, "the chart is broken"),
    ):
        store.record_outcome(plan().id, outcome)

    with database.read() as session:
        rows = [tuple(row) for row in session.execute(text("SELECT step, url, outcome FROM operation"))]
    assert rows == [("s001", URL, "failed")]


@pytest.mark.parametrize("now", list(StepState), ids=lambda state: state.value)
def test_a_step_moves_as_the_table_allows_and_no_other_way(store: Store, now: StepState) -> None:
    whole = plan(*(step(state.value) for state in StepState))
    store.save_plan(whole)
    for then, state in product(StepState, PATHS[now]):
        store.record_outcome(whole.id, StepOutcome(then.value, state, NOW, operation_url=URL))

    for then in StepState:
        before = store.progress(whole.id)
        move = StepOutcome(then.value, then, NOW + timedelta(hours=1), "moved")
        if then in TRANSITIONS[now]:
            store.record_outcome(whole.id, move)
            assert store.progress(whole.id) == {**before, then.value: move}
        else:
            with pytest.raises(StoreError, match=f"is {now.value} and cannot become {then.value}"):
                store.record_outcome(whole.id, move)
            assert store.progress(whole.id) == before


def test_moves_recorded_together_do_not_sink_each_other(store: Store) -> None:
    whole = plan(*(step(f"s{n:03}") for n in range(600)))
    store.save_plan(whole)
    store.record_outcome(whole.id, StepOutcome("s001", StepState.SKIPPED, NOW))
    moves = [StepOutcome(one.id, StepState.INTENT, NOW) for one in whole.steps]
    results = store.record_outcomes(whole.id, [*moves, StepOutcome("s999999", StepState.INTENT, NOW)])

    refused = {at: str(result) for at, result in enumerate(results) if isinstance(result, PolicyEngineError)}
    assert set(refused) == {1, 600}
    assert "is skipped and cannot become intent" in refused[1]
    assert "has no step `s999999`" in refused[600]
    assert [result for at, result in enumerate(results) if at not in refused] == [False] * 599
    states = {id: outcome.state for id, outcome in store.progress(whole.id).items()}
    assert states == {move.step_id: StepState.INTENT for move in moves} | {"s001": StepState.SKIPPED}


def test_a_step_may_move_several_times_in_one_transaction(store: Store, database: Database) -> None:
    store.save_plan(plan())
    results = store.record_outcomes(
        plan().id,
        [
            StepOutcome("s001", StepState.INTENT, NOW),
            StepOutcome("s001", StepState.ACCEPTED, NOW, operation_url=URL),
            StepOutcome("s001", StepState.FAILED, NOW, "the chart is broken"),
        ],
    )

    assert results == [False] * 3
    assert store.progress(plan().id)["s001"].state is StepState.FAILED
    with database.read() as session:
        assert [tuple(row) for row in session.execute(text("SELECT url, outcome FROM operation"))] == [(URL, "failed")]


def test_an_unknown_step_is_refused(store: Store) -> None:
    store.save_plan(plan())

    with pytest.raises(StoreError, match="has no step `s999`"):
        store.record_outcome(plan().id, StepOutcome("s999", StepState.INTENT, NOW))


def test_a_remediation_is_unfinished_while_a_started_plan_has_open_steps(store: Store) -> None:
    whole, other = plan(step("s001"), step("s002")), plan(at=NOW + timedelta(hours=1))
    store.save_plan(whole)
    store.save_plan(other)
    assert store.unfinished_plans() == []

    store.start_remediation(whole.id, NOW, "anna")
    assert store.unfinished_plans() == [whole.id]

    store.record_outcome(whole.id, StepOutcome("s001", StepState.SUCCEEDED, NOW))
    assert store.unfinished_plans() == [whole.id]

    store.record_outcome(whole.id, StepOutcome("s002", StepState.SKIPPED, NOW))
    assert store.unfinished_plans() == []


def test_resuming_keeps_who_started_and_when(store: Store, database: Database) -> None:
    store.save_plan(plan())
    store.start_remediation(plan().id, NOW, "anna")
    store.finish_remediation(plan().id, NOW + timedelta(hours=1))
    store.start_remediation(plan().id, NOW + timedelta(hours=2), "bo")

    with database.read() as session:
        row = session.execute(text("SELECT started_by, finished FROM plan")).one()
    assert tuple(row) == ("anna", None)


def test_a_remediation_that_never_started_cannot_finish(store: Store) -> None:
    store.save_plan(plan())

    with pytest.raises(StoreError, match="was never started"):
        store.finish_remediation(plan().id, NOW)
    with pytest.raises(UsageError):
        store.start_remediation("p-nope", NOW, "anna")


@pytest.mark.parametrize(
    "value",
    [
        "hunter2",
        "",
        7,
        ["hunter2"],
        "[parameters('key')]",
        {"secretRef": "A"},
        {"secretRef": {"vault": "A"}},
        {"secretRef": {"env": "A", "file": "b"}},
        {"secretRef": {"env": "A"}, "also": "hunter2"},
    ],
)
def test_a_plan_with_a_literal_secret_is_refused_without_repeating_it(store: Store, value: Any) -> None:
    whole = with_body({"properties": {"ConfigurationProtectedSettings": {"httpsKey": value}}})

    with pytest.raises(StoreError, match="protected setting `httpsKey`") as error:
        store.save_plan(whole)

    assert "hunter2" not in error.value.message + (error.value.help or "")
    assert store.plans() == []


def test_a_literal_secret_is_found_however_deep(store: Store) -> None:
    nested = {"properties": {"template": {"resources": [{"configurationProtectedSettings": {"k": "hunter2"}}]}}}

    with pytest.raises(StoreError, match="`k`"):
        store.save_plan(with_body(nested))
    with pytest.raises(StoreError, match="`configurationProtectedSettings`"):
        store.save_plan(with_body({"configurationProtectedSettings": "hunter2"}))


@pytest.mark.parametrize("name", ["accountKey", "ACCOUNTKEY", "sasToken", "clientSecret", "privateKey"])
def test_a_property_known_as_secret_holds_a_reference_or_nothing(store: Store, name: str) -> None:
    """A template fills it from a secure parameter; it never reaches the database."""
    with pytest.raises(StoreError, match=f"secret property `{name}`") as error:
        store.save_plan(with_body({"properties": {"azureBlob": {"url": "https://b", name: "hunter2"}}}))
    assert "hunter2" not in error.value.message
    assert store.plans() == []

    for harmless in ({"secretRef": {"env": "KEY"}}, None, ""):
        store.save_plan(with_body({"properties": {"azureBlob": {name: harmless}}}))


def deploying(key: Any) -> Plan:
    """One deployment whose secure parameter `key` is given ``key``; its template says where the secret goes."""
    resource = {"properties": {"configurationProtectedSettings": {"httpsKey": "[parameters('key')]"}}}
    template = {"parameters": {"key": {"type": "SecureString"}}, "resources": [resource]}
    body = {"properties": {"template": template, "parameters": {"key": key}}}
    whole = with_body(body)
    id = ResourceId("/subscriptions/s/resourceGroups/g/providers/Microsoft.Resources/deployments/d")
    step = whole.steps[0]
    return replace(whole, steps=(replace(step, write=replace(step.write, id=id)),))


def test_a_deployment_is_stored_with_its_template_but_never_with_a_secret(store: Store) -> None:
    for kept in ({"reference": {"keyVault": {"id": "/v"}, "secretName": "s"}}, {"value": {"secretRef": {"env": "A"}}}):
        store.save_plan(deploying(kept))
    with pytest.raises(StoreError, match="secure parameter `key`") as error:
        store.save_plan(deploying({"value": "hunter2"}))

    assert "hunter2" not in error.value.message
    assert len(store.plans()) == 2


def test_references_to_secrets_are_stored(store: Store) -> None:
    settings = {"a": {"secretRef": {"env": "A"}}, "b": {"secretRef": {"file": "/run/b"}}, "c": None}
    whole = with_body({"properties": {"configurationProtectedSettings": settings}})
    store.save_plan(whole)
    store.save_plan(with_body({"properties": {"configurationProtectedSettings": None}}))

    assert store.plan(whole.id).steps == whole.steps


def test_the_clusters_written_to_lately_are_known(store: Store) -> None:
    other = ResourceId(CLUSTER.text.replace("e-1", "e-2"))
    ours = plan(step("s001"), step("s002", cluster=other))
    store.save_plan(ours)
    assert store.written_since(NOW) == []

    store.start_remediation(ours.id, NOW, "anna")
    store.record_outcome(ours.id, StepOutcome("s001", StepState.INTENT, NOW))
    store.record_outcome(ours.id, StepOutcome("s002", StepState.SKIPPED, NOW))
    assert store.written_since(NOW) == [CLUSTER]
    assert store.written_since(NOW + timedelta(seconds=1)) == []
