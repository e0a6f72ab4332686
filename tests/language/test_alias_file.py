from __future__ import annotations

import json
from typing import Any

import pytest

from policyengine.errors import PolicyError
from policyengine.language.alias_file import catalogue_of, import_providers, read_catalogue, to_document
from policyengine.language.aliases import AliasCatalogue

TILLS = "Contoso.Shop/tills"
PROVIDERS: list[Any] = [
    {
        "namespace": "Contoso.Shop",
        "resourceTypes": [
            {
                "resourceType": "tills",
                "capabilities": "CrossResourceGroupResourceMove, SupportsTags, SupportsLocation",
                "aliases": [
                    {"name": f"{TILLS}/plain", "defaultPath": "properties.plain"},
                    {
                        "name": f"{TILLS}/moved",
                        "defaultPath": {"path": "properties.new.moved", "apiVersions": ["2024"]},
                    },
                    {
                        "name": f"{TILLS}/tier",
                        "defaultPath": "sku.tier",
                        "defaultMetadata": {"type": "String", "attributes": "Modifiable"},
                        "paths": [
                            {"path": "properties.oldTier", "apiVersions": ["2015-01-01", "2016-01-01"]},
                            {"path": "sku.tier", "apiVersions": ["2020-01-01"]},
                        ],
                    },
                    {"name": f"{TILLS}/ExtensionType", "defaultPath": "properties.extensionType"},
                    {"name": f"{TILLS}/extensionType", "defaultPath": "properties.other"},
                    {
                        "name": f"{TILLS}/fixed",
                        "defaultPath": "properties.fixed",
                        "defaultMetadata": {"attributes": "None"},
                    },
                    {
                        "name": f"{TILLS}/late",
                        "defaultMetadata": {"attributes": "Modifiable"},
                        "paths": [
                            {"path": "properties.late", "apiVersions": ["2019"], "metadata": {"attributes": "None"}},
                            {
                                "path": "properties.late",
                                "apiVersions": ["2024"],
                                "metadata": {"attributes": "Modifiable"},
                            },
                        ],
                    },
                    {"name": None},
                ],
            },
            {"resourceType": "tills/drawers", "capabilities": "None"},
            {"resourceType": "silent", "aliases": []},
        ],
    },
    None,
]


@pytest.fixture(params=["exported", "answered", "kept"])
def catalogue(request: pytest.FixtureRequest) -> AliasCatalogue:
    """The same aliases as the CLI prints them, as the API answers them, and as a project keeps them."""
    shapes = {
        "exported": PROVIDERS,
        "answered": {"value": PROVIDERS},
        "kept": json.loads(json.dumps(to_document(import_providers(PROVIDERS, "x")))),
    }
    return read_catalogue(shapes[request.param], "aliases.json")


def path(catalogue: AliasCatalogue, alias: str, version: str | None = None) -> str:
    return str(catalogue.path_for(TILLS.upper(), f"{TILLS}/{alias}", version))


def test_paths_are_as_exported(catalogue: AliasCatalogue) -> None:
    assert path(catalogue, "PLAIN") == "properties.plain"
    assert path(catalogue, "moved") == "properties.new.moved"
    assert path(catalogue, "nope") == "None"


def test_a_version_has_a_path_of_its_own(catalogue: AliasCatalogue) -> None:
    assert [path(catalogue, "tier", v) for v in ("2015-01-01", "2020-01-01", "2099-01-01", None)] == [
        "properties.oldTier",
        "sku.tier",
        "sku.tier",
        "sku.tier",
    ]


def test_spellings_that_differ_in_case_are_one_alias(catalogue: AliasCatalogue) -> None:
    assert path(catalogue, "extensiontype") == "properties.extensionType"
    assert len([name for name in catalogue.names(TILLS) if "xtension" in name]) == 1


def test_what_may_be_modified_and_what_is_indexed_is_kept(catalogue: AliasCatalogue) -> None:
    said = {
        name: alias.modifiable
        for name in ("tier", "fixed", "plain")
        if (alias := catalogue.alias(TILLS, f"{TILLS}/{name}"))
    }

    assert said == {"tier": True, "fixed": False, "plain": None}
    assert [catalogue.is_indexed(type) for type in (TILLS, f"{TILLS}/drawers", "A/b")] == [True, False, None]


def test_what_may_be_modified_can_differ_between_api_versions(catalogue: AliasCatalogue) -> None:
    late = catalogue.alias(TILLS, f"{TILLS}/late")

    assert late is not None
    assert [late.is_modifiable(version) for version in ("2019", "2024", "2031", None)] == [False, True, True, True]


def test_the_packaged_table_is_looked_in_afterwards(catalogue: AliasCatalogue) -> None:
    arc = "Microsoft.Kubernetes/connectedClusters"
    own = AliasCatalogue({arc: {f"{arc}/distribution": ("properties", "mine"), f"{arc}/new": ("properties", "new")}})
    both = catalogue_of(own)

    assert str(both.path_for(arc, f"{arc}/distribution")) == "properties.mine"
    assert str(both.path_for(arc, f"{arc}/new")) == "properties.new"
    assert str(both.path_for(arc, f"{arc}/agentVersion")) == "properties.agentVersion"
    assert catalogue_of(None) is AliasCatalogue.packaged()


@pytest.mark.parametrize(
    "content",
    [
        3,
        [],
        [{"namespace": "A", "resourceTypes": [{"resourceType": "b"}]}],
        {"kind": "AliasCatalogue"},
        {"kind": "AliasCatalogue", "types": {"A/b": 1}},
        {"kind": "AliasCatalogue", "types": {"A/b": {"aliases": {"A/b/c": 1}}}},
        {"kind": "AliasCatalogue", "types": {"A/b": {"aliases": {"A/b/c": {"path": "", "modifiableIn": 1}}}}},
    ],
)
def test_anything_else_is_refused(content: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        read_catalogue(content, "`x.json`")

    assert [d.code for d in caught.value.diagnostics] == ["invalid-catalogue"]
