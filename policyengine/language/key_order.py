"""In which order the keys of our documents stand once somebody puts them in order; no meaning depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from policyengine.language.metadata import METADATA_KEYS
from policyengine.model.fleet import FLEET_KEYS
from policyengine.text.layout import Order, unordered
from policyengine.text.nodes import MappingNode, Node, ScalarNode

_DOCUMENT: Final = ("apiVersion", "kind", "metadata", "spec")
_PARAMETER: Final = ("type", "allowedValues", "defaultValue", "metadata", "schema")
_CONDITION: Final = ("field", "value", "count", "jmespath")
_COUNT: Final = ("field", "value", "name", "where")
_CONDITIONS: Final = frozenset({"if", "when", "where", "existenceCondition"})
"""Keys below which everything is conditions."""

_DETAILS: Final = (
    *("type", "name", "kind", "resourceGroupName", "existenceScope", "existenceCondition", "conflictEffect"),
    *("roleDefinitionIds", "evaluationDelay", "deploymentScope", "deployment", "operations"),
)
_GROUP: Final = ("name", "selectors")
_SELECTOR: Final = ("kind", "in", "notIn")
_EXPECT: Final = ("state", "reason", "failedClauses", "plan", "afterApply")
_WRITE: Final = ("op", "type", "name", "body")

_BY_KIND: Final[Mapping[str, Mapping[tuple[str, ...], Sequence[str]]]] = {
    "PolicyDefinition": {
        ("spec",): (
            *("mode", "parameters", "appliesTo", "when", "dependsOn", "require", "policyRule", "reconciled"),
            "nonComplianceMessage",
        ),
        ("spec", "parameters", "*"): _PARAMETER,
        ("spec", "policyRule"): ("if", "then"),
        ("spec", "policyRule", "then"): ("effect", "details"),
        ("spec", "policyRule", "then", "details"): _DETAILS,
        ("spec", "policyRule", "then", "details", "operations", "[]"): ("operation", "field", "value", "condition"),
    },
    "Initiative": {
        ("spec",): ("parameters", "groups", "dependsOn", "policies"),
        ("spec", "parameters", "*"): _PARAMETER,
        ("spec", "groups", "[]"): ("name", "displayName", "category", "description", "controls"),
        ("spec", "policies", "[]"): ("ref", "id", "groups", "dependsOn", "parameters"),
    },
    "Assignment": {
        ("spec",): (
            *("policy", "initiative", "definitionVersion", "scope", "notScopes", "resourceSelectors"),
            *("enforcementMode", "overrides", "parameters", "nonComplianceMessages", "identity", "location"),
            *("schedule", "remediation"),
        ),
        ("spec", "resourceSelectors", "[]"): _GROUP,
        ("spec", "resourceSelectors", "[]", "selectors", "[]"): _SELECTOR,
        ("spec", "overrides", "[]"): ("kind", "value", "selectors"),
        ("spec", "overrides", "[]", "selectors", "[]"): _SELECTOR,
        ("spec", "nonComplianceMessages", "[]"): ("message", "policyDefinitionReferenceId"),
        ("spec", "schedule"): ("cron", "interval", "timezone", "jitter", "overlap"),
    },
    "Exemption": {
        ("spec",): (
            *("assignment", "policyDefinitionReferenceIds", "scopes", "assignmentScopeValidation"),
            *("resourceSelectors", "category", "reason", "expiresOn", "approvedBy", "remindBefore"),
        ),
        ("spec", "resourceSelectors", "[]"): _GROUP,
        ("spec", "resourceSelectors", "[]", "selectors", "[]"): _SELECTOR,
    },
    "Enrollment": {
        ("spec",): (
            *("assignment", "policyDefinitionReferenceIds", "scopes", "assignmentScopeValidation"),
            "resourceSelectors",
        ),
        ("spec", "resourceSelectors", "[]"): _GROUP,
        ("spec", "resourceSelectors", "[]", "selectors", "[]"): _SELECTOR,
    },
    "Attestation": {
        ("spec",): (
            *("assignment", "policyDefinitionReferenceId", "scopes", "complianceState", "assessmentDate"),
            *("expiresOn", "comments", "evidence"),
        ),
        ("spec", "evidence", "[]"): ("description", "sourceUri"),
    },
    "PolicyTest": {
        ("spec",): ("policy", "fixtures", "cases"),
        ("spec", "cases", "[]"): ("name", "given", "expect"),
        ("spec", "cases", "[]", "given"): ("cluster", "at", "parameters", "extensions", "fluxConfigurations"),
        ("spec", "cases", "[]", "expect"): _EXPECT,
        ("spec", "cases", "[]", "expect", "plan", "[]"): _WRITE,
        ("spec", "cases", "[]", "expect", "plan", "[]", "body"): ("jmespath", "equals"),
        ("spec", "cases", "[]", "expect", "afterApply"): _EXPECT,
    },
    "Project": {
        (): (
            *("apiVersion", "kind", "policies", "database", "inventory", "arm", "remediation"),
            "environments",
        ),
    },
    "Fleet": {(): FLEET_KEYS},
}
"""Kind → path → keys in order; ``*`` is any name, ``[]`` the items of a list. Keys not named follow as written."""


def order_of(node: Node) -> Order:
    """The order for a document; `unordered` for one that is not ours."""
    kind = node.get("kind") if isinstance(node, MappingNode) else None
    version = node.get("apiVersion") if isinstance(node, MappingNode) else None
    if not isinstance(kind, ScalarNode) or not isinstance(version, ScalarNode):
        return unordered
    table = next((t for name, t in _BY_KIND.items() if name.casefold() == str(kind.value).casefold()), None)
    if table is None:
        return unordered
    return lambda path: _keys(table, path)


def _keys(table: Mapping[tuple[str, ...], Sequence[str]], path: tuple[str, ...]) -> Sequence[str]:
    own = table.get(path) or table.get((*path[:-1], "*"))
    if own is not None:
        return own
    if _CONDITIONS.intersection(path):
        return _COUNT if path[-1] == "count" else _CONDITION
    return {(): _DOCUMENT, ("metadata",): METADATA_KEYS}.get(path, ())
