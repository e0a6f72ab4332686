from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.errors import PolicyError
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, describe
from policyengine.text.reader import read, read_leniently, to_value

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def value_of(text: str, name: str = "file.yaml") -> Any:
    (node,) = read(text, name)
    return to_value(node)


def problems(text: str, name: str = "file.yaml") -> list[tuple[str, str]]:
    """Code and place of every problem."""
    with pytest.raises(PolicyError) as caught:
        read(text, name)
    return [(d.code, str(d.span)) for d in caught.value.diagnostics]


def mapping(text: str) -> MappingNode:
    (node,) = read(text, "file.yaml")
    assert isinstance(node, MappingNode)
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("2026-01-05", "2026-01-05"),
        ("2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z"),
        ("12", 12),
        ("-7", -7),
        ("012", 12),
        ("0o17", 15),
        ("0x1f", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("1.2.3", "1.2.3"),
    ],
)
def test_yaml_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    found = value_of(f"a: {text}")["a"]

    assert (type(found), found) == (type(value), value)


def test_yaml_keys_stay_text() -> None:
    assert value_of("on: 1\ntrue: 2\n3: 4\n") == {"on": 1, "true": 2, "3": 4}


def test_each_document_of_a_file_is_a_node_and_empty_ones_are_left_out() -> None:
    nodes = read("a: 1\n---\n---\n# nothing\n---\nb: 2\n", "file.yaml")

    assert [to_value(node) for node in nodes] == [{"a": 1}, {"b": 2}]
    assert [node.span.line for node in nodes] == [1, 6]


def test_an_empty_text_holds_nothing() -> None:
    assert read("", "file.yaml") == []
    assert read(" \n", "file.json") == []


def test_nodes_remember_line_and_column() -> None:
    node = mapping("spec:\n  when: {field: tags.x, equals: on}\n")
    spec = node.get("spec")
    assert isinstance(spec, MappingNode)
    when = spec.entry("when")
    assert when is not None

    assert str(when.span) == "file.yaml:2:3"
    assert (when.value.span.line, when.value.span.column, when.value.span.end_column) == (2, 9, 36)


def test_json_nodes_remember_line_and_column() -> None:
    (node,) = read('{\n\t"a": [1,\r\n  "x"]\n}', "file.json")
    assert isinstance(node, MappingNode)
    array = node.get("a")
    assert array is not None

    assert (array.span.line, array.span.column, array.span.end_line, array.span.end_column) == (2, 7, 3, 7)


def test_members_are_found_without_regard_to_case_and_exact_ones_first() -> None:
    node = mapping("AllOf: 1\nallOf: 2\n")

    assert to_value(node.get("allOf") or node) == 2
    assert to_value(node.get("ALLOF") or node) == 1
    assert node.get("anyOf") is None


def test_json_is_read_faithfully() -> None:
    text = '\ufeff{"a":\t"\\ud83d\\ude00 \\/ \\u00e9 \\t", "b": -1.5e2, "c": 12345678901234567890}'

    assert value_of(text, "file.json") == {"a": "😀 / é \t", "b": -150.0, "c": 12345678901234567890}


def test_json_inside_a_yaml_file_is_read_as_json() -> None:
    assert value_of('{\n\t"a": "\\/"\n}') == {"a": "/"}


def test_a_yaml_flow_mapping_is_not_mistaken_for_json() -> None:
    assert value_of("{a: 1, b: [x, y]}") == {"a": 1, "b": ["x", "y"]}


@given(JSON_VALUES)
def test_any_json_reads_back_as_the_value_it_was_written_from(value: Any) -> None:
    nodes = read(json.dumps({"value": value}, ensure_ascii=False, indent=1), "file.json")

    assert to_value(nodes[0]) == {"value": value}


@given(JSON_VALUES)
def test_each_node_of_json_spans_the_text_it_came_from(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=True, indent=1)

    def check(node: Node) -> None:
        span = node.span
        lines = text.split("\n")[span.line - 1 : span.end_line]
        lines[-1] = lines[-1][: span.end_column - 1]
        lines[0] = lines[0][span.column - 1 :]
        assert json.loads("\n".join(lines)) == to_value(node)
        for inner in children(node):
            check(inner)

    for node in read(text, "file.json"):
        check(node)


