"""Schemas take everything we ship, refuse what is wrong, and speak of no key the parser does not know."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from policyengine.errors import UsageError
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.parser import DOCUMENT_KINDS, parse_documents
from policyengine.text.reader import read, to_value
from policyengine.workflows.data import data_root
from policyengine.workflows.schemas import SCHEMAS, schema_files, schema_of, write_schemas

ROOT = data_root()
FILES = sorted([*(ROOT / "policies").rglob("*.yaml"), *(ROOT / "samples").rglob("*.yaml")])
DOCS = Path(__file__).parents[2] / "docs"


def documents() -> Iterator[Any]:
    """Every document we ship, and those on the reference pages."""
    texts = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in FILES]
    for page in sorted(DOCS.glob("*.md")):
        blocks = re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        texts += [(f"{page.name}-{number}", block) for number, block in enumerate(blocks) if "apiVersion" in block]
    for name, text in texts:
        for value in map(to_value, read(text, name)):
            if isinstance(value, dict) and value.get("apiVersion") == "policyengine/v1":
                yield pytest.param(value, id=f"{name}: {value['kind']}")


def problems(value: Any) -> list[str]:
    validator = Draft202012Validator(schema_of(value["kind"]))
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


@pytest.mark.parametrize("value", list(documents()))
def test_every_document_of_ours_is_valid(value: Any) -> None:
    assert problems(value) == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_a_schema_and_plain_json(kind: str) -> None:
    schema = schema_of(kind.upper())

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema


def test_every_kind_of_document_has_a_schema() -> None:
    assert set(SCHEMAS) == set(DOCUMENT_KINDS)


HEAD = {"apiVersion": "policyengine/v1", "metadata": {"name": "x"}}
RULE = {"if": {"field": "type", "equals": "x"}, "then": {"effect": "audit"}}
CASE = {"name": "c", "given": {"cluster": "sample:aks-basic"}, "expect": {"state": "Compliant"}}
SCOPE = "/subscriptions/5b0c1e6a-2d94-47f3-a8e1-c37b90d25f04"
GOOD: dict[str, dict[str, Any]] = {
    "PolicyDefinition": {"policyRule": RULE},
    "Initiative": {"policies": [{"ref": "x@1.*"}]},
    "Assignment": {"policy": "x", "scope": SCOPE},
    "Exemption": {"assignment": "x", "scopes": [SCOPE], "category": "Waiver"},
    "Enrollment": {"assignment": "x", "scopes": [SCOPE]},
    "Attestation": {"assignment": "x", "scopes": [SCOPE], "complianceState": "Compliant"},
    "PolicyTest": {"policy": "x", "cases": [CASE]},
}


def rule(condition: Any) -> dict[str, Any]:
    return {"policyRule": {"if": condition, "then": {"effect": "audit"}}}


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("PolicyDefinition", {}),
    ("PolicyDefinition", {"policyRule": RULE, "require": {"extension": {"extensionType": "x"}}, "appliesTo": ["aks"]}),
    ("PolicyDefinition", {"policyRule": RULE, "appliesTo": ["eks"]}),
    ("PolicyDefinition", {"policyRule": RULE, "extra": 1}),
    ("PolicyDefinition", {"policyRule": {"if": RULE["if"]}}),
    ("PolicyDefinition", {"policyRule": {"if": RULE["if"], "then": {"effect": "explode"}}}),
    ("PolicyDefinition", {"policyRule": RULE, "parameters": {"p": {"type": "Text"}}}),
    ("PolicyDefinition", {"policyRule": RULE, "parameters": {"p": {}}}),
    ("PolicyDefinition", {"policyRule": RULE, "reconciled": {"within": "soon"}}),
    ("PolicyDefinition", rule({"field": "type", "notequal": "x"})),
    ("PolicyDefinition", rule({"field": "type"})),
    ("PolicyDefinition", rule({"equals": "x"})),
    ("PolicyDefinition", rule({"field": "type", "value": 1, "equals": "x"})),
    ("PolicyDefinition", rule({"field": "type", "equals": "x", "like": "y"})),
    ("PolicyDefinition", rule({"allOf": []})),
    ("PolicyDefinition", rule({"allOf": [{"not": {"field": "type"}}]})),
    ("PolicyDefinition", rule({"allOf": [RULE["if"]], "field": "x", "equals": 1})),
    ("PolicyDefinition", rule({"count": {"name": "x"}, "equals": 1})),
    ("PolicyDefinition", {"require": {"extension": {"extensionType": "x"}}}),
    ("PolicyDefinition", {"appliesTo": ["aks"], "require": {}}),
    ("PolicyDefinition", {"appliesTo": ["aks"], "require": {"fluxConfiguration": {"scope": "cluster"}}}),
    ("PolicyDefinition", {"appliesTo": ["aks"], "require": {"extension": {"extensionType": "x", "train": "x"}}}),
    ("PolicyDefinition", {"appliesTo": ["aks"], "require": {"fluxConfiguration": {"name": "x", "suspend": "no"}}}),
    (
        "PolicyDefinition",
        {
            "appliesTo": ["aks"],
            "require": {"extension": {"extensionType": "x", "configurationProtectedSettings": {"key": "literal"}}},
        },
    ),
    ("Initiative", {}),
    ("Initiative", {"policies": [{"id": "x"}]}),
    ("Initiative", {"policies": [{"ref": "x", "group": "y"}]}),
    ("Assignment", {"scope": SCOPE}),
    ("Assignment", {"policy": "x"}),
    ("Assignment", {"policy": "x", "initiative": "y", "scope": SCOPE}),
    ("Assignment", {"policy": "x", "scope": "mg-edge"}),
    ("Assignment", {"policy": "x", "scope": SCOPE, "enforcementMode": "Never"}),
    ("Assignment", {"policy": "x", "scope": SCOPE, "schedule": {"cron": "* * * * *", "interval": "1h"}}),
    ("Assignment", {"policy": "x", "scope": SCOPE, "remediation": {"mode": "always"}}),
    ("Exemption", {"assignment": "x", "scopes": [], "category": "Waiver"}),
    ("Exemption", {"assignment": "x", "scopes": [SCOPE], "category": "Holiday"}),
    ("Exemption", {"assignment": "x", "scopes": [SCOPE], "category": "Waiver", "assignmentScopeValidation": "No"}),
    ("Enrollment", {"assignment": "x", "scopes": []}),
    ("Enrollment", {"assignment": "x", "scopes": [SCOPE], "resourceSelectors": [{"name": "x"}]}),
    ("Assignment", {"policy": "x", "scope": SCOPE, "overrides": [{"kind": "effect", "value": "Audit"}]}),
    ("Assignment", {"policy": "x", "scope": SCOPE, "resourceSelectors": [{"selectors": [{"kind": "resourceType"}]}]}),
    ("PolicyTest", {"policy": "x", "cases": []}),
    ("PolicyTest", {"policy": "x", "cases": [{**CASE, "expect": {}}]}),
    ("PolicyTest", {"policy": "x", "cases": [{**CASE, "expect": {"state": "Good"}}]}),
    ("PolicyTest", {"policy": "x", "cases": [{**CASE, "given": {}}]}),
    ("PolicyTest", {"policy": "x", "cases": [{**CASE, "given": {"cluster": {"use": "x", "extra": 1}}}]}),
    ("PolicyTest", {"policy": "x", "cases": [{**CASE, "expect": {"plan": [{"op": "EAT", "type": "T", "name": "n"}]}}]}),
]


@pytest.mark.parametrize("kind", GOOD)
def test_the_smallest_document_is_valid(kind: str) -> None:
    assert problems({**HEAD, "kind": kind, "spec": GOOD[kind]}) == []


@pytest.mark.parametrize(("kind", "spec"), WRONG)
def test_what_is_wrong_is_invalid(kind: str, spec: dict[str, Any]) -> None:
    assert problems({**HEAD, "kind": kind, "spec": spec})


@pytest.mark.parametrize("kind", GOOD)
def test_the_envelope_is_held_to(kind: str) -> None:
    good = {**HEAD, "kind": kind, "spec": GOOD[kind]}

    for key in good:
        cut = {name: value for name, value in good.items() if name != key}
        assert list(Draft202012Validator(schema_of(kind)).iter_errors(cut)), key
    assert problems({**good, "apiVersion": "v2"})
    assert problems({**good, "extra": 1})
    assert problems({**good, "metadata": {"name": "x", "severity": "worst"}})
    assert problems({**good, "metadata": {"name": "no blanks"}})
    assert problems({**good, "metadata": {"name": "x", "version": 1.2}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "Project", "polices": ["x"]},
        {"kind": "Project", "arm": {"budget": {"writesPerSecond": 0}}},
        {"kind": "Project", "remediation": {"parallel": "many"}},
        {"kind": "Project", "environments": {"dev": {"data": "x"}}},
        {"apiVersion": "policyengine/v1", "kind": "Fleet"},
        {"apiVersion": "policyengine/v1", "kind": "Fleet", "tenantId": "t", "clusters": [{"kind": "eks"}]},
        {"apiVersion": "policyengine/v1", "kind": "Fleet", "tenantId": "t", "faults": [{"path": "/"}]},
        {"apiVersion": "policyengine/v1", "kind": "Fleet", "tenantId": "t", "cluster": []},
    ],
)
def test_what_is_wrong_in_settings_and_fleets_is_invalid(wrong: dict[str, Any]) -> None:
    assert problems(wrong)


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind != "PolicyTest"])
def test_the_parser_knows_every_key_of_a_schema(kind: str) -> None:
    spec = schema_of(kind)["properties"]["spec"]["properties"]

    for key in spec:
        text = json.dumps({**HEAD, "kind": kind, "spec": {**GOOD[kind], key: GOOD[kind].get(key)}})
        found = parse_documents(text, "x.json", AliasCatalogue.packaged()).diagnostics
        assert not [d.message for d in found if d.code == "unknown-key" and "no meaning" in d.message], key


def test_the_shipped_schemas_are_those_of_this_version(update_golden: bool) -> None:
    folder = ROOT / "policies" / "schema"
    if update_golden:
        write_schemas(folder)

    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == schema_files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_shipped_document_names_its_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    first, _, _ = text.partition("\n")
    modeline = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)

    assert modeline is not None, first
    schema = (path.parent / modeline[1]).resolve()
    assert schema.is_file()
    assert schema.stem in {to_value(node)["kind"] for node in read(text, path.name)}


def test_schemas_beside_policies_are_no_policies() -> None:
    for name, text in schema_files().items():
        parsed = parse_documents(text, name, AliasCatalogue.packaged())
        assert (parsed.documents, parsed.diagnostics) == ((), ())


def test_an_unknown_kind_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no kind `Asignment`") as caught:
        schema_of("Asignment")
    assert caught.value.help == "did you mean `Assignment`?"


def test_a_folder_that_cannot_be_written_to_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written to"):
        write_schemas(tmp_path / "file" / "folder")
