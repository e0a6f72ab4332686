from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from policyengine.errors import TemplateError
from policyengine.model.resource import ResourceWrite
from policyengine.templates import DeploymentScope, expand

Expand = Callable[..., tuple[ResourceWrite, ...]]

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-edge"


def extension(**more: Any) -> dict[str, Any]:
    return {
        "type": "Microsoft.KubernetesConfiguration/extensions",
        "name": "flux",
        "apiVersion": "2022-03-01",
        "scope": "Microsoft.Kubernetes/connectedClusters/edge-1",
        **more,
    }


def plain(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "A.B/c", "name": name, "apiVersion": "1", **more}


def names(writes: tuple[ResourceWrite, ...]) -> list[str]:
    return [write.id.name for write in writes]


def test_body_is_what_the_provider_gets(expanded: Expand) -> None:
    """Only what speaks to the deployment engine is left out; nulls and case stay."""
    (write,) = expanded(
        extension(
            comments="x",
            condition=True,
            dependsOn=[],
            identity={"type": "SystemAssigned"},
            location="[resourceGroup().location]",
            Tags={"a": "b"},
            properties={"version": "[json('null')]", "n": "[parameters('N')]"},
        ),
        parameters={"n": {"type": "int"}},
        given={"n": 3},
    )

    assert write.method == "PUT"
    assert write.api_version == "2022-03-01"
    assert write.body == {
        "identity": {"type": "SystemAssigned"},
        "location": "westeurope",
        "Tags": {"a": "b"},
        "properties": {"version": None, "n": 3},
    }


@pytest.mark.parametrize(
    "resource",
    [
        extension(),
        extension(scope=f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/edge-1"),
        extension(scope="[resourceId('Microsoft.Kubernetes/connectedClusters', 'edge-1')]"),
        {
            "type": "Microsoft.Kubernetes/connectedClusters/providers/extensions",
            "name": "edge-1/Microsoft.KubernetesConfiguration/flux",
            "apiVersion": "1",
        },
    ],
    ids=["relative scope", "full id", "computed id", "long type"],
)
def test_every_spelling_of_an_extension_resource_gives_one_id(expanded: Expand, resource: Any) -> None:
    (write,) = expanded(resource)

    assert write.id.text == (
        f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/edge-1"
        "/providers/Microsoft.KubernetesConfiguration/extensions/flux"
    )


def test_resources_go_under_the_deployments_scope(scope: DeploymentScope) -> None:
    group = {"type": "Microsoft.Resources/resourceGroups", "name": "rg-new", "apiVersion": "1", "location": "x"}
    role = plain("r", dependsOn=["[resourceId('Microsoft.Resources/resourceGroups', 'rg-new')]"])
    writes = expand({"resources": [role, group]}, {}, replace(scope, resource_group=None)).writes

    root = "/subscriptions/11111111-2222-3333-4444-555555555555"
    assert [write.id.text for write in writes] == [f"{root}/resourceGroups/rg-new", f"{root}/providers/A.B/c/r"]
    assert writes[1].depends_on == (writes[0].id,)


def test_false_condition_leaves_a_resource_out(expanded: Expand) -> None:
    """What it holds is not evaluated, and who depends on it does not wait."""
    writes = expanded(
        plain("off", condition="[equals('a', 'b')]", properties="[int('x')]"),
        plain("on", dependsOn=["off"]),
    )

    assert names(writes) == ["on"]
    assert writes[0].depends_on == ()


def test_child_resources_carry_their_parents_name_and_follow_it(expanded: Expand) -> None:
    parent, child, lock = expanded(
        plain(
            "p",
            resources=[
                {"type": "d", "name": "q", "apiVersion": "2", "properties": {"x": 1}},
                {"type": "providers/locks", "name": "Microsoft.Authorization/l", "apiVersion": "3"},
            ],
        )
    )

    assert parent.body == {}
    assert child.id.text == f"{GROUP}/providers/A.B/c/p/d/q"
    assert lock.id.text == f"{GROUP}/providers/A.B/c/p/providers/Microsoft.Authorization/locks/l"
    assert child.depends_on == lock.depends_on == (parent.id,)


def test_variables_are_evaluated_when_used(expanded: Expand) -> None:
    (write,) = expanded(
        plain("[variables('Name')]", properties={"day": "[variables('day')]"}),
        variables={
            "name": "[concat(deployment().name, '-', variables('suffix').a[0])]",
            "suffix": {"a": ["[subscription().tenantId]"]},
            "day": "[utcNow('yyyy-MM-dd')]",
            "broken": "[int('x')]",
        },
    )

    assert write.id.name == "mend-edge-1-t-1"
    assert write.body == {"properties": {"day": "2026-07-02"}}


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ([plain("x", properties={"a": {"b": "[int('x')]"}})], "resources[0]: `properties.a.b`: `int()`: `x` is not"),
        ([plain("x"), plain("[concta()]")], "resources[1]: name: `concta` is not a function"),
        ([plain("x", condition="yes")], "resources[0]: `condition` must be a boolean, got a text"),
        ([plain("x", apiVersion=None)], "resources[0]: `apiVersion` must be a text, got null"),
        ([plain("")], "resources[0]: `name` must be a text, got nothing"),
        ([plain("a/b")], "resources[0]: `A.B/c` needs a name of 1 segment, got `a/b`"),
        ([plain("x", dependsOn="y")], "resources[0]: `dependsOn` must be an array of texts"),
        ([plain("x", properties="[variables('v')]")], "`variables()`: the template has no variable `v`"),
        ([plain("x", properties="[variables('a')]")], "variables need each other in a circle: a → b → a"),
        (["x"], "resources[0]: a resource must be an object, got a text"),
    ],
)
def test_errors_name_the_place(expanded: Expand, resources: list[Any], message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        expanded(*resources, variables={"a": "[variables('b')]", "b": "[variables('A')]"})

    assert message in caught.value.message


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ({"resources": {"flux": extension()}}, "its template names resources by symbols (language version 2.0)"),
        ({"functions": [{"namespace": "a"}], "resources": []}, "its template defines functions of its own"),
    ],
)
def test_what_is_not_understood_is_left_to_resource_manager(template: Any, reason: str, scope: DeploymentScope) -> None:
    assert expand(template, {}, scope).only_whole == reason


def test_subscription_deployment_knows_its_location_and_tenant(scope: DeploymentScope) -> None:
    told = plain("x", properties={"at": "[deployment().location]", "tenant": "[tenant().tenantId]"})
    top = replace(scope, resource_group=None, location="westeurope")

    assert expand({"resources": [told]}, {}, top).writes[0].body["properties"] == {"at": "westeurope", "tenant": "t-1"}
