from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.errors import TemplateError
from policyengine.model.resource import ResourceWrite
from policyengine.templates import DeploymentScope, expand

Expand = Callable[..., tuple[ResourceWrite, ...]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reference(resourceId('A.B/c', 'x'), '1', 'Full').sku", "/providers/A.B/c/x')` is not supported"),
        ("listKeys('/x', '1').key", "`list…('/x')` is not supported by this release"),
        ("newGuid()", "`newGuid()` is not supported: a plan must give the same writes each time"),
    ],
)
def test_live_read_is_refused_with_what_it_would_need(expanded: Expand, text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        expanded({"type": "A.B/c", "name": "x", "apiVersion": "1", "properties": {"p": f"[{text}]"}})

    assert caught.value.message.startswith("resources[0]: ")
    assert message in caught.value.message
    assert caught.value.help


def test_live_read_in_a_branch_not_taken_does_no_harm(expanded: Expand) -> None:
    text = "[if(empty('x'), reference('y').z, 'given')]"
    (write,) = expanded({"type": "A.B/c", "name": "x", "apiVersion": "1", "kind": text})

    assert write.body == {"kind": "given"}


def test_outputs_are_not_evaluated(expanded: Expand) -> None:
    assert expanded(outputs={"id": {"type": "string", "value": "[reference('x').id]"}}) == ()


def test_key_vault_reference_is_refused(scope: DeploymentScope) -> None:
    reference = {"keyVault": {"id": "/subscriptions/s/…/vaults/kv-edge"}, "secretName": "ssh-key"}
    template = {"parameters": {"key": {"type": "securestring"}}, "resources": []}

    with pytest.raises(TemplateError) as caught:
        expand(template, {"key": {"reference": reference}}, scope)

    assert caught.value.message == (
        "parameter `key` is secret `ssh-key` of Key Vault `kv-edge`, which is not supported by this release"
    )
