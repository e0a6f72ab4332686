from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.language.cycles import find_cycle
from policyengine.language.documents import Reference
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import ParsedFile
from policyengine.language.versions import matches_version
from policyengine.model.diagnostic import Diagnostic

Load = Callable[..., ParsedFile]
Build = Callable[..., tuple[PolicyLibrary, tuple[Diagnostic, ...]]]

AZURE_ID = "/providers/Microsoft.Authorization/policyDefinitions/0001"
MESSAGE = "{message: m, policyDefinitionReferenceId: x}"
RULE = {"if": {"field": "type", "equals": "x"}, "then": {"effect": "audit"}}
AZURE = json.dumps({"name": "0001", "id": AZURE_ID, "properties": {"policyRule": RULE}})


@pytest.fixture
def build(load: Load) -> Build:
    def read(*texts: str) -> tuple[PolicyLibrary, tuple[Diagnostic, ...]]:
        parsed = [load(text) for text in texts]
        assert [d for file in parsed for d in file.diagnostics] == []
        return PolicyLibrary.build(document for file in parsed for document in file.documents)

    return read


def definition(name: str, version: str = "1.0.0", depends_on: Iterable[str] = (), parameters: str = "{}") -> str:
    return (
        "apiVersion: policyengine/v1\nkind: PolicyDefinition\n"
        f"metadata: {{name: {name}, version: {version}}}\n"
        f"spec:\n  dependsOn: [{', '.join(depends_on)}]\n  parameters: {parameters}\n"
        "  policyRule: {if: {field: type, equals: x}, then: {effect: audit}}\n"
    )


def initiative(name: str, *members: str, depends_on: Iterable[str] = ()) -> str:
    return (
        f"apiVersion: policyengine/v1\nkind: Initiative\nmetadata: {{name: {name}, version: 1.0.0}}\n"
        f"spec:\n  dependsOn: [{', '.join(depends_on)}]\n  policies: [{', '.join(members)}]\n"
    )


def assignment(name: str, target: str, more: str = "") -> str:
    return (
        f"apiVersion: policyengine/v1\nkind: Assignment\nmetadata: {{name: {name}}}\n"
        f"spec:\n  {target}\n  scope: /subscriptions/a\n{more}"
    )


def exemption(name: str, target: str, members: str = "[]") -> str:
    return (
        f"apiVersion: policyengine/v1\nkind: Exemption\nmetadata: {{name: {name}}}\n"
        f"spec:\n  assignment: {target}\n  policyDefinitionReferenceIds: {members}\n"
        "  scopes: [/subscriptions/a]\n  category: Waiver\n"
    )


def told(diagnostics: Iterable[Diagnostic]) -> list[tuple[str, str, str | None]]:
    return [(d.code, d.message, d.help) for d in diagnostics]


def test_references_are_followed_by_name_and_by_azure_id(build: Build) -> None:
    library, diagnostics = build(
        AZURE, definition("flux"), initiative("base", "{ref: flux}"), assignment("edge", "policy: FLUX")
    )
    elsewhere = "/subscriptions/a/providers/Microsoft.Authorization/policyDefinitions"

    assert diagnostics == ()
    assert library.definition(Reference("0001")) is library.definition(Reference(AZURE_ID.upper()))
    assert library.definition(Reference(AZURE_ID)) is not None
    assert library.definition(Reference(f"{elsewhere}/0001")) is None
    assert library.definition(Reference(f"{elsewhere}/Flux")) is not None
    assert library.initiative(Reference("BASE")) is not None
    assert library.assignment("Edge") is not None
    assert library.assignment("other") is None


GUID = "6c66c325-74c8-42fd-a286-a74b0e2939d8"
TITLE = "[Preview]: Install  Flux on  clusters"


def built_in(name: str = GUID, title: str = TITLE) -> str:
    return json.dumps({"name": name, "properties": {"displayName": title, "policyRule": RULE}})


@pytest.fixture
def build_files(load: Load) -> Callable[[dict[str, str]], tuple[PolicyLibrary, tuple[Diagnostic, ...]]]:
    def read(files: dict[str, str]) -> tuple[PolicyLibrary, tuple[Diagnostic, ...]]:
        parsed = [load(text, name) for name, text in files.items()]
        assert [d for file in parsed for d in file.diagnostics] == []
        return PolicyLibrary.build(document for file in parsed for document in file.documents)

    return read


