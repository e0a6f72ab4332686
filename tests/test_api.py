"""The public functions, held to the policy language and to what docs/api.md promises."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

import policyengine
from policyengine import ComplianceState, evaluate, evaluate_expression, parse_definition
from policyengine.compliance.bind import bind
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Assignment, Reference
from policyengine.language.library import PolicyLibrary
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree

NA, OK, BAD = ComplianceState.NOT_APPLICABLE, ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT
AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
AKS = "Microsoft.ContainerService/managedClusters"
EXTENSIONS = "Microsoft.KubernetesConfiguration/extensions"
CLUSTER = f"/subscriptions/s/resourceGroups/g/providers/{AKS}/web"
SITE = {"type": "Microsoft.Web/sites", "name": "shop", "location": "westeurope", "tags": {"ring": "prod"}}


RULE = {"if": {"field": "type", "equals": "x"}, "then": {"effect": "Audit"}}
IS_SITE = {"field": "type", "equals": "Microsoft.Web/sites"}
DARK = {"allOf": [IS_SITE, {"field": "tags.ring", "equals": "prod"}]}
FLUX = {
    "type": EXTENSIONS,
    "existenceCondition": {"field": f"{EXTENSIONS}/extensionType", "equals": "microsoft.flux"},
}
HERE = {"field": "type", "equals": AKS}
PROVIDERS = [
    {
        "namespace": "Contoso.Shop",
        "resourceTypes": [
            {
                "resourceType": "tills",
                "capabilities": "None",
                "aliases": [
                    {
                        "name": "Contoso.Shop/tills/model",
                        "defaultPath": "properties.hardware.model",
                        "paths": [{"path": "properties.model", "apiVersions": ["2020-01-01"]}],
                    }
                ],
            }
        ],
    }
]
TILL = {"type": "Contoso.Shop/tills", "properties": {"hardware": {"model": "new"}, "model": "old"}}


def rule(condition: Any, effect: str = "audit", details: Any = None) -> policyengine.PolicyDefinition:
    then = {"effect": effect} if details is None else {"effect": effect, "details": details}
    return parse_definition({"if": condition, "then": then})


def holds(condition: Any, resource: Any, **more: Any) -> bool:
    return evaluate(rule(condition), resource, **more).effect == "audit"


class TestReading:
    @pytest.mark.parametrize(
        "given",
        [
            RULE,
            {"policyRule": RULE},
            {"id": "/providers/x", "name": "n", "properties": {"mode": "All", "policyRule": RULE}},
            {"properties": {"POLICYRULE": RULE}},
            "if: {field: type, equals: x}\nthen: {effect: Audit}\n",
            '{"if": {"field": "type", "equals": "x"}, "then": {"effect": "Audit"}}',
            "apiVersion: policyengine/v1\nkind: PolicyDefinition\nmetadata: {name: n}\nspec:\n"
            "  policyRule: {if: {field: type, equals: x}, then: {effect: audit}}\n",
        ],
    )
    def test_every_shape_is_read(self, given: Any) -> None:
        assert evaluate(parse_definition(given), {"type": "X"}).effect == "audit"

    def test_every_problem_is_told_with_its_place(self) -> None:
        text = "if: {field: type, equal: x}\nthen: {effect: audti}\n"

        with pytest.raises(policyengine.PolicyError) as raised:
            parse_definition(text, source="mine.yaml")

        told = [(d.code, str(d.span), d.help) for d in raised.value.diagnostics]
        assert told == [
            ("unknown-operator", "mine.yaml:1:19", "did you mean `equals`?"),
            ("unknown-effect", "mine.yaml:2:16", "did you mean `audit`?"),
        ]

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "kind: Deployment\n",
            "[1]",
            {},
            {"if": {"field": "type", "equals": {1, 2}}, "then": {"effect": "audit"}},
            "apiVersion: policyengine/v1\nkind: Initiative\nmetadata: {name: n}\nspec: {policies: [{ref: x}]}\n",
            "if: {field: id, equals: x}\nthen: {effect: audit}\n---\nif: {field: id, equals: y}\nthen: {effect: deny}",
        ],
    )
    def test_what_is_not_one_definition_is_refused(self, given: Any) -> None:
        with pytest.raises(policyengine.PolicyError) as raised:
            parse_definition(given)
        assert raised.value.diagnostics

    def test_warnings_do_not_stop_it(self) -> None:
        assert rule({"field": "nonsense", "equals": "x"}).mode == "All"

    def test_only_a_bare_rule_may_read_parameters_nobody_declares(self) -> None:
        reads = {"if": {"field": "name", "equals": "[parameters('p')]"}, "then": {"effect": "audit"}}

        assert evaluate(parse_definition(reads), {"name": "a"}, parameters={"P": "A"}).effect == "audit"
        with pytest.raises(policyengine.PolicyError):
            parse_definition({"policyRule": reads})


class TestParameters:
    DEFINITION = """
        parameters:
          effect: {type: String, allowedValues: [Audit, Deny, Disabled], defaultValue: Audit}
          names: {type: Array}
          note: {type: String, defaultValue: a}
        policyRule:
          if: {allOf: [{field: tags.ring, in: "[parameters('NAMES')]"}, {value: "[parameters('note')]", exists: true}]}
          then: {effect: "[parameters('Effect')]"}
    """

    @pytest.mark.parametrize(
        ("given", "effect", "state"),
        [
            ({"names": ["PROD"]}, "audit", BAD),
            ({"NAMES": ["prod"], "effect": "Deny"}, "deny", BAD),
            ({"names": ["x"], "effect": "Deny"}, None, OK),
            ({"names": ["prod"], "effect": "Disabled"}, None, NA),
            ({"names": ["prod"], "note": None}, None, OK),
        ],
    )
    def test_values_beat_defaults(self, given: Any, effect: str | None, state: ComplianceState) -> None:
        found = evaluate(parse_definition(self.DEFINITION), SITE, parameters=given)

        assert (found.effect, found.state) == (effect, state)

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({}, "missing-key"),
            ({"names": "shop"}, "wrong-type"),
            ({"names": [], "effect": "audit"}, "not-allowed"),  # allowed values tell case
            ({"names": [], "nmaes": []}, "unknown-parameter"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, given: Any, code: str) -> None:
        with pytest.raises(policyengine.PolicyError) as raised:
            evaluate(parse_definition(self.DEFINITION), SITE, parameters=given)
        assert [d.code for d in raised.value.diagnostics] == [code]


class TestState:
    """Policy language §7 and §8.1."""

    @pytest.mark.parametrize(
        ("effect", "details", "state"),
        [
            ("audit", None, BAD),
            ("DENY", None, BAD),
            ("append", [{"field": "tags.x", "value": "y"}], BAD),
            ("modify", {"operations": [{"operation": "add", "field": "tags.x", "value": "y"}]}, BAD),
            ("denyAction", {"actionNames": ["delete"]}, ComplianceState.PROTECTED),
            ("manual", None, ComplianceState.UNKNOWN),
            ("manual", {"defaultState": "Compliant"}, OK),
            ("mutate", {"mutationInfo": {"sourceType": "PublicURL", "url": "https://x"}}, NA),
        ],
    )
    def test_a_rule_that_holds_asks_for_its_effect(self, effect: str, details: Any, state: ComplianceState) -> None:
        found = evaluate(rule(DARK, effect, details), SITE)

        assert (found.effect is not None and found.effect.casefold(), found.state) == (effect.casefold(), state)
        assert (found.reason is None) is (state is OK and effect != "manual")

    @pytest.mark.parametrize(
        ("resource", "state"),
        [({**SITE, "tags": {}}, OK), ({**SITE, "type": "Microsoft.Web/plans"}, NA)],
    )
    def test_a_rule_that_does_not_hold_asks_for_nothing(self, resource: Any, state: ComplianceState) -> None:
        found = evaluate(rule(DARK, "deny"), resource)

        assert (found.effect, found.state, found.details, found.reason) == (None, state, None, None)

    def test_the_trace_says_why(self) -> None:
        seen = evaluate(rule(DARK), SITE).trace

        assert seen is not None
        assert [(c.label, c.operator, c.actual, c.expected, c.result) for c in seen.children] == [
            ("type", "equals", "Microsoft.Web/sites", "Microsoft.Web/sites", True),
            ("tags.ring", "equals", "prod", "prod", True),
        ]

    def test_the_reason_is_the_opposite_of_what_matched(self) -> None:
        reason = evaluate(rule(DARK), SITE).reason

        assert reason is not None
        assert (reason.code, reason.message) == ("matched", 'tags.ring must not equal "prod"')

    @pytest.mark.parametrize(
        ("definition", "resource"),
        [
            ({"policyType": "Static", "policyRule": {"if": IS_SITE, "then": {"effect": "audit"}}}, SITE),
            ({"policyRule": {"if": IS_SITE, "then": {"effect": "disabled"}}}, SITE),
        ],
    )
    def test_nothing_is_evaluated_where_nothing_can_come_of_it(self, definition: Any, resource: Any) -> None:
        found = evaluate(parse_definition(definition), resource)

        assert (found.effect, found.state, found.trace) == (None, NA, None)

    @pytest.mark.parametrize(
        ("mode", "type", "state"),
        [
            ("Indexed", AKS, BAD),
            (None, AKS, BAD),
            ("indexed", EXTENSIONS, NA),
            ("All", EXTENSIONS, BAD),
            ("Indexed", "Microsoft.Resources/subscriptions/resourceGroups", NA),
            ("All", "Microsoft.Resources/subscriptions/resourceGroups", BAD),
            ("All", "Microsoft.Resources/deployments", NA),
            ("All", "Microsoft.Billing/accounts", NA),
            ("Microsoft.Kubernetes.Data", AKS, NA),
        ],
    )
    def test_the_mode_says_which_types_are_looked_at(self, mode: str | None, type: str, state: Any) -> None:
        """Policy language §1.2."""
        text = {"policyRule": {"if": {"field": "type", "equals": type}, "then": {"effect": "audit"}}}
        found = evaluate(parse_definition({**text, "mode": mode} if mode else text), {"type": type})

        assert found.state is state

    def test_a_provider_s_policy_names_its_effect_and_who_judges(self) -> None:
        text = {"mode": "Microsoft.Kubernetes.Data", "policyRule": {"if": IS_SITE, "then": {"effect": "deny"}}}
        found = evaluate(parse_definition(text), SITE)

        assert (found.effect, found.reason and found.reason.code) == ("deny", "handled-elsewhere")

    def test_an_expression_that_fails_is_an_error_with_its_reason(self) -> None:
        found = evaluate(rule({"value": "[substring(field('name'), 9, 1)]", "equals": "x"}), SITE)

        assert (found.effect, found.state, found.trace) == (None, ComplianceState.ERROR, None)
        assert found.reason is not None
        assert found.reason.code == "evaluation-error"

    @pytest.mark.parametrize(
        ("effect", "details"),
        [("denyAction", None), ("manual", {"defaultState": "Perhaps"}), ("auditIfNotExists", {"name": "x"})],
    )
    def test_details_that_an_effect_needs_are_asked_for(self, effect: str, details: Any) -> None:
        text: dict[str, Any] = {
            "parameters": {"e": {"type": "String"}},
            "policyRule": {"if": IS_SITE, "then": {"effect": "[parameters('e')]"}},
        }
        if details is not None:
            text["policyRule"]["then"]["details"] = details

        with pytest.raises(policyengine.PolicyError):
            evaluate(parse_definition(text), SITE, parameters={"e": effect})

    def test_an_effect_that_does_not_exist_is_refused(self) -> None:
        text = {"if": IS_SITE, "then": {"effect": "[parameters('e')]"}}

        with pytest.raises(policyengine.PolicyError) as raised:
            evaluate(parse_definition(text), SITE, parameters={"e": "frob"})
        assert [d.code for d in raised.value.diagnostics] == ["unknown-effect"]


class TestMissing:
    """Policy language §3.1, §4.4: the table of nothings."""

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ({"field": "properties.x", "equals": ""}, True),
            ({"field": "properties.x", "notEquals": "a"}, True),
            ({"field": "properties.x", "exists": False}, True),
            ({"field": "properties.x", "in": [""]}, False),
            ({"field": "properties.x", "notContains": "a"}, True),
            ({"not": {"field": "properties.x", "less": 3}}, True),
            ({"field": "properties.gone[*]", "notEquals": "a"}, False),
            ({"field": "properties.none[*]", "equals": "a"}, True),
            ({"field": "properties.some[*].k", "exists": False}, False),
            ({"field": "properties.some[*].k", "notEquals": "z"}, True),
            ({"value": "[tryGet(field('properties'), 'x')]", "notEquals": "a"}, True),
            ({"value": "[field('properties').x]", "notEquals": "a"}, False),
            ({"field": "location", "equals": "West Europe"}, True),
            ({"count": {"field": "properties.some[*]", "where": {"field": "properties.some[*].k", "equals": "v"}},
              "equals": 1}, True),
        ],
    )  # fmt: skip
    def test_nothing_compares_as_stated(self, condition: Any, expected: bool) -> None:
        document = {**SITE, "properties": {"none": [], "some": [{"k": "v"}, {}]}}

        assert holds(condition, document) is expected


class TestRelated:
    """Policy language §6.3."""

    def flux(self, **more: Any) -> dict[str, Any]:
        return {"name": "flux", "properties": {"extensionType": "Microsoft.Flux"}, **more}

    @pytest.mark.parametrize(
        ("related", "effect", "state"),
        [
            ([], "auditIfNotExists", BAD),
            ([{"properties": {"extensionType": "other"}}], "auditIfNotExists", BAD),
            ([{"properties": {"extensionType": "MICROSOFT.FLUX"}}], None, OK),
            (
                [{"type": "Microsoft.Web/sites", "properties": {"extensionType": "microsoft.flux"}}],
                "auditIfNotExists",
                BAD,
            ),
            (
                [{"id": f"{CLUSTER}2/providers/{EXTENSIONS}/flux", "properties": {"extensionType": "microsoft.flux"}}],
                "auditIfNotExists",
                BAD,
            ),
        ],
    )
    def test_what_is_looked_for_belongs_to_the_resource(self, related: Any, effect: Any, state: Any) -> None:
        found = evaluate(rule(HERE, "auditIfNotExists", FLUX), {"id": CLUSTER, "type": AKS}, related=related)

        assert (found.effect, found.state) == (effect, state)

    def test_the_one_that_satisfies_is_named(self) -> None:
        id = f"{CLUSTER}/providers/{EXTENSIONS}/flux"
        policy = rule(HERE, "auditIfNotExists", FLUX)

        assert evaluate(policy, {"id": CLUSTER}, related=[self.flux(id=id)]).matched == id
        assert evaluate(policy, {"id": CLUSTER}, related=[self.flux()]).matched is None

    def test_where_the_rule_does_not_hold_nothing_is_looked_for(self) -> None:
        found = evaluate(rule(HERE, "auditIfNotExists", FLUX), SITE)

        assert (found.effect, found.state) == (None, NA)

    @pytest.mark.parametrize(
        ("details", "group", "effect"),
        [
            ({}, "g", None),
            ({}, "other", "auditIfNotExists"),
            ({"existenceScope": "Subscription"}, "other", None),
            ({"resourceGroupName": "OTHER"}, "other", None),
            ({"resourceGroupName": "other"}, "g", "auditIfNotExists"),
            ({"name": "[concat(field('name'), '-logs')]"}, "g", None),
            ({"name": "else"}, "g", "auditIfNotExists"),
            ({"kind": "StorageV2"}, "g", "auditIfNotExists"),
        ],
    )
    def test_other_types_are_looked_for_in_the_group_or_the_subscription(
        self, details: Any, group: str, effect: str | None
    ) -> None:
        storage = "Microsoft.Storage/storageAccounts"
        related = [{"id": f"/subscriptions/s/resourceGroups/{group}/providers/{storage}/web-logs"}]
        policy = rule(HERE, "auditIfNotExists", {"type": storage, **details})

        assert evaluate(policy, {"id": CLUSTER}, related=related).effect == effect

    def test_field_reads_the_candidate_and_the_function_the_resource(self) -> None:
        """Policy language §4.5."""
        same = {"field": "name", "equals": "[field('name')]"}
        policy = rule(HERE, "auditIfNotExists", {"type": EXTENSIONS, "existenceCondition": same})
        resource = {"type": AKS, "name": "flux"}

        assert evaluate(policy, resource, related=[{"name": "flux"}]).state is OK
        assert evaluate(policy, resource, related=[{"name": "dapr"}]).state is BAD

    @pytest.mark.parametrize("id", ["/", "", "no id", "/subscriptions/s", 3, None])
    def test_an_id_that_tells_no_place_is_no_reason_to_fail(self, id: Any) -> None:
        policy = rule({"field": "name", "exists": True}, "auditIfNotExists", {"type": EXTENSIONS})

        assert evaluate(policy, {"id": id, "type": AKS, "name": "a"}, related=[{"id": id, "type": EXTENSIONS}])

    def test_what_is_no_document_is_wrong_usage(self) -> None:
        policy = rule(HERE)

        for arguments in ({"related": [3]}, {"context": 3}):
            with pytest.raises(policyengine.UsageError):
                evaluate(policy, {"type": AKS}, **arguments)
        with pytest.raises(policyengine.UsageError):
            evaluate(policy, [1])  # type: ignore[arg-type]

    def test_an_empty_set_never_satisfies(self) -> None:
        negated = {"type": EXTENSIONS, "existenceCondition": {"field": "name", "notEquals": "x"}}

        assert evaluate(rule(HERE, "auditIfNotExists", negated), {"type": AKS}).state is BAD


class TestDetails:
    def test_expressions_are_resolved_where_they_stand(self) -> None:
        """Policy language §6.2: values of any JSON type, expressions allowed."""
        details = {
            "roleDefinitionIds": ["r"],
            "conflictEffect": "[parameters('c')]",
            "operations": [
                {"operation": "addOrReplace", "field": "[concat('tags.', 'a')]", "value": "[field('name')]"},
                {"operation": "add", "field": "tags.b", "value": {"n": [1, "[[x]", "[resourceGroup().tags.b]"]}},
            ],
        }
        found = evaluate(
            rule({"field": "name", "exists": True}, "modify", details),
            SITE,
            parameters={"c": "audit"},
            context={"resourceGroup": {"tags": {"b": "c"}}},
        )

        assert found.details == {
            "roleDefinitionIds": ["r"],
            "conflictEffect": "audit",
            "operations": [
                {"operation": "addOrReplace", "field": "tags.a", "value": "shop"},
                {"operation": "add", "field": "tags.b", "value": {"n": [1, "[x]", "c"]}},
            ],
        }

    @pytest.mark.parametrize(
        ("context", "condition"),
        [
            ({"requestContext": {"apiVersion": "2024-01-01"}}, True),
            ({"requestContext": {"apiVersion": "2015-01-01"}}, False),
            ({}, "[greaterOrEquals(requestContext().apiVersion, '2019-01-01')]"),
        ],
    )
    def test_what_cannot_be_evaluated_stays_as_written(self, context: Any, condition: Any) -> None:
        operation = {"operation": "add", "field": "tags.x", "value": "y"}
        asked = {**operation, "condition": "[greaterOrEquals(requestContext().apiVersion, '2019-01-01')]"}
        found = evaluate(
            rule({"field": "name", "exists": True}, "modify", {"operations": [asked]}), SITE, context=context
        )

        assert found.state is BAD
        assert found.details == {"operations": [{**operation, "condition": condition}]}

    def test_of_a_deployment_the_parameters_are_resolved_and_the_template_is_not(self) -> None:
        """Policy language §6.4: two expression contexts."""
        template = {"parameters": {"n": {"type": "string"}}, "resources": [], "outputs": {"n": "[parameters('n')]"}}
        deployment = {
            "location": "[field('location')]",
            "properties": {
                "mode": "incremental",
                "template": template,
                "parameters": {"n": {"value": "[concat(field('name'), parameters('n'))]"}},
            },
        }
        details = {
            "type": EXTENSIONS,
            "roleDefinitionIds": ["r"],
            "existenceCondition": {"field": "name", "equals": "[concat('x', 'y')]"},
            "deployment": deployment,
        }
        found = evaluate(
            rule({"field": "name", "exists": True}, "deployIfNotExists", details), SITE, parameters={"n": "-1"}
        )

        assert found.effect == "deployIfNotExists"
        assert found.details == {
            "type": EXTENSIONS,
            "roleDefinitionIds": ["r"],
            "deployment": {
                "location": "westeurope",
                "properties": {"mode": "incremental", "template": template, "parameters": {"n": {"value": "shop-1"}}},
            },
        }

    def test_the_short_form_stands_for_details(self) -> None:
        definition = parse_definition(
            "apiVersion: policyengine/v1\nkind: PolicyDefinition\nmetadata: {name: flux}\nspec:\n"
            "  appliesTo: [aks]\n  require: {extension: {name: flux, extensionType: microsoft.flux}}\n"
        )
        found = evaluate(definition, {"id": CLUSTER})

        assert (found.effect, found.state) == ("deployIfNotExists", BAD)
        assert found.details["type"] == EXTENSIONS
        assert set(found.details["deployment"]["properties"]) == {"mode", "template", "parameters"}

    def test_an_effect_without_details_has_none(self) -> None:
        assert evaluate(rule({"field": "name", "exists": True}), SITE).details is None


class TestContext:
    """Policy language §5.4."""

    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("[resourceGroup().location]", "north"),
            ("[resourceGroup().tags.a]", "b"),
            ("[subscription().displayName]", "Shops"),
            ("[policy().assignmentId]", "/a"),
            ("[policy().setDefinitionId]", ""),
            ("[requestContext().apiVersion]", "2024-02-02"),
            ("[tryGet(requestContext(), 'identity')]", None),
        ],
    )
    def test_what_is_told_is_what_functions_give(self, expression: str, expected: Any) -> None:
        context = {
            "resourceGroup": {"name": "g", "location": "north", "tags": {"a": "b"}},
            "subscription": {"subscriptionId": "s", "displayName": "Shops"},
            "policy": {"assignmentId": "/a"},
            "requestContext": {"apiVersion": "2024-02-02"},
        }
        condition = {"value": expression, "equals": expected}

        assert evaluate_expression(expression, context=context) == expected
        assert holds(condition, SITE, context=context)

    def test_an_id_tells_the_places_it_is_in(self) -> None:
        assert evaluate_expression("[resourceGroup().name]", resource={"id": CLUSTER}) == "g"
        assert evaluate_expression("[subscription().subscriptionId]", resource={"id": CLUSTER}) == "s"

    def test_what_nobody_tells_has_no_result(self) -> None:
        assert evaluate_expression("[resourceGroup().name]", resource=SITE) is policyengine.NO_RESULT
        assert not holds({"value": "[resourceGroup().name]", "notEquals": "x"}, SITE)

    def test_policy_names_the_definition(self) -> None:
        condition = {"value": "[policy().definitionId]", "equals": "/providers/P"}
        text = {
            "name": "p",
            "id": "/providers/p",
            "properties": {"policyRule": {"if": condition, "then": {"effect": "audit"}}},
        }

        assert evaluate(parse_definition(text), SITE).effect == "audit"

    def test_another_key_is_wrong_usage(self) -> None:
        with pytest.raises(policyengine.UsageError, match="resourcegroup") as raised:
            evaluate(rule({"field": "name", "exists": True}), SITE, context={"resourcegroup": {}})
        assert raised.value.help == "did you mean `resourceGroup`?"

    def test_the_instant_is_given(self) -> None:
        assert evaluate_expression("[utcNow()]", at=AT) == "2026-11-23T08:30:00.0000000Z"
        assert holds({"value": "[addDays(utcNow(), 1)]", "like": "2026-11-24*"}, SITE, at=AT)
        with pytest.raises(policyengine.UsageError):
            evaluate_expression("[utcNow()]", at=AT.replace(tzinfo=None))


class TestAliases:
    """Policy language §4.3."""

    def test_a_catalogue_says_where_an_alias_leads(self) -> None:
        policy = {"field": "contoso.shop/TILLS/model", "equals": "NEW"}

        assert holds(policy, TILL, catalogue=PROVIDERS)
        assert not holds(policy, TILL)

    @pytest.mark.parametrize(("version", "model"), [("2020-01-01", "old"), ("2031-01-01", "new")])
    def test_the_version_of_the_request_decides_the_path(self, version: str, model: str) -> None:
        policy = {"field": "Contoso.Shop/tills/model", "equals": model}
        context = {"requestContext": {"apiVersion": version}}

        assert holds(policy, TILL, catalogue=PROVIDERS, context=context)
        assert holds(policy, {**TILL, "apiVersion": version}, catalogue=PROVIDERS)

    def test_the_catalogue_says_what_indexed_looks_at(self) -> None:
        text = {"mode": "Indexed", "policyRule": {"if": {"field": "name", "exists": True}, "then": {"effect": "audit"}}}
        till = {**TILL, "name": "t"}

        assert evaluate(parse_definition(text), till, catalogue=PROVIDERS).state is NA
        assert evaluate(parse_definition(text), till).state is BAD

    def test_an_alias_the_type_does_not_have_makes_the_policy_inapplicable(self) -> None:
        policy = rule({"not": {"field": "Contoso.Shop/tills/modle", "equals": "x"}})
        found = evaluate(policy, TILL, catalogue=PROVIDERS)

        assert (found.effect, found.state, found.reason and found.reason.code) == (None, NA, "unknown-alias")

    @pytest.mark.parametrize(
        ("name", "raw", "found"),
        [
            ("properties.model", False, True),
            ("odd.model", False, False),
            ("odd.model", True, True),
            ("odd.list[*]", True, True),
            ("Contoso.Shop/tills/model", True, True),
            ("sku.name", False, True),
        ],
    )
    def test_raw_paths_read_from_the_root(self, name: str, raw: bool, found: bool) -> None:
        till = {**TILL, "odd": {"model": "x", "list": ["x"]}, "sku": {"name": "x"}}

        assert holds({"field": name, "exists": True}, till, catalogue=PROVIDERS, raw_paths=raw) is found

    def test_a_catalogue_that_is_none_is_refused(self) -> None:
        with pytest.raises(policyengine.PolicyError):
            holds({"field": "name", "exists": True}, SITE, catalogue=[{"namespace": "x"}])


class TestExpressions:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[concat('a', parameters('B'))]", "ab"),
            ("plain", "plain"),
            ("[[escaped]", "[escaped]"),
            ({"k": ["[length(parameters('l'))]", 1]}, {"k": [2, 1]}),
            ("[field('tags.ring')]", "prod"),
            ("[field('nothing')]", None),
            ("[if(equals(field('name'), 'shop'), 1, int('x'))]", 1),
            ("[uniqueString('test')]", "rbgf3xv4ufgzg"),
        ],
    )
    def test_it_gives_what_a_rule_would_see(self, text: Any, expected: Any) -> None:
        assert evaluate_expression(text, parameters={"b": "b", "l": [1, 2]}, resource=SITE) == expected

    def test_no_result_is_neither_null_nor_true(self) -> None:
        result = evaluate_expression("[parameters('o').x]", parameters={"o": {}})

        assert result is policyengine.NO_RESULT
        assert not result

    @pytest.mark.parametrize("text", ["[concat(]", "[nosuch()]", "[parameters('x')]", "[int('x')]"])
    def test_what_is_wrong_is_an_expression_error(self, text: str) -> None:
        with pytest.raises(policyengine.ExpressionError):
            evaluate_expression(text)


def test_a_secret_is_in_no_trace_and_no_reason() -> None:
    secret = {"type": EXTENSIONS, "properties": {"configurationProtectedSettings": {"key": "hunter2"}}}
    text = "[concat('is-', field('properties.configurationProtectedSettings.key'))]"
    for condition in (
        {"field": "properties.configurationProtectedSettings.key", "equals": "hunter2"},
        {"value": text, "notEquals": "x"},
        {"value": f"[int({text[1:-1]})]", "equals": 1},
    ):
        found = evaluate(rule(condition), secret)
        assert "hunter2" not in f"{found.reason} {found.trace}"


@pytest.mark.parametrize("properties", [{"disableLocalAccounts": True}, {"disableLocalAccounts": False}, {}])
@pytest.mark.parametrize("effect", ["audit", "deny", "modify", "auditIfNotExists"])
def test_a_scan_says_the_same(effect: str, properties: dict[str, Any]) -> None:
    """One semantics: the definition, assigned, judges the cluster as `evaluate` does."""
    alias = f"{AKS}/disableLocalAccounts"
    details = {
        "modify": {"operations": [{"operation": "addOrReplace", "field": alias, "value": True}]},
        "auditIfNotExists": {"type": EXTENSIONS},
    }
    then = {"effect": effect, **({"details": details[effect]} if effect in details else {})}
    condition = {"allOf": [{"field": "type", "equals": AKS}, {"field": alias, "notEquals": True}]}
    definition = parse_definition({"name": "p", "properties": {"policyRule": {"if": condition, "then": then}}})
    assignment = Assignment(name="a", scope=ResourceId("/subscriptions/s"), policy=Reference("p"))
    aliases = AliasCatalogue.packaged()
    (policy,) = bind(PolicyLibrary(definitions=(definition,), assignments=(assignment,)), aliases)
    document = {"id": CLUSTER, "type": AKS, "properties": properties}

    verdict = judge(policy, Cluster(Resource.from_document(document)), World(ScopeTree(), AT, aliases))
    found = evaluate(definition, document, at=AT)

    assert (found.state, found.reason) == (verdict.state, verdict.reason)


def test_importing_costs_nothing_until_something_is_asked_for() -> None:
    program = "import policyengine, sys; print('policyengine.api' in sys.modules, 'yaml' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["False", "False"]


def test_every_exported_name_is_there() -> None:
    for name in policyengine.__all__:
        assert getattr(policyengine, name) is not None
    assert set(policyengine.__all__) <= set(dir(policyengine))
    with pytest.raises(AttributeError, match="nosuch"):
        _ = policyengine.nosuch
