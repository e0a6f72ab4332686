"""JSON Schemas of every kind of document, those of the settings included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from policyengine.errors import UsageError
from policyengine.language.json_schema import SCHEMAS as DOCUMENTS
from policyengine.language.json_schema import Schema, obj, whole
from policyengine.model.diagnostic import did_you_mean
from policyengine.text.writer import to_json
from policyengine.workflows.settings import Settings


def project_schema() -> Schema:
    """What `policyengine.yaml` may hold: the settings, with the sections that ``--env`` chooses from."""
    generated: Any = Settings.model_json_schema(by_alias=True)
    definitions = {name: _plain(section) for name, section in generated.pop("$defs").items()}
    settings = _plain(generated)["properties"]
    section: Schema = {"type": "object", "properties": settings, "additionalProperties": False}
    own: Schema = {
        "apiVersion": {"const": "policyengine/v1"},
        "kind": {"const": "Project"},
        **settings,
        "environments": {"type": "object", "additionalProperties": {"anyOf": [section, {"type": "null"}]}},
    }
    return whole("Project", obj(own), definitions)


def _plain(schema: Any) -> Any:
    """Without the titles that pydantic makes of names, and without Python's words about Python's classes."""
    if isinstance(schema, dict):
        words = {"title", "description"} if "properties" in schema or "type" in schema or "$ref" in schema else set()
        return {key: _plain(value) for key, value in schema.items() if key not in words}
    return [_plain(item) for item in schema] if isinstance(schema, list) else schema


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {**DOCUMENTS, "Project": project_schema}
"""Every kind of document there is."""


def schema_of(kind: str) -> Schema:
    """Raises UsageError for a kind there is not; case does not matter."""
    for name, build in SCHEMAS.items():
        if name.casefold() == kind.casefold():
            return build()
    listed = "there are " + ", ".join(f"`{name}`" for name in SCHEMAS)
    raise UsageError(f"there is no kind `{kind}`", help=did_you_mean(kind, SCHEMAS) or listed)


def schema_files() -> dict[str, str]:
    """The text of ``KIND.json`` for every kind."""
    return {f"{kind}.json": to_json(build()) for kind, build in SCHEMAS.items()}


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """One file a kind. Raises UsageError when the folder cannot be written to."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in schema_files().items():
            path = folder / name
            path.write_text(text, encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise UsageError(f"`{folder}` cannot be written to: {error.strerror}") from error
    return tuple(written)