BuildFiles = Callable[[dict[str, str]], tuple[PolicyLibrary, tuple[Diagnostic, ...]]]


@pytest.mark.parametrize(
    "name", [GUID, GUID.upper(), "Flux_DINE", "flux_dine", TITLE, "[preview]: install flux on clusters"]
)
def test_a_built_in_is_referred_to_by_guid_file_or_display_name(build_files: BuildFiles, name: str) -> None:
    library, diagnostics = build_files(
        {"corpus/Flux_DINE.json": built_in(), "e.yaml": assignment("e", f"policy: '{name}'")}
    )

    assert diagnostics == ()
    (found,) = library.assignments
    assert found.policy is not None
    assert library.definition(found.policy) is library.definitions[0]


def test_a_name_beats_a_file_that_is_called_alike(build_files: BuildFiles) -> None:
    library, _ = build_files({"flux.json": built_in(), "other.yaml": definition("flux")})

    assert library.definition(Reference("flux")) is library.definitions[1]


def test_a_name_that_several_documents_share_lists_them(build_files: BuildFiles) -> None:
    library, diagnostics = build_files(
        {
            "a.json": built_in(),
            "b.json": built_in("other"),
            "e.yaml": assignment("e", f"policy: '{TITLE}'"),
            "f.yaml": assignment("f", "policy: a"),
        }
    )

    assert told(diagnostics) == [
        (
            "ambiguous-reference",
            f"`{TITLE}` may mean several documents",
            f"name one of `{GUID}` ([Preview]: Install Flux on clusters), `other`",
        )
    ]
    assert library.definition(Reference(TITLE)) is None


def test_versions_of_one_built_in_are_no_ambiguity(build_files: BuildFiles) -> None:
    old, new = (
        json.dumps({"name": GUID, "properties": {"displayName": "Flux", "version": v, "policyRule": RULE}})
        for v in ("1.0.0", "2.0.0")
    )
    library, _ = build_files({"old.json": old, "new.json": new})
    found = library.definition(Reference("flux"))

    assert found is not None
    assert found.version == "2.0.0"


def test_a_name_near_a_file_or_a_display_name_is_helped(build_files: BuildFiles) -> None:
    def help(name: str) -> str | None:
        files = {"Flux_DINE.json": built_in(), "e.yaml": assignment("e", f"policy: '{name}'")}
        ((_, _, help),) = told(build_files(files)[1])
        return help

    assert help("Flux_DNIE") == "did you mean `Flux_DINE`?"
    assert help("Install Flux on my clusters") == f"did you mean `{TITLE}`?"
    assert help("x") == f"there is `{TITLE}`"


def test_a_few_of_many_names_are_listed(build: Build) -> None:
    _, diagnostics = build(*(definition(f"zzz-{at:02}") for at in range(11)), assignment("e", "policy: q"))

    listed = ", ".join(f"`zzz-{at:02}`" for at in range(8))
    assert [d.help for d in diagnostics] == [f"there are {listed} and 3 more"]


def test_a_member_named_by_its_display_name_needs_an_id(load: Load) -> None:
    parsed = load(initiative("i", f"{{ref: '{TITLE}'}}"))

    assert [(d.code, d.help) for d in parsed.diagnostics] == [("missing-key", "a display name is too long to be one")]


def test_the_highest_version_a_reference_allows_wins(build: Build) -> None:
    library, diagnostics = build(*(definition("flux", v) for v in ("1.2.0", "1.10.0", "2.0.0", "1.11.0-preview")))

    def version(pattern: str | None) -> str | None:
        found = library.definition(Reference("flux", pattern))
        return found.version if found else None

    assert diagnostics == ()
    assert version(None) == "2.0.0"
    assert version("1.*") == "1.10.0"
    assert version("1.2.*") == "1.2.0"
    assert version("1.*.*-preview") == "1.11.0-preview"
    assert version("3.*") is None


