"""The documents people write as JSON Schema 2020-12, for editors: what completes there is what the parser takes.

Built from the parser's own tables where it has them. A schema knows canonical spellings only (the parser folds case)
and no references between documents: it is a help while typing, `validate` is the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from policyengine.language.attestations import STATES
from policyengine.language.details import EFFECTS
from policyengine.language.documents import EnforcementMode, ExemptionCategory, RemediationMode
from policyengine.language.exemptions import VALIDATION
from policyengine.language.metadata import METADATA_KEYS, SEVERITIES
from policyengine.language.operators import OPERATORS
from policyengine.language.parameters import TYPES
from policyengine.language.parser import API_VERSION
from policyengine.language.policy_tests import OPERATIONS
from policyengine.language.require_deployment import TARGETS
from policyengine.language.require_schema import Choice, Each, Kind, Shape
from policyengine.language.selectors import OVERRIDE_SELECTORS, OVERRIDES, RESOURCE_SELECTORS, OverrideKind
from policyengine.model.fleet import CLUSTER_KEYS, FAULT_CONSEQUENCES, FAULT_KEYS, FLEET_KEYS, SIMULATION_KEYS
from policyengine.model.resource import CLUSTER_TYPES
from policyengine.model.states import ComplianceState
from policyengine.model.values import JSON

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema: TypeAlias = dict[str, JSON]

TEXT: Final[Schema] = {"type": "string"}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT}
ANY_OBJECT: Final[Schema] = {"type": "object"}
NAME: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"}
REFERENCE: Final[Schema] = {"type": "string", "minLength": 1}
DURATION: Final[Schema] = {"type": "string", "pattern": "^([0-9]{1,9}[smhd])+$"}
EXPRESSION: Final[Schema] = {"type": "string", "pattern": r"^\[[\s\S]*\]$"}
VALUES: Final[Schema] = {"type": "object", "additionalProperties": True}


def obj(properties: Mapping[str, JSON], required: Iterable[str] = (), **more: JSON) -> Schema:
    """An object with these members and no others; every optional one may be null, which the parser reads as absent."""
    wanted = tuple(required)
    members = {key: schema if key in wanted else _or_null(schema) for key, schema in properties.items()}
    made: Schema = {"type": "object", "properties": members, "additionalProperties": False}
    return {**made, **({"required": list(wanted)} if wanted else {}), **more}


def _or_null(schema: JSON) -> JSON:
    return schema if schema is True else {"anyOf": [schema, {"type": "null"}]}


def array(items: JSON) -> Schema:
    return {"type": "array", "items": items}


def words(choices: Iterable[str]) -> Schema:
    return {"enum": list(choices)}


def document(kind: str, spec: Schema, *, definitions: Mapping[str, JSON] | None = None) -> Schema:
    """A document of ours of one ``kind``, with a ``spec``."""
    schema = obj(
        {"apiVersion": {"const": API_VERSION}, "kind": {"const": kind}, "metadata": _METADATA, "spec": spec},
        ("apiVersion", "kind", "metadata", "spec"),
    )
    return whole(kind, schema, definitions)


def whole(kind: str, schema: Schema, definitions: Mapping[str, JSON] | None = None) -> Schema:
    """``schema`` as a file of its own."""
    head: Schema = {"$schema": DIALECT, "title": kind, "description": f"policyengine documents of kind {kind}"}
    return {**head, **schema, **({"$defs": dict(definitions)} if definitions else {})}


_DESCRIBED: Final[Mapping[str, Schema]] = {
    "name": NAME,
    "version": {"type": "string", "pattern": r"^\S+$"},
    "severity": words(SEVERITIES),
    "controls": TEXTS,
    "labels": {},
}
_METADATA: Final = obj({key: _DESCRIBED.get(key, TEXT) for key in METADATA_KEYS}, ("name",))

_PARAMETERS: Final[Schema] = {
    "type": "object",
    "additionalProperties": obj(
        {
            "type": words(TYPES),
            "defaultValue": True,
            "allowedValues": {"type": "array"},
            "metadata": ANY_OBJECT,
            "schema": ANY_OBJECT,
        },
        ("type",),
    ),
}

_LOGIC: Final = {"$ref": "#/$defs/condition"}


def _condition() -> Schema:
    """A group, or one left-hand side with one operator."""
    operators = {operator.name: True for operator in OPERATORS.values()}
    count = obj(
        {"field": TEXT, "value": True, "name": TEXT, "where": _LOGIC},
        oneOf=[{"required": ["field"]}, {"required": ["value"]}],
    )
    lefts: dict[str, JSON] = {"field": TEXT, "value": True, "count": count, "jmespath": TEXT}
    leaf: Schema = {
        "type": "object",
        "properties": {**lefts, **operators},
        "additionalProperties": False,
        "minProperties": 2,
        "maxProperties": 2,
        "oneOf": [{"required": [left]} for left in lefts],
    }
    groups = [
        {"type": "object", "properties": {name: members}, "required": [name], "additionalProperties": False}
        for name, members in (
            ("allOf", {**array(_LOGIC), "minItems": 1}),
            ("anyOf", {**array(_LOGIC), "minItems": 1}),
            ("not", _LOGIC),
        )
    ]
    # One branch is chosen by the key that is there, so that an editor reports the mistake and not every alternative.
    chosen: JSON = leaf
    for group in groups:
        chosen = {"if": {"required": group["required"]}, "then": group, "else": chosen}
    return {"type": "object", **chosen}


def _effect() -> Schema:
    spellings = [spelling for name in EFFECTS for spelling in (name, name[0].upper() + name[1:])]
    return {"anyOf": [words(spellings), EXPRESSION]}


def _rule() -> Schema:
    then = obj({"effect": _effect(), "details": {"type": ["object", "array"]}}, ("effect",))
    return obj({"if": _LOGIC, "then": then}, ("if", "then"))


_KINDS: Final[Mapping[Kind, Schema]] = {
    Kind.TEXT: TEXT,
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.COUNT: {"type": "integer", "minimum": 1},
    Kind.SCALAR: {"type": ["string", "number", "boolean"]},
    Kind.TEXTS: TEXTS,
    Kind.LIST: {"type": "array"},
    Kind.SECRETS: {
        "type": "object",
        "additionalProperties": obj(
            {
                "secretRef": {
                    "type": "object",
                    "properties": {"env": TEXT, "file": TEXT},
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                }
            },
            ("secretRef",),
        ),
    },
}


def of_shape(shape: Shape) -> Schema:
    """The body under `require`: every value may be an expression as well, and null demands absence."""
    if isinstance(shape, Mapping):
        made = obj({key: of_shape(inner) for key, inner in shape.items() if inner is not Kind.SECRET})
    elif isinstance(shape, Each):
        made = {"type": "object", "additionalProperties": _or_null(of_shape(shape.shape))}
    elif isinstance(shape, Choice):
        made = words(shape.words)
    else:
        made = _KINDS[shape]
    if made is TEXT or shape is Kind.SECRETS:
        return made
    return {"anyOf": [made, EXPRESSION]}


def _target(shape: Mapping[str, Shape], required: tuple[str, ...]) -> Schema:
    members = {key: of_shape(inner) for key, inner in shape.items() if inner is not Kind.SECRET}
    return obj({"name": TEXT, **members}, required)


def _require() -> Schema:
    needed = {"extension": ("extensionType",), "fluxConfiguration": ("name",)}
    bodies = {target.key: _target(target.shape, needed[target.key]) for target in TARGETS}
    return obj({**bodies, "where": _LOGIC}, oneOf=[{"required": [key]} for key in bodies])


def _selectors(kinds: Iterable[str]) -> Schema:
    lists = [{"required": [key]} for key in ("in", "notIn")]
    return array(obj({"kind": words(kinds), "in": TEXTS, "notIn": TEXTS}, ("kind",), oneOf=lists))


_RESOURCE_SELECTORS: Final = array(obj({"name": TEXT, "selectors": _selectors(RESOURCE_SELECTORS)}, ("selectors",)))
_OVERRIDES: Final = array(
    obj(
        {"kind": words(OVERRIDES), "value": TEXT, "selectors": _selectors(OVERRIDE_SELECTORS[OverrideKind.EFFECT])},
        ("kind", "value"),
    )
)
_MODES: Final = words(sorted(mode.value for mode in EnforcementMode))
_NARROWING: Final[Mapping[str, JSON]] = {
    "policyDefinitionReferenceIds": TEXTS,
    "scopes": {**TEXTS, "minItems": 1},
    "resourceSelectors": _RESOURCE_SELECTORS,
    "assignmentScopeValidation": words(VALIDATION),
}


def policy_definition() -> Schema:
    kind: Schema = {"anyOf": [words(CLUSTER_TYPES), {"type": "string", "pattern": "/"}]}
    spec = obj(
        {
            "parameters": _PARAMETERS,
            "mode": TEXT,
            "appliesTo": {"anyOf": [kind, {**array(kind), "minItems": 1}]},
            "when": _LOGIC,
            "policyRule": _rule(),
            "require": _require(),
            "reconciled": obj({"within": DURATION}, ("within",)),
            "dependsOn": array(REFERENCE),
            "nonComplianceMessage": TEXT,
        },
        oneOf=[{"required": ["policyRule"]}, {"required": ["require", "appliesTo"]}],
    )
    return document("PolicyDefinition", spec, definitions={"condition": _condition()})


def initiative() -> Schema:
    member = obj(
        {
            "ref": REFERENCE,
            "id": NAME,
            "groups": TEXTS,
            "dependsOn": TEXTS,
            "parameters": VALUES,
            "definitionVersion": TEXT,
        },
        ("ref",),
    )
    group = obj(
        {"name": TEXT, "displayName": TEXT, "category": TEXT, "description": TEXT, "controls": TEXTS}, ("name",)
    )
    spec = obj(
        {
            "parameters": _PARAMETERS,
            "groups": array(group),
            "dependsOn": array(REFERENCE),
            "policies": array(member),
        },
        ("policies",),
    )
    return document("Initiative", spec)


def assignment() -> Schema:
    message = obj({"message": TEXT, "policyDefinitionReferenceId": TEXT}, ("message",))
    schedule = obj(
        {"cron": TEXT, "interval": DURATION, "timezone": TEXT, "jitter": DURATION, "overlap": words(["skip"])}
    )
    schedule["oneOf"] = [{"required": ["cron"]}, {"required": ["interval"]}]
    spec = obj(
        {
            "policy": REFERENCE,
            "initiative": REFERENCE,
            "scope": {"type": "string", "pattern": "^/"},
            "notScopes": TEXTS,
            "enforcementMode": _MODES,
            "parameters": VALUES,
            "nonComplianceMessages": {"anyOf": [TEXT, array(message)]},
            "resourceSelectors": _RESOURCE_SELECTORS,
            "overrides": _OVERRIDES,
            "definitionVersion": TEXT,
            "identity": ANY_OBJECT,
            "location": TEXT,
            "schedule": schedule,
            "remediation": obj({"mode": words(mode.value for mode in RemediationMode)}),
        },
        ("scope",),
        oneOf=[{"required": ["policy"]}, {"required": ["initiative"]}],
    )
    return document("Assignment", spec)


def exemption() -> Schema:
    spec = obj(
        {
            "assignment": REFERENCE,
            **_NARROWING,
            "category": words(category.value for category in ExemptionCategory),
            "expiresOn": TEXT,
            "reason": TEXT,
            "approvedBy": TEXTS,
            "remindBefore": array(DURATION),
        },
        ("assignment", "scopes", "category"),
    )
    return document("Exemption", spec)


def enrollment() -> Schema:
    return document("Enrollment", obj({"assignment": REFERENCE, **_NARROWING}, ("assignment", "scopes")))


def attestation() -> Schema:
    spec = obj(
        {
            "assignment": REFERENCE,
            "policyDefinitionReferenceId": TEXT,
            "scopes": {**TEXTS, "minItems": 1},
            "complianceState": words(STATES),
            "assessmentDate": TEXT,
            "expiresOn": TEXT,
            "comments": TEXT,
            "evidence": array(obj({"description": TEXT, "sourceUri": TEXT})),
        },
        ("assignment", "scopes", "complianceState"),
    )
    return document("Attestation", spec)


def policy_test() -> Schema:
    use = obj({"use": TEXT, "patch": ANY_OBJECT}, ("use",))
    fixture: Schema = {
        "anyOf": [TEXT, {"if": {"type": "object", "required": ["use"]}, "then": use, "else": ANY_OBJECT}]
    }
    check = obj({"jmespath": TEXT, "equals": True}, ("jmespath", "equals"))
    write = obj(
        {"op": words(OPERATIONS), "type": TEXT, "name": TEXT, "body": {"anyOf": [check, array(check)]}},
        ("op", "type", "name"),
    )
    outcome: dict[str, JSON] = {
        "state": words(state.value for state in ComplianceState),
        "reason": obj({"contains": TEXT}, ("contains",)),
        "failedClauses": TEXTS,
        "plan": array(write),
    }
    given = obj(
        {
            "cluster": fixture,
            "extensions": array(fixture),
            "fluxConfigurations": array(fixture),
            "parameters": VALUES,
            "at": TEXT,
        },
        ("cluster",),
    )
    expect = obj({**outcome, "afterApply": obj(outcome, minProperties=1)}, minProperties=1)
    case = obj({"name": TEXT, "given": given, "expect": expect}, ("name", "given", "expect"))
    spec = obj(
        {
            "policy": REFERENCE,
            "fixtures": {"type": "object", "additionalProperties": fixture},
            "cases": {**array(case), "minItems": 1},
        },
        ("policy", "cases"),
    )
    return document("PolicyTest", spec)


def fleet() -> Schema:
    cluster = obj({**dict.fromkeys(CLUSTER_KEYS, True), **_of_cluster()})
    group = obj({"name": TEXT, "displayName": TEXT, "parent": TEXT}, ("name",))
    subscription = obj(
        {"subscriptionId": TEXT, "displayName": TEXT, "managementGroup": TEXT, "tags": ANY_OBJECT}, ("subscriptionId",)
    )
    resource_group = obj(
        {"subscription": TEXT, "name": TEXT, "location": TEXT, "tags": ANY_OBJECT}, ("subscription", "name", "location")
    )
    consequences: list[JSON] = [{"required": [key]} for key in FAULT_CONSEQUENCES]
    fault = {**obj({**dict.fromkeys(FAULT_KEYS, True), **_of_fault()}), "anyOf": consequences}
    source = obj(
        {"url": TEXT, "heads": ANY_OBJECT, "revisions": ANY_OBJECT, "failure": True, "private": {"type": "boolean"}},
        ("url",),
    )
    known: dict[str, JSON] = {
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": "Fleet"},
        "metadata": ANY_OBJECT,
        "tenantId": TEXT,
        "managementGroups": array(group),
        "subscriptions": array(subscription),
        "resourceGroups": array(resource_group),
        "templates": {"type": "object", "additionalProperties": ANY_OBJECT},
        "clusters": array(cluster),
        "faults": array(fault),
        "sources": array(source),
    }
    return whole("Fleet", obj({key: known[key] for key in FLEET_KEYS}, ("apiVersion", "kind", "tenantId")))


def _of_fault() -> dict[str, JSON]:
    """What is known of a fault's keys beyond their names."""
    return {
        **dict.fromkeys(("method", "path", "code", "message", "install"), TEXT),
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "times": {"type": "integer"},
        "after": {"type": "boolean"},
        "drop": {"type": "boolean"},
    }


