"""What the service would refuse in a body that has the right shape. Constant values only; expressions are unknown yet.

Source: configuration API §2 (version and auto-upgrade, scopes) and §5 (names, addresses).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from policyengine.expressions.compiled import is_expression
from policyengine.language.cycles import find_cycle
from policyengine.language.problems import Problems
from policyengine.model.diagnostic import Span, did_you_mean
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode

_DNS_NAME: Final = re.compile(r"[a-z0-9]([.\-a-z0-9]*[a-z0-9])?")
_NAMESPACE: Final = re.compile(r"[a-z0-9.-]{1,253}")
_EXTENSION_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-._]{0,62}")
_MAX_CONFIGURATION_NAME: Final = 63
_MAX_NAMES_TOGETHER: Final = 62

SOURCE_KINDS: Final[Mapping[str, str]] = {
    "gitRepository": "GitRepository",
    "bucket": "Bucket",
    "azureBlob": "AzureBlob",
    "ociRepository": "OCIRepository",
}

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "gitRepository": ("url",),
    "bucket": ("url", "bucketName"),
    "azureBlob": ("url", "containerName"),
    "ociRepository": ("url",),
}
_SCHEMES: Final[Mapping[str, tuple[str, ...]]] = {
    "gitRepository": ("http://", "https://", "ssh://", "git@"),
    "bucket": ("http://", "https://"),
    "azureBlob": ("http://", "https://"),
    "ociRepository": ("oci://",),
}


def check_extension(name: Node | None, body: MappingNode, problems: Problems) -> None:
    _check_name(name, _EXTENSION_NAME, 63, "an extension", problems)
    scope = body.get("scope")
    if isinstance(scope, MappingNode):
        _check_extension_scope(scope, _constant(body, "extensionType"), problems)
    version = body.entry("version")
    upgrades = body.get("autoUpgradeMinorVersion")
    pinned = isinstance(upgrades, ScalarNode) and (upgrades.value is False or isinstance(upgrades.value, str))
    if version is not None and _value(version.value) is not None and not pinned:
        help = "add `autoUpgradeMinorVersion: false`, or leave the version out"
        message = "the service refuses a `version` while minor versions are upgraded automatically"
        problems.error("invalid-value", message, version.span, help)


def _check_extension_scope(scope: MappingNode, extension_type: str | None, problems: Problems) -> None:
    if len(scope.entries) > 1:
        message = "an extension has one scope, `cluster` or `namespace`, not both"
        problems.error("invalid-value", message, scope.entries[1].key.span)
    namespace = scope.entry("namespace")
    if namespace is not None and (extension_type or "").casefold() == "microsoft.flux":
        message = "`microsoft.flux` cannot be installed at namespace scope"
        problems.error("invalid-value", message, namespace.key.span)


def check_flux_configuration(name: Node | None, body: MappingNode, problems: Problems) -> str | None:
    """The kind of the declared source; None, with an error, when there is not exactly one."""
    _check_name(name, _DNS_NAME, _MAX_CONFIGURATION_NAME, "a Flux configuration", problems)
    namespace = body.entry("namespace")
    text = _constant(body, "namespace")
    if namespace is not None and text is not None and not _NAMESPACE.fullmatch(text):
        problems.error("invalid-name", f"`{text}` cannot be a namespace", namespace.value.span)
    kustomizations = body.get("kustomizations")
    if isinstance(kustomizations, MappingNode):
        _check_kustomizations(kustomizations, name, problems)
    return _check_source(body, problems)


def _check_source(body: MappingNode, problems: Problems) -> str | None:
    sources = [entry for entry in body if entry.name in SOURCE_KINDS and _value(entry.value) is not None]
    if len(sources) != 1:
        listed = ", ".join(f"`{name}`" for name in SOURCE_KINDS)
        place = sources[1].key.span if sources else body.span
        problem = "several" if sources else "none"
        problems.error(
            "invalid-source",
            f"a Flux configuration has one source, this one has {problem}",
            place,
            f"declare one of {listed}",
        )
        return None
    source = sources[0]
    kind = SOURCE_KINDS[source.name]
    declared = body.entry("sourceKind")
    written = _constant(body, "sourceKind")
    if declared is not None and written is not None and written.casefold() != kind.casefold():
        help = "leave it out; it follows from the source"
        problems.error(
            "invalid-source", f"`sourceKind` is `{written}`, but the source is `{source.name}`", declared.span, help
        )
    if isinstance(source.value, MappingNode):
        _check_source_body(source, source.value, problems)
    return kind


def _check_source_body(source: Entry, body: MappingNode, problems: Problems) -> None:
    for name in _REQUIRED[source.name]:
        if body.entry(name) is None:
            problems.error("missing-key", f"`{source.name}` needs `{name}`", source.key.span)
    url = body.entry("url")
    text = _constant(body, "url")
    schemes = _SCHEMES[source.name]
    if url is not None and text is not None and not text.casefold().startswith(schemes):
        listed = ", ".join(f"`{scheme}`" for scheme in schemes)
        message = f"the address of `{source.name}` cannot be `{text}`"
        problems.error("invalid-value", message, url.value.span, f"begin it with one of {listed}")


def _check_kustomizations(node: MappingNode, configuration: Node | None, problems: Problems) -> None:
    names = [entry.name for entry in node]
    graph: dict[str, list[str]] = {}
    spans: dict[str, Span] = {}
    for entry in node:
        _check_kustomization_name(entry, configuration, problems)
        graph[entry.name] = []
        spans[entry.name] = entry.key.span
        for item in _dependencies(entry.value):
            if item.value in names:
                graph[entry.name].append(str(item.value))
            elif isinstance(item.value, str) and not is_expression(item.value):
                help = did_you_mean(item.value, names)
                message = f"kustomization `{entry.name}` depends on `{item.value}`, which is not declared"
                problems.error("missing-reference", message, item.span, help)
    if cycle := find_cycle(graph):
        ring = " → ".join(f"`{name}`" for name in cycle)
        problems.error("cycle", f"kustomizations depend on each other in a ring: {ring}", spans[cycle[0]])


def _dependencies(kustomization: Node) -> list[ScalarNode]:
    declared = kustomization.get("dependsOn") if isinstance(kustomization, MappingNode) else None
    items = declared.items if isinstance(declared, SequenceNode) else ()
    return [item for item in items if isinstance(item, ScalarNode)]


def _check_kustomization_name(entry: Entry, configuration: Node | None, problems: Problems) -> None:
    if not _DNS_NAME.fullmatch(entry.name):
        help = "use a to z, 0 to 9, `-` and `.`, beginning and ending with a letter or digit"
        problems.error("invalid-name", f"`{entry.name}` cannot be the name of a kustomization", entry.key.span, help)
    outer = _value(configuration)
    if isinstance(outer, str) and not is_expression(outer) and len(outer) + len(entry.name) > _MAX_NAMES_TOGETHER:
        message = f"the names `{outer}` and `{entry.name}` are longer than {_MAX_NAMES_TOGETHER} characters together"
        problems.error("invalid-name", message, entry.key.span)


def _check_name(node: Node | None, pattern: re.Pattern[str], longest: int, owner: str, problems: Problems) -> None:
    text = _value(node)
    if node is None or not isinstance(text, str) or is_expression(text):
        return
    if len(text) > longest or not pattern.fullmatch(text):
        help = f"use at most {longest} characters: a to z, 0 to 9, `-` and `.`"
        problems.error("invalid-name", f"`{text}` cannot be the name of {owner}", node.span, help)


def _value(node: Node | None) -> object:
    """The scalar, None for null and for absent; anything else stands for itself."""
    return node.value if isinstance(node, ScalarNode) else node


def _constant(body: MappingNode, name: str) -> str | None:
    value = _value(body.get(name))
    return value if isinstance(value, str) and not is_expression(value) else None