@pytest.mark.parametrize(
    ("version", "pattern", "matches"),
    [
        ("1.2.3", None, True),
        (None, None, True),
        (None, "1.*", False),
        ("1.2.3", "1.*", True),
        ("1.2.3", "1.*.*", True),
        ("1.2.3", "1.2.*", True),
        ("1.2.3", "1.3.*", False),
        ("1.2.3", "1.2.3", True),
        ("1.2.3", "1.2.4", False),
        ("1.2.3", "1", True),
        ("11.2.3", "1.*", False),
        ("1.2", "1.2.0", True),
        ("1.2.3", "*", True),
        ("1.2.3-preview", "1.*", False),
        ("1.2.3-preview", "1.*-preview", True),
        ("1.2.3", "1.*-preview", True),
        ("latest", "1.*", False),
    ],
)
def test_version_patterns_match_part_by_part(version: str | None, pattern: str | None, matches: bool) -> None:
    assert matches_version(version, pattern) is matches


def test_a_name_and_version_may_be_used_once_per_kind(build: Build) -> None:
    _, diagnostics = build(definition("a"), definition("a", "1.1.0"), definition("A"), initiative("a", "{ref: a}"))

    assert told(diagnostics) == [
        ("duplicate-name", "there is already another policy definition `A@1.0.0`", "the first is at file.yaml:3:18")
    ]


@pytest.mark.parametrize(
    ("texts", "message", "help"),
    [
        ([assignment("e", "policy: flix")], "there is no policy definition `flix`", "did you mean `flux`?"),
        (
            [assignment("e", "policy: flux@2.*")],
            "there is no policy definition `flux@2.*`",
            "versions at hand: `1.0.0`",
        ),
        ([assignment("e", "policy: base")], "there is no policy definition `base`", "`base` is an initiative"),
        ([assignment("e", "initiative: flux")], "there is no initiative `flux`", "`flux` is a policy definition"),
        ([initiative("i", "{ref: other}")], "there is no policy definition `other`", "there is `flux`"),
        ([initiative("i", "{ref: flux}", depends_on=["bse"])], "there is no initiative `bse`", "did you mean `base`?"),
        ([definition("d", depends_on=["other"])], "there is no policy definition `other`", "there are `d`, `flux`"),
        (
            [initiative("i", "{ref: flux, id: a, dependsOn: [b]}")],
            "initiative `i` has no member with the id `b`",
            None,
        ),
        ([exemption("x", "edg")], "there is no assignment `edg`", "did you mean `edge`?"),
        (
            [exemption("x", "edge", "[extnsion]")],
            "assignment `edge` has no member with the id `extnsion`",
            "did you mean `extension`?",
        ),
        (
            [
                assignment(
                    "e", "initiative: base", "  nonComplianceMessages: [{message: m, policyDefinitionReferenceId: x}]\n"
                )
            ],
            "assignment `e` has no member with the id `x`",
            None,
        ),
    ],
)
def test_references_that_lead_nowhere_are_errors(
    build: Build, texts: list[str], message: str, help: str | None
) -> None:
    base = [
        definition("flux"),
        initiative("base", "{ref: flux, id: extension}"),
        assignment("edge", "initiative: base"),
    ]
    _, diagnostics = build(*base, *texts)

    assert told(diagnostics) == [("missing-reference", message, help)]


def test_a_member_may_only_set_parameters_the_definition_has(build: Build) -> None:
    _, diagnostics = build(
        definition("flux", parameters="{releaseTrain: {type: String}}"),
        initiative(
            "base",
            "{ref: flux, id: a, parameters: {RELEASETRAIN: x}}",
            "{ref: flux, id: b, parameters: {releaseTrian: x}}",
        ),
    )

    assert told(diagnostics) == [
        (
            "unknown-parameter",
            "policy definition `flux` has no parameter `releaseTrian`",
            "did you mean `releaseTrain`?",
        )
    ]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            [
                definition("a", depends_on=["b"]),
                definition("b", depends_on=["C"]),
                definition("c", depends_on=["a@1.*"]),
            ],
            "policy definitions wait for each other in a ring: `a` → `b` → `c` → `a`",
        ),
        ([definition("a", depends_on=["a"])], "policy definitions wait for each other in a ring: `a` → `a`"),
        (
            [
                definition("d"),
                initiative("one", "{ref: d}", depends_on=["two"]),
                initiative("two", "{ref: d}", depends_on=["one"]),
            ],
            "initiatives wait for each other in a ring: `one` → `two` → `one`",
        ),
        (
            [definition("d"), initiative("i", "{ref: d, id: a, dependsOn: [B]}", "{ref: d, id: b, dependsOn: [a]}")],
            "members of initiative `i` wait for each other in a ring: `a` → `b` → `a`",
        ),
    ],
)
def test_rings_are_named(build: Build, texts: list[str], message: str) -> None:
    _, diagnostics = build(*texts)

    assert told(diagnostics) == [("cycle", message, "remove one `dependsOn` of the ring")]


