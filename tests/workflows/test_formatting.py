"""Files in canonical layout: ours are, JSON is left alone, and nothing is written on `--check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyengine.errors import PolicyError
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.parser import parse_documents
from policyengine.text.reader import read, to_value
from policyengine.workflows.formatting import format_files, format_text

MESSY = """\
kind: PolicyDefinition
apiVersion: policyengine/v1
spec:
    policyRule:
        then: {effect: audit}
        # what is wrong
        if:
            allOf:
            -   equals: x
                field: type
            -   greater: 0
                count:
                    where:
                        equals: 1
                        value: "[current('x')]"
                    name: x
                    value: [1]
    appliesTo: [aks]
metadata: {name: x}
"""
NEAT = """\
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: x}
spec:
  appliesTo: [aks]
  policyRule:
    # what is wrong
    if:
      allOf:
        - field: type
          equals: x
        - count:
            value: [1]
            name: x
            where:
              value: "[current('x')]"
              equals: 1
          greater: 0
    then: {effect: audit}
"""


def test_keys_stand_in_the_order_of_their_kind() -> None:
    assert not parse_documents(MESSY, "x.yaml", AliasCatalogue.packaged()).diagnostics
    assert format_text(MESSY, "x.yaml") == NEAT
    assert format_text(NEAT, "x.yaml") == NEAT


def test_documents_that_are_not_ours_keep_their_order() -> None:
    assert format_text("kind: x\napiVersion: v1\nb:\n    a: 1\n", "x.yaml") == "kind: x\napiVersion: v1\nb:\n  a: 1\n"


def test_everything_shipped_is_laid_out() -> None:
    done = format_files(["library:", "samples:"], write=False)

    assert done.files
    assert (done.changed, done.refused) == ((), ())


def test_every_file_of_the_tests_keeps_its_meaning() -> None:
    for path in sorted((Path(__file__).parents[1] / "conformance").rglob("*.yaml")):
        before = path.read_text(encoding="utf-8")
        after = format_text(before, path.name)

        assert after is not None
        assert [to_value(n) for n in read(after, "x.yaml")] == [to_value(n) for n in read(before, "x.yaml")]
        assert format_text(after, path.name) == after


def test_a_check_writes_nothing_and_a_run_writes_what_changed(tmp_path: Path) -> None:
    messy, neat = tmp_path / "messy.yaml", tmp_path / "neat.yaml"
    messy.write_text(MESSY, encoding="utf-8")
    neat.write_text(NEAT, encoding="utf-8")

    assert format_files([str(tmp_path)], write=False).changed == (messy,)
    assert messy.read_text(encoding="utf-8") == MESSY
    assert format_files([str(tmp_path)], write=True).changed == (messy,)
    assert messy.read_text(encoding="utf-8") == NEAT
    assert format_files([str(tmp_path)], write=True).changed == ()


def test_json_is_left_alone_unless_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "azure.json"
    path.write_text('{"b": 1.0, "a": [true]}', encoding="utf-8")

    assert format_files([str(tmp_path)], write=True).files == ()
    assert format_files([str(path)], write=True).changed == (path,)
    assert path.read_text(encoding="utf-8") == '{\n  "b": 1.0,\n  "a": [\n    true\n  ]\n}\n'


def test_a_file_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    messy = tmp_path / "a.yaml"
    messy.write_text(MESSY, encoding="utf-8")
    (tmp_path / "b.yaml").write_text("a: [", encoding="utf-8")
    (tmp_path / "c.yaml").write_bytes(b"\xff")

    with pytest.raises(PolicyError) as caught:
        format_files([str(tmp_path)], write=True)
    assert {d.code for d in caught.value.diagnostics} == {"unreadable-file", "yaml-syntax"}
    assert messy.read_text(encoding="utf-8") == MESSY
