"""Values → YAML and JSON text. What is written reads back as the same value."""

from __future__ import annotations

import json
from typing import Any

import yaml

from policyengine.model.values import JSON
from policyengine.text.yaml_reader import resolve_plain

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_STRING = "tag:yaml.org,2002:str"
_WIDTH = 120


class _Dumper(_Base):  # type: ignore[misc]
    """Block style, no aliases, the key order of the value."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    """Quoted whenever plain text would be taken for something else by YAML 1.2; our reader speaks 1.2, PyYAML 1.1."""
    if "\n" in text and _fits_block(text):
        return dumper.represent_scalar(_STRING, text, style="|")
    style = '"' if not isinstance(resolve_plain(text), str) or _reads_better_doubled(text) else None
    return dumper.represent_scalar(_STRING, text, style=style)


def _reads_better_doubled(text: str) -> bool:
    """True for expressions: single quotes would have to be written twice. Longer ones would be broken with escapes."""
    return text.startswith("[") and "'" in text and not {'"', "\\"} & set(text) and len(text) <= _WIDTH // 2


def _fits_block(text: str) -> bool:
    return all(line.isprintable() and line == line.rstrip() for line in text.split("\n"))


_Dumper.add_representer(str, _text)


def to_yaml(value: JSON) -> str:
    """One YAML document, block style, ending in a line break."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=False
    )
    return text.removesuffix("...\n")


def to_json(value: JSON) -> str:
    """One JSON document, two blanks of indent, ending in a line break."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