GRAPHS = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefg"), max_size=3))


@given(GRAPHS)
def test_a_ring_is_found_exactly_when_there_is_one(graph: dict[str, list[str]]) -> None:
    ring = find_cycle(graph)

    if ring is not None:
        assert ring[0] == ring[-1]
        assert all(after in graph[before] for before, after in pairwise(ring))
    else:
        assert not any(reaches(graph, start, start) for start in graph)


def reaches(graph: dict[str, list[str]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            waiting += graph.get(name, ())
    return False


@pytest.mark.parametrize(
    ("scope", "more", "codes"),
    [
        ("/subscriptions/a", "", []),
        ("/subscriptions/A/resourceGroups/x-*", "", []),
        ("/subscriptions/*", "", []),
        ("/subscriptions/b", "", ["outside-assignment"]),
        ("/providers/Microsoft.Management/managementGroups/m", "", ["outside-assignment"]),
        ("/subscriptions/b", "  assignmentScopeValidation: DoNotValidate\n", []),
        ("/subscriptions/b", "  assignmentScopeValidation: default\n", ["outside-assignment"]),
    ],
)
@pytest.mark.parametrize("kind", ["Exemption", "Enrollment"])
def test_leave_is_within_the_scope_of_its_assignment(
    build: Build, kind: str, scope: str, more: str, codes: list[str]
) -> None:
    text = exemption("x", "edge").replace("/subscriptions/a", scope) + more
    if kind == "Enrollment":
        text = text.replace("kind: Exemption", "kind: Enrollment").replace("  category: Waiver\n", "")

    _, diagnostics = build(definition("flux"), assignment("edge", "policy: flux"), text)

    assert [d.code for d in diagnostics] == codes


def test_a_wrong_member_id_is_underlined_itself(build: Build) -> None:
    base = [definition("flux"), initiative("base", "{ref: flux, id: extension}")]
    override = "{kind: policyEffect, value: Audit, selectors: [{kind: policyDefinitionReferenceId, in: [extnsion]}]}"
    _, diagnostics = build(
        *base,
        assignment(
            "edge",
            "initiative: base",
            "  nonComplianceMessages: [{message: m, policyDefinitionReferenceId: extnsion}]\n"
            f"  overrides: [{override}]\n",
        ),
        exemption("x", "edge", "[extension, extnsion]"),
    )

    assert len(diagnostics) == 3
    for problem in diagnostics:
        assert problem.span is not None
        line = problem.span.source.lines[problem.span.line - 1]
        assert line[problem.span.column - 1 : problem.span.end_column - 1] == "extnsion"
        assert problem.help == "did you mean `extension`?"


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        ("", "", True),
        ("in: [a]", "in: [b]", False),
        ("in: [a]", "in: [b, A]", True),
        ("in: [a]", "notIn: [a, b]", False),
        ("notIn: [a]", "in: [a, b]", True),
        ("notIn: [a]", "notIn: [b]", True),
        ("in: [a]", "", True),
    ],
)
def test_an_override_after_one_that_holds_as_well_is_warned_about(
    build: Build, first: str, second: str, shadowed: bool
) -> None:
    def override(where: str) -> str:
        selectors = f"[{{kind: resourceLocation, {where}}}]" if where else "[]"
        return f"{{kind: policyEffect, value: Audit, selectors: {selectors}}}"

    text = f"  overrides: [{override(first)}, {override(second)}, {{kind: policyVersion, value: 1.*}}]\n"
    _, diagnostics = build(definition("flux"), assignment("edge", "policy: flux", text))

    assert [(d.code, d.is_error) for d in diagnostics] == [("shadowed-override", False)] * shadowed
