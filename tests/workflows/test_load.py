from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policyengine.errors import PolicyError, UsageError
from policyengine.workflows.data import data_root
from policyengine.workflows.load import check_files, load, policy_files, select

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(path: str, text: str) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write


def definition(name: str, effect: str = "audit") -> str:
    return f"""
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {{name: {name}, version: 1.0.0, severity: low, owner: us}}
spec:
  appliesTo: [aks, arc]
  policyRule: {{if: {{field: location, equals: norwayeast}}, then: {{effect: {effect}}}}}
"""


def assignment(name: str, target: str) -> str:
    return f"""
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: {name}}}
spec: {{{target}, scope: /subscriptions/s}}
"""


INITIATIVE = """
apiVersion: policyengine/v1
kind: Initiative
metadata: {name: baseline}
spec: {policies: [{ref: one, id: first}, {ref: two, id: second}]}
"""


@pytest.fixture
def baseline(write: Write, tmp_path: Path) -> str:
    """Two assignments: of an initiative of two policies, and of the first of them."""
    write("defs.yaml", f"{definition('one')}---{definition('two')}")
    write(
        "rest.yaml", f"{INITIATIVE}---{assignment('edge', 'initiative: baseline')}---{assignment('a', 'policy: one')}"
    )
    return str(tmp_path)


