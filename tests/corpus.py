"""Azure's published definitions as whole libraries: values for parameters, and resources that a rule speaks about.

Both are made up, deterministically: a sample value is the default, else the first allowed value, else one of its type;
a sample resource is built by walking a rule and setting what each condition asks for.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Parameter
from policyengine.language.syntax import AllOf, AnyOf, Condition, Field, Logic, Not
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Resource
from policyengine.model.values import UNDEFINED

GROUP = "/subscriptions/5b0c0000-0000-0000-0000-000000000001/resourceGroups/sample"

BY_STRONG_TYPE = {
    "location": "westeurope",
    "existingresourcegroups": "sample",
    "resourcetypes": "Microsoft.Kubernetes/connectedClusters",
    "storageskus": "Standard_LRS",
    "vmskus": "Standard_D2s_v3",
}
BY_TYPE: Mapping[str, Any] = {
    "String": "sample",
    "Array": ["sample"],
    "Object": {},
    "Boolean": True,
    "Integer": 1,
    "Float": 1.5,
    "DateTime": "2026-01-01T00:00:00.0000000Z",
}


TEXTS = ("sample", "12:30", "2026-01-01", "+01:00", "1")
"""Of these the first that a pattern accepts."""

PROSE = ("displayName", "description", "metadata")


def packed(file: Path) -> Iterator[tuple[str, str]]:
    """Path and text of each document in a pack, without the prose, which is half of it and means nothing here."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            properties = entry["definition"]["properties"]
            for key in PROSE:
                properties.pop(key, None)
            for parameter in (properties.get("parameters") or {}).values():
                metadata = parameter.pop("metadata", None) or {}
                parameter["metadata"] = {"strongType": metadata.get("strongType", "")}
            yield entry["path"], json.dumps(entry["definition"])


def sample_values(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """A value for every parameter without a default."""
    return {p.name: sample_value(p) for p in parameters.values() if p.default is UNDEFINED}


def sample_value(parameter: Parameter) -> Any:
    if parameter.allowed_values:
        first = parameter.allowed_values[0]
        return [first] if parameter.type == "Array" and not isinstance(first, list) else first
    strong = str(parameter.metadata.get("strongType", ""))
    text = BY_STRONG_TYPE.get(strong.casefold())
    if text is None and "/" in strong:
        text = f"{GROUP}/providers/{strong}/sample"
    if text is not None and parameter.type in ("String", "Array"):
        return [text] if parameter.type == "Array" else text
    return by_schema(parameter.schema) if parameter.schema else BY_TYPE[parameter.type]


def by_schema(schema: Any) -> Any:
    """The smallest value of a plain JSON Schema: what is required, and of lists one element."""
    if schema.get("enum"):
        return schema["enum"][0]
    if schema["type"] == "array":
        return [by_schema(schema["items"])] if "items" in schema else []
    if schema["type"] == "object":
        return {name: by_schema(schema["properties"][name]) for name in schema.get("required", ())}
    if schema["type"] == "string":
        return next(text for text in TEXTS if re.search(schema.get("pattern", ""), text))
    return {"boolean": True, "integer": schema.get("minimum", 1), "number": 1.5}[schema["type"]]


def matching_resource(rule: Logic, aliases: AliasCatalogue) -> Resource:
    """A resource that meets as many constant conditions of the rule as can be met by setting one value each."""
    wanted: dict[str, Any] = {}
    _meet(rule, wanted, met=True)
    type = str(wanted.pop("type", None) or "Microsoft.Kubernetes/connectedClusters")
    namespace, *types = type.split("/")
    path = "/".join(f"{segment}/sample" for segment in types)
    id = f"{GROUP}/providers/{namespace}/{path}" if types else GROUP
    document: dict[str, Any] = {"id": id, "name": "sample", "type": type, "location": "westeurope", "tags": {}}
    for name, value in wanted.items():
        _set(document, name, _path(aliases, type, name), value)
    return Resource(ResourceId(id), document)


def other_resource() -> Resource:
    """A resource of a type no definition speaks about."""
    id = f"{GROUP}/providers/Contoso.Nowhere/things/sample"
    return Resource(
        ResourceId(id), {"id": id, "name": "sample", "type": "Contoso.Nowhere/things", "location": "westus"}
    )


def _meet(logic: Logic, wanted: dict[str, Any], *, met: bool) -> None:
    if isinstance(logic, Not):
        _meet(logic.condition, wanted, met=not met)
    elif isinstance(logic, AllOf | AnyOf):
        every = isinstance(logic, AllOf) is met
        for child in logic.conditions if every else logic.conditions[:1]:
            _meet(child, wanted, met=met)
    else:
        _meet_condition(logic, wanted, met=met)


def _meet_condition(condition: Condition, wanted: dict[str, Any], *, met: bool) -> None:
    operand, expected = condition.operand, condition.expected
    if not isinstance(operand, Field) or not operand.name.is_constant or not expected.is_constant:
        return
    value: Any = expected.constant
    operator = condition.operator if met else {"equals": "notEquals", "notEquals": "equals"}.get(condition.operator)
    if operator == "equals":
        wanted.setdefault(str(operand.name.constant), value)
    elif operator == "in" and isinstance(value, list) and value:
        wanted.setdefault(str(operand.name.constant), value[0])
    elif operator in ("like", "contains") and isinstance(value, str):
        wanted.setdefault(str(operand.name.constant), value.replace("*", "x"))
    elif operator in ("greater", "greaterOrEquals") and isinstance(value, int):
        wanted.setdefault(str(operand.name.constant), value + 1)
    elif operator == "exists" and str(value).casefold() == "true":
        wanted.setdefault(str(operand.name.constant), "sample")


def _path(aliases: AliasCatalogue, type: str, name: str) -> str | None:
    found = aliases.path_for(type, name)
    return str(found) if found is not None else None


def _set(document: dict[str, Any], name: str, path: str | None, value: Any) -> None:
    """By the alias's path, else at the root; arrays get one element."""
    place: Any = document
    steps = (path or name).split(".")
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        key, star, _ = step.partition("[*]")
        if not isinstance(place, dict):
            return
        if star:
            items = place.setdefault(key, [value] if last else [{}])
            place = items[0] if isinstance(items, list) and items else None
        elif last:
            place[key] = value
        else:
            place = place.setdefault(key, {})
