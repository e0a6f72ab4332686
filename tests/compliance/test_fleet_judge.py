"""The vector driver gives every pair the state and the reason that the scalar driver gives it."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from weakref import ref

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policyengine.compliance import decoders
from policyengine.compliance.bind import bind
from policyengine.compliance.block import Block
from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.conflicts import judge_all
from policyengine.compliance.decoders import Decoders, Taken
from policyengine.compliance.fleet_judge import FleetJudge
from policyengine.compliance.outline import Way
from policyengine.effects.base import World
from policyengine.evaluation.vector import Mask
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.language.shape import respelled
from policyengine.model.cluster_text import MAX_LEVELS, from_texts, to_texts
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.model.states import ComplianceState

ALIASES = AliasCatalogue.packaged()
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TREE = ScopeTree(
    (ManagementGroup("contoso", "Contoso", None),),
    (Subscription(SUBSCRIPTION, "One", "contoso", None, {"cost": "7"}),),
    tuple(
        ResourceGroup(ResourceId(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"), "westeurope", {"env": name})
        for name in ("prod", "dev")
    ),
)
WORLD = World(TREE, AT, ALIASES)

ODD: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    1.5,
    "",
    "true",
    "1",
    "Flux",
    "flux",
    [],
    ["a", "B", 1],
    {},
    {"a": None},
]


@pytest.fixture(scope="module", autouse=True)
def _small_batches() -> Iterator[None]:
    """So that what is in a block comes from several."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decoders, "BATCH", 2)
        yield


def cluster_id(name: str, type: str = ARC, group: str = "prod") -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{type}/{name}"


def a_cluster(
    name: str,
    properties: Any = None,
    *,
    type: str = ARC,
    group: str = "prod",
    extensions: Sequence[Any] = (),
    configurations: Sequence[Any] = (),
    turned: bool = False,
    **members: Any,
) -> Cluster:
    """``turned``: the extensions stand in another order than their names."""
    id = cluster_id(name, type, group)
    document = {"id": id, "name": name, "type": type, "location": "westeurope", **members, "properties": properties}
    children = {
        "extensions": [child(id, EXTENSIONS, f"e{9 - n if turned else n}", body) for n, body in enumerate(extensions)],
        "fluxConfigurations": [child(id, FLUX_CONFIGURATIONS, f"c{n}", body) for n, body in enumerate(configurations)],
        "others": [],
    }
    return from_texts(id, json.dumps(document), json.dumps(children))


def child(cluster: str, type: str, name: str, properties: Any) -> dict[str, Any]:
    return {"id": f"{cluster}/providers/{type}/{name}", "name": name, "type": type, "properties": properties}


def block_of(clusters: Sequence[Cluster]) -> Block:
    texts = [to_texts(respelled(cluster)) for cluster in clusters]
    return Block(
        [cluster.id.text for cluster in clusters],
        [cluster.resource.type for cluster in clusters],
        [document for document, _ in texts],
        [children for _, children in texts],
    )


def bound(*documents: dict[str, Any]) -> tuple[BoundPolicy, ...]:
    parsed = [parse_documents(json.dumps(document), f"{n}.json", ALIASES) for n, document in enumerate(documents)]
    problems = [d.message for file in parsed for d in file.diagnostics if d.is_error]
    library, found = PolicyLibrary.build(document for file in parsed for document in file.documents)
    assert not problems + [d.message for d in found if d.is_error]
    return bind(library, ALIASES)


def policy(
    rule: Any,
    then: Any = None,
    *,
    name: str = "p",
    parameters: Any = None,
    values: Any = None,
    scope: str = "/providers/Microsoft.Management/managementGroups/contoso",
    **assignment: Any,
) -> list[dict[str, Any]]:
    definition = {
        "apiVersion": "policyengine/v1",
        "kind": "PolicyDefinition",
        "metadata": {"name": name},
        "spec": {
            "mode": "All",
            "parameters": parameters or {},
            "policyRule": {"if": rule, "then": then or {"effect": "audit"}},
        },
    }
    assigned = {
        "apiVersion": "policyengine/v1",
        "kind": "Assignment",
        "metadata": {"name": f"{name}-assigned"},
        "spec": {"policy": name, "scope": scope, "parameters": values or {}, **assignment},
    }
    return [definition, assigned]


