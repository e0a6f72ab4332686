from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import check
from policyengine.language.documents import PolicyDefinition
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import ParsedFile, parse_documents

EXTENSIONS = "Microsoft.KubernetesConfiguration/extensions"
HERE = {
    *("bare-literal", "exists-operand", "list-operand", "loose-existence"),
    *("template-expression", "template-function", "unclosed-expression", "unknown-alias", "unknown-field"),
}
"""The rules looked at closely here; every rule has its cases in tests/conformance/lint.yaml."""

FLUX = "Microsoft.KubernetesConfiguration/fluxConfigurations"


@pytest.fixture
def warnings(load: Callable[..., ParsedFile], aliases: AliasCatalogue) -> Callable[[str], list[tuple[str, str | None]]]:
    """Code and help of every warning about a rule."""

    def find(rule: str) -> list[tuple[str, str | None]]:
        parsed = load(rule)
        assert parsed.diagnostics == ()
        definitions = tuple(d for d in parsed.documents if isinstance(d, PolicyDefinition))
        found = check(PolicyLibrary(definitions=definitions), aliases)
        assert not any(diagnostic.is_error for diagnostic in found)
        return [(diagnostic.code, diagnostic.help) for diagnostic in found if diagnostic.code in HERE]

    return find


Warnings = Callable[[str], list[tuple[str, str | None]]]


def audit(condition: str) -> str:
    return f"if: {condition}\nthen: {{effect: audit}}\n"


def existence(type: str, condition: str, more: str = "") -> str:
    details = f"{{type: {type}, existenceCondition: {condition}{more}}}"
    return f"if: {{field: type, equals: x}}\nthen: {{effect: auditIfNotExists, details: {details}}}\n"


def test_an_alias_the_catalogue_does_not_have_is_reported(warnings: Warnings) -> None:
    assert warnings(audit(f"{{field: {EXTENSIONS}/releaseTrian, equals: x}}")) == [
        ("unknown-alias", f"did you mean `{EXTENSIONS}/releaseTrain`?")
    ]
    assert warnings(audit(f"{{field: {EXTENSIONS}/RELEASETRAIN, equals: x}}")) == []
    assert warnings(audit("{field: Microsoft.Compute/virtualMachines/anything, equals: x}")) == []


def test_aliases_are_looked_for_everywhere(warnings: Warnings) -> None:
    where = f"{{field: {EXTENSIONS}/no, exists: true}}"
    nested = f"{{not: {{count: {{field: '{EXTENSIONS}/nope[*]', where: {where}}}, less: 1}}}}"

    assert [code for code, _ in warnings(audit(nested))] == ["unknown-alias", "unknown-alias"]
    assert [code for code, _ in warnings(existence(EXTENSIONS, f"{{field: {EXTENSIONS}/nope, equals: 1}}"))] == [
        "unknown-alias"
    ]


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("tyep", [("unknown-field", "did you mean `type`?")]),
        ("kustomizations.x", [("unknown-field", "write an alias, or a path that begins with `properties.`")]),
        ("properties.kustomizations.x", []),
        ("sku.name", []),
        ("systemData.createdAt", []),
        ("tags.x", []),
        ("\"[concat('a', 'b')]\"", []),
    ],
)
def test_a_field_that_nothing_has_is_reported(
    warnings: Warnings, field: str, found: list[tuple[str, str | None]]
) -> None:
    assert warnings(audit(f"{{field: {field}, equals: x}}")) == found


def test_a_condition_any_sibling_satisfies_is_reported(warnings: Warnings) -> None:
    url = f"{{field: {FLUX}/gitRepository.url, equals: x}}"
    named = f"{{allOf: [{url}, {{field: Name, equals: y}}]}}"

    assert [code for code, _ in warnings(existence(FLUX, url))] == ["loose-existence"]
    assert warnings(existence(FLUX, url, ", name: y")) == []
    assert warnings(existence(FLUX, named)) == []
    assert warnings(existence(EXTENSIONS, f"{{field: {EXTENSIONS}/extensionType, equals: x}}")) == []


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("a[?b == null]", 1),
        ("a[?b == true || c == false]", 2),
        ("a[?b == `null`]", 0),
        ("a[?b == 'null']", 0),
        ("properties.null", 0),
        ("a.{null: b}", 0),
        ("nullable", 0),
        ("not_null(a, null)", 1),
    ],
)
def test_a_bare_word_in_jmespath_is_reported(warnings: Warnings, expression: str, count: int) -> None:
    text = audit(f'{{jmespath: "{expression}", equals: x}}')

    assert [code for code, _ in warnings(text)] == ["bare-literal"] * min(count, 2)


