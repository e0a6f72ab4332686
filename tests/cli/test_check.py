"""`policyengine check`, as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from policyengine.cli.main import app
from policyengine.errors import UsageError

SUBSCRIPTION = "/subscriptions/5b0c0000-0000-0000-0000-000000000001"
ID = f"{SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.ContainerService/managedClusters/web-1"
POLICIES = f"""
name: tagged
properties:
  policyRule:
    if: {{field: tags.env, exists: false}}
    then:
      effect: modify
      details: {{roleDefinitionIds: [x], operations: [{{operation: add, field: tags.env, value: prod}}]}}
---
name: no-local-accounts
properties:
  policyRule:
    if: {{field: Microsoft.ContainerService/managedClusters/disableLocalAccounts, equals: false}}
    then: {{effect: deny}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: tags}}
spec: {{policy: tagged, scope: {SUBSCRIPTION}}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: accounts}}
spec:
  policy: no-local-accounts
  scope: {SUBSCRIPTION}
  nonComplianceMessages: [{{message: "{{cluster.name}} takes Entra accounts only"}}]
"""

Check = Callable[..., Result]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    def check(resource: Any, *options: str) -> Result:
        (tmp_path / "policies.yaml").write_text(POLICIES, encoding="utf-8")
        (tmp_path / "resource.json").write_text(json.dumps(resource), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("POLICYENGINE_POLICIES", "policies.yaml")
        database = f"sqlite:///{tmp_path}/policyengine.db"
        return CliRunner().invoke(app, ["--db", database, *options, "check", "resource.json"])

    return check


def test_it_shows_what_would_change(check: Check) -> None:
    result = check({"id": ID, "tags": {"site": "osl"}, "properties": {}})

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"~ changed  {ID}"
    assert "+ tags.env" in result.stdout


def test_it_answers_one_when_the_request_would_be_refused(check: Check) -> None:
    result = check({"id": ID, "tags": {"env": "x"}, "properties": {"disableLocalAccounts": False}})

    assert result.exit_code == 1
    assert result.stdout.startswith("✘ denied")
    assert "accounts" in result.stdout
    assert "web-1 takes Entra accounts only" in " ".join(result.stdout.split())


def test_it_says_when_nobody_minds(check: Check) -> None:
    result = check({"id": ID, "tags": {"env": "x"}, "properties": {}})

    assert (result.exit_code, result.stdout.splitlines()[1]) == (0, "No assigned policy has anything to say.")


def test_programs_get_everything(check: Check) -> None:
    resource = {"id": ID, "properties": {"disableLocalAccounts": False}}
    document = json.loads(check(resource, "-o", "json").stdout)

    assert document["answer"] == "denied"
    assert [(p["policy"], p["effect"], p["act"]) for p in document["policies"]] == [
        ("tags", "modify", "changes"),
        ("accounts", "deny", "denies"),
    ]
    assert document["changes"] == [{"path": "tags.env", "old": None, "new": "prod"}]
    assert document["resource"] == {**resource, "tags": {"env": "prod"}}


@pytest.mark.parametrize("resource", [[], {"name": "web-1"}, "x", {"id": "nonsense"}])
def test_what_is_no_resource_is_refused(check: Check, resource: Any) -> None:
    assert isinstance(check(resource).exception, UsageError)