def assert_same(
    policies: Sequence[BoundPolicy],
    clusters: Sequence[Cluster],
    world: World = WORLD,
    failures: Sequence[ScopeFailure] = (),
) -> FleetJudge:
    """Judged in two blocks, so that what one block taught is used in the next."""
    driver = FleetJudge(policies, world, failures=failures)
    half = len(clusters) // 2
    for some in (clusters[:half], clusters[half:]):
        block = block_of(some)
        verdicts = driver.judge(block)
        for row, cluster in enumerate(some):
            as_read, as_kept = (judge_all(policies, one, world) for one in (cluster, block.cluster(row)))
            for number, one in enumerate(policies):
                said = as_kept[one.key]  # names that differ only in case are one there, so that less is shown
                reason = said.reason if said.state.is_finding else None
                assert said.state is as_read[one.key].state
                assert (verdicts.state(number, row), verdicts.reason(number, row)) == (said.state, reason)
    return driver


def exempting(*scopes: str) -> dict[str, Any]:
    return {
        "apiVersion": "policyengine/v1",
        "kind": "Exemption",
        "metadata": {"name": "freeze"},
        "spec": {
            "assignment": "p-assigned",
            "scopes": list(scopes),
            "category": "Waiver",
            "expiresOn": "2027-01-01T00:00:00Z",
            "reason": "freeze",
        },
    }


def there(type: str, condition: Any, **details: Any) -> dict[str, Any]:
    return {"effect": "auditIfNotExists", "details": {"type": type, "existenceCondition": condition, **details}}


IS_CLUSTER = {"field": "type", "in": [AKS, ARC]}
EXTENSION = f"{EXTENSIONS}/extensionType"


def test_it_goes_with_all_it_learnt_as_soon_as_nobody_holds_it() -> None:
    """A service that scans again and again would grow by what each scan leaves for the collector of cycles."""
    driver = assert_same(bound(*policy(IS_CLUSTER)), [a_cluster("k", {})])
    gone = ref(driver)
    gc.disable()
    try:
        del driver
        assert gone() is None
    finally:
        gc.enable()


def test_it_asks_once_for_each_distinct_value() -> None:
    policies = bound(*policy({"allOf": [IS_CLUSTER, {"field": "tags.env", "equals": "prod"}]}))
    clusters = [a_cluster(f"k{n}", {}, tags={"env": ("prod", "dev")[n % 2]}) for n in range(40)]
    driver = assert_same(policies, clusters)
    assert sum(driver.asked.values()) == 1


def test_it_asks_once_for_each_reason_whatever_else_differs() -> None:
    missing = policy(IS_CLUSTER, there(EXTENSIONS, {"field": EXTENSION, "equals": "microsoft.flux"}), name="missing")
    either = {"anyOf": [{"field": "tags.env", "equals": "prod"}, {"field": f"{ARC}/distribution", "like": "k3*"}]}
    rule = policy({"allOf": [IS_CLUSTER, {"field": "tags.env", "notEquals": "prod"}, either]}, name="rule")
    clusters = [
        a_cluster(
            f"k{n}",
            {"distribution": "k3s"},
            tags={"env": "dev", "other": n},
            extensions=[{"extensionType": f"other{m}", "releaseTrain": n} for m in range(n % 5)],
        )
        for n in range(30)
    ]
    assert assert_same(bound(*missing, *rule), clusters).asked == {"missing-assigned": 1, "rule-assigned": 1}


