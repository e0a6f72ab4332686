from __future__ import annotations

from typing import Any

import pytest

from policyengine.errors import TemplateError
from policyengine.model.ids import ResourceId
from policyengine.templates import Answer, DeploymentScope, Expansion, LiveRead, expand
from tests.templates.test_nested import SUBSCRIPTION, inner, nested, plain

GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-edge"
LIVE = ResourceId(f"{GROUP}/providers/X.Y/z/live")
DOCUMENT = {"id": LIVE.text, "sku": {"name": "s"}, "properties": {"a": {"b": 1}}}


def run(scope: DeploymentScope, *resources: Any, answers: Any = None, **sections: Any) -> Expansion:
    return expand({"resources": list(resources), **sections}, {}, scope, answers or {})


def asking(text: str, name: str = "x") -> dict[str, Any]:
    return plain(name, properties={"p": f"[{text}]"})


def test_reads_are_asked_for_all_at_once_and_then_answered(scope: DeploymentScope) -> None:
    resources = [
        asking("reference(resourceId('X.Y/z', 'live'), '1', 'Full').sku.name"),
        asking("reference('/a/b', '2').c", "y"),
    ]
    full, part = LiveRead(LIVE, "1", full=True), LiveRead(ResourceId("/a/b"), "2")

    asked = run(scope, *resources)
    told = run(scope, *resources, answers={full: Answer(DOCUMENT), part: Answer({"properties": {"c": 3}})})

    assert asked == Expansion(reads=(full, part))
    assert [write.body["properties"]["p"] for write in told.writes] == ["s", 3]


def test_a_read_that_failed_says_why(scope: DeploymentScope) -> None:
    resource = asking("reference(resourceId('X.Y/z', 'live'), '1').a")
    read = LiveRead(LIVE, "1")

    with pytest.raises(TemplateError, match=r"resources\[0\]: .*live` cannot be read: not allowed"):
        run(scope, resource, answers={read: Answer(None, "not allowed")})
    with pytest.raises(TemplateError, match=r"resources\[0\]: `.*live` does not exist, and `reference\(\)` reads it"):
        run(scope, resource, answers={read: Answer(None)})


@pytest.mark.parametrize("text", ["reference('y').z", "reference('/a/b').z"])
def test_a_reference_must_say_what_it_reads(scope: DeploymentScope, text: str) -> None:
    with pytest.raises(TemplateError, match=r"is neither an id nor|needs an API version"):
        run(scope, asking(text))


def test_live_read_in_a_branch_not_taken_does_no_harm(scope: DeploymentScope) -> None:
    assert run(scope, asking("if(empty(''), 'given', reference('y').z)")).writes[0].body["properties"]["p"] == "given"


def test_outputs_are_evaluated_only_when_another_deployment_reads_them(scope: DeploymentScope) -> None:
    """The shape of Azure's own "get, then put" templates."""
    outputs = {
        "content": {"type": "object", "value": "[reference(resourceId('X.Y/z', 'live'), '1', 'Full')]"},
        "each": {"type": "array", "copy": {"count": 2, "input": "[copyIndex()]"}},
        "off": {"type": "string", "condition": False, "value": "[int('x')]"},
    }
    get = nested("get", properties={"template": {"outputs": outputs}})
    template = {"parameters": {"c": {"type": "object"}, "e": {"type": "array"}}}
    given = {
        "c": {"value": "[reference('GET').outputs.content.value.properties]"},
        "e": {"value": "[reference(resourceId('Microsoft.Resources/deployments', 'get'), '1').outputs.each.value]"},
    }
    put = nested("put", plain("x", properties="[union(parameters('c'), createObject('e', parameters('e')))]"),
                 properties=inner(template, given))  # fmt: skip
    read = LiveRead(LIVE, "1", full=True)

    assert run(scope, put, get).reads == (read,)
    (write,) = run(scope, put, get, answers={read: Answer(DOCUMENT)}).writes
    assert write.body == {"properties": {"a": {"b": 1}, "e": [0, 1]}}
    assert run(scope, outputs={"id": {"type": "string", "value": "[int('x')]"}}).writes == ()


