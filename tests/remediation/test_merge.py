from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.model.values import JSON, get_folded
from policyengine.remediation.habits import is_same
from policyengine.remediation.merge import Clash, find_clash, merge, without_nulls

Body = Mapping[str, Any]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"suspend": False}, {"branch": "main"}),
        ({"branch": "main"}, {"branch": "main"}),
        ({"Branch": "main"}, {"branch": "main"}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}),
        ({"tag": None}, {"tag": ""}),
        ({"extensionType": "microsoft.flux"}, {"extensionType": "Microsoft.Flux"}),
        ({"configurationSettings": {"helm-controller.enabled": True}}, {"configurationSettings": {}}),
        (
            {"configurationSettings": {"helm-controller.enabled": True}},
            {"configurationSettings": {"helm-controller.enabled": "true"}},
        ),
    ],
)
def test_bodies_that_agree_do_not_clash(one: Body, other: Body) -> None:
    assert find_clash(one, other) is None
    assert find_clash(other, one) is None


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ({"branch": "main"}, {"branch": "dev"}, Clash("branch", "main", "dev")),
        ({"a": {"b": {"c": 1}}}, {"A": {"b": {"C": 2}}}, Clash("a.b.c", 1, 2)),
        ({"version": None}, {"version": "1.2"}, Clash("version", None, "1.2")),
        ({"dependsOn": ["infra"]}, {"dependsOn": ["infra", "crds"]}, Clash("dependsOn", ["infra"], ["infra", "crds"])),
        ({"z": 1, "a": 1}, {"z": 2, "a": 2}, Clash("a", 1, 2)),
    ],
)
def test_bodies_that_disagree_clash_on_the_first_field(one: Body, other: Body, clash: Clash) -> None:
    assert find_clash(one, other) == clash


def test_a_clash_never_shows_a_secret() -> None:
    def body(key: str) -> Body:
        return {"configurationProtectedSettings": {"httpsKey": key}, "azureBlob": {"accountKey": key}}

    assert find_clash(body("hunter2"), body("hunter3")) == Clash("azureBlob.accountKey", "••••", "••••")
    assert find_clash(body("hunter2"), {"azureBlob": None}) == Clash("azureBlob", {"accountKey": "••••"}, None)


def test_a_clash_shows_where_two_secrets_are_kept() -> None:
    def body(variable: str) -> Body:
        return {"configurationProtectedSettings": {"httpsKey": {"secretRef": {"env": variable}}}}

    path = "configurationProtectedSettings.httpsKey.secretRef.env"
    assert find_clash(body("TOKEN_A"), body("TOKEN_B")) == Clash(path, "TOKEN_A", "TOKEN_B")


def test_a_merged_body_keeps_the_spelling_of_the_first() -> None:
    one, other = {"gitRepository": {"URL": "u"}}, {"GitRepository": {"url": "u", "localAuthRef": "s"}}

    assert merge(one, other) == {"gitRepository": {"URL": "u", "localAuthRef": "s"}}


def test_a_new_object_is_not_told_what_must_be_absent() -> None:
    assert without_nulls({"a": None, "b": {"c": None, "d": 1}, "e": [None]}) == {"b": {"d": 1}, "e": [None]}


NAMES = st.sampled_from(["branch", "Branch", "path", "configurationSettings", "dependsOn", "releaseTrain"])
SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "main", "Main", "true"])


def mappings(values: st.SearchStrategy[JSON]) -> st.SearchStrategy[dict[str, JSON]]:
    """No two keys of one mapping are the same without case."""
    pairs = st.lists(st.tuples(NAMES, values), max_size=4, unique_by=lambda pair: pair[0].casefold())
    return pairs.map(dict)


VALUES = SCALARS | st.lists(SCALARS, max_size=2)
BODIES = mappings(VALUES | mappings(VALUES | mappings(VALUES)))


@given(BODIES, BODIES)
def test_a_clash_does_not_depend_on_who_is_asked_first(one: Body, other: Body) -> None:
    forth, back = find_clash(one, other), find_clash(other, one)

    assert (forth is None) == (back is None)
    if forth is not None and back is not None:
        assert (forth.path.casefold(), forth.one, forth.other) == (back.path.casefold(), back.other, back.one)


@given(BODIES)
def test_a_body_agrees_with_itself(body: Body) -> None:
    assert find_clash(body, body) is None
    assert merge(body, body) == body


def leaves(body: JSON, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], JSON]]:
    if isinstance(body, Mapping):
        for key, value in body.items():
            yield from leaves(value, (*path, key))
    else:
        yield path, body


def at(body: JSON, path: tuple[str, ...]) -> JSON:
    for key in path:
        body = get_folded(body, key) if isinstance(body, Mapping) else None
    return body


@given(BODIES, BODIES)
def test_a_merged_body_holds_both(one: Body, other: Body) -> None:
    if find_clash(one, other) is None:
        both = merge(one, other)

        for path, value in (*leaves(one), *leaves(other)):
            assert is_same(at(both, path), value, path[-1].casefold())