def test_the_nearest_child_is_the_same_in_whatever_order_they_stand() -> None:
    conditions_ = [
        {"field": EXTENSION, "equals": "flux"},
        {"field": f"{EXTENSIONS}/releaseTrain", "equals": "Stable"},
        {"field": f"{EXTENSIONS}/version", "equals": "[field('tags.version')]"},
    ]
    bodies: list[Any] = [
        {"extensionType": type, "releaseTrain": train, "version": version}
        for type in ("flux", "other")
        for train in ("Stable", "Preview")
        for version in ("1", "2")
    ]
    policies = bound(*policy(IS_CLUSTER, there(EXTENSIONS, {"allOf": conditions_})))
    pairs = [(one, other) for one in bodies for other in bodies]
    clusters = [
        a_cluster(f"k{n}{'ab'[turned]}", {}, extensions=pair, turned=turned, tags={"version": "3"})
        for n, pair in enumerate(pairs)
        for turned in (False, True)
    ]
    assert_same(policies, clusters)


def test_it_reads_no_cluster_whole_when_nothing_is_found() -> None:
    rule = {"field": f"{ARC}/connectivityStatus", "equals": "Offline"}
    policies = bound(*policy({"allOf": [IS_CLUSTER, rule]}))
    verdicts = FleetJudge(policies, WORLD).judge(block_of([a_cluster("k", {"connectivityStatus": "Connected"})] * 9))
    assert (verdicts.decoded, verdicts.whole) == (9, 0)


def test_it_reads_what_is_on_a_cluster_only_where_a_rule_that_looks_for_its_kind_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: dict[str, list[int]] = {"extensions": [], "fluxConfigurations": []}
    take = Decoders.take_children

    def noting(decoders: Decoders, block: Block, found: Taken, wanted: Mapping[str, Mask]) -> list[int]:
        odd = take(decoders, block, found, wanted)
        for key, listed in sizes.items():
            listed += found.sizes(key).tolist()
        return odd

    monkeypatch.setattr(Decoders, "take_children", noting)
    policies = bound(
        *policy(where("prod", "both"), there(EXTENSIONS, {"field": EXTENSION, "equals": "flux"})),
        *policy(
            where("stage", "both"),
            there(FLUX_CONFIGURATIONS, {"field": f"{FLUX_CONFIGURATIONS}/scope", "equals": "cluster"}),
            name="q",
        ),
    )
    clusters = [
        a_cluster(
            name,
            {},
            tags={"env": name},
            extensions=[{"extensionType": "flux"}] * 2,
            configurations=[{"scope": "cluster"}],
        )
        for name in ("prod", "dev", "stage", "both")
    ]
    assert_same(policies, clusters)
    assert sizes == {"extensions": [2, 0, 0, 2], "fluxConfigurations": [0, 0, 1, 1]}


def where(*environments: str) -> dict[str, Any]:
    return {"allOf": [IS_CLUSTER, {"field": "tags.env", "in": list(environments)}]}


def test_a_child_of_another_shape_has_its_cluster_judged_row_by_row() -> None:
    deep: Any = "end"
    for _ in range(MAX_LEVELS - 20):
        deep = {"a": deep}
    odd_ones: list[Any] = ["odd", None, [1], {"extensionType": deep}, {"configurationSettings": deep}]
    settings_ = {"field": f"{EXTENSIONS}/configurationSettings", "exists": True}
    looking = there(EXTENSIONS, {"anyOf": [{"field": EXTENSION, "equals": "flux"}, settings_]})
    rule = {"allOf": [IS_CLUSTER, {"field": "tags.env", "equals": "prod"}]}
    clusters = [
        a_cluster(f"k{n}", {}, tags={"env": env}, extensions=[{"extensionType": "flux"}, one][: 1 + n % 2])
        for n, one in enumerate(odd_ones * 2)
        for env in ("prod", "dev")
    ]
    assert_same(bound(*policy(rule, looking), *policy(rule, name="other")), clusters)


def test_true_and_one_and_one_point_nought_stay_apart() -> None:
    """Pitfall 3 of the measurements: they are equal as keys of a dictionary."""
    policies = bound(*policy({"field": f"{AKS}/enableRBAC", "equals": True}))
    assert_same(policies, [a_cluster(f"k{n}", {"enableRBAC": v}, type=AKS) for n, v in enumerate([*ODD, *ODD])])


