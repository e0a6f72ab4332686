import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.model.ids import ResourceId

GROUP = "/subscriptions/5B0C/resourceGroups/web-weu"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/web-weu-01"
EXTENSION = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/flux"

segment = st.text("abcXYZ019-._", min_size=1, max_size=8)


def test_ids_are_equal_without_case_and_keep_their_text() -> None:
    upper = ResourceId(CLUSTER.upper())

    assert upper == ResourceId(CLUSTER)
    assert hash(upper) == hash(ResourceId(CLUSTER))
    assert str(upper) == CLUSTER.upper()


def test_an_id_is_not_equal_to_its_own_text() -> None:
    assert ResourceId(CLUSTER) != CLUSTER


def test_ids_sort_without_case() -> None:
    assert sorted([ResourceId("/b"), ResourceId("/A"), ResourceId("/C")]) == [
        ResourceId("/a"),
        ResourceId("/b"),
        ResourceId("/c"),
    ]


def test_a_lone_slash_is_the_tenant() -> None:
    assert ResourceId("/").segments == ()
    assert ResourceId("/").contains(ResourceId(CLUSTER))


def test_a_trailing_slash_is_dropped() -> None:
    assert ResourceId(GROUP + "/").text == GROUP


@pytest.mark.parametrize("text", ["", "subscriptions/x", "/subscriptions//resourceGroups/x"])
def test_text_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a resource id"):
        ResourceId(text)


@pytest.mark.parametrize(
    ("text", "type_", "name", "full_name"),
    [
        (CLUSTER, "Microsoft.ContainerService/managedClusters", "web-weu-01", "web-weu-01"),
        (EXTENSION, "Microsoft.KubernetesConfiguration/extensions", "flux", "flux"),
        (
            f"{CLUSTER}/agentPools/system",
            "Microsoft.ContainerService/managedClusters/agentPools",
            "system",
            "web-weu-01/system",
        ),
        (GROUP, "Microsoft.Resources/subscriptions/resourceGroups", "web-weu", "web-weu"),
        ("/subscriptions/5B0C", "Microsoft.Resources/subscriptions", "5B0C", "5B0C"),
        ("/", "Microsoft.Resources/tenants", "", ""),
        (
            "/providers/Microsoft.Management/managementGroups/mg-edge",
            "Microsoft.Management/managementGroups",
            "mg-edge",
            "mg-edge",
        ),
    ],
)
def test_type_and_names_come_from_the_last_provider(text: str, type_: str, name: str, full_name: str) -> None:
    resource_id = ResourceId(text)

    assert (resource_id.type, resource_id.name, resource_id.full_name) == (type_, name, full_name)


def test_subscription_and_group_are_found_whatever_the_case_of_the_words() -> None:
    resource_id = ResourceId(EXTENSION.replace("resourceGroups", "resourcegroups"))

    assert resource_id.subscription == "5B0C"
    assert resource_id.resource_group == "web-weu"


def test_only_a_management_group_itself_answers_as_one() -> None:
    assert ResourceId.for_management_group("mg-edge").management_group == "mg-edge"
    assert ResourceId(CLUSTER).management_group is None
    assert (
        ResourceId("/providers/Microsoft.Management/managementGroups/mg-edge/providers/x/y/z").management_group is None
    )


def test_parents_lead_up_to_the_subscription() -> None:
    up = [ResourceId(f"{EXTENSION}")]
    while (parent := up[-1].parent) is not None:
        up.append(parent)

    assert [p.text for p in up] == [EXTENSION, CLUSTER, GROUP, "/subscriptions/5B0C"]


def test_the_parent_of_a_child_resource_is_the_resource_it_belongs_to() -> None:
    assert ResourceId(f"{CLUSTER}/agentPools/system").parent == ResourceId(CLUSTER)


def test_an_extension_hangs_on_its_resource() -> None:
    built = ResourceId(CLUSTER).extension("Microsoft.KubernetesConfiguration/extensions", "flux")

    assert built == ResourceId(EXTENSION)
    assert built.parent == ResourceId(CLUSTER)


def test_containment_stops_at_segment_borders() -> None:
    group = ResourceId("/subscriptions/a/resourceGroups/rg1")

    assert group.contains(ResourceId("/subscriptions/A/resourcegroups/RG1/providers/x/y/z"))
    assert not group.contains(ResourceId("/subscriptions/a/resourceGroups/rg10"))


@given(st.lists(segment, min_size=1, max_size=8), st.lists(segment, max_size=4))
def test_a_place_contains_itself_and_everything_below_it(above: list[str], below: list[str]) -> None:
    place = ResourceId("/" + "/".join(above))
    inside = ResourceId("/" + "/".join([*above, *below]).swapcase())

    assert place.contains(inside)
    assert inside.contains(place) == (not below)


@given(st.lists(segment, min_size=1, max_size=9))
def test_every_id_survives_a_round_trip_through_its_text(segments: list[str]) -> None:
    resource_id = ResourceId("/" + "/".join(segments))

    assert ResourceId(str(resource_id)) == resource_id
    assert resource_id.segments == tuple(segments)
