"""Resource selectors and overrides: which resources of a scope an assignment speaks about, and how.

Source: policy language §1.5, "resourceSelectors", "overrides".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from policyengine.language.fields import Fields, first_line, one_of, text_of
from policyengine.language.operators import normalise_location
from policyengine.language.problems import Problems
from policyengine.model.diagnostic import Span
from policyengine.model.resource import Resource
from policyengine.text.nodes import MappingNode, Node

MAX_GROUPS: Final = 10
MAX_VALUES: Final = 50
MAX_MEMBERS: Final = 1000  # of an initiative
SUBSCRIPTION_LEVEL: Final = "subscriptionLevelResources"
NO_LOCATION: Final = "global"


class SelectorKind(Enum):
    LOCATION = "resourceLocation"
    TYPE = "resourceType"
    WITHOUT_LOCATION = "resourceWithoutLocation"
    REFERENCE_ID = "policyDefinitionReferenceId"


class OverrideKind(Enum):
    EFFECT = "policyEffect"
    VERSION = "definitionVersion"


@dataclass(frozen=True, slots=True, eq=False)
class Selector:
    """One test on a resource or on a member of an initiative. ``values`` are as comparisons see them."""

    kind: SelectorKind
    values: frozenset[str]
    is_negated: bool = False
    written: tuple[tuple[str, Span], ...] = ()  # as in the file

    def admits(self, value: str) -> bool:
        return (_seen(self.kind, value) in self.values) is not self.is_negated

    def excludes(self, other: Selector) -> bool:
        """True when the two, of one kind, have no value in common."""
        if self.is_negated and other.is_negated:
            return False
        if self.is_negated or other.is_negated:
            listed, left_out = (other, self) if self.is_negated else (self, other)
            return listed.values <= left_out.values
        return not self.values & other.values


@dataclass(frozen=True, slots=True, eq=False)
class ResourceSelector:
    """A named group: a resource passes when every selector admits it."""

    name: str
    selectors: tuple[Selector, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Override:
    """Another effect or version, for what all ``selectors`` admit; for everything when there are none."""

    kind: OverrideKind
    value: str
    selectors: tuple[Selector, ...] = ()
    span: Span | None = None

    def speaks_of(self, reference_id: str | None) -> bool:
        """False when it never holds for that member, whatever the resource."""
        own = [selector for selector in self.selectors if selector.kind is SelectorKind.REFERENCE_ID]
        return all(selector.admits(reference_id or "") for selector in own)

    @property
    def conditions(self) -> tuple[Selector, ...]:
        """The selectors that look at the resource."""
        return tuple(selector for selector in self.selectors if selector.kind is not SelectorKind.REFERENCE_ID)


def is_selected(groups: Iterable[ResourceSelector], resource: Resource) -> bool:
    """True when the resource passes any group, or there is none."""
    listed = tuple(groups)
    return not listed or any(admits_all(group.selectors, resource) for group in listed)


def admits_all(selectors: Iterable[Selector], resource: Resource) -> bool:
    return all(selector.admits(_fact(selector.kind, resource)) for selector in selectors)


def _fact(kind: SelectorKind, resource: Resource) -> str:
    if kind is SelectorKind.LOCATION:
        return resource.location or NO_LOCATION
    if kind is SelectorKind.TYPE:
        return resource.type
    below_subscription = resource.id.subscription is not None and resource.id.resource_group is None
    return SUBSCRIPTION_LEVEL if below_subscription and not resource.location else ""


def _seen(kind: SelectorKind, value: str) -> str:
    return str(normalise_location(value)) if kind is SelectorKind.LOCATION else value.casefold()


RESOURCE_SELECTORS: Final = {
    kind.value: kind for kind in (SelectorKind.LOCATION, SelectorKind.TYPE, SelectorKind.WITHOUT_LOCATION)
}
OVERRIDE_SELECTORS: Final[Mapping[OverrideKind, Mapping[str, SelectorKind]]] = {
    OverrideKind.EFFECT: {kind.value: kind for kind in (SelectorKind.REFERENCE_ID, SelectorKind.LOCATION)},
    OverrideKind.VERSION: {SelectorKind.LOCATION.value: SelectorKind.LOCATION},
}
OVERRIDES: Final = {
    "policyEffect": OverrideKind.EFFECT,
    "policyVersion": OverrideKind.VERSION,  # the documentation's word
    "definitionVersion": OverrideKind.VERSION,  # the schema's
}


def parse_resource_selectors(fields: Fields) -> tuple[ResourceSelector, ...]:
    """`resourceSelectors: [{name, selectors: [{kind, in | notIn}]}]`."""
    items = fields.items("resourceSelectors")
    warn_above(MAX_GROUPS, len(items), "resource selectors", fields, "resourceSelectors")
    groups = (_parse_group(item, fields.problems) for item in items)
    return tuple(group for group in groups if group is not None)


def parse_overrides(fields: Fields) -> tuple[Override, ...]:
    """`overrides: [{kind, value, selectors: […]}]`."""
    items = fields.items("overrides")
    warn_above(MAX_GROUPS, len(items), "overrides", fields, "overrides")
    overrides = (_parse_override(item, fields.problems) for item in items)
    return tuple(override for override in overrides if override is not None)


def warn_above(limit: int, count: int, noun: str, fields: Fields, name: str) -> None:
    """Azure's limits are only warned about: nothing here depends on them. Source: policy language §11."""
    entry = fields.entry(name)
    if count > limit and entry is not None:
        message = f"there are {count} {noun}, and Azure takes {limit}"
        fields.problems.warning("over-limit", message, entry.key.span)