def test_a_path_that_is_both_read_and_passed() -> None:
    """Pitfall 1 of the measurements."""
    rule = {
        "allOf": [
            {"field": f"{AKS}/aadProfile", "exists": True},
            {"field": f"{AKS}/aadProfile.adminGroupObjectIDs[*]", "notEquals": "x"},
        ]
    }
    profiles: list[Any] = [None, "x", {}, {"adminGroupObjectIDs": None}, {"adminGroupObjectIDs": ["x", "y"]}, [1]]
    clusters = [a_cluster(f"k{n}", {"aadProfile": profile}, type=AKS) for n, profile in enumerate(profiles * 2)]
    assert_same(bound(*policy(rule)), [*clusters, a_cluster("none", {}, type=AKS)])


def test_names_that_differ_in_case_are_one() -> None:
    """Pitfall 2 of the measurements: Resource Graph writes `ExtensionType`."""
    policies = bound(*policy(IS_CLUSTER, there(EXTENSIONS, {"field": EXTENSION, "equals": "microsoft.flux"})))
    spelled = [{"ExtensionType": "Microsoft.Flux"}, {"extensiontype": "other"}, {"extensionType": "microsoft.flux"}]
    assert_same(policies, [a_cluster(f"k{n}", {}, extensions=[body]) for n, body in enumerate(spelled * 2)])


def test_a_document_of_another_shape_is_judged_row_by_row() -> None:
    policies = bound(*policy({"field": f"{AKS}/networkProfile.networkPolicy", "notEquals": "calico"}))
    shapes: list[Any] = [{"networkProfile": "none"}, {"networkProfile": {"networkPolicy": "calico"}}, None, "odd", [1]]
    assert_same(policies, [a_cluster(f"k{n}", shape, type=AKS) for n, shape in enumerate(shapes * 2)])


def test_an_empty_set_satisfies_nothing_and_an_error_is_an_error_where_it_is_met() -> None:
    condition = {
        "anyOf": [
            {"field": EXTENSION, "equals": "microsoft.flux"},
            {"value": "[int(field('tags.n'))]", "equals": 1},
        ]
    }
    policies = bound(*policy(IS_CLUSTER, there(EXTENSIONS, condition)))
    flux, other = {"extensionType": "microsoft.flux"}, {"extensionType": "other"}
    lists = [[], [flux], [other], [other, flux], [flux, other]]
    clusters = [
        a_cluster(f"k{n}-{tag}", {}, extensions=list_, tags={"n": tag})
        for n, list_ in enumerate(lists)
        for tag in ("1", "2", "x")
    ]
    assert_same(policies, clusters)


def test_what_stands_around_the_cluster_is_read_once_a_place() -> None:
    rule = {"allOf": [IS_CLUSTER, {"value": "[resourceGroup().tags.env]", "equals": "[field('tags.env')]"}]}
    clusters = [
        a_cluster(f"k{n}", {}, group=("prod", "dev", "none")[n % 3], tags={"env": ("prod", "dev")[n % 2]})
        for n in range(24)
    ]
    assert_same(bound(*policy(rule)), clusters)


