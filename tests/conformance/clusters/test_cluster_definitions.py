"""Every published Resource Manager definition about clusters, unchanged, on clusters it takes, faults and leaves alone.

The tables beside this file have one entry per definition: documents written down from the rule and from the reference
(§3.1 missing and empty, §4.4 arrays, §6.3 related resources, §7 applicability), never from what the engine says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from policyengine.compliance.bind import BoundPolicy, bind
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.model.states import ComplianceState
from tests.conformance.clusters import beside_kubernetes_service, connected, gitops, kubernetes_service
from tests.conformance.clusters.scenes import GROUP, SUBSCRIPTION, Case, Scene, aks, arc

TABLES: Final = (kubernetes_service.CASES, beside_kubernetes_service.CASES, connected.CASES, gitops.CASES)
CASES: Final[Mapping[str, Case]] = {name: case for table in TABLES for name, case in table.items()}
OFF_BY_DEFAULT: Final = [name for name, case in CASES.items() if "effect" in case.parameters]
ALIASES: Final = AliasCatalogue.packaged()
TREE: Final = ScopeTree(
    (ManagementGroup("root", "Contoso"),),
    (Subscription(SUBSCRIPTION.rpartition("/")[2], "edge", "root"),),
    (ResourceGroup(ResourceId(GROUP), "westeurope"),),
)


@pytest.fixture(scope="module")
def folder(corpus: Path) -> Path:
    return corpus / "azure-policy/definitions"


def bound(folder: Path, name: str, *, without: str = "") -> BoundPolicy:
    """The definition as published, assigned to everything with the parameters of its entry but ``without``."""
    cloud, _, stem = name.partition("/")
    file = folder / cloud / "resource-manager" / f"{stem}.json"
    text = file.read_text(encoding="utf-8-sig")
    assignment = {
        "apiVersion": "policyengine/v1",
        "kind": "Assignment",
        "metadata": {"name": "everywhere"},
        "spec": {
            "policy": json.loads(text)["name"],
            "scope": "/providers/Microsoft.Management/managementGroups/root",
            "parameters": {key: value for key, value in CASES[name].parameters.items() if key != without},
        },
    }
    parsed = [parse_documents(t, n, ALIASES) for t, n in ((text, file.name), (json.dumps(assignment), "a.json"))]
    assert [d.message for p in parsed for d in p.diagnostics if d.is_error] == []
    library, diagnostics = PolicyLibrary.build([document for p in parsed for document in p.documents])
    assert [d.message for d in diagnostics if d.is_error] == []
    (policy,) = bind(library, ALIASES)
    return policy


def state_of(policy: BoundPolicy, scene: Scene) -> ComplianceState:
    world = World(TREE, datetime(2026, 11, 23, tzinfo=UTC), ALIASES, scene.find)
    return judge(policy, scene.cluster, world).state


def states_of(policy: BoundPolicy, scenes: tuple[Scene, ...]) -> list[ComplianceState]:
    return [state_of(policy, scene) for scene in scenes]


@pytest.mark.parametrize("name", CASES)
def test_a_published_definition_takes_faults_and_leaves_alone(folder: Path, name: str) -> None:
    policy, case = bound(folder, name), CASES[name]

    assert min(len(case.satisfied), len(case.broken), len(case.outside)) >= 1
    assert states_of(policy, case.satisfied) == [ComplianceState.COMPLIANT] * len(case.satisfied)
    assert states_of(policy, case.broken) == [ComplianceState.NON_COMPLIANT] * len(case.broken)
    assert states_of(policy, case.outside) == [ComplianceState.NOT_APPLICABLE] * len(case.outside)


@pytest.mark.parametrize("name", CASES)
def test_a_cluster_of_the_kind_is_outside_unless_the_entry_says_why_none_can_be(folder: Path, name: str) -> None:
    """Where no condition beside the type decides, a plain cluster of every kind the rule names is judged."""
    policy, case = bound(folder, name), CASES[name]
    outside_of_the_kind = [scene for scene in case.outside if scene.type in case.kinds]
    plain = [state_of(policy, scene) for scene in (aks(), arc()) if scene.type in case.kinds]

    assert case.kinds <= {AKS, ARC}
    assert {scene.type for scene in (*case.satisfied, *case.broken)} == case.kinds
    assert bool(outside_of_the_kind) is not bool(case.all_of_a_kind)
    assert not case.all_of_a_kind or ComplianceState.NOT_APPLICABLE not in plain


@pytest.mark.parametrize("name", OFF_BY_DEFAULT)
def test_a_deprecated_definition_that_is_off_by_default_leaves_all_alone(folder: Path, name: str) -> None:
    policy, scenes = bound(folder, name, without="effect"), (*CASES[name].satisfied, *CASES[name].broken)

    assert states_of(policy, scenes) == [ComplianceState.NOT_APPLICABLE] * len(scenes)


def test_all_seventy_nine_definitions_are_covered(folder: Path) -> None:
    assert len(CASES) == sum(map(len, TABLES)) == 79
    assert len(OFF_BY_DEFAULT) == 3
    assert sorted(CASES) == sorted(published(folder))


def published(folder: Path) -> Iterator[str]:
    for file in folder.glob("*/resource-manager/*.json"):
        yield f"{file.parent.parent.name}/{file.stem}"