def _parse_group(node: Node, problems: Problems) -> ResourceSelector | None:
    fields = _fields(node, "a resource selector", "write `{name: …, selectors: [{kind: …, in: […]}]}`", problems)
    if fields is None:
        return None
    if fields.node.entry("selectors") is None:
        fields.missing("selectors")
    group = ResourceSelector(fields.text("name"), _parse_selectors(fields, RESOURCE_SELECTORS))
    fields.close()
    kinds = {selector.kind for selector in group.selectors}
    if {SelectorKind.LOCATION, SelectorKind.WITHOUT_LOCATION} <= kinds:
        message = "`resourceWithoutLocation` cannot stand together with `resourceLocation`"
        problems.error("invalid-selector", message, first_line(node), "make two groups: any of them will do")
    return group


def _parse_override(node: Node, problems: Problems) -> Override | None:
    fields = _fields(node, "an override", "write `{kind: policyEffect, value: Audit, selectors: […]}`", problems)
    if fields is None:
        return None
    if fields.node.entry("kind") is None:
        fields.missing("kind", one_of(OVERRIDES))
    kind = fields.choice("kind", OVERRIDES, OverrideKind.EFFECT)
    override = Override(
        kind=kind,
        value=fields.required_text("value"),
        selectors=_parse_selectors(fields, OVERRIDE_SELECTORS[kind]),
        span=first_line(node),
    )
    fields.close()
    return override


def _parse_selectors(owner: Fields, kinds: Mapping[str, SelectorKind]) -> tuple[Selector, ...]:
    found: dict[SelectorKind, Selector] = {}
    for item in owner.items("selectors"):
        selector = _parse_selector(item, kinds, owner.problems)
        if selector is not None and selector.kind in found:
            message = f"`{selector.kind.value}` is there twice in one group"
            help = "write all its values in one selector; another group is an alternative"
            owner.problems.error("invalid-selector", message, first_line(item), help)
        elif selector is not None:
            found[selector.kind] = selector
    return tuple(found.values())


def _parse_selector(node: Node, kinds: Mapping[str, SelectorKind], problems: Problems) -> Selector | None:
    fields = _fields(node, "a selector", "write `{kind: resourceLocation, in: [westeurope]}`", problems)
    if fields is None:
        return None
    if fields.node.entry("kind") is None:
        fields.missing("kind", one_of(kinds))
        return None
    choices: dict[str, SelectorKind | None] = dict(kinds)
    kind = fields.choice("kind", choices, None)
    lists = [name for name in ("in", "notIn") if fields.entry(name) is not None]
    fields.close()
    if len(lists) != 1:
        message = "a selector has one list, `in` or `notIn`"
        problems.error("invalid-selector", message, first_line(node), "write `in: […]` or `notIn: […]`")
    if kind is None or not lists:
        return None
    items = fields.items(lists[0])
    warn_above(MAX_VALUES, len(items), "values", fields, lists[0])
    texts = [(text_of(item, f"each of `{lists[0]}`", problems), item.span) for item in items]
    written = tuple((text, span) for text, span in texts if text is not None)
    if kind is SelectorKind.WITHOUT_LOCATION:
        _check_level(written, problems)
    values = frozenset(_seen(kind, text) for text, _ in written)
    return Selector(kind, values, is_negated=lists[0] == "notIn", written=written)


def _check_level(written: Iterable[tuple[str, Span]], problems: Problems) -> None:
    for text, span in written:
        if text.casefold() != SUBSCRIPTION_LEVEL.casefold():
            message = f"`resourceWithoutLocation` cannot be `{text}`"
            problems.error("unknown-value", message, span, f"choose `{SUBSCRIPTION_LEVEL}`")


def _fields(node: Node, noun: str, help: str, problems: Problems) -> Fields | None:
    if isinstance(node, MappingNode):
        return Fields(node, noun, problems)
    problems.error("wrong-type", f"{noun} must be a mapping", first_line(node), help)
    return None