def test_scopes_exclusions_selectors_overrides_and_exemptions() -> None:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/prod"
    documents = policy(
        {"allOf": [IS_CLUSTER, {"field": "[parameters('tag')]", "exists": False}]},
        {"effect": "[parameters('effect')]"},
        parameters={"tag": {"type": "String"}, "effect": {"type": "String", "defaultValue": "audit"}},
        values={"tag": "tags.owner"},
        scope=f"/subscriptions/{SUBSCRIPTION}",
        notScopes=[cluster_id("k1"), f"{group}/providers/*/connectedClusters/k2*"],
        resourceSelectors=[{"name": "eu", "selectors": [{"kind": "resourceLocation", "in": ["westeurope", "global"]}]}],
        overrides=[
            {
                "kind": "policyEffect",
                "value": "disabled",
                "selectors": [{"kind": "resourceLocation", "in": ["global"]}],
            }
        ],
    )
    exemption = exempting(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/dev", cluster_id("k3"))
    clusters = [
        a_cluster(f"k{n}", {}, group=("prod", "dev")[n % 2], location=("westeurope", "global", "eastus")[n % 3])
        for n in range(30)
    ]
    assert_same(bound(*documents, exemption), clusters)


def test_a_management_group_that_is_not_known_makes_unknown() -> None:
    documents = policy(IS_CLUSTER, scope="/providers/Microsoft.Management/managementGroups/gone")
    assert_same(bound(*documents), [a_cluster(f"k{n}", {}) for n in range(6)])


@pytest.mark.parametrize("scope", [f"/subscriptions/{SUBSCRIPTION}/resourceGroups/dev", cluster_id("k4")])
def test_what_could_not_be_read_is_unknown(scope: str) -> None:
    policies = bound(*policy({"allOf": [IS_CLUSTER, {"field": "tags.env", "equals": "prod"}]}))
    clusters = [a_cluster(f"k{n}", {}, group=("prod", "dev")[n % 2], tags={"env": "prod"}) for n in range(10)]
    failure = ScopeFailure(ResourceId(scope), "403")
    verdicts = FleetJudge(policies, WORLD, failures=[failure]).judge(block_of(clusters))
    unknown = [clusters[row].id for row in range(10) if verdicts.state(0, row) is ComplianceState.UNKNOWN]
    assert unknown == [cluster.id for cluster in clusters if TREE.contains(ResourceId(scope), cluster.id)]


def wanting(*values: str) -> list[dict[str, Any]]:
    """A policy for each value that writes it into one and the same tag."""
    modify = {
        "effect": "modify",
        "details": {
            "roleDefinitionIds": [
                "/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"
            ],
            "conflictEffect": "deny",
            "operations": [{"operation": "addOrReplace", "field": "tags.env", "value": "[parameters('value')]"}],
        },
    }
    documents = []
    for value in values:
        rule = {"allOf": [IS_CLUSTER, {"field": "tags.env", "notEquals": "[parameters('value')]"}]}
        parameters = {"value": {"type": "String"}}
        documents += policy(rule, modify, name=value, parameters=parameters, values={"value": value})
    return documents


def test_two_that_write_dispute_each_other_as_they_do_one_by_one() -> None:
    clusters = [a_cluster(f"k{n}", {}, tags={"env": e}) for n, e in enumerate(["prod", "dev", "x"])]
    assert_same(bound(*wanting("prod", "dev")), clusters)


def test_a_dispute_is_judged_one_by_one_under_those_who_may_have_it_and_no_other() -> None:
    others = policy({"allOf": [IS_CLUSTER, {"field": "tags.env", "equals": "x"}]})
    clusters = [a_cluster(f"k{n}", {}, tags={"env": "x"}) for n in range(20)]
    driver = assert_same(bound(*others, *wanting("prod", "dev")), clusters)

    assert driver.asked == {"p-assigned": 1, "prod-assigned": 21, "dev-assigned": 21}


def test_what_is_looked_for_beyond_the_cluster_is_looked_for_only_where_the_rule_holds() -> None:
    """An `if` that cannot be evaluated is an Error of its cluster, and that is told one by one as well."""
    rule = {"allOf": [IS_CLUSTER, {"value": "[int(field('tags.n'))]", "greater": 1}]}
    beyond = there(
        "Microsoft.OperationalInsights/workspaces", {"field": "name", "equals": "x"}, existenceScope="subscription"
    )
    clusters = [a_cluster(f"k{n}", {}, tags={"n": ("1", "2", "x", "0")[n % 4]}) for n in range(16)]
    world = World(TREE, AT, ALIASES, resources=lambda _type, _scope: ())
    driver = assert_same(bound(*policy(rule, beyond)), clusters, world)

    assert driver.asked == {"p-assigned": 8}


def test_what_takes_too_much_work_is_an_error_either_way() -> None:
    pools = f"{AKS}/agentPoolProfiles[*]"
    some = {"count": {"field": pools, "where": {"field": f"{pools}.mode", "equals": "System"}}, "greater": 0}
    policies = bound(*policy({"allOf": [{"field": "type", "equals": AKS}, *[some] * 40]}))
    sizes = (1, 100, 400, 1300)
    clusters = [
        a_cluster(f"k{size}", {"agentPoolProfiles": [{"mode": "System", "count": n} for n in range(size)]}, type=AKS)
        for size in sizes
    ]
    assert_same(policies, clusters)


def test_a_secret_of_one_cluster_is_hidden_there_though_others_show_the_same_text() -> None:
    """What is said of one of a group is said of all of it, and where nobody keeps a secret there is none to hide."""
    rule = {"allOf": [IS_CLUSTER, {"field": "tags.note", "notEquals": "x"}]}
    secretive = [{"extensionType": "flux", "configurationProtectedSettings": {"token": "hunter22"}}]
    clusters = [
        a_cluster(f"k{n}", {}, tags={"note": "hunter22"}, extensions=secretive if n % 2 else ()) for n in range(8)
    ]
    policies = bound(*policy(rule))
    assert_same(policies, clusters)
    reasons = [FleetJudge(policies, WORLD).judge(block_of(clusters)).reason(0, row) for row in (0, 1)]
    assert ["hunter22" in str(reason) for reason in reasons] == [True, False]


def test_questions_that_take_too_much_work_together_are_an_error_either_way() -> None:
    """Fewer than may be asked, each of a text that takes more than its share to look at."""
    rule = {"allOf": [IS_CLUSTER, {"anyOf": [{"field": "tags.long", "like": f"{n}*"} for n in range(85)]}]}
    clusters = [a_cluster(f"k{length}", {}, tags={"long": "x" * length}) for length in (10, 1_000, 16_000, 40_000)]
    policies = bound(*policy(rule))
    assert_same(policies, clusters)
    assert judge_all(policies, clusters[3], WORLD)["p-assigned"].state is ComplianceState.ERROR


def test_what_takes_too_much_work_among_what_is_on_a_cluster_is_an_error_either_way() -> None:
    """No single question takes too much of it, but so many do."""
    version = f"{EXTENSIONS}/version"
    condition = {"anyOf": [{"field": version, "equals": "1"}, {"field": version, "like": "y*"}]}
    clusters = [
        a_cluster(f"k{size}", {}, extensions=[{"version": "x" * 9_000 + str(n)} for n in range(size)])
        for size in (1, 40, 60, 300)
    ]
    policies = bound(*policy(IS_CLUSTER, there(EXTENSIONS, condition)))
    assert_same(policies, clusters)
    assert judge_all(policies, clusters[3], WORLD)["p-assigned"].state is ComplianceState.ERROR


@pytest.mark.parametrize(
    "expression",
    [
        "length(related.extensions[?lower(properties.extensionType) == 'microsoft.flux'])",
        "length(related.extensions)",
        "join(' ', related.fluxConfigurations[].properties.gitRepository.url)",
        "properties.agentPoolProfiles[?count > `1`] | length(@)",
        "cluster.properties.ConnectivityStatus",
        "resourceGroup.tags.env",
        "{a: tags.env, b: parameters.wanted} | a == b",
        "@",
        "related",
        "properties.*",
        "age_days(systemData.createdAt)",
    ],
)
def test_jmespath_sees_what_it_sees_on_the_whole_document(expression: str) -> None:
    rule = {"allOf": [IS_CLUSTER, {"jmespath": expression, "notEquals": "nothing"}]}
    parameters = {"wanted": {"type": "String", "defaultValue": "prod"}}
    bodies: list[Any] = [{}, {"extensionType": "Microsoft.Flux"}, {"extensionType": None}, {"ExtensionType": "x"}]
    clusters = [
        a_cluster(
            f"k{n}",
            {"connectivityStatus": "Connected", "agentPoolProfiles": [{"count": n}, {"count": 1}]},
            tags={"env": ("prod", "dev")[n % 2]},
            extensions=bodies[: n % 5],
            configurations=[{"gitRepository": {"url": f"https://{n % 3}"}}, {"bucket": None}][: n % 3],
            systemData={"createdAt": "2026-11-01T00:00:00Z"},
        )
        for n in range(12)
    ]
    assert_same(bound(*policy(rule, parameters=parameters)), clusters)


FIELDS = [
    *("name", "id", "kind", "location", "tags", "tags.env", "tags['Env']", "type", "fullName", "apiVersion"),
    *(f"{ARC}/connectivityStatus", f"{ARC}/distribution", f"{AKS}/enableRBAC", f"{AKS}/aadProfile"),
    *(f"{AKS}/aadProfile.managed", f"{AKS}/agentPoolProfiles[*].mode", f"{AKS}/agentPoolProfiles[*]"),
    *(
        f"{AKS}/agentPoolProfiles",
        f"{AKS}/apiServerAccessProfile.authorizedIPRanges[*]",
        "properties.kubernetesVersion",
    ),
    *("properties.unheardOf.x", "identity.type", "[concat('tags.', 'env')]", "[concat('tags.', field('name'))]"),
]
CHILD_FIELDS = [
    *(EXTENSION, f"{EXTENSIONS}/provisioningState", f"{EXTENSIONS}/releaseTrain", "name", "id"),
    *(f"{EXTENSIONS}/configurationSettings", f"{EXTENSIONS}/autoUpgradeMinorVersion", "properties.scope.cluster"),
]
WANTED: list[Any] = ["", "flux", "FLUX", "true", True, False, "prod", 1, "1", "k1", "System", "westeurope", "Succeeded"]
EXPRESSIONS = [
    *(
        "[field('tags.env')]",
        "[parameters('p')]",
        "[resourceGroup().name]",
        "[subscription().tags.cost]",
        "[utcNow('yyyy')]",
    ),
    *("[toLower(field('location'))]", f"[length(field('{AKS}/agentPoolProfiles[*].mode'))]", "[int('x')]"),
    *(
        "[field(concat('tags.', 'env'))]",
        "[if(equals(field('name'), 'k1'), field('kind'), 'x')]",
        "[policy().assignmentId]",
    ),
]


def conditions(names: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    operators = st.sampled_from(
        ["equals", "notEquals", "like", "notLike", "contains", "notContains", "greater", "less"]
    )
    right = st.sampled_from([*WANTED, *EXPRESSIONS])
    left = st.one_of(
        st.sampled_from(names).map(lambda name: {"field": name}),
        st.sampled_from(EXPRESSIONS).map(lambda text: {"value": text}),
        st.sampled_from(
            [
                {"count": {"field": f"{AKS}/agentPoolProfiles[*]"}},
                {
                    "count": {
                        "field": f"{AKS}/agentPoolProfiles[*]",
                        "where": {"field": f"{AKS}/agentPoolProfiles[*].mode", "equals": "System"},
                    }
                },
                {
                    "count": {
                        "field": f"{AKS}/agentPoolProfiles[*]",
                        "where": {"value": f"[current('{AKS}/agentPoolProfiles[*].count')]", "greater": 1},
                    }
                },
                {"count": {"value": ["prod", "dev"], "where": {"field": "tags.env", "equals": "[current()]"}}},
            ]
        ),
    )
    compared = st.builds(lambda one, op, other: {**one, op: other}, left, operators, right)
    present = st.builds(lambda name, value: {"field": name, "exists": value}, st.sampled_from(names), st.booleans())
    listed = st.builds(
        lambda name, op, values: {"field": name, op: values},
        st.sampled_from(names),
        st.sampled_from(["in", "notIn"]),
        st.lists(st.sampled_from(WANTED), max_size=3),
    )
    return st.recursive(
        st.one_of(compared, present, listed),
        lambda inner: st.one_of(
            st.builds(lambda list_: {"allOf": list_}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda list_: {"anyOf": list_}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda one: {"not": one}, inner),
        ),
        max_leaves=5,
    )


EXEMPT = exempting(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/dev")

odd = st.sampled_from(ODD)
pools = st.one_of(
    odd,
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "mode": st.sampled_from(["System", "User", None]),
                "count": st.integers(0, 3),
                "Mode": st.just("x"),
            },
        ),
        max_size=3,
    ),
)
bodies = st.one_of(
    odd,
    st.fixed_dictionaries(
        {},
        optional={
            "connectivityStatus": st.sampled_from(["Connected", "Offline", None]),
            "ConnectivityStatus": st.just("Connected"),
            "distribution": odd,
            "enableRBAC": odd,
            "aadProfile": st.one_of(odd, st.fixed_dictionaries({}, optional={"managed": odd, "Managed": odd})),
            "agentPoolProfiles": pools,
            "apiServerAccessProfile": st.one_of(odd, st.fixed_dictionaries({"authorizedIPRanges": odd})),
            "kubernetesVersion": st.sampled_from(["1.29.4", "1.30.0"]),
            "unheardOf": odd,
        },
    ),
)
child_bodies = st.one_of(
    odd,
    st.fixed_dictionaries(
        {},
        optional={
            "extensionType": st.sampled_from(["microsoft.flux", "flux", "other", None, 1]),
            "ExtensionType": st.just("Flux"),
            "provisioningState": st.sampled_from(["Succeeded", "Failed"]),
            "releaseTrain": odd,
            "autoUpgradeMinorVersion": odd,
            "configurationSettings": odd,
            "scope": st.one_of(odd, st.fixed_dictionaries({"cluster": odd})),
            "configurationProtectedSettings": st.just({"key": "Succeeded"}),
        },
    ),
)
members = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.one_of(st.dictionaries(st.sampled_from(["env", "Env", "k1"]), odd, max_size=2), odd),
        "kind": odd,
        "location": st.sampled_from(["westeurope", "West Europe", "global", "", None]),
        "identity": st.one_of(odd, st.fixed_dictionaries({"type": st.just("SystemAssigned")})),
    },
)


