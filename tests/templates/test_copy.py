from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.errors import TemplateError
from policyengine.model.resource import ResourceWrite

Expand = Callable[..., tuple[ResourceWrite, ...]]


def looped(name: str, /, **copy: Any) -> dict[str, Any]:
    return {"type": "A.B/c", "name": name, "apiVersion": "1", "copy": copy}


def test_copy_repeats_a_resource(expanded: Expand) -> None:
    writes = expanded(
        looped(
            "[concat(parameters('names')[copyIndex()], '-', copyIndex(1))]",
            name="l",
            count="[length(parameters('names'))]",
        ),
        parameters={"names": {"type": "array"}},
        given={"names": ["a", "b"]},
    )

    assert [write.id.name for write in writes] == ["a-1", "b-2"]
    assert writes[0].body == {}


def test_count_of_zero_gives_nothing(expanded: Expand) -> None:
    assert expanded(looped("x", name="l", count=0)) == ()


def test_depending_on_a_loop_means_on_every_iteration(expanded: Expand) -> None:
    last = {"type": "A.B/c", "name": "last", "apiVersion": "1", "dependsOn": ["Loop"]}
    writes = expanded(last, looped("[concat('x', copyIndex('loop'))]", name="loop", count=3))

    assert [write.id.name for write in writes] == ["x0", "x1", "x2", "last"]
    assert set(writes[3].depends_on) == {write.id for write in writes[:3]}


def test_serial_loop_waits_batch_by_batch(expanded: Expand) -> None:
    writes = expanded(looped("[concat('x', copyIndex())]", name="l", count=5, mode="Serial", batchSize=2))

    waits = {write.id.name: {id.name for id in write.depends_on} for write in writes}
    assert waits == {"x0": set(), "x1": set(), "x2": {"x0", "x1"}, "x3": {"x0", "x1"}, "x4": {"x2", "x3"}}


def test_loops_nest_through_children(expanded: Expand) -> None:
    child = {
        "type": "d",
        "name": "[concat(copyIndex('outer', 1), copyIndex())]",
        "apiVersion": "1",
        "copy": {"name": "inner", "count": 2},
    }
    writes = expanded({**looped("[concat('p', copyIndex())]", name="outer", count=2), "resources": [child]})

    assert [write.id.full_name for write in writes] == ["p0", "p0/10", "p0/11", "p1", "p1/20", "p1/21"]


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (looped("x", name="l", count=-1), "`copy` needs a `name`, and a `count` from 0 to 800"),
        (looped("x", name="l", count=801), "`copy` needs a `name`, and a `count` from 0 to 800"),
        (looped("x", count=1), "`copy` needs a `name`, and a `count` from 0 to 800"),
        ({**looped("x"), "copy": 3}, "`copy` must be an object with `name` and `count`, got a whole number"),
        (looped("[concat('x', copyIndex('m'))]", name="l", count=1), "there is no loop `m` around this"),
        (looped("x", name="l", count=2), "/providers/A.B/c/x` twice"),
    ],
)
def test_bad_loop_is_refused(expanded: Expand, resource: Any, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        expanded(resource)

    assert message in caught.value.message


def turns(name: str, count: Any, each: Any) -> dict[str, Any]:
    return {"name": name, "count": count, "input": each}


def test_copy_in_properties_makes_an_array(expanded: Expand) -> None:
    """At any depth; `copyIndex()` without a name counts the resource, by name it counts the property."""
    disk = {"lun": "[copyIndex('disks', 1)]", "of": "[copyIndex()]", "parts": {"copy": [turns("p", 2, "x")]}}
    resource = {
        **looped("[concat('x', copyIndex())]", name="l", count=2),
        "properties": {"storage": {"copy": [turns("disks", "[parameters('n')]", disk)], "kind": "k"}},
    }
    _, second = expanded(resource, parameters={"n": {"type": "int"}}, given={"n": 2})

    made = [{"lun": lun, "of": 1, "parts": {"p": ["x", "x"]}} for lun in (1, 2)]
    assert second.body == {"properties": {"storage": {"disks": made, "kind": "k"}}}


def test_copy_in_variables_makes_arrays(expanded: Expand) -> None:
    """Among the variables each turn is a variable, inside one it is a member."""
    variables = {
        "copy": [turns("names", 2, "[concat('n', copyIndex('names'))]"), turns("none", 0, "x")],
        "object": {"copy": [turns("ports", 2, "[copyIndex('ports', 80)]")], "a": 1},
    }
    seen = {name: f"[variables('{name}')]" for name in ("names", "none", "object")}
    (write,) = expanded({"type": "A.B/c", "name": "x", "apiVersion": "1", "properties": seen}, variables=variables)

    assert write.body["properties"] == {"names": ["n0", "n1"], "none": [], "object": {"ports": [80, 81], "a": 1}}


def test_a_member_that_is_only_called_copy_is_data(expanded: Expand) -> None:
    resource = {"type": "A.B/c", "name": "x", "apiVersion": "1", "properties": {"copy": ["a"]}}

    assert expanded(resource)[0].body == {"properties": {"copy": ["a"]}}


def test_a_property_loop_without_a_usable_count_is_refused(expanded: Expand) -> None:
    resource = {"type": "A.B/c", "name": "x", "apiVersion": "1", "properties": {"copy": [turns("p", "two", 1)]}}

    with pytest.raises(TemplateError, match="the `count` of `p` must be a whole number from 0 to 800"):
        expanded(resource)
