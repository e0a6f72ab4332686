"""Settings in layers: defaults, user file, project file, --config, environment, options; the later wins.

A relative path in a file starts at that file's folder, a default one at the project's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from policyengine.errors import ConfigError
from policyengine.model.clouds import CLOUDS, PUBLIC
from policyengine.model.diagnostic import Diagnostic, did_you_mean, render
from policyengine.model.values import JSON, canonical_json
from policyengine.text.reader import MappingNode
from policyengine.workflows.settings_files import Layer, SettingsFile, anchored, read_file

PROJECT_FILE = "policyengine.yaml"
PREFIX = "POLICYENGINE_"
_WORDS: Final = {
    "model_type": "a mapping",
    "list_type": "a list",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "string_type": "text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "literal_error": "{expected}",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}
"""What pydantic's complaints are called here."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Budget(_Section):
    """Requests a second and subscription; below Resource Manager's refill of 10 writes and 25 reads."""

    writes_per_second: float = Field(8.0, alias="writesPerSecond", gt=0)
    reads_per_second: float = Field(20.0, alias="readsPerSecond", gt=0)
    writes_at_once: int = Field(2, alias="writesAtOnce", ge=1, le=200)
    """Writes without a wait where none went for a while; the service's bucket holds 200."""


class ArmSettings(_Section):
    cloud: Literal["public", "usgovernment", "china"] = PUBLIC
    endpoint: str = CLOUDS[PUBLIC].endpoint
    """Resource Manager, or an emulator; by default that of the cloud."""
    authority: str = ""
    """Who issues tokens; "" for AZURE_AUTHORITY_HOST, or else the cloud's."""
    audience: str = ""
    """Whom tokens are for; "" for the cloud's."""
    credential: str = "auto"
    """One of `arm.choice.CREDENTIALS`."""
    register_providers: bool = Field(False, alias="registerProviders")
    """Leave to register a resource provider that a subscription lacks, when a write needs it."""
    budget: Budget = Field(default_factory=lambda: Budget())

    @model_validator(mode="before")
    @classmethod
    def _endpoint_of_the_cloud(cls, values: Any) -> Any:
        cloud = CLOUDS.get(str(values.get("cloud", PUBLIC))) if isinstance(values, Mapping) else None
        return {"endpoint": cloud.endpoint, **values} if cloud is not None else values


class RemediationSettings(_Section):
    parallel: int = Field(10, ge=1, le=2000)


class Settings(_Section):
    policies: list[str] = Field(default_factory=lambda: ["policies"])
    """Files, or folders searched recursively; ``library:`` and ``samples:`` are the shipped ones."""
    aliases: str = ""
    """A catalogue of aliases that comes before the packaged one; empty: none."""
    database: str = "sqlite:///policyengine.db"
    inventory: str = "arm:"
    arm: ArmSettings = Field(default_factory=lambda: ArmSettings())
    remediation: RemediationSettings = Field(default_factory=lambda: RemediationSettings())


DEFAULTS: Final = Settings().model_dump(include={"policies", "database"})
"""Those that name places, which are looked for in the project's folder."""


def load_settings(
    *,
    project: Path | None = None,
    config: Path | None = None,
    environment: str | None = None,
    options: Mapping[str, JSON] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in force. Raises ConfigError naming every wrong key with its place and how to mend it.

    ``environment`` picks a section of a file's ``environments``. ``options`` are dotted names with values.
    """
    environ = os.environ if environ is None else environ
    project_file = _project_file(project)
    files = [
        *read_file(_user_file(environ)),
        *read_file(project_file),
        *read_file(config, required=True),
    ]
    _check_environment(environment, files)
    layers = [
        Layer("defaults", anchored(DEFAULTS, project_file.parent if project_file else project or Path())),
        *(layer for file in files for layer in file.layers(environment)),
        Layer("environment", _from_environ(environ)),
        Layer("options", _nest(options or {})),
    ]
    if problems := [problem for layer in layers for problem in _problems(layer)]:
        raise ConfigError("\n".join(problems))
    return Settings.model_validate(reduce(_merge, (layer.values for layer in layers)))


def _user_file(environ: Mapping[str, str]) -> Path | None:
    home = environ.get("XDG_CONFIG_HOME") or (Path(environ["HOME"]) / ".config" if environ.get("HOME") else None)
    return Path(home) / "policyengine" / "config.yaml" if home else None


def _project_file(start: Path | None) -> Path | None:
    """The nearest policyengine.yaml from ``start`` (default: here) upwards."""
    here = (start or Path.cwd()).resolve()
    if start is not None and not here.is_dir():
        raise ConfigError(f"`{start}` is not a folder", help="--project takes the folder of the project")
    return next((f / PROJECT_FILE for f in (here, *here.parents) if (f / PROJECT_FILE).is_file()), None)


def _check_environment(environment: str | None, files: Sequence[SettingsFile]) -> None:
    known = {name for file in files for name in file.environments}
    if environment is not None and environment not in known:
        help = did_you_mean(environment, known) or f"add it under `environments` in {PROJECT_FILE}"
        raise ConfigError(f"there is no environment `{environment}`", help=help)


def _from_environ(environ: Mapping[str, str]) -> dict[str, JSON]:
    """``POLICYENGINE_ARM__ENDPOINT`` is ``arm.endpoint``; lists are separated by commas."""
    flat: dict[str, JSON] = {}
    for name, value in environ.items():
        if name.startswith(PREFIX) and name != f"{PREFIX}TOKEN" and not name.startswith(f"{PREFIX}EMULATOR_"):
            path = ".".join(_camel(part) for part in name.removeprefix(PREFIX).lower().split("__"))
            flat[path] = [item.strip() for item in value.split(",")] if path == "policies" else value
    return _nest(flat)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _nest(flat: Mapping[str, JSON]) -> dict[str, JSON]:
    nested: dict[str, JSON] = {}
    for path, value in flat.items():
        for part in reversed(path.split(".")):
            value = {part: value}
        nested = _merge(nested, value)
    return nested


def _merge(below: Mapping[str, JSON], above: Mapping[str, JSON]) -> dict[str, JSON]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _problems(layer: Layer) -> list[str]:
    try:
        Settings.model_validate(layer.values)
    except ValidationError as error:
        return [_explain(layer, problem) for problem in error.errors()]
    return []


def _explain(layer: Layer, problem: Mapping[str, Any]) -> str:
    path = [str(part) for part in problem["loc"]]
    name = ".".join(path)
    if problem["type"] == "extra_forbidden":
        help = did_you_mean(path[-1], _known_names(path[:-1]))
        diagnostic = Diagnostic("unknown-setting", f"`{name}` is not a setting", _span(layer, path), help)
    else:
        words = _WORDS.get(problem["type"], "another value").format(**problem.get("ctx", {})).replace("'", "`")
        got = "" if isinstance(problem["input"], list | dict) else f", got `{_text(problem['input'])}`"
        diagnostic = Diagnostic("bad-setting", f"`{name}` must be {words}{got}", _span(layer, path))
    text = render(diagnostic)
    return text if diagnostic.span else f"{layer.origin}: {text}"


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _known_names(path: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in path:
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        model = field.annotation
    return [field.alias or name for name, field in model.model_fields.items()]


def _span(layer: Layer, path: Sequence[str]) -> Any:
    node, span = layer.document, None
    for part in path:
        if not isinstance(node, MappingNode):
            break
        entry = next((e for e in node.entries if e.key.value == part), None)
        if entry is None:
            break
        node, span = entry.value, entry.key.span
    return span