@st.composite
def fleets(draw: st.DrawFn) -> list[Cluster]:
    return [
        a_cluster(
            f"k{number}",
            draw(bodies),
            type=draw(st.sampled_from([AKS, ARC])),
            group=draw(st.sampled_from(["prod", "dev"])),
            extensions=draw(st.lists(child_bodies, max_size=3)),
            turned=draw(st.booleans()),
            **draw(members),
        )
        for number in range(draw(st.integers(1, 6)))
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(conditions(FIELDS), st.sampled_from(["audit", "deny"]), st.booleans(), fleets())
def test_any_rule_on_any_fleet(rule: Any, effect: str, exempt: bool, fleet: list[Cluster]) -> None:
    documents = policy(rule, {"effect": effect}, parameters={"p": {"type": "String", "defaultValue": "flux"}})
    assert_same(bound(*documents, *[EXEMPT] * exempt), fleet)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.tuples(conditions(FIELDS), conditions(FIELDS)),
    conditions(CHILD_FIELDS),
    st.sampled_from([None, "e0", "E1", "?"]),
    st.booleans(),
    fleets(),
)
def test_any_existence_condition_on_any_fleet(
    rules: tuple[Any, Any], condition: Any, name: str | None, exempt: bool, fleet: list[Cluster]
) -> None:
    """Two policies look for the same, each on clusters of its own."""
    details = {} if name is None else {"name": name}
    then, given_ = there(EXTENSIONS, condition, **details), {"p": {"type": "String", "defaultValue": "flux"}}
    documents = policy(rules[0], then, parameters=given_) + policy(rules[1], then, parameters=given_, name="q")
    assert_same(bound(*documents, *[EXEMPT] * exempt), fleet)


def test_each_way_of_judging_is_taken() -> None:
    """The generated rules would prove little if all of them fell back to rows."""
    outlines = {
        name: FleetJudge(bound(*documents), WORLD).outlines(ARC)[0][1]
        for name, documents in {
            "rule": policy(IS_CLUSTER),
            "children": policy(IS_CLUSTER, there(EXTENSIONS, {"field": EXTENSION, "equals": "x"})),
            "elsewhere": policy(
                IS_CLUSTER, there("Microsoft.Insights/diagnosticSettings", {"field": "name", "equals": "x"})
            ),
            "silent": policy(IS_CLUSTER, {"effect": "disabled"}),
        }.items()
    }
    assert {name: one.way for name, one in outlines.items()} == {
        "rule": Way.BY_RULE,
        "children": Way.BY_CHILDREN,
        "elsewhere": Way.EACH,
        "silent": Way.SILENT,
    }
    assert [name for name, one in outlines.items() if one.slow] == ["elsewhere"]