def test_referring_to_a_deployment_is_depending_on_it(scope: DeploymentScope) -> None:
    made = nested("make", plain("first"), properties={"template": {"outputs": {"v": {"type": "int", "value": 3}}}})
    writes = run(scope, asking("reference('make').outputs.v.value", "last"), made).writes

    assert [write.id.name for write in writes] == ["first", "last"]
    assert writes[1].depends_on == (writes[0].id,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("listKeys('/s/x', '1').key", "it asks for keys of `x`, which must not come to rest in a plan"),
        ("listAnything(resourceId('X.Y/z', 'live'), '1')", "it asks for keys of `live`"),
        ("newGuid()", "only Resource Manager knows what `newGuid()` gives"),
        ("environment().name", "only Resource Manager knows what `environment()` gives"),
        ("providers('A.B')", "only Resource Manager knows what `providers()` gives"),
        ("pickZones('A.B', 'c', 'westeurope')", "only Resource Manager knows what `pickZones()` gives"),
        ("reference('own').a", "it reads `own`, which it writes itself"),
        ("reference(resourceId('A.B/c', 'own')).a", "it reads `own`, which it writes itself"),
    ],
)
def test_what_only_resource_manager_can_do_is_left_to_it(scope: DeploymentScope, text: str, reason: str) -> None:
    """Also when other reads are open: nothing needs to be read for a template that is sent whole."""
    open_read = asking("reference(resourceId('X.Y/z', 'live'), '1').a", "y")
    expansion = run(scope, open_read, plain("own"), asking(text))

    assert expansion.only_whole.startswith(reason)
    assert (expansion.writes, expansion.reads) == ((), ())


def test_own_resource_that_is_off_is_read_as_it_lives(scope: DeploymentScope) -> None:
    off = {**plain("live", condition=False), "type": "X.Y/z", "apiVersion": "7"}

    assert run(scope, off, asking("reference('live').a")).reads == (LiveRead(LIVE, "7"),)


def test_what_another_part_makes_first_is_read_by_resource_manager(scope: DeploymentScope) -> None:
    make = nested("make", {**plain("live"), "type": "X.Y/z"})
    use = nested("use", asking("reference(resourceId('X.Y/z', 'live'), '1').a"), properties=inner({}, {}))

    expansion = run(scope, make, use, answers={LiveRead(LIVE, "1"): Answer(None)})

    assert expansion.only_whole == "it reads `live`, which it makes itself"


def test_there_is_no_management_group_above_these_deployments(scope: DeploymentScope) -> None:
    with pytest.raises(TemplateError, match=r"`managementGroup\(\)` has no answer"):
        run(scope, asking("managementGroup().name"))


@pytest.mark.parametrize(
    "resources",
    [
        [plain("[reference('x').a]"), plain("y")],
        [
            nested("a", properties={"template": {"outputs": {"v": {"value": "[reference('b').outputs.v.value]"}}}}),
            nested("b", properties={"template": {"outputs": {"v": {"value": "[reference('a').outputs.v.value]"}}}}),
            asking("reference('a').outputs.v.value"),
        ],
    ],
    ids=["a name", "outputs"],
)
def test_references_in_a_circle_are_refused(scope: DeploymentScope, resources: list[Any]) -> None:
    with pytest.raises(TemplateError, match=r"they need each other by `reference\(\)`"):
        run(scope, *resources)


@pytest.mark.parametrize("level", ["outer", "nested"])
def test_key_vault_is_left_to_resource_manager(scope: DeploymentScope, level: str) -> None:
    given = {"key": {"reference": {"keyVault": {"id": "/subscriptions/s/…/vaults/kv-edge"}, "secretName": "ssh-key"}}}
    template = {"parameters": {"key": {"type": "securestring"}}, "resources": []}
    inside = {"resources": [nested("d", properties=inner(template, given))]}

    expansion = expand(template, given, scope) if level == "outer" else expand(inside, {}, scope)

    assert expansion.only_whole == "parameter `key` is secret `ssh-key` of Key Vault `kv-edge`"


def test_linked_template_is_left_to_resource_manager(scope: DeploymentScope) -> None:
    linked = nested("d", properties={"templateLink": {"uri": "https://x"}})

    assert run(scope, linked).only_whole == "it links to a template that only Resource Manager reads"


def test_secure_parameter_may_be_a_reference_to_a_secret(scope: DeploymentScope) -> None:
    """It goes through untouched, and stands for the secret until the moment of sending."""
    secret = {"secretRef": {"env": "KEY"}}
    template = {
        "parameters": {"key": {"type": "secureString"}},
        "resources": [plain("x", properties={"key": "[parameters('key')]"})],
    }

    assert expand(template, {"key": {"value": secret}}, scope).writes[0].body == {"properties": {"key": secret}}