class TestFiles:
    def test_folders_are_searched_for_yaml_and_json(self, write: Write, tmp_path: Path) -> None:
        for path in ("b.yaml", "a/x.yml", "a/deep/y.JSON", "notes.txt", "a/script.py"):
            write(path, "")

        assert [str(f.relative_to(tmp_path)) for f in policy_files([str(tmp_path)])] == [
            "a/deep/y.JSON",
            "a/x.yml",
            "b.yaml",
        ]

    def test_a_file_that_is_named_is_read_whatever_it_is_called(self, write: Write) -> None:
        file = write("policy.txt", "")

        assert list(policy_files([str(file)])) == [file]

    def test_each_file_is_read_once(self, write: Write, tmp_path: Path) -> None:
        file = write("a/x.yaml", "")

        found = policy_files([str(file), str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / ".." / "a")])

        assert list(found) == [file]

    def test_a_path_that_does_not_exist_is_a_wrong_use(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as refused:
            load([str(tmp_path / "polices")])

        assert refused.value.message == f"`{tmp_path}/polices` does not exist"
        assert refused.value.help is not None
        assert "library:" in refused.value.help

    @pytest.mark.parametrize(("word", "folder"), [("library:", "policies"), ("samples:", "samples")])
    def test_words_stand_for_what_is_shipped(self, word: str, folder: str) -> None:
        found = list(policy_files([word]))

        assert found
        assert all(file.is_relative_to(data_root() / folder) for file in found)

    def test_what_is_shipped_loads_without_a_warning(self) -> None:
        """Fleets, project files and policy tests lie in the same folders and are left to others."""
        loaded = load(["library:", "samples:"])

        assert check_files(["library:", "samples:"]).diagnostics == ()
        assert {policy.key for policy in loaded.policies} >= {"edge-baseline/config", "plants-monitoring"}


class TestLoad:
    def test_documents_of_all_files_are_one_library(self, baseline: str) -> None:
        loaded = load([baseline])

        assert [policy.key for policy in loaded.policies] == ["edge/first", "edge/second", "a"]

    def test_a_byte_order_mark_does_no_harm(self, write: Write) -> None:
        file = write("x.yaml", "\ufeff" + definition("one"))

        assert [d.name for d in load([str(file)]).library.definitions] == ["one"]

    def test_all_errors_of_all_files_are_reported_together(self, write: Write, tmp_path: Path) -> None:
        write("a.yaml", definition("one", "audti"))
        write("b.yaml", "kind: [unclosed\n")
        write("c.yaml", assignment("edge", "policy: unheard-of"))
        write("d.yaml", f"{definition('two')}---{definition('two')}")
        (tmp_path / "e.yaml").write_bytes(b"\xff")

        with pytest.raises(PolicyError) as refused:
            load([str(tmp_path)])

        places = [(d.span.source.name.rpartition("/")[2] if d.span else "", d.code) for d in refused.value.diagnostics]
        assert places == [
            ("", "unreadable-file"),
            ("a.yaml", "unknown-effect"),
            ("b.yaml", "yaml-syntax"),
            ("c.yaml", "missing-reference"),
            ("d.yaml", "duplicate-name"),
        ]
        assert refused.value.message == "5 errors in policy files"
        assert refused.value.diagnostics[0].message == f"`{tmp_path}/e.yaml` cannot be read: it is not UTF-8"

    def test_an_error_says_where_it_is_and_what_was_meant(self, write: Write, tmp_path: Path) -> None:
        file = write("a.yaml", definition("one", "audti"))

        with pytest.raises(PolicyError) as refused:
            load([str(tmp_path)])

        (problem,) = refused.value.diagnostics
        assert str(problem.span) == f"{file}:7:74"
        assert problem.help == "did you mean `audit`?"

    def test_what_does_not_bind_is_an_error_too(self, write: Write, tmp_path: Path) -> None:
        write("a.yaml", f"{definition('one')}---{assignment('edge', 'policy: one, parameters: {colour: red}')}")

        with pytest.raises(PolicyError) as refused:
            load([str(tmp_path)])

        assert ["colour" in d.message for d in refused.value.diagnostics] == [True]

    def test_warnings_stop_nothing(self, write: Write, tmp_path: Path) -> None:
        write("a.yaml", definition("one").replace("field: location", "field: Microsoft.Kubernetes/connectedClusters/x"))

        load([str(tmp_path)])

        assert [d.is_error for d in check_files([str(tmp_path)]).diagnostics] == [False]


class TestCheckFiles:
    def test_it_counts_and_sorts_what_it_finds(self, write: Write, tmp_path: Path) -> None:
        write("b.yaml", definition("one", "audti"))
        write("a.yaml", "a: [")

        checked = check_files([str(tmp_path)])

        assert [file.name for file in checked.files] == ["a.yaml", "b.yaml"]
        assert checked.errors == 2
        assert [d.code for d in checked.diagnostics] == ["yaml-syntax", "unknown-effect"]

    def test_it_also_binds(self, write: Write, tmp_path: Path) -> None:
        write("a.yaml", f"{definition('one')}---{assignment('edge', 'policy: one, parameters: {colour: red}')}")

        assert check_files([str(tmp_path)]).errors == 1

    def test_good_files_have_no_errors(self, baseline: str) -> None:
        assert check_files([baseline]).diagnostics == ()

    def test_warnings_are_chosen_by_code_and_errors_stay(self, write: Write, tmp_path: Path) -> None:
        write("a.yaml", "if: {field: name, like: x}\nthen: {effect: audit}\n")
        write("b.yaml", "if: {field: nmae, equals: x}\nthen: {effect: adit}\n")
        checked = check_files([str(tmp_path)])

        def codes(**chosen: set[str]) -> set[str]:
            return {d.code for d in checked.choosing(**chosen).diagnostics}

        assert codes() == {"like-without-wildcard", "unknown-field", "unknown-effect"}
        assert codes(select={"unknown-field"}) == {"unknown-field", "unknown-effect"}
        assert codes(ignore={"unknown-field", "unknown-effect"}) == {"like-without-wildcard", "unknown-effect"}
        with pytest.raises(UsageError, match="unknown-feild"):
            codes(ignore={"unknown-feild"})

    def test_expired_exemptions_are_told_on_the_day(self, baseline: str, write: Write) -> None:
        spec = "{assignment: edge, scopes: [/subscriptions/s], category: Waiver, expiresOn: '2026-01-01'}"
        write("e.yaml", f"apiVersion: policyengine/v1\nkind: Exemption\nmetadata: {{name: e}}\nspec: {spec}\n")

        assert check_files([baseline]).diagnostics == ()
        found = check_files([baseline], at=datetime(2026, 1, 2, tzinfo=UTC)).diagnostics
        assert [d.code for d in found] == ["expired-exemption"]


class TestSelect:
    def test_everything_without_a_filter(self, baseline: str) -> None:
        policies = load([baseline]).policies

        assert select(policies) == policies

    def test_an_assignment_by_name(self, baseline: str) -> None:
        found = select(load([baseline]).policies, assignment="EDGE")

        assert [policy.key for policy in found] == ["edge/first", "edge/second"]

    @pytest.mark.parametrize(
        ("name", "keys"),
        [
            ("edge/second", ["edge/second"]),
            ("Second", ["edge/second"]),
            ("two", ["edge/second"]),
            ("one", ["edge/first", "a"]),
            ("a", ["a"]),
        ],
    )
    def test_a_policy_by_key_member_or_definition(self, baseline: str, name: str, keys: list[str]) -> None:
        assert [policy.key for policy in select(load([baseline]).policies, policy=name)] == keys

    def test_both_together(self, baseline: str) -> None:
        found = select(load([baseline]).policies, assignment="edge", policy="one")

        assert [policy.key for policy in found] == ["edge/first"]

    @pytest.mark.parametrize(
        ("asked", "message", "help"),
        [
            ({"assignment": "egde"}, "no assignment is called `egde`", "did you mean `edge`?"),
            ({"assignment": "zzz"}, "no assignment is called `zzz`", "there are: `a`, `edge`"),
            ({"policy": "secnod"}, "no policy is called `secnod`", "did you mean `second`?"),
            ({"assignment": "a", "policy": "two"}, "no policy is called `two`", "there are: `a`, `one`"),
        ],
    )
    def test_a_name_that_nobody_has_is_a_wrong_use(
        self, baseline: str, asked: dict[str, str], message: str, help: str
    ) -> None:
        with pytest.raises(UsageError) as refused:
            select(load([baseline]).policies, **asked)

        assert (refused.value.message, refused.value.help) == (message, help)

    def test_nothing_can_be_chosen_where_nothing_is_assigned(self) -> None:
        with pytest.raises(UsageError) as refused:
            select((), assignment="edge")

        assert refused.value.help == "there are: none"
