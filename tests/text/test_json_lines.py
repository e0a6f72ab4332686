from policyengine.text.json_lines import is_json_lines, read_json_lines
from policyengine.text.nodes import to_value


def test_several_objects_one_to_a_line_are_json_lines() -> None:
    assert is_json_lines('{"a": 1}\n{"a": 2}\n')


def test_one_object_over_several_lines_is_not() -> None:
    assert not is_json_lines('{\n"a": 1}\n')
    assert not is_json_lines('{"a": 1}')
    assert not is_json_lines("a: 1\n")


def test_each_line_is_a_document_and_empty_ones_are_none() -> None:
    nodes, found = read_json_lines('{"a": 1}\n\n{"a": 2}\n', "x.ndjson")

    assert [to_value(node) for node in nodes] == [{"a": 1}, {"a": 2}]
    assert found == []


def test_what_is_wrong_has_the_number_of_its_line() -> None:
    nodes, found = read_json_lines('{"a": 1}\n{"a" 2}\n{"a": 3}', "x.ndjson")

    assert [to_value(node) for node in nodes] == [{"a": 1}]
    assert [str(d.span) for d in found] == ["x.ndjson:2:6"]


def test_many_lines_take_no_longer_than_one_document_of_their_size() -> None:
    nodes, found = read_json_lines('{"a": [1, 2, 3]}\n' * 5_000, "x.ndjson")

    assert (len(nodes), found) == (5_000, [])
