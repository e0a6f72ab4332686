from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.language.aliases import (
    STAR,
    AliasCatalogue,
    FieldKind,
    Step,
    classify_field,
    default_path,
    format_path,
    parse_path,
)
from policyengine.model.resource import AKS, EXTENSIONS, FLUX_CONFIGURATIONS

VM = "Microsoft.Compute/virtualMachines"


@pytest.mark.parametrize(
    ("name", "kind", "meaning"),
    [
        ("Name", FieldKind.BUILT_IN, "name"),
        ("FULLNAME", FieldKind.BUILT_IN, "fullName"),
        ("type", FieldKind.BUILT_IN, "type"),
        ("location", FieldKind.BUILT_IN, "location"),
        ("identity.type", FieldKind.BUILT_IN, "identity.type"),
        ("tags", FieldKind.BUILT_IN, "tags"),
        ("tags.a.b", FieldKind.TAG, "a.b"),
        ("tags['x']", FieldKind.TAG, "x"),
        ('Tags["x"]', FieldKind.TAG, "x"),
        ("tags[x y]", FieldKind.TAG, "x y"),
        ("tags['''x''']", FieldKind.TAG, "'x'"),
        ("tags['a/b']", FieldKind.TAG, "a/b"),
        (f"{AKS}/sku.tier", FieldKind.ALIAS, f"{AKS}/sku.tier"),
        ("properties.a[*].b", FieldKind.PATH, "properties.a[*].b"),
        ("sku.name", FieldKind.PATH, "sku.name"),
        ("properties.x['a/b']", FieldKind.PATH, "properties.x['a/b']"),
    ],
)
def test_field_names_are_told_apart(name: str, kind: FieldKind, meaning: str) -> None:
    field = classify_field(name)

    assert (field.kind, field.name) == (kind, meaning)


def test_steps_lead_from_the_root_of_the_document() -> None:
    assert classify_field("tags.site").steps == ("tags", "site")
    assert classify_field("identity.type").steps == ("identity", "type")
    assert classify_field("properties.a[*].b['c.d']").steps == ("properties", "a", STAR, "b", "c.d")
    assert classify_field("name").steps == ()


STEPS = st.lists(st.just(STAR) | st.text(min_size=1, max_size=6), min_size=1, max_size=5).map(tuple)


@given(STEPS)
def test_a_path_reads_back_as_it_was_formatted(steps: tuple[Step, ...]) -> None:
    assert parse_path(format_path(steps)) == steps


def test_the_default_path_knows_the_envelope() -> None:
    assert default_path(f"{VM}/storageProfile.osDisk") == ("properties", "storageProfile", "osDisk")
    assert default_path(f"{VM}/sku.name") == ("sku", "name")
    assert default_path(f"{VM}/zones[*]") == ("zones", STAR)


@pytest.mark.parametrize(
    ("type", "alias", "path"),
    [
        (EXTENSIONS, f"{EXTENSIONS}/releaseTrain", "properties.releaseTrain"),
        (EXTENSIONS.upper(), f"{EXTENSIONS}/RELEASETRAIN", "properties.releaseTrain"),
        (EXTENSIONS, f"{EXTENSIONS}/identity.type", "properties.identity.type"),  # not at the root: by the table
        (AKS, f"{AKS}/agentPoolProfiles[*].mode", "properties.agentPoolProfiles[*].mode"),
        (AKS, f"{AKS}/apiServerAuthorizedIPRanges[*]", "properties.apiServerAccessProfile.authorizedIPRanges[*]"),
        (VM, f"{VM}/osProfile.x[*].y", "properties.osProfile.x[*].y"),
        (VM, "Microsoft.Compute/imagePublisher", "properties.imagePublisher"),
        (EXTENSIONS, f"{EXTENSIONS}/releaseTrian", None),
        (EXTENSIONS, f"{AKS}/kubernetesVersion", None),
        (VM, "Microsoft.Compute/virtualMachineScaleSets/sku", None),
    ],
)
def test_aliases_become_paths_of_their_resource_type(
    aliases: AliasCatalogue, type: str, alias: str, path: str | None
) -> None:
    found = aliases.path_for(type, alias)

    assert (str(found) if found else None) == path


def test_the_catalogue_knows_its_types_without_regard_to_case(aliases: AliasCatalogue) -> None:
    assert aliases.is_known_type(FLUX_CONFIGURATIONS.lower())
    assert not aliases.is_known_type(VM)
    assert f"{FLUX_CONFIGURATIONS}/gitRepository.url" in aliases.names(FLUX_CONFIGURATIONS)
    assert aliases.names(VM) == ()
    assert aliases.type_of(f"{AKS}/anything") == AKS
    assert aliases.type_of(f"{VM}/anything") is None


def test_an_alias_is_found_for_a_path_only_when_it_reads_that_very_path(aliases: AliasCatalogue) -> None:
    url = ("properties", "gitRepository", "url")

    assert aliases.alias_for(FLUX_CONFIGURATIONS, url) == f"{FLUX_CONFIGURATIONS}/gitRepository.url"
    assert aliases.alias_for(FLUX_CONFIGURATIONS, ("properties", "kustomizations", "infra", "path")) is None
    assert aliases.alias_for(FLUX_CONFIGURATIONS, ("properties", "gitRepository.url")) is None
    assert aliases.alias_for(VM, ("properties", "x")) is None


def test_one_alias_may_mean_different_paths_on_different_types() -> None:
    catalogue = AliasCatalogue({"A/one": {"A/image": ("properties", "a")}, "A/two": {"A/image": ("properties", "b")}})

    assert str(catalogue.path_for("A/one", "A/image")) == "properties.a"
    assert str(catalogue.path_for("A/two", "a/IMAGE")) == "properties.b"
