"""Settings files as they are read: `kind: Project` documents, each with the sections that ``--env`` chooses from.

Knows nothing of what the settings are, except which of them are paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from policyengine.errors import ConfigError, PolicyError
from policyengine.model.diagnostic import Diagnostic, render
from policyengine.model.values import JSON
from policyengine.text.reader import MappingNode, Node, read, to_value
from policyengine.workflows.data import SHIPPED
from policyengine.workflows.files import read_text


@dataclass(frozen=True)
class Layer:
    """One set of values and the place it came from."""

    origin: str
    values: Mapping[str, JSON]
    document: Node | None = None


@dataclass(frozen=True)
class SettingsFile:
    """A settings file: its own values, and the sections that ``--env`` chooses from."""

    path: Path
    values: Mapping[str, JSON]
    document: MappingNode
    environments: Mapping[str, Node]

    def layers(self, environment: str | None) -> list[Layer]:
        folder = self.path.parent
        layers = [Layer(str(self.path), anchored(self.values, folder), self.document)]
        if environment is not None and (section := self.environments.get(environment)) is not None:
            origin = f"{self.path}, environments.{environment}"
            layers.append(Layer(origin, anchored(to_value(section) or {}, folder), section))
        return layers


def read_file(path: Path | None, *, required: bool = False) -> list[SettingsFile]:
    """None or one. Raises ConfigError for what is not a project file."""
    if path is None or (not required and not path.is_file()):
        return []
    try:
        text = read_text(path)
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be read: {error.strerror}") from error
    try:
        documents = read(text, str(path))
    except PolicyError as error:
        raise ConfigError("\n".join(map(render, error.diagnostics))) from error
    if len(documents) != 1 or not isinstance(documents[0], MappingNode):
        raise ConfigError(f"`{path}` must hold one document, `kind: Project`")
    return [_file(path, documents[0])]


def _file(path: Path, document: MappingNode) -> SettingsFile:
    values = dict(to_value(document))
    if values.pop("kind", "Project") != "Project" or values.pop("apiVersion", "policyengine/v1") != "policyengine/v1":
        raise ConfigError(
            f"`{path}` is not a project file", help="it needs `apiVersion: policyengine/v1`, `kind: Project`"
        )
    values.pop("environments", None)
    sections = document.get("environments")
    entries = sections.entries if isinstance(sections, MappingNode) else ()
    for node in (sections, *(entry.value for entry in entries)):
        if node is not None and to_value(node) is not None and not isinstance(node, MappingNode):
            message = "`environments` must map names to settings"
            raise ConfigError(render(Diagnostic("bad-setting", message, node.span, "write `NAME: {…}` under it")))
    return SettingsFile(path, values, document, {entry.name: entry.value for entry in entries})


def anchored(values: Mapping[str, JSON], folder: Path) -> dict[str, JSON]:
    """Make the relative paths of a file independent of where the command runs."""
    result = dict(values)
    if isinstance(policies := values.get("policies"), list):
        result["policies"] = [str(folder / p) if isinstance(p, str) and p not in SHIPPED else p for p in policies]
    database, inventory = values.get("database"), values.get("inventory")
    if isinstance(database, str) and database.startswith("sqlite:///") and not database.startswith("sqlite:////"):
        result["database"] = f"sqlite:///{folder / database.removeprefix('sqlite:///')}"
    if isinstance(inventory, str) and inventory.startswith("file:"):
        result["inventory"] = f"file:{folder / inventory.removeprefix('file:')}"
    if isinstance(aliases := values.get("aliases"), str) and aliases:
        result["aliases"] = str(folder / aliases)
    return result