def _of_cluster() -> dict[str, JSON]:
    return {
        "use": TEXT,
        "name": TEXT,
        "kind": words(CLUSTER_TYPES),
        "subscription": TEXT,
        "resourceGroup": TEXT,
        "location": TEXT,
        "tags": ANY_OBJECT,
        "identity": ANY_OBJECT,
        "properties": ANY_OBJECT,
        "extensions": array(ANY_OBJECT),
        "fluxConfigurations": array(ANY_OBJECT),
        "simulation": obj(dict.fromkeys(SIMULATION_KEYS, True)),
    }


def alias_catalogue() -> Schema:
    """What `aliases import` writes: an alias with its path, which is empty where the default-path rule gives it."""
    more = {
        "path": {"type": "string"},
        "versions": {"type": "object", "additionalProperties": {"type": "string"}},
        "modifiable": {"type": "boolean"},
        "modifiableIn": {"type": "object", "additionalProperties": {"type": "boolean"}},
    }
    alias: Schema = {"anyOf": [{"type": "string"}, obj(more, ("path",))]}
    aliases = {"type": "object", "additionalProperties": alias}
    types = {
        "type": "object",
        "additionalProperties": obj({"indexed": {"type": "boolean"}, "aliases": aliases}, ("aliases",)),
    }
    head = {"apiVersion": {"const": "policyengine/v1"}, "kind": {"const": "AliasCatalogue"}}
    return whole("AliasCatalogue", obj({**head, "types": types}, (*head, "types")))


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "PolicyDefinition": policy_definition,
    "Initiative": initiative,
    "Assignment": assignment,
    "Exemption": exemption,
    "Enrollment": enrollment,
    "Attestation": attestation,
    "PolicyTest": policy_test,
    "Fleet": fleet,
    "AliasCatalogue": alias_catalogue,
}
"""Kind → its schema. That of `Project` follows from the settings, which are above this room."""
