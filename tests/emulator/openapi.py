"""Microsoft's API descriptions as a judge of answers: which operation a request was, and what its answer should be.

Stricter than the descriptions themselves: an answer says nothing that they do not name, only words they list, dates
that are dates, and no secret. Requests are the emulator's to judge, and there are no discriminators to follow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from tests.conftest import REPOSITORY

FOLDER: Final = REPOSITORY.parent / "shared" / "openapi"
NAMES: Final = (
    "connectedClusters-2026-05-01.json",
    "extensionTypes-2024-11-01-preview.json",
    "extensions-2025-03-01.json",
    "fluxConfigurations-2025-04-01.json",
)
DELTA: Final = "fluxConfigurations-2026-07-01-preview.delta.json"
"""What the newest preview adds. The emulator answers every version with one shape, so it may always be there."""

NULLS: Final[Mapping[tuple[str, str], str]] = {
    ("OperationStatusResult", "error"): "null where nothing is wrong, as in Microsoft's examples",
    ("ObjectStatusDefinition", "helmReleaseProperties"): "null on all but Helm releases, as in Microsoft's examples",
}
"""(definition, property) that may be null although the description does not say so, and why."""
INSTANT: Final = {"type": "string", "format": "date-time"}
ADDED: Final[Mapping[tuple[str, str], tuple[Mapping[str, Any], str]]] = {
    ("OperationStatusResult", "startTime"): (INSTANT, "Resource Manager's contract of operation documents has it"),
    ("OperationStatusResult", "endTime"): (INSTANT, "the same, once the operation has ended"),
    ("ExtensionPropertiesAksAssignedIdentity", "url"): ({"type": "string"}, "the service's clients send it"),
    ("ExtensionType", "properties"): (
        {"$ref": "#/$defs/ExtensionTypeProperties"},
        "the description defines them and lost the place where they belong",
    ),
    ("ExtensionTypeVersionForReleaseTrain", "properties"): (
        {"$ref": "#/$defs/ExtensionTypeVersionForReleaseTrainProperties"},
        "the same",
    ),
}
"""(definition, property) that answers have although the description does not name it there; its schema, and why."""

FORMATS: Final = FormatChecker(formats=())
SECRET: Final[Mapping[str, Any]] = {"enum": [None, "", {}]}


@FORMATS.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or abs(value) < 1 << 31


@dataclass(frozen=True)
class Operation:
    """``answers`` are validators by status; None for an answer without a body. ``title`` tells documents apart."""

    title: str
    method: str
    path: str
    answers: Mapping[str, Draft202012Validator | None] = field(repr=False)

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.path)), re.IGNORECASE)


class Descriptions:
    """All operations of the descriptions in ``folder``."""

    def __init__(self, folder: Path) -> None:
        additions = _load(folder / DELTA)["definitions"]
        self.operations = [op for name in NAMES for op in _operations(_load(folder / name), additions)]
        self._patterns = [(op.pattern, op) for op in self.operations]

    def find(self, method: str, path: str) -> Operation | None:
        return next((op for pattern, op in self._patterns if method == op.method and pattern.fullmatch(path)), None)

    def problems(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer; nothing for operations that are not described."""
        operation = self.find(method, path)
        if operation is None:
            return []
        if status >= 400:
            return _complaints(operation.answers["default"], body)
        if str(status) not in operation.answers:
            return [f"{status} is no answer to {method} of {operation.path}"]
        validator = operation.answers[str(status)]
        if validator is None:
            return [] if body is None else [f"{status} has a body: {body}"]
        return _complaints(validator, body)


def _load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _complaints(validator: Draft202012Validator | None, body: Any) -> list[str]:
    return [] if validator is None else [_told(error) for error in validator.iter_errors(body)]


def _told(error: ValidationError) -> str:
    inner = error.context[0] if error.context else error
    return f"{'.'.join(str(part) for part in inner.absolute_path) or 'the body'}: {inner.message}"


def _operations(document: Mapping[str, Any], additions: Mapping[str, Any]) -> Iterable[Operation]:
    definitions = _definitions(document["definitions"], additions)
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            answers = {
                status: _validator(answer["schema"], definitions) if "schema" in answer else None
                for status, answer in said["responses"].items()
            }
            yield Operation(document["info"]["title"], method.upper(), path, answers)


def _validator(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**_converted(schema), "$defs": definitions}, format_checker=FORMATS)


def _definitions(definitions: Mapping[str, Any], additions: Mapping[str, Any]) -> dict[str, Any]:
    """Each as JSON Schema, closed to what it does not name; those that others extend stay open."""
    bases = {base["$ref"] for said in definitions.values() for base in said.get("allOf", ())}
    converted = {}
    for name, said in {**{n: s for n, s in additions.items() if not n.endswith("+")}, **definitions}.items():
        schema = _converted(said)
        if "properties" in schema:
            schema["properties"] |= _converted_properties(additions.get(f"{name}+", {})) | _deviations(name, schema)
            schema |= {} if f"#/definitions/{name}" in bases else {"unevaluatedProperties": False}
        converted[name] = schema
    return converted


def _deviations(name: str, described: Mapping[str, Any]) -> dict[str, Any]:
    nulls = {p: _nullable(described["properties"][p]) for definition, p in NULLS if definition == name}
    return {**nulls, **{p: schema for (definition, p), (schema, _) in ADDED.items() if definition == name}}


def _converted(schema: Any) -> Any:
    """Swagger's dialect as JSON Schema, down to the last member."""
    if isinstance(schema, list):
        return [_converted(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if schema.get("x-ms-secret"):
        return SECRET
    plain = {key: _member(key, value) for key, value in schema.items() if not key.startswith("x-")}
    return _nullable(plain) if schema.get("x-nullable") is True else plain


def _member(key: str, value: Any) -> Any:
    if key == "$ref":
        return str(value).replace("#/definitions/", "#/$defs/")
    if key == "properties":
        return _converted_properties(value)
    return _converted(value) if key in {"items", "additionalProperties", "allOf"} else value


def _converted_properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _converted(below) for name, below in properties.items()}


def _nullable(schema: Any) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
