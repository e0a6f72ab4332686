from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from policyengine.clock import SystemClock
from policyengine.errors import ConfigError, UsageError
from policyengine.language.aliases import AliasCatalogue
from policyengine.workflows.aliases import find_alias, import_catalogue, list_aliases, load_catalogue
from policyengine.workflows.evaluate import EvalRequest, evaluate_text
from policyengine.workflows.load import check_files
from policyengine.workflows.policy_tests import TestRequest, run_tests
from policyengine.workflows.settings import load_settings

TILLS = "Contoso.Shop/tills"
PROVIDERS: list[Any] = [
    {
        "namespace": "Contoso.Shop",
        "resourceTypes": [
            {
                "resourceType": "tills",
                "aliases": [
                    {"name": f"{TILLS}/model", "defaultPath": "properties.hardware.model"},
                    {"name": f"{TILLS}/site", "defaultPath": "properties.site"},
                ],
            }
        ],
    }
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "providers.json").write_text(json.dumps(PROVIDERS), encoding="utf-8")
    (tmp_path / "policyengine.yaml").write_text("kind: Project\naliases: aliases.json\n", encoding="utf-8")
    return tmp_path


def test_an_imported_catalogue_is_used_by_name(project: Path) -> None:
    done = import_catalogue(project / "providers.json", project / "aliases.json")
    settings = load_settings(project=project, environ={})
    catalogue = load_catalogue(settings.aliases)

    assert (done.types, done.aliases) == (1, 2)
    assert settings.aliases == str(project / "aliases.json")
    assert str(catalogue.path_for(TILLS, f"{TILLS}/model")) == "properties.hardware.model"
    assert catalogue.is_known_type("Microsoft.Kubernetes/connectedClusters")


def test_policies_are_checked_with_it(project: Path) -> None:
    import_catalogue(project / "providers.json", project / "aliases.json")
    file = project / "rule.yaml"
    file.write_text(f"if: {{field: {TILLS}/modle, equals: x}}\nthen: {{effect: audit}}\n", encoding="utf-8")

    assert "unknown-alias" not in {d.code for d in check_files([str(file)]).diagnostics}
    found = [
        d for d in check_files([str(file)], str(project / "aliases.json")).diagnostics if d.code == "unknown-alias"
    ]
    assert [d.help for d in found] == [f"did you mean `{TILLS}/model`?"]


def test_a_catalogue_may_lie_among_the_policies(project: Path) -> None:
    import_catalogue(project / "providers.json", project / "aliases.json")

    assert check_files([str(project / "aliases.json")]).diagnostics == ()


def test_no_name_means_the_packaged_table() -> None:
    assert load_catalogue("") is AliasCatalogue.packaged()


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "AliasCatalogue"}'])
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"no catalogue|not JSON"):
        load_catalogue(str(file))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_catalogue(str(tmp_path / "absent.json"))
    with pytest.raises(ConfigError):
        import_catalogue(file, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_aliases_are_found_by_type_part_and_name(project: Path) -> None:
    import_catalogue(project / "providers.json", project / "aliases.json")
    catalogue = load_catalogue(str(project / "aliases.json"))

    assert [a.name for _, a in list_aliases(catalogue, TILLS.lower(), None)] == [f"{TILLS}/model", f"{TILLS}/site"]
    assert [a.name for _, a in list_aliases(catalogue, None, "TILLS/SI")] == [f"{TILLS}/site"]
    assert [type for type, _ in find_alias(catalogue, f"{TILLS}/SITE")] == [TILLS]
    with pytest.raises(UsageError, match="resource type"):
        list(list_aliases(catalogue, "Contoso.Shop/till", None))
    with pytest.raises(UsageError, match="alias"):
        find_alias(catalogue, f"{TILLS}/stie")


def test_one_field_is_read_with_it(project: Path) -> None:
    import_catalogue(project / "providers.json", project / "aliases.json")
    till = {"id": f"/subscriptions/s/resourceGroups/g/providers/{TILLS}/t", "properties": {"hardware": {"model": "T1"}}}
    (project / "till.json").write_text(json.dumps(till), encoding="utf-8")
    settings = load_settings(project=project, environ={})

    found = evaluate_text(settings, SystemClock(), EvalRequest(f"{TILLS}/model", resource=project / "till.json"))

    assert (found.value, found.path) == ("T1", "properties.hardware.model")


def test_policy_tests_run_with_it(project: Path) -> None:
    import_catalogue(project / "providers.json", project / "aliases.json")
    (project / "rule.yaml").write_text(
        "name: till\nproperties: {mode: All, policyRule: "
        f"{{if: {{field: {TILLS}/model, equals: T1}}, then: {{effect: audit}}}}}}\n"
        "---\napiVersion: policyengine/v1\nkind: PolicyTest\nmetadata: {name: till}\nspec:\n  policy: till\n  cases:\n"
        f"    - name: c\n      given: {{cluster: {{id: /subscriptions/s/resourceGroups/g/providers/{TILLS}/t, "
        f"type: {TILLS}, properties: {{hardware: {{model: T1}}}}}}}}\n      expect: {{state: NonCompliant}}\n",
        encoding="utf-8",
    )
    paths = [str(project / "rule.yaml")]

    with_it = asyncio.run(run_tests(TestRequest(paths, catalogue=str(project / "aliases.json"))))
    without = asyncio.run(run_tests(TestRequest(paths)))

    failed = [[bool(case.mismatches) for file in run.files for case in file.cases] for run in (with_it, without)]
    assert failed == [[False], [True]]
