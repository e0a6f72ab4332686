from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.errors import TemplateError
from policyengine.model.resource import ResourceWrite

Expand = Callable[..., tuple[ResourceWrite, ...]]

SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"


def nested(name: str, *resources: Any, properties: Any = None, **more: Any) -> dict[str, Any]:
    template = {"resources": list(resources), **(properties or {}).pop("template", {})}
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2021-04-01",
        "name": name,
        "properties": {"mode": "Incremental", "template": template, **(properties or {})},
        **more,
    }


def plain(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "A.B/c", "name": name, "apiVersion": "1", **more}


def inner(template: Any, parameters: Any) -> dict[str, Any]:
    return {"expressionEvaluationOptions": {"scope": "Inner"}, "template": template, "parameters": parameters}


SEES = plain("[parameters('n')]", kind="[resourceGroup().name]", plan="[deployment().name]", etag="[variables('v')]")


def test_outer_expressions_are_those_of_the_template_around(expanded: Expand) -> None:
    """Also `resourceGroup()`, though the resource goes to the other group."""
    (write,) = expanded(
        nested("d", SEES, resourceGroup="rg-other", properties={"template": {"variables": {"v": "unread"}}}),
        parameters={"n": {"type": "string"}},
        variables={"v": "outer"},
        given={"n": "x"},
    )

    assert write.id.text == f"{SUBSCRIPTION}/resourceGroups/rg-other/providers/A.B/c/x"
    assert write.body == {"kind": "rg-edge", "plan": "mend-edge-1", "etag": "outer"}


def test_inner_expressions_see_their_own_template_only(expanded: Expand) -> None:
    template = {"parameters": {"n": {"type": "string"}}, "variables": {"v": "inner"}}
    given = {"N": {"value": "[concat(parameters('n'), '!')]"}}
    (write,) = expanded(
        nested("[concat('d-', parameters('n'))]", SEES, resourceGroup="rg-other", properties=inner(template, given)),
        parameters={"n": {"type": "string"}},
        given={"n": "x"},
    )

    assert write.id.text == f"{SUBSCRIPTION}/resourceGroups/rg-other/providers/A.B/c/x!"
    assert write.body == {"kind": "rg-other", "plan": "d-x", "etag": "inner"}


def test_own_group_by_another_case_keeps_what_is_known_of_it(expanded: Expand) -> None:
    resource = plain("x", location="[resourceGroup().location]")
    (write,) = expanded(nested("d", resource, resourceGroup="RG-EDGE", properties=inner({}, {})))

    assert write.body == {"location": "westeurope"}


def test_location_of_a_foreign_group_is_not_guessed(expanded: Expand) -> None:
    resource = plain("x", location="[resourceGroup().location]")

    with pytest.raises(TemplateError, match="an object has no member `location`"):
        expanded(nested("d", resource, resourceGroup="rg-other", properties=inner({}, {})))


@pytest.mark.parametrize(
    ("target", "root"),
    [
        ({"subscriptionId": "s2", "resourceGroup": "g2"}, "/subscriptions/s2/resourceGroups/g2"),
        ({"subscriptionId": "s2", "location": "x"}, "/subscriptions/s2"),
        ({"subscriptionId": "[subscription().subscriptionId]", "location": "x"}, SUBSCRIPTION),
        ({"scope": "/subscriptions/s2/resourceGroups/g2"}, "/subscriptions/s2/resourceGroups/g2"),
        ({}, f"{SUBSCRIPTION}/resourceGroups/rg-edge"),
    ],
)
def test_nested_deployment_goes_where_it_says(expanded: Expand, target: Any, root: str) -> None:
    (write,) = expanded(nested("d", plain("x"), **target))

    assert write.id.text == f"{root}/providers/A.B/c/x"


def test_depending_on_a_deployment_means_on_all_it_writes(expanded: Expand) -> None:
    writes = expanded(
        plain("last", dependsOn=["[resourceId('Microsoft.Resources/deployments', 'd')]"]),
        nested("d", plain("b", dependsOn=["a"]), plain("a"), dependsOn=["first"], resourceGroup="rg-other"),
        plain("first"),
    )

    first, a, b, last = writes
    assert [write.id.name for write in writes] == ["first", "a", "b", "last"]
    assert a.depends_on == (first.id,)
    assert set(b.depends_on) == {first.id, a.id}
    assert set(last.depends_on) == {a.id, b.id}


def test_false_condition_leaves_the_whole_deployment_out(expanded: Expand) -> None:
    assert expanded(nested("d", plain("[int('x')]"), condition=False)) == ()


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (
            nested("d", plain("x", kind="[int('x')]")),
            "resources[0].properties.template.resources[0]: `kind`: `int()`: `x` is not a whole number",
        ),
        (
            nested("d", properties=inner({"parameters": {"a": {"type": "int"}}}, {})),
            "resources[0]: parameter `a` is not given",
        ),
        (
            nested("d", properties={"mode": "Complete"}),
            "resources[0]: the mode `Complete` is not supported",
        ),
        (
            {**nested("d"), "properties": {}},
            "resources[0]: a nested deployment needs its `properties.template`",
        ),
        (
            nested("d", scope="/providers/Microsoft.Management/managementGroups/root"),
            "resources[0]: deployments above a subscription are not supported by this release",
        ),
        (nested("d", resourceGroup=7), "resources[0]: `resourceGroup` must be a text"),
    ],
)
def test_errors_name_the_place(expanded: Expand, resource: Any, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        expanded(resource)

    assert message in caught.value.message