@pytest.mark.parametrize(
    ("operand", "found"),
    [
        ("maybe", True),
        ("1", True),
        ("''", True),
        ("true", False),
        ("'False'", False),
        ("\"[parameters('p')]\"", False),
    ],
)
def test_an_exists_that_is_neither_true_nor_false_is_reported(warnings: Warnings, operand: str, found: bool) -> None:
    help = "write `exists: true` or `exists: false`"
    rule = f"{{if: {{field: name, exists: {operand}}}, then: {{effect: audit}}}}"
    policy = f"parameters: {{p: {{type: String}}}}\npolicyRule: {rule}"

    assert warnings(policy) == ([("exists-operand", help)] if found else [])


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("{field: name, in: x}", [("list-operand", "write `in: [x]`")]),
        ("{field: name, NotIn: 3}", [("list-operand", "write `notIn: [3]`")]),
        ("{field: name, in: {a: 1}}", [("list-operand", None)]),
        ("{field: name, in: [x]}", []),
        ("{field: name, in: \"[createArray('x')]\"}", []),
    ],
)
def test_a_list_operator_without_a_list_is_reported(
    warnings: Warnings, condition: str, found: list[tuple[str, str | None]]
) -> None:
    assert warnings(audit(condition)) == found


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("{field: name, equals: \"[concat('a')\"}", 1),
        ("{field: name, in: [x, \"[concat('a'\"]}", 1),
        ("{value: \"[field('name')\", equals: x}", 1),
        ("{count: {value: \"[field('tags')\"}, less: 1}", 1),
        ("{field: name, equals: \"[concat('a')]\"}", 0),
        ("{field: name, equals: \"[[concat('a')\"}", 0),
        ('{field: name, equals: "[not an expression"}', 0),
        ('{field: name, like: "[Preview](x)"}', 0),
    ],
)
def test_an_expression_that_nothing_closes_is_reported(warnings: Warnings, condition: str, count: int) -> None:
    assert [code for code, _ in warnings(audit(condition))] == ["unclosed-expression"] * count


@pytest.mark.parametrize(
    ("mode", "effect", "words"),
    [
        ("Microsoft.Kubernetes.Data", "audit", "handled in the cluster"),
        ("Microsoft.KeyVault.Data", "deny", "handled by its provider"),
        ("All", "addToNetworkGroup", "handled by its provider"),
        ("Indexed", "audit", ""),
    ],
)
def test_what_a_provider_evaluates_is_said(mode: str, effect: str, words: str) -> None:
    rule = f"{{if: {{field: name, exists: true}}, then: {{effect: {effect}}}}}"
    text = f"name: r\nproperties: {{mode: {mode}, policyRule: {rule}}}"
    library, _ = PolicyLibrary.build(parse_documents(text, "r.yaml", AliasCatalogue.packaged()).documents)

    found = [d for d in check(library, AliasCatalogue.packaged()) if d.code == "handled-elsewhere"]

    assert [words in d.message and not d.is_error for d in found] == [True] * bool(words)


def test_an_operation_on_an_alias_that_does_not_exist_is_said(
    warnings: Callable[[str], list[tuple[str, str | None]]],
) -> None:
    field = "Microsoft.ContainerService/managedClusters/disableLocalAccount"
    details = f"{{roleDefinitionIds: [x], operations: [{{operation: add, field: {field}, value: true}}]}}"

    (found,) = warnings(f"{{if: {{field: name, exists: true}}, then: {{effect: modify, details: {details}}}}}")

    assert found == ("unknown-alias", f"did you mean `{field}s`?")


def deploying(value: str, more: str = "") -> str:
    template = f"{{resources: [{{type: A.B/c, name: x, apiVersion: '1', kind: \"{value}\"}}]{more}}}"
    details = f"{{type: {FLUX}, name: x, deployment: {{properties: {{mode: incremental, template: {template}}}}}}}"
    return f"if: {{field: type, equals: x}}\nthen: {{effect: deployIfNotExists, details: {details}}}\n"


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("[reference(resourceId('A.B/c', 'y'), '1').z]", []),
        ("[listKeys('/a/b', '1').key]", []),
        ("[[field('name')]", []),
        ("[field('name')]", ["template-expression"]),
        ("[concta('a')]", ["template-expression"]),
        ("[managementGroup().name]", ["template-expression"]),
        ("[environment().name]", ["template-function"]),
        (
            "[concat(newGuid(), string(pickZones('A.B', 'c', 'x')), providers('A.B').namespace)]",
            ["template-function"] * 3,
        ),
    ],
)
def test_what_a_template_cannot_be_expanded_for_is_reported(warnings: Warnings, value: str, codes: list[str]) -> None:
    assert [code for code, _ in warnings(deploying(value))] == codes


def test_a_template_with_functions_of_its_own_is_not_looked_into(warnings: Warnings) -> None:
    assert warnings(deploying("[concat(contoso.name())]", ", functions: [{namespace: contoso, members: {}}]")) == []
