from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.errors import TemplateError
from policyengine.model.resource import ResourceWrite

Expand = Callable[..., tuple[ResourceWrite, ...]]

CLUSTER = "Microsoft.Kubernetes/connectedClusters"
EXTENSION = "Microsoft.KubernetesConfiguration/extensions"


def flux(**more: Any) -> dict[str, Any]:
    return {"type": EXTENSION, "name": "flux", "apiVersion": "1", "scope": f"{CLUSTER}/edge-1", **more}


def other(name: str, *depends_on: str) -> dict[str, Any]:
    return {"type": "A.B/c", "name": name, "apiVersion": "1", "dependsOn": list(depends_on)}


@pytest.mark.parametrize(
    "name",
    [
        "flux",
        "FLUX",
        f"{EXTENSION}/flux",
        f"[extensionResourceId(resourceId('{CLUSTER}', 'edge-1'), '{EXTENSION}', 'flux')]",
        f"[concat(resourceId('{CLUSTER}', 'Edge-1'), '/providers/{EXTENSION}/', 'flux')]",
    ],
)
def test_depends_on_understands_every_spelling(expanded: Expand, name: str) -> None:
    first, second = expanded(other("x", name), flux())

    assert first.id.name == "flux"
    assert second.depends_on == (first.id,)


def test_order_of_declaration_stays_where_nothing_depends(expanded: Expand) -> None:
    writes = expanded(other("b"), other("d", "c"), other("a"), other("c"))

    assert [write.id.name for write in writes] == ["b", "a", "c", "d"]


def test_path_of_a_child_is_a_spelling_too(expanded: Expand) -> None:
    child = {"type": "A.B/c/d", "name": "p/q", "apiVersion": "1"}
    first, second = expanded(other("x", "A.B/c/p/d/q"), child)

    assert second.depends_on == (first.id,)


def test_unknown_dependency_is_refused(expanded: Expand) -> None:
    with pytest.raises(TemplateError, match=r"resources\[0\]: depends on `flix`, which the template") as caught:
        expanded(other("x", "flix"), flux())

    assert caught.value.help == "did you mean `flux`?"


def test_circle_is_refused(expanded: Expand) -> None:
    with pytest.raises(TemplateError, match="resources wait for each other in a circle: `a`, `b`"):
        expanded(other("a", "b"), other("b", "a"), other("c"))


def test_resource_declared_twice_is_refused(expanded: Expand) -> None:
    with pytest.raises(TemplateError, match=r"the template declares `.*/A\.B/c/X` twice"):
        expanded(other("x"), other("X"))

    assert len(expanded(other("x"), {**other("x"), "condition": False})) == 1
