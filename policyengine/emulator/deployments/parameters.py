"""A deployment's parameters: secrets fetched from a vault, and what may be told of the rest.

Source: ARM template parameters; configuration API, "Subscriptions, groups, management groups, deployments".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from policyengine.emulator.journal import MASK
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded, walk

_TYPES: Final = {
    "string": "String",
    "securestring": "SecureString",
    "int": "Int",
    "bool": "Bool",
    "object": "Object",
    "secureobject": "SecureObject",
    "array": "Array",
}


def with_secrets(given: Mapping[str, JSON], secret: Callable[[str, str], str]) -> dict[str, JSON]:
    """``given`` with every Key Vault reference replaced by the value ``secret`` gives for vault id and name."""
    found: dict[str, JSON] = {}
    for name, holder in given.items():
        reference = get_folded(holder, "reference") if isinstance(holder, Mapping) else None
        if isinstance(reference, Mapping):
            vault, wanted = str(walk(reference, "keyVault", "id") or ""), str(get_folded(reference, "secretName") or "")
            found[name] = {"value": secret(vault, wanted)}
        else:
            found[name] = holder
    return found


def shown(declared: Mapping[str, JSON], given: Mapping[str, JSON]) -> dict[str, JSON]:
    """The parameters as a GET tells them: with their types, secure ones without their values."""
    told: dict[str, JSON] = {}
    for name, holder in given.items():
        type = str(walk(declared, name, "type") or "string")
        entry: dict[str, JSON] = {"type": shown_type(type)}
        reference = get_folded(holder, "reference") if isinstance(holder, Mapping) else None
        if reference is not None:
            entry["reference"] = reference
        elif not is_secure(type):
            entry["value"] = walk(holder, "value")
        told[name] = entry
    return told


def shown_type(type: str) -> str:
    return _TYPES.get(type.casefold(), type)


def is_secure(type: JSON) -> bool:
    return str(type).casefold().startswith("secure")


def hide_secure_parameters(body: JSON) -> JSON:
    """A request body in which no secure parameter of a deployment has its value any more; any other as it is."""
    given, declared = walk(body, "properties", "parameters"), walk(body, "properties", "template", "parameters")
    if not isinstance(given, Mapping) or not isinstance(declared, Mapping):
        return body
    hidden = {
        name: {"value": MASK}
        if is_secure(walk(declared, name, "type")) and walk(holder, "value") is not None
        else holder
        for name, holder in given.items()
    }
    properties = {**get_folded(body, "properties"), "parameters": hidden}
    return {
        **{name: value for name, value in body.items() if name.casefold() != "properties"},
        "properties": properties,
    }


def vault_secret_id(vault: str, name: str) -> ResourceId:
    """Raises ValueError for a vault that is not a resource id."""
    return ResourceId(f"{vault.rstrip('/')}/secrets/{name}")
