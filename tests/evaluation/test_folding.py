"""Columns say of every row what its document says, whether objects were folded on the way or not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.evaluation.paths import select
from policyengine.evaluation.projection import Projection
from policyengine.evaluation.reads import Path
from policyengine.evaluation.tables import Extract
from policyengine.language.shape import shape_of
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.values import JSON

EXTENSION_PATHS: list[Path] = [
    ("properties", "extensionType"),
    ("properties", "autoUpgradeMinorVersion"),
    ("properties", "releaseTrain"),
]
FLUX_PATHS: list[Path] = [
    ("properties", "scope"),
    ("properties", "suspend"),
    ("properties", "gitRepository", "url"),
    ("properties", "gitRepository", "repositoryRef", "branch"),
]

odd = st.sampled_from([None, True, False, 0, 1, 1.0, 0.0, -0.0, "", "1", "flux", [], [1], {}, {"a": True}])
few = st.sampled_from([None, True, "", "flux"])


def objects(names: list[str], values: Any) -> Any:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))


def extensions(values: Any) -> Any:
    properties = objects(["extensionType", "autoUpgradeMinorVersion", "releaseTrain"], values)
    return st.fixed_dictionaries({}, optional={"properties": st.none() | properties})


def configurations(values: Any) -> Any:
    git = objects(["url"], values).flatmap(
        lambda source: (
            st.sampled_from([{}, None]).map(lambda ref: {**source, "repositoryRef": ref})
            | objects(["branch"], values).map(lambda ref: {**source, "repositoryRef": ref})
        )
    )
    properties = st.builds(
        lambda own, git: {**own, **git}, objects(["scope", "suspend"], values), objects(["gitRepository"], git)
    )
    return st.fixed_dictionaries({}, optional={"properties": st.none() | properties})


def assert_told(type: str, paths: list[Path], batches: list[list[JSON]]) -> Extract:
    projection = Projection(paths, shape_of(type.casefold()))
    decode = msgspec.json.Decoder(projection.struct).decode
    extract = Extract(projection)
    for batch in batches:
        extract.add([decode(json.dumps(document)) for document in batch])
    documents = [document for batch in batches for document in batch]
    for path in paths:
        column = extract.column(projection.anchor(path)[0])
        told = [column.values[code] for code in column.codes]
        assert [spelt(value) for value in told] == [spelt(select(document, path).values[0]) for document in documents]
    return extract


def spelt(value: Any) -> str:
    return json.dumps(value, default=str)


@pytest.mark.parametrize("values", [odd, few], ids=["odd", "few"])
def test_objects_come_back_as_they_were(values: Any) -> None:
    @given(st.lists(st.lists(extensions(values), max_size=5), max_size=4))
    def of_extensions(batches: list[list[JSON]]) -> None:
        assert_told(EXTENSIONS, EXTENSION_PATHS, batches)

    @given(st.lists(st.lists(configurations(values), max_size=5), max_size=4))
    def of_configurations(batches: list[list[JSON]]) -> None:
        assert_told(FLUX_CONFIGURATIONS, FLUX_PATHS, batches)

    of_extensions()
    of_configurations()


@pytest.mark.parametrize(
    "late",
    [
        [{"properties": {"extensionType": f"e{n}", "releaseTrain": "Stable"}} for n in range(900)],
        [{"properties": {"extensionType": "flux", "autoUpgradeMinorVersion": 1}}],
        [{"properties": {"extensionType": "flux", "releaseTrain": {"a": 1}}}],
    ],
    ids=["all different", "one beside true", "no text"],
)
def test_what_came_before_is_kept_when_objects_turn_out_to_be_too_different(late: list[JSON]) -> None:
    early: list[JSON] = [
        {"properties": {"extensionType": f"e{n % 3}", "autoUpgradeMinorVersion": n % 2 == 0}} for n in range(40)
    ]
    extract = assert_told(EXTENSIONS, EXTENSION_PATHS, [early, late, early])
    assert not extract.projection.root.names["properties"].folds
    assert assert_told(EXTENSIONS, EXTENSION_PATHS, [early, early]).projection.root.names["properties"].folds