def children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [entry.value for entry in node]
    return [] if isinstance(node, ScalarNode) else list(node.items)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1,}', ("json-syntax", "file.json:1:8")),
        ('{"a" 1}', ("json-syntax", "file.json:1:6")),
        ('{"a": tru}', ("json-syntax", "file.json:1:7")),
        ('{"a": 1', ("json-syntax", "file.json:1:8")),
        ("{a: 1}", ("json-syntax", "file.json:1:2")),
        ('["x\ny"]', ("json-syntax", "file.json:1:4")),
        ('["x', ("json-syntax", "file.json:1:2")),
        ('["\\x"]', ("json-syntax", "file.json:1:3")),
        ('["\\ud83d"]', ("json-syntax", "file.json:1:2")),
        ("1 2", ("json-syntax", "file.json:1:3")),
        ("[1e999]", ("json-syntax", "file.json:1:2")),
        ("[01]", ("json-syntax", "file.json:1:3")),
        ('{"a": 1, "a": 2}', ("duplicate-key", "file.json:1:10")),
        ("[" * 1200, ("too-deep", "file.json:1:1101")),
    ],
)
def test_bad_json_is_reported_with_its_place(text: str, expected: tuple[str, str]) -> None:
    assert problems(text, "file.json") == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2", ("yaml-syntax", "file.yaml:1:9")),
        ("\ta: 1", ("yaml-syntax", "file.yaml:1:1")),
        ("a: \x01", ("yaml-syntax", "file.yaml:1:4")),
        ("a: \ud800", ("yaml-syntax", "file.yaml:1:4")),
        ("a: .nan", ("yaml-syntax", "file.yaml:1:4")),
        ("a: 1e999", ("yaml-syntax", "file.yaml:1:4")),
        ("? [a]\n: 1", ("yaml-syntax", "file.yaml:1:3")),
        ("a: *nowhere", ("yaml-syntax", "file.yaml:1:4")),
        ("a: 1\nb: 2\na: 3\n", ("duplicate-key", "file.yaml:3:1")),
        ("a: !secret x", ("unsupported-tag", "file.yaml:1:4")),
        ("a: !!python/object:os.system x", ("unsupported-tag", "file.yaml:1:4")),
        ("a: !!int x", ("unsupported-tag", "file.yaml:1:4")),
        ("a: &x {y: 1}\nb:\n  <<: *x\n", ("unsupported-tag", "file.yaml:3:3")),
        ("a: &x [*x]", ("alias-bomb", "file.yaml:1:8")),
        ("a: " + "[" * 1200, ("too-deep", "file.yaml:1:993")),
    ],
)
def test_bad_yaml_is_reported_with_its_place(text: str, expected: tuple[str, str]) -> None:
    assert problems(text) == [expected]


def test_aliases_may_repeat_a_value() -> None:
    assert value_of("a: &x {y: [1]}\nb: *x\nc: [*x, *x]\n")["c"] == [{"y": [1]}, {"y": [1]}]


def test_anchors_end_with_their_document() -> None:
    assert problems("a: &x 1\n---\nb: *x\n") == [("yaml-syntax", "file.yaml:3:4")]


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    assert problems("\n".join(lines))[0][0] == "alias-bomb"


def test_all_problems_of_a_file_are_told_together() -> None:
    found = problems("a: 1\na: 2\nb: !x 1\n---\nc: 1\nc: 2\n")

    assert [code for code, _ in found] == ["duplicate-key", "unsupported-tag", "duplicate-key"]


def test_a_lenient_reader_still_gets_what_could_be_read() -> None:
    nodes, diagnostics = read_leniently("a: 1\na: 2\n", "file.yaml")

    assert len(nodes) == 1
    assert [d.code for d in diagnostics] == ["duplicate-key"]


@pytest.mark.parametrize(
    ("text", "offset", "column"),
    [
        ("a: \"[concat('x')]\"", 1, 6),
        ("a: '[concat()]'", 1, 6),
        ("a: plain text", 6, 10),
        ('a: "\\t[x]"', 3, 4),  # escapes shift the rest: the whole value is shown
    ],
)
def test_an_offset_into_text_becomes_a_column(text: str, offset: int, column: int) -> None:
    value = mapping(text).get("a")
    assert isinstance(value, ScalarNode)

    assert value.at(offset).column == column


def test_text_over_several_lines_has_one_place() -> None:
    value = mapping("a: >-\n  one\n  two\n").get("a")
    assert isinstance(value, ScalarNode)

    assert value.at(5) == value.span


def test_the_span_of_an_entry_is_its_key_when_the_value_goes_on_below() -> None:
    (entry,) = mapping("key:\n  inner: 1\n")
    assert isinstance(entry, Entry)

    assert (entry.span.line, entry.span.column, entry.span.end_column) == (1, 1, 4)


def test_kinds_of_values_have_names_for_people() -> None:
    names = [describe(entry.value) for entry in mapping("a: {}\nb: []\nc: x\nd: 1\ne: true\nf: null\n")]

    assert names == ["a mapping", "a list", "text", "a number", "true or false", "nothing"]
