"""One expression on one cluster: its kind, its value, where it is read, and which kind of nothing it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from policyengine.errors import ExpressionError, InventoryError, UsageError
from policyengine.model.fleet import Fleet
from policyengine.store.store import Store
from policyengine.workflows.evaluate import EvalRequest, Evaluated, evaluate_text
from policyengine.workflows.policy_tests import samples
from policyengine.workflows.settings import Settings

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ARC = "Microsoft.Kubernetes/connectedClusters"
CLUSTER: dict[str, Any] = {
    "id": f"/subscriptions/0/resourceGroups/shops/providers/{ARC}/osl-03",
    "name": "osl-03",
    "type": ARC,
    "location": "norwayeast",
    "tags": {"ring": "canary", "note": "", "gone": None},
    "properties": {"distribution": "k3s", "list": [], "items": [{"a": 1}, {}]},
}
FLUX = {"id": f"{CLUSTER['id']}/providers/Microsoft.KubernetesConfiguration/extensions/flux", "name": "flux"}


class At:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def resource(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({**CLUSTER, "extensions": [FLUX]}), encoding="utf-8")
    return path


def ask(text: str, resource: Path | None = None, *parameters: str, policy: str | None = None) -> Evaluated:
    settings = Settings(policies=["library:", "samples:"])
    return evaluate_text(settings, At(), EvalRequest(text, resource=resource, policy=policy, parameters=parameters))


@pytest.mark.parametrize(
    ("text", "kind", "value", "presence", "path"),
    [
        ("name", "field", "osl-03", "value", None),
        ("tags.ring", "field", "canary", "value", "tags.ring"),
        ("tags['note']", "field", "", "empty", "tags.note"),
        ("tags.gone", "field", None, "null", "tags.gone"),
        ("tags.nobody", "field", None, "missing", "tags.nobody"),
        (f"{ARC}/distribution", "field", "k3s", "value", "properties.distribution"),
        (f"{ARC}/agentVersion", "field", None, "missing", "properties.agentVersion"),
        (f"{ARC}/distro", "field", None, "missing", None),
        ("properties.list", "field", [], "empty", "properties.list"),
        ("properties.items[*].a", "field", [1], "value", "properties.items[*].a"),
        ("properties.none[*].a", "field", None, "missing", "properties.none[*].a"),
        ("[field('tags.ring')]", "template expression", "canary", "value", None),
        ("[toUpper(resourceGroup().name)]", "template expression", "SHOPS", "value", None),
        ("[field('tags.nobody')]", "template expression", None, "null", None),
        ("length(related.extensions)", "JMESPath", 1, "value", None),
        ("properties.items[0]", "JMESPath", {"a": 1}, "value", None),
        ("properties.nobody || ''", "JMESPath", "", "empty", None),
        ("properties.items[5]", "JMESPath", None, "null", None),
    ],
)
def test_what_is_found(resource: Path, text: str, kind: str, value: Any, presence: str, path: str | None) -> None:
    found = ask(text, resource)

    assert (found.kind.value, found.value, found.presence.value, found.path) == (kind, value, presence, path)


def test_an_alias_of_another_type_or_none_is_told_with_the_nearest(resource: Path) -> None:
    note = ask(f"{ARC}/distributio", resource).note

    assert note == f"not an alias of {ARC}; did you mean `{ARC}/distribution`?"
    assert ask(f"{ARC}/distribution", resource).note == f"alias of {ARC}"


def test_parameters_come_from_the_command_line_and_are_json_where_they_can_be(resource: Path) -> None:
    assert ask("[add(parameters('n'), 1)]", None, "n=2").value == 3
    assert ask("[concat(parameters('branch'), '=')]", None, "branch=a=b").value == "a=b="
    assert ask("parameters.Branch", resource, "Branch=main").value is None  # a field of the resource
    assert ask("@.parameters.Branch", resource, "Branch=main").value == "main"
    assert ask("length(parameters.hosts)", None, 'hosts=["a", "b"]').value == 2


def test_parameters_of_a_policy_are_its_defaults_or_those_of_its_assignment() -> None:
    assert ask("[parameters('releaseTrain')]", policy="flux-extension-required").value == "Stable"
    overridden = ask("[parameters('releaseTrain')]", None, "RELEASETRAIN=Preview", policy="flux-extension-required")
    assert overridden.value == "Preview"
    assert (
        ask("[parameters('repositoryUrl')]", policy="edge-baseline/config").value == "https://git.contoso.example/fleet"
    )


@pytest.mark.parametrize(
    ("text", "parameters", "policy", "message"),
    [
        ("tags.ring", (), None, "there is no resource to read it on"),
        ("[parameters('x')]", ("x",), None, "is not `name=value`"),
        ("[parameters('x')]", ("branche=1",), "flux-configuration-git", "has no parameter `branche`"),
        ("[parameters('x')]", (), "nobody", "no policy is called `nobody`"),
    ],
)
def test_wrong_usage(text: str, parameters: tuple[str, ...], policy: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ask(text, None, *parameters, policy=policy)


def test_a_cluster_and_a_file_cannot_go_together(resource: Path) -> None:
    with pytest.raises(UsageError, match="cannot go together"):
        evaluate_text(Settings(), At(), EvalRequest("name", cluster="x", resource=resource))


@pytest.mark.parametrize("text", ["[nobody()]", "[field('tags.ring')]", "length(", "[parameters('x')]"])
def test_what_cannot_be_evaluated_is_an_expression_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        ask(text)


@pytest.mark.parametrize("text", ["[field('tags.ring')]", "length(related.extensions)"])
def test_what_needs_a_resource_says_how_to_name_one(text: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        ask(text)
    assert raised.value.help == "name a cluster (`--cluster`) or a file (`--resource`)"


def test_a_mistake_in_the_text_has_nothing_to_do_with_resources() -> None:
    with pytest.raises(ExpressionError) as raised:
        ask("length(")
    assert "cluster" not in (raised.value.help or "")


@pytest.mark.parametrize("text", ["[]", "{}", '{"id": 1}', '{"id": "x"}\n---\n{"id": "y"}'])
def test_a_file_that_holds_no_resource_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "resource.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InventoryError, match="must hold one resource"):
        ask("name", path)
    with pytest.raises(InventoryError, match="cannot be read"):
        ask("name", tmp_path / "nobody.json")


def test_a_cluster_of_the_inventory_is_asked_with_its_scope(tmp_path: Path) -> None:
    fleet: Fleet = samples().fleet
    url = f"sqlite:///{tmp_path}/store.db"
    with Store.open(url) as store:
        store.apply_changes(upserts=fleet.clusters, removed=(), tree=fleet.tree, source="file:x", complete=True, at=NOW)
    found = evaluate_text(
        Settings(database=url), At(), EvalRequest("[subscription().displayName]", cluster="aks-basic")
    )

    assert found.value == "sample"
