"""Secrets in what people declare: references only, and nothing that was written by mistake is ever shown.

Source: experience, "Meaning of `require`", "Secrets".
"""

from __future__ import annotations

from typing import Final

from policyengine.expressions.compiled import is_expression
from policyengine.language.problems import Problems
from policyengine.model.diagnostic import Source, Span
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, describe

SECRET_REF: Final = "secretRef"
PROTECTED_SETTINGS: Final = "configurationProtectedSettings"
_PLACES: Final = ("env", "file")


def check_protected_settings(entry: Entry, problems: Problems) -> None:
    """Every member must be ``{secretRef: {env: NAME}}`` or ``{secretRef: {file: PATH}}``."""
    if not isinstance(entry.value, MappingNode):
        message = f"`{entry.name}` must be a mapping of references to secrets, got {describe(entry.value)}"
        problems.error("wrong-type", message, hiding(entry))
        return
    for secret in entry.value:
        if not _is_secret_ref(secret.value):
            help = f"write `{secret.name}: {{secretRef: {{env: NAME}}}}` or `{{secretRef: {{file: PATH}}}}`"
            message = f"the secret `{secret.name}` must be a reference, not a value"
            problems.error("literal-secret", message, hiding(secret), help)


def refuse_secret(entry: Entry, problems: Problems) -> None:
    """A property the service takes a secret in, where we have no way to keep it one."""
    help = "use an identity or a secret in the cluster (`localAuthRef`) instead"
    message = f"`{entry.name}` is a secret and must not be written here"
    problems.error("literal-secret", message, hiding(entry), help)


def check_no_secret(entry: Entry, problems: Problems) -> bool:
    """True when the value is no reference to a secret; they may stand under the protected settings only."""
    if not isinstance(entry.value, MappingNode) or entry.value.entry(SECRET_REF) is None:
        return True
    help = f"the service takes secrets under `{PROTECTED_SETTINGS}` only"
    problems.error("misplaced-secret", f"`{entry.name}` cannot take a secret", entry.span, help)
    return False


def hiding(entry: Entry) -> Span:
    """The place of the key in a copy of the text that holds nothing else: diagnostics show the line.

    What stands before the key on its line is hidden too, from the first brace on: it may be another secret.
    """
    key = entry.key.span
    line = key.source.lines[key.line - 1]
    before = line[: key.column - 1]
    shown = before.find("{") + 1 or len(before)
    name = line[key.column - 1 : key.end_column - 1]
    text = before[:shown] + "*" * (len(before) - shown) + f"{name}: ***"
    source = Source(key.source.name, "\n" * (key.line - 1) + text)
    return Span(source, key.line, key.column, key.end_line, key.end_column)


def _is_secret_ref(node: Node) -> bool:
    target = _only_member(node, (SECRET_REF,))
    place = _only_member(target, _PLACES) if target is not None else None
    name = place.value if isinstance(place, ScalarNode) else None
    return isinstance(name, str) and bool(name) and not is_expression(name)


def _only_member(node: Node, names: tuple[str, ...]) -> Node | None:
    """The value of a mapping's one member, if that has one of ``names``."""
    if isinstance(node, MappingNode) and len(node.entries) == 1 and node.entries[0].name in names:
        return node.entries[0].value
    return None
