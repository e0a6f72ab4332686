"""A project's own catalogue of aliases: import it, use it, look things up in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policyengine.errors import ConfigError, PolicyError, UsageError
from policyengine.language.alias_file import catalogue_of, import_providers, read_catalogue, to_document
from policyengine.language.aliases import Alias, AliasCatalogue, TypeAliases
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON
from policyengine.workflows.files import read_text

DEFAULT_FILE: Final = "aliases.json"


@dataclass(frozen=True)
class Imported:
    """What was written, and how much it holds."""

    file: Path
    types: int
    aliases: int


def load_catalogue(file: str) -> AliasCatalogue:
    """The catalogue in ``file`` over the packaged one; the packaged one for the empty name. Raises ConfigError."""
    if not file:
        return AliasCatalogue.packaged()
    try:
        return catalogue_of(read_catalogue(_read_json(Path(file)), f"`{file}`"))
    except PolicyError as error:
        (problem,) = error.diagnostics
        raise ConfigError(problem.message, help=problem.help) from error


def import_catalogue(source: Path, target: Path) -> Imported:
    """Write what Azure exported as a catalogue. Raises ConfigError for what is no export."""
    try:
        catalogue = import_providers(_read_json(source), f"`{source}`")
    except PolicyError as error:
        (problem,) = error.diagnostics
        raise ConfigError(problem.message, help=problem.help) from error
    text = json.dumps(to_document(catalogue), indent=1, ensure_ascii=False) + "\n"
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"`{target}` cannot be written: {error.strerror}") from error
    return Imported(target, len(catalogue.types), sum(len(entry.aliases) for entry in catalogue.types))


def _read_json(file: Path) -> JSON:
    try:
        return json.loads(read_text(file))
    except OSError as error:
        raise ConfigError(f"`{file}` cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"`{file}` is not JSON", help="print it with `-o json`") from error


def list_aliases(catalogue: AliasCatalogue, type: str | None, contains: str | None) -> Iterator[tuple[str, Alias]]:
    """Type and alias, sorted. Raises UsageError for a type the catalogue does not have."""
    entries = catalogue.types if type is None else (_entry(catalogue, type),)
    needle = (contains or "").casefold()
    for entry in entries:
        for alias in sorted(entry.aliases.values(), key=lambda alias: alias.name.casefold()):
            if needle in alias.name.casefold():
                yield entry.type, alias


def _entry(catalogue: AliasCatalogue, type: str) -> TypeAliases:
    found = next((entry for entry in catalogue.types if entry.type.casefold() == type.casefold()), None)
    if found is None:
        known = did_you_mean(type, [entry.type for entry in catalogue.types])
        raise UsageError(f"the catalogue has no resource type `{type}`", help=known or "import a catalogue that has it")
    return found


def find_alias(catalogue: AliasCatalogue, name: str) -> tuple[tuple[str, Alias], ...]:
    """The alias under every type that has it. Raises UsageError when none has."""
    found = tuple((t, a) for t, a in list_aliases(catalogue, None, None) if a.name.casefold() == name.casefold())
    if not found:
        names = [alias.name for _, alias in list_aliases(catalogue, catalogue.type_of(name), None)]
        raise UsageError(f"there is no alias `{name}`", help=did_you_mean(name, names))
    return found
