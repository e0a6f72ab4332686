from hypothesis import given
from hypothesis import strategies as st

from policyengine.model.arm_defaults import overlay, system_identity
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON

objects = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.integers(), max_size=3),
)


def test_objects_merge_and_everything_else_replaces() -> None:
    base = {"tags": {"env": "prod", "site": "osl"}, "list": [1, 2], "gone": 1}

    assert overlay(base, {"tags": {"site": "bgo"}, "list": [3], "gone": None}) == {
        "tags": {"env": "prod", "site": "bgo"},
        "list": [3],
        "gone": None,
    }
    assert base["tags"] == {"env": "prod", "site": "osl"}


@given(objects)
def test_laying_a_value_over_itself_or_over_nothing_changes_nothing(value: dict[str, JSON]) -> None:
    assert overlay(value, value) == value
    assert overlay({}, value) == value
    assert overlay(value, {}) == value


@given(objects, objects)
def test_laying_twice_is_laying_once(base: dict[str, JSON], over: dict[str, JSON]) -> None:
    assert overlay(overlay(base, over), over) == overlay(base, over)


def test_an_identity_is_made_up_from_the_id_alone() -> None:
    one, two = ResourceId("/subscriptions/a/x/1"), ResourceId("/SUBSCRIPTIONS/A/x/1")

    assert system_identity(one, "t") == system_identity(two, "t")
    assert system_identity(one, "t") != system_identity(ResourceId("/subscriptions/a/x/2"), "t")
