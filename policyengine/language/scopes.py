"""Scopes as authors write them: places in the Resource Manager tree, and patterns over them.

Source: policy language §1.10.
"""

from __future__ import annotations

import re
from typing import Final

from policyengine.language.fields import Fields, text_of
from policyengine.language.problems import Problems
from policyengine.model.diagnostic import Span
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopePattern

_SHAPE: Final = re.compile(
    r"""/providers/Microsoft\.Management/managementGroups/[^/]+
      | /subscriptions/[^/]+ (?: /resourceGroups/[^/]+ )? (?: /providers/[^/]+ (?: /[^/]+/[^/]+ )+ )*""",
    re.VERBOSE | re.IGNORECASE,
)
_HELP: Final = (
    "write `/subscriptions/ID`, `/subscriptions/ID/resourceGroups/NAME`, a resource's id, "
    "or `/providers/Microsoft.Management/managementGroups/NAME`"
)


def scope_of(fields: Fields) -> ResourceId:
    """The one place under `scope`; the root, with an error, when there is none."""
    text = fields.required_text("scope")
    node = fields.node.get("scope")
    if not text or node is None or not _check(text, node.span, fields.problems):
        return ResourceId("/")
    if "*" in text:
        help = "assign to the place above, and leave parts out with `notScopes`"
        fields.problems.error("invalid-scope", "the scope of an assignment cannot have wildcards", node.span, help)
        return ResourceId("/")
    return ResourceId(text)


def patterns_of(fields: Fields, name: str) -> tuple[ScopePattern, ...]:
    """A list of places in which `*` may stand for a run of characters inside one segment."""
    problems = fields.problems
    texts = [(text_of(item, f"each of `{name}`", problems), item.span) for item in fields.items(name)]
    return tuple(ScopePattern(text) for text, span in texts if text is not None and _check(text, span, problems))


def _check(text: str, span: Span, problems: Problems) -> bool:
    if _SHAPE.fullmatch(text.rstrip("/")):
        return True
    problems.error("invalid-scope", f"`{text}` is not a place in the Resource Manager tree", span, _HELP)
    return False
