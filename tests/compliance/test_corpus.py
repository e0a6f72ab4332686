"""Everything Azure publishes, as one library: references resolve, parameters bind, rules evaluate.

The packs are read once for all of it: 5,009 definitions, of which 3,345 are evaluated at all, and 257 initiatives.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from policyengine.compliance.bind import BoundPolicy, bind
from policyengine.compliance.block import Block
from policyengine.compliance.conflicts import judge_all
from policyengine.compliance.fleet_judge import FleetJudge
from policyengine.compliance.judge import judge
from policyengine.effects import EFFECTS
from policyengine.effects.base import World
from policyengine.errors import ExpressionError, PolicyError
from policyengine.evaluation import Context, Subject, evaluate
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Assignment, Cloud, Initiative, PolicyDefinition, Reference
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document, parse_documents
from policyengine.language.shape import respelled
from policyengine.model.cluster_text import to_texts
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState
from policyengine.model.synthetic import SyntheticFleet
from tests.corpus import matching_resource, other_resource, packed, sample_values

pytestmark = pytest.mark.slow

Bound = tuple[dict[str, BoundPolicy], list[Diagnostic]]

PACKS = ("azure-policy-builtins.jsonl.gz", "azure-policy-sets.jsonl.gz")
ALIASES = AliasCatalogue.packaged()
WORLD = World(ScopeTree(), datetime(2026, 11, 23, tzinfo=UTC), ALIASES)


@dataclass(frozen=True)
class Published:
    """``files`` counts what was read, by pack; ``complaints`` counts what is wrong with them, errors or not."""

    library: PolicyLibrary
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[int, ...]
    complaints: Counter[tuple[str, bool]]

    def rules(self) -> list[PolicyDefinition]:
        """Those that are evaluated at all."""
        return [d for d in self.library.definitions if d.policy_type != "Static"]


@pytest.fixture(scope="module")
def published(corpus: Path) -> Published:
    """Every definition and every initiative of both clouds."""
    gc.disable()  # millions of objects are made and none goes: looking for rings among them only takes time
    try:
        packs = [[parse_documents(text, path, ALIASES) for path, text in packed(corpus / pack)] for pack in PACKS]
        files = [file for pack in packs for file in pack]
        documents: list[Document] = [document for file in files for document in file.documents]
        complaints = Counter((d.code, d.is_error) for file in files for d in file.diagnostics)
        return Published(*PolicyLibrary.build(documents), tuple(map(len, packs)), complaints)
    finally:
        gc.enable()


@pytest.fixture(scope="module")
def bound(published: Published) -> Bound:
    """Each definition under an assignment of its own, with sample values; what was bound, and what was refused."""
    found: dict[str, BoundPolicy] = {}
    refused: list[Diagnostic] = []
    for number, definition in enumerate(published.rules()):
        assignment = assigned(f"a{number}", definition.cloud, definition.azure_id, sample_values(definition.parameters))
        try:
            (policy,) = bind(PolicyLibrary((definition,), assignments=(assignment,)), ALIASES)
            found[assignment.name] = policy
        except PolicyError as error:
            refused += error.diagnostics
    return found, refused


def assigned(name: str, cloud: Cloud, id: str | None, values: dict[str, object]) -> Assignment:
    return Assignment(name, ResourceId("/"), policy=Reference(id or ""), parameters=values, cloud=cloud)


def clouds(documents: Iterable[PolicyDefinition | Initiative]) -> dict[Cloud, int]:
    return dict(Counter(document.cloud for document in documents))


def test_every_file_loads(published: Published) -> None:
    assert published.files == (5009, 257)
    assert published.complaints == {("wrong-type", False): 4}  # four defaults of initiatives, overridden everywhere


def test_all_of_it_is_one_library(published: Published) -> None:
    library = published.library

    assert clouds(library.definitions) == {Cloud.PUBLIC: 3594, Cloud.GOVERNMENT: 1415}
    assert clouds(library.initiatives) == {Cloud.PUBLIC: 181, Cloud.GOVERNMENT: 76}
    assert len(published.rules()) == 3345
    assert [d.message for d in published.diagnostics if d.is_error] == []


def test_every_member_of_every_initiative_finds_its_definition(published: Published) -> None:
    members = [(i, m) for i in published.library.initiatives for m in i.members]
    warnings = Counter(d.code for d in published.diagnostics)

    assert len(members) == 20923
    assert all(published.library.definition_of(*pair) is not None for pair in members)
    assert set(warnings) == {"version-out-of-print", "unknown-parameter"}
    assert warnings["version-out-of-print"] == 101  # the pack holds the newest version of each definition only


def test_every_effect_that_a_definition_allows_can_be_bound(published: Published) -> None:
    bound = Counter[str]()
    for definition in published.rules():
        for name in effects_of(definition):
            EFFECTS[name](definition)
            bound[name] += 1

    assert sum(bound[name] for name in ("deny", "append", "modify", "manual", "denyAction")) == 1404
    assert sum(bound[name] for name in ("mutate", "enforceRegoPolicy", "enforceSetting", "auditAction")) == 54


def effects_of(definition: PolicyDefinition) -> list[str]:
    """Canonical names of the effect that is written, or of those its parameter allows."""
    effect = definition.then.effect
    parameter = next((p for name, p in definition.parameters.items() if "effect" in name), None)
    words = [effect.constant] if effect.is_constant else parameter.allowed_values or () if parameter else ()
    names = {name.casefold(): name for name in EFFECTS}
    return [names[str(word).casefold()] for word in words]


def test_every_definition_binds(bound: Bound) -> None:
    """With its defaults, and with sample values where there is none."""
    policies, refused = bound

    assert [d.message for d in refused] == []
    assert len(policies) == 3345


def test_every_bound_rule_evaluates_on_a_resource_it_means_and_on_another(bound: Bound) -> None:
    """Nothing is raised. The resources that are meant are made up, and some miss what a rule splits or hashes."""
    policies, _ = bound
    meant: Counter[ComplianceState] = Counter()
    others: Counter[ComplianceState] = Counter()
    held = 0
    for policy in policies.values():
        resource = matching_resource(policy.definition.condition, ALIASES)
        held += holds(policy, resource)
        meant[judge(policy, Cluster(resource), WORLD).state] += 1
        others[judge(policy, Cluster(other_resource()), WORLD).state] += 1

    assert sum(meant.values()) == sum(others.values()) == 3345
    assert held >= 0.9 * 3345
    assert meant[ComplianceState.ERROR] <= 0.01 * 3345, meant
    assert others[ComplianceState.ERROR] <= 1, others
    assert others[ComplianceState.NOT_APPLICABLE] >= 0.99 * 3345


def test_the_vector_driver_says_of_each_what_the_scalar_driver_says(bound: Bound) -> None:
    """Of the resources the rules mean, of another, and of clusters of both kinds; in two blocks."""
    policies, _ = bound
    fleet = SyntheticFleet(4, 7)
    clusters = [fleet.cluster(index) for index in range(len(fleet))]
    for some in batched(policies.values(), 8):
        meant = [Cluster(matching_resource(policy.definition.condition, ALIASES)) for policy in some]
        every = [respelled(cluster) for cluster in (*clusters, *meant, Cluster(other_resource()))]
        driver = FleetJudge(some, WORLD)
        for here in (every[::2], every[1::2]):
            block = block_of(here)
            verdicts = driver.judge(block)
            for row in range(len(here)):
                wanted = judge_all(some, block.cluster(row), WORLD)
                for number, policy in enumerate(some):
                    said = wanted[policy.key]
                    reason = said.reason if said.state.is_finding else None
                    assert (verdicts.state(number, row), verdicts.reason(number, row)) == (said.state, reason)


def block_of(clusters: Sequence[Cluster]) -> Block:
    texts = [to_texts(cluster) for cluster in clusters]
    return Block(
        [cluster.id.text for cluster in clusters],
        [cluster.resource.type for cluster in clusters],
        [document for document, _ in texts],
        [children for _, children in texts],
    )


def batched(policies: Iterable[BoundPolicy], size: int) -> Iterator[tuple[BoundPolicy, ...]]:
    left = iter(policies)
    while some := tuple(islice(left, size)):
        yield some


def holds(policy: BoundPolicy, resource: Resource) -> bool:
    """The `if` itself, whatever the effect makes of it."""
    context = Context(policy.parameters, ScopeTree(), WORLD.at, ALIASES, policy=policy.identity)
    try:
        return evaluate(policy.definition.condition, Subject.of(resource, context))
    except ExpressionError:
        return False
