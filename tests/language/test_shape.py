"""Documents are taken in with the names of their type in one spelling; names that people made up stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

from policyengine.language.shape import respell, shape_of
from policyengine.model.resource import AKS, EXTENSIONS

EXTENSION = shape_of(EXTENSIONS.casefold())
CLUSTER = shape_of(AKS.casefold())


def test_a_known_name_gets_its_one_spelling() -> None:
    """Resource Graph writes `ExtensionType`. Source: configuration API §9."""
    document = {"Properties": {"ExtensionType": "microsoft.flux", "releasetrain": "Stable"}}

    assert respell(document, EXTENSION) == {"properties": {"extensionType": "microsoft.flux", "releaseTrain": "Stable"}}


def test_a_document_that_is_spelt_right_is_the_same_object() -> None:
    document = {"id": "/x", "properties": {"extensionType": "microsoft.flux", "configurationSettings": {"A": "b"}}}

    assert respell(document, EXTENSION) is document


@pytest.mark.parametrize(
    "document",
    [
        {"tags": {"Location": "x", "PROPERTIES": "y"}},
        {"properties": {"configurationSettings": {"ExtensionType": "x"}}},
        {"properties": {"heardOfNowhere": {"Name": 1}}},
    ],
)
def test_names_that_people_made_up_stay(document: dict[str, Any]) -> None:
    assert respell(document, EXTENSION) == document


def test_members_of_arrays_are_spelt_too() -> None:
    document = {"properties": {"agentPoolProfiles": [{"Mode": "System"}, "odd", {"mode": "User"}]}}

    assert respell(document, CLUSTER)["properties"]["agentPoolProfiles"] == [
        {"mode": "System"},
        "odd",
        {"mode": "User"},
    ]


def test_of_two_spellings_the_right_one_counts() -> None:
    """As reading by folded names has it: an exact match wins, else the first."""
    assert respell({"Kind": 1, "kind": 2}, CLUSTER) == {"kind": 2}
    assert respell({"KIND": 1, "Kind": 2}, CLUSTER) == {"kind": 1}
