"""Text → nodes that remember file, line and column. Chooses between JSON and YAML; refuses what would mislead."""

from __future__ import annotations

from policyengine.errors import PolicyError
from policyengine.model.diagnostic import Diagnostic, Source
from policyengine.text.json_reader import read_json
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, to_value
from policyengine.text.places import Reading, Unreadable
from policyengine.text.yaml_reader import read_yaml

__all__ = ["Entry", "MappingNode", "Node", "ScalarNode", "SequenceNode", "read", "read_leniently", "to_value"]


def read(text: str, name: str) -> list[Node]:
    """One node per document of the text; empty documents are left out.

    ``name`` is what people call the text (a path); a name ending in ``.json`` must hold JSON.
    Raises PolicyError with every problem found: yaml-syntax, json-syntax, duplicate-key, alias-bomb,
    unsupported-tag, too-deep.
    """
    nodes, diagnostics = read_leniently(text, name)
    if diagnostics:
        raise PolicyError(diagnostics)
    return nodes


def read_leniently(text: str, name: str) -> tuple[list[Node], list[Diagnostic]]:
    """Like `read`, for callers with problems of their own to report: what could be read, and what is wrong."""
    source = Source(name, text)
    if name.casefold().endswith(".json"):
        return _read_json(source)
    if text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        nodes, diagnostics = _read_json(source)
        # A YAML flow mapping starts like JSON does: only what is not JSON at all is tried as YAML.
        if not any(diagnostic.code == "json-syntax" for diagnostic in diagnostics):
            return nodes, diagnostics
    return _read_yaml(source)


def _read_json(source: Source) -> tuple[list[Node], list[Diagnostic]]:
    reading = Reading(source)
    try:
        node = read_json(reading)
    except Unreadable:
        return [], reading.diagnostics
    return [] if node is None else [node], reading.diagnostics


def _read_yaml(source: Source) -> tuple[list[Node], list[Diagnostic]]:
    reading = Reading(source)
    try:
        return read_yaml(reading), reading.diagnostics
    except Unreadable:
        return [], reading.diagnostics
