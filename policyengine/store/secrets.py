"""No secret comes to rest here: a plan holds references to secrets, never the secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policyengine.errors import StoreError
from policyengine.model.resource import ResourceWrite
from policyengine.model.values import JSON, is_array, walk
from policyengine.remediation.deployments import is_deployment, literal_secret
from policyengine.remediation.habits import SECRET_NAMES, is_empty
from policyengine.remediation.steps import Plan

_PROTECTED = "configurationprotectedsettings"


def refuse_literals(plan: Plan) -> None:
    """Raises StoreError when a request body holds, where a secret belongs, anything but a ``secretRef``.

    A template fills such properties from its parameters. The message names the property, never its value.
    Source: user experience, "Policy file format", secrets.
    """
    for step in plan.steps:
        for name in _secrets_of(step.write):
            raise StoreError(
                f"step `{step.id}` cannot be stored: the {name} of `{step.write.id}` is a literal",
                help="write {secretRef: {env: NAME}} or {secretRef: {file: PATH}} in its place",
            )


def _secrets_of(write: ResourceWrite) -> Iterator[str]:
    """Of a deployment its parameters only: what stands in a template is known to all who read the policy."""
    if not is_deployment(write.id.type):
        yield from _literals(write.body)
    elif (name := literal_secret(_of(write, "template"), _of(write, "parameters"))) is not None:
        yield f"secure parameter `{name}`"


def _of(deployment: ResourceWrite, part: str) -> Mapping[str, JSON]:
    return walk(deployment.body, "properties", part) or {}


def _literals(value: JSON) -> Iterator[str]:
    """What holds a literal, in words, at any depth; templates may nest bodies."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            if key.casefold() == _PROTECTED:
                yield from (f"protected setting `{name}`" for name in _literal_settings(key, member))
            elif key.casefold() in SECRET_NAMES:
                if not is_empty(member) and not _is_reference(member):
                    yield f"secret property `{key}`"
            else:
                yield from _literals(member)
    elif is_array(value):
        for item in value:
            yield from _literals(item)


def _literal_settings(key: str, settings: JSON) -> Iterator[str]:
    if isinstance(settings, Mapping):
        yield from (name for name, value in settings.items() if value is not None and not _is_reference(value))
    elif settings is not None:
        yield key


def _is_reference(value: JSON) -> bool:
    if not isinstance(value, Mapping) or set(value) != {"secretRef"}:
        return False
    target = value["secretRef"]
    return (
        isinstance(target, Mapping)
        and len(target) == 1
        and all(kind in {"env", "file"} and isinstance(name, str) for kind, name in target.items())
    )
