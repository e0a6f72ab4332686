"""Azure's documents as policy files: they mean the same, and are found by every name they had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyengine.errors import PolicyError, UsageError
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.assignment_exporter import Surroundings, export_document
from policyengine.language.documents import Assignment, Exemption, Initiative, PolicyDefinition, Reference
from policyengine.language.exporter import Losses, Manner
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.language.problems import Problems
from policyengine.text.reader import read, to_value
from policyengine.workflows.data import data_root
from policyengine.workflows.files import write_new
from policyengine.workflows.formatting import format_files
from policyengine.workflows.importing import Imported, ImportRequest, import_documents, written
from policyengine.workflows.load import load
from policyengine.workflows.settings import Settings
from tests.corpus import packed

GUID = "0adc5395-9169-4b9b-8687-af838d69410a"
SET_GUID = "1adc5395-9169-4b9b-8687-af838d69410a"
ID = "/providers/Microsoft.Authorization/policyDefinitions/"
SCOPE = "/subscriptions/5b0c1e6a-2d94-47f3-a8e1-c37b90d25f04"
RULE = {"if": {"field": "type", "equals": "Microsoft.Kubernetes/connectedClusters"}, "then": {"effect": "Audit"}}
DEFINITION: dict[str, Any] = {
    "properties": {
        "displayName": "No & never: arc",
        "policyType": "BuiltIn",
        "mode": "Indexed",
        "metadata": {"version": "1.2.0", "category": "Kubernetes", "preview": True},
        "version": "1.2.0",
        "policyRule": RULE,
    },
    "id": ID + GUID,
    "type": "Microsoft.Authorization/policyDefinitions",
    "name": GUID,
}
SET: dict[str, Any] = {
    "properties": {"policyDefinitions": [{"policyDefinitionId": ID + GUID, "policyDefinitionReferenceId": "one"}]},
    "id": f"/providers/Microsoft.Authorization/policySetDefinitions/{SET_GUID}",
    "name": SET_GUID,
}
ASSIGNMENT: dict[str, Any] = {
    "id": f"{SCOPE}/providers/Microsoft.Authorization/policyAssignments/arc",
    "name": "arc",
    "type": "Microsoft.Authorization/policyAssignments",
    "properties": {"policyDefinitionId": SET["id"], "scope": SCOPE},
}
EXEMPTION: dict[str, Any] = {
    "id": f"{SCOPE}/resourceGroups/lab/providers/Microsoft.Authorization/policyExemptions/lab",
    "name": "lab",
    "type": "Microsoft.Authorization/policyExemptions",
    "properties": {"policyAssignmentId": ASSIGNMENT["id"], "exemptionCategory": "Waiver"},
}


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    return Settings(policies=[str(tmp_path / "policies")])


def taken(project: Settings, *names: str, typed: Any = None, **options: Any) -> Imported:
    """What is imported, written; ``typed`` is a value or a text."""
    text = typed if isinstance(typed, str) or typed is None else json.dumps(typed)
    done = import_documents(project, ImportRequest(names or ("-",), text, **options))
    write_new(done.texts)
    return done


def files(done: Imported) -> list[str]:
    return [path.name for path in done.texts]


def codes(project: Settings, typed: Any, **options: Any) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        taken(project, typed=typed, **options)
    return [d.code for d in caught.value.diagnostics]


def test_a_definition_becomes_yaml_that_holds_the_same(project: Settings) -> None:
    (text,) = taken(project, typed=DEFINITION).texts.values()
    (node,) = read(text, "x.yaml")

    assert to_value(node) == DEFINITION
    assert list(to_value(node)) == list(DEFINITION)


def test_it_runs_under_every_name_it_had(project: Settings, tmp_path: Path) -> None:
    (tmp_path / "Arc_Audit.json").write_text(json.dumps(DEFINITION), encoding="utf-8")
    taken(project, str(tmp_path / "Arc_Audit.json"))
    library = load(project.policies).library
    (definition,) = library.definitions

    for name in (GUID, ID + GUID, "Arc_Audit", DEFINITION["properties"]["displayName"]):
        assert library.definition(Reference(name)) is definition
    assert (definition.version, definition.metadata["preview"]) == ("1.2.0", True)


def test_a_file_keeps_its_name_and_others_are_called_after_what_they_hold(project: Settings) -> None:
    other = {**DEFINITION, "name": "plain-name", "id": ID + "plain-name"}

    assert files(taken(project, typed=[DEFINITION, other])) == ["No-never-arc.yaml", "plain-name.yaml"]


def test_two_of_one_name_get_two_files(project: Settings) -> None:
    other = {**DEFINITION, "name": SET_GUID, "id": ID + SET_GUID}

    assert files(taken(project, typed=[DEFINITION, other])) == ["No-never-arc.yaml", "No-never-arc-2.yaml"]


@pytest.mark.parametrize(
    "typed",
    [
        [DEFINITION, SET, ASSIGNMENT, EXEMPTION],
        {"value": [DEFINITION, SET, ASSIGNMENT, EXEMPTION], "nextLink": None},
        "\n".join(map(json.dumps, [DEFINITION, SET, ASSIGNMENT, EXEMPTION])) + "\n",
        "---\n".join(map(json.dumps, [DEFINITION, SET, ASSIGNMENT, EXEMPTION])),
    ],
    ids=["list", "listing", "lines", "yaml"],
)
def test_every_kind_is_taken_in_every_shape_of_several(project: Settings, typed: Any) -> None:
    if isinstance(typed, str) and "---" in typed:
        typed = "# several\n" + typed.replace("---\n", "\n---\n")
    done = taken(project, typed=typed)
    kinds = [type(document) for documents in done.documents.values() for document in documents]

    assert kinds == [PolicyDefinition, Initiative, Assignment, Exemption]
    assert len(load(project.policies).policies) == 1


def test_a_flat_document_as_az_prints_it_is_taken(project: Settings) -> None:
    flat = {**{k: v for k, v in DEFINITION.items() if k != "properties"}, **DEFINITION["properties"]}
    taken(project, typed={**flat, "parameters": None, "systemData": {"createdBy": None}})

    assert [d.azure_id for d in load(project.policies).library.definitions] == [ID + GUID]


def test_several_files_that_need_each_other_come_together(project: Settings, tmp_path: Path) -> None:
    for name, value in (("a", SET), ("b", DEFINITION)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")

    assert codes(project, SET) == ["missing-reference"]
    assert files(taken(project, str(tmp_path / "a.json"), str(tmp_path / "b.json"))) == ["a.yaml", "b.yaml"]


def test_documents_of_the_government_cloud_stay_apart(project: Settings, tmp_path: Path) -> None:
    for cloud in ("public", "Azure Government"):
        file = tmp_path / "repo" / cloud / "Arc_Audit.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(DEFINITION), encoding="utf-8")
        taken(project, str(file))
    library = load(project.policies).library

    assert sorted(d.cloud.value for d in library.definitions) == ["government", "public"]
    assert (tmp_path / "policies" / "government" / "Arc_Audit.yaml").is_file()


def test_what_is_imported_is_laid_out_as_fmt_would(project: Settings) -> None:
    taken(project, typed=[DEFINITION, SET])

    assert format_files(project.policies, write=False).changed == ()


def test_static_definitions_are_refused(project: Settings) -> None:
    static = {**DEFINITION, "properties": {**DEFINITION["properties"], "policyType": "Static"}}

    assert codes(project, static) == ["handled-elsewhere"]


def test_what_a_provider_evaluates_is_taken_with_a_warning(project: Settings) -> None:
    inside = {**DEFINITION["properties"], "mode": "Microsoft.Kubernetes.Data"}
    done = taken(project, typed={**DEFINITION, "properties": inside})

    assert [d.code for d in done.notes] == ["handled-elsewhere"]


def test_a_wrong_rule_is_refused_with_its_line(project: Settings) -> None:
    text = json.dumps([DEFINITION], indent=1).replace('"equals"', '"equal"')
    with pytest.raises(PolicyError) as caught:
        taken(project, typed=text)

    assert [str(d.span) for d in caught.value.diagnostics] == ["<stdin>:16:6"]


def test_what_would_not_read_back_is_refused(project: Settings) -> None:
    """Our YAML has no key `<<`, quoted or not."""
    broken = {**DEFINITION, "properties": {**DEFINITION["properties"], "metadata": {"<<": 1}}}

    assert codes(project, broken) == ["invalid-value"]
    assert files(taken(project, typed=broken, ending=".json")) == ["No-never-arc.json"]


def test_a_name_that_is_taken_is_refused(project: Settings, tmp_path: Path) -> None:
    taken(project, typed=DEFINITION)

    assert codes(project, DEFINITION, out=str(tmp_path / "policies" / "again.yaml")) == ["duplicate-name"]
    assert files(taken(project, typed=DEFINITION, out=str(tmp_path / "elsewhere"))) == ["No-never-arc.yaml"]


def test_a_file_is_never_written_over(project: Settings) -> None:
    (path,) = taken(project, typed=DEFINITION).texts
    before = path.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="is there already"):
        taken(project, typed={**DEFINITION, "properties": {**DEFINITION["properties"], "mode": "All"}})

    assert path.read_text(encoding="utf-8") == before


def test_a_document_of_the_library_is_copied_with_its_comments(project: Settings) -> None:
    name = "aks-local-accounts-disabled"
    (text,) = taken(project, name).texts.values()

    assert text == (data_root() / "policies" / "definitions" / f"{name}.yaml").read_text(encoding="utf-8")


def test_json_is_written_when_that_is_asked_for(project: Settings) -> None:
    done = taken(project, typed=DEFINITION, ending=".json")

    assert files(done) == ["No-never-arc.json"]
    assert json.loads(next(iter(done.texts.values()))) == DEFINITION


@pytest.mark.parametrize("out", ["-", "one.yaml"])
def test_several_documents_do_not_go_into_one_file(project: Settings, out: str) -> None:
    with pytest.raises(UsageError, match="2 documents"):
        taken(project, typed=[DEFINITION, SET], out=out)


@pytest.mark.parametrize("name", ["https://contoso.example/x.json", "no-such-policy", "no-such-file.json"])
def test_what_is_not_at_hand_is_told(project: Settings, name: str) -> None:
    with pytest.raises(UsageError):
        taken(project, name)


def test_a_project_without_a_folder_needs_a_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        taken(Settings(policies=["library:"]), typed=DEFINITION)


# Export after import is the identity


def there_and_back(value: Any) -> Any:
    """What is exported of what was imported."""
    request = ImportRequest(("-",), json.dumps(value), out="-")
    (text,) = import_documents(Settings(), request).texts.values()
    parsed = parse_documents(text, "x.yaml", AliasCatalogue.packaged())
    around = Surroundings(PolicyLibrary(), dict(zip(parsed.documents, parsed.nodes, strict=True)))
    problems = Problems()
    (document,) = export_document(parsed.documents[0], around, Losses(problems, Manner.REFUSE))
    assert problems.found == []
    return document


TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["yes", "no", "on", "~", "null", "1.10", "0x1f", "1e3", "2026-01-01", "=", "<<", "- a", "a: b"]),
    st.sampled_from(
        ["# c", "a #b", " x ", "x\n", "\nx", "a\n b\n", "\t", "é", "[[x]", "'", '"', "\\", "%a", "&a", "*"]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
PLAIN = TEXTS.filter(lambda text: not text.startswith("[") and text != "<<")
VALUES = st.recursive(
    SCALARS.filter(lambda v: not isinstance(v, str) or not v.startswith("[")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(PLAIN, inner, max_size=3)),
    max_leaves=6,
).filter(lambda v: not folds(v))


def folds(value: Any) -> bool:
    """True when two keys of one mapping differ in case alone."""
    if isinstance(value, dict):
        return len({key.casefold() for key in value}) < len(value) or any(map(folds, value.values()))
    return isinstance(value, list) and any(map(folds, value))


CONDITIONS = st.recursive(
    st.builds(lambda o, v: {"field": "location", o: v}, st.sampled_from(["equals", "NotEquals", "contains"]), VALUES),
    lambda inner: st.one_of(
        st.builds(lambda k, items: {k: items}, st.sampled_from(["allOf", "anyof"]), st.lists(inner, min_size=1)),
        st.builds(lambda item: {"not": item}, inner),
    ),
    max_leaves=4,
)


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    properties = {
        "displayName": draw(TEXTS),
        "description": draw(TEXTS),
        "mode": draw(st.sampled_from(["All", "Indexed"])),
        "metadata": {"category": draw(TEXTS), "more": draw(VALUES)},
        "parameters": {"p": {"type": "String", "metadata": {"description": draw(TEXTS)}, "defaultValue": draw(TEXTS)}},
        "policyRule": {"if": draw(CONDITIONS), "then": {"effect": "Audit"}},
    }
    return {"id": ID + "x", "name": "x", "properties": dict(draw(st.permutations(list(properties.items()))))}


@given(definitions())
@settings(max_examples=60, deadline=None)
def test_a_definition_comes_out_of_azure_and_goes_back_as_it_was(value: dict[str, Any]) -> None:
    assert json.dumps(there_and_back(value)) == json.dumps(value)


@given(st.dictionaries(PLAIN, VALUES).filter(lambda v: not folds(v)), st.sampled_from([".yaml", ".json"]))
@settings(max_examples=100, deadline=None)
def test_any_value_is_written_as_itself(value: dict[str, Any], ending: str) -> None:
    text = written(value, ending)
    assert text is not None

    assert [json.dumps(to_value(node)) for node in read(text, f"x{ending}")] == [json.dumps(value)]


def test_what_microsoft_publishes_comes_out_as_it_went_in(corpus: Path) -> None:
    """A sample of the definitions and of the initiatives: all of them take half a minute."""
    aliases = AliasCatalogue.packaged()
    texts = [text for _, text in packed(corpus / "azure-policy-builtins.jsonl.gz")][::151]
    texts += [text for _, text in packed(corpus / "azure-policy-sets.jsonl.gz")][::61]
    for text in texts:
        value = json.loads(text)
        yaml = written(value, ".yaml")
        assert yaml is not None
        parsed = parse_documents(yaml, "x.yaml", aliases)
        (node,) = parsed.nodes

        assert [d for d in parsed.diagnostics if d.is_error] == []
        assert json.dumps(to_value(node)) == text


def test_every_definition_about_clusters_is_exported_as_it_was(corpus: Path) -> None:
    """Those that are evaluated here; the others are refused as Static, or kept with a warning."""
    found = sorted(corpus.glob("azure-policy/definitions/public/resource-manager/*.json"))[::8]

    for file in found:
        value = json.loads(file.read_text(encoding="utf-8"))
        assert there_and_back(value) == value
