"""The values a template's parameters have: given or default, checked against their declaration.

Source: policy language §6.4; ARM template parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

from policyengine.errors import TemplateError
from policyengine.expressions.functions.base import kind_of
from policyengine.expressions.functions.comparison import equal
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON, get_folded, is_array, walk
from policyengine.templates.live_reads import defer_to_key_vault

_KINDS = {
    "string": "a text",
    "securestring": "a text",
    "int": "a whole number",
    "integer": "a whole number",
    "bool": "a boolean",
    "object": "an object",
    "secureobject": "an object",
    "array": "an array",
}


def given_values(declared: Mapping[str, JSON], given: Mapping[str, JSON]) -> dict[str, JSON]:
    """Values passed to a template, by folded name; a null stands for "not given" where there is a default.

    ``given`` maps names to ``{"value": …}`` or ``{"reference": {"keyVault": …}}``, as a deployment's own
    ``parameters`` do. Raises TemplateError for an unknown or missing name, OnlyWhole for a Key Vault reference.
    """
    names = {name.casefold() for name in declared}
    for name in given:
        if name.casefold() not in names:
            raise TemplateError(
                f"the template has no parameter `{name}`",
                help=did_you_mean(name, declared) or f"it has {', '.join(f'`{n}`' for n in declared) or 'none'}",
            )
    folded = {name.casefold(): _value(name, holder) for name, holder in given.items()}
    for name, declaration in declared.items():
        _settle(name, declaration, folded)
    return folded


def _value(name: str, holder: JSON) -> JSON:
    if isinstance(holder, Mapping):
        reference = get_folded(holder, "reference")
        if isinstance(reference, Mapping):
            defer_to_key_vault(name, reference)
        if any(key.casefold() == "value" for key in holder):
            return get_folded(holder, "value")
    raise TemplateError(f'parameter `{name}` must be given as `{{"value": …}}`, got {kind_of(holder)}')


def _settle(name: str, declaration: JSON, values: dict[str, JSON]) -> None:
    if not isinstance(declaration, Mapping):
        raise TemplateError(f"the declaration of parameter `{name}` must be an object, got {kind_of(declaration)}")
    if values.get(name.casefold()) is not None:
        return
    if any(key.casefold() == "defaultvalue" for key in declaration):
        values.pop(name.casefold(), None)
    elif get_folded(declaration, "nullable") is True:
        values[name.casefold()] = None
    else:
        reason = "is null" if name.casefold() in values else "is not given"
        raise TemplateError(f"parameter `{name}` {reason}, and the template has no default for it")


def check_value(name: str, declaration: Mapping[str, JSON], value: JSON) -> JSON:
    """``value`` when the declaration allows it. Raises TemplateError; secure values stay out of the message.

    A `bool` may be given as the text ``true`` or ``false``: built-in templates have such defaults. A secure one may be
    a ``{"secretRef": …}``: it stands for the secret until the moment of sending.
    """
    type = str(get_folded(declaration, "type"))
    if type.casefold() not in _KINDS:
        raise TemplateError(f"parameter `{name}` has the unknown type `{type}`", help=did_you_mean(type, _KINDS))
    if value is None and get_folded(declaration, "nullable") is True:
        return value
    if type.casefold() == "bool" and isinstance(value, str):
        value = {"true": True, "false": False}.get(value.casefold(), value)
    if is_secure(declaration) and is_secret_reference(value):
        return value
    wanted, got = _KINDS[type.casefold()], kind_of(value)
    if got != wanted:
        raise TemplateError(f"parameter `{name}` must be {wanted}, got {got}")
    shown = "that value" if is_secure(declaration) else f"`{value}`"
    _check_allowed(name, get_folded(declaration, "allowedValues"), value, shown)
    _check_bounds(name, declaration, value, shown)
    return value


def is_secure(declaration: JSON) -> bool:
    """True for `securestring` and `secureobject`."""
    return str(walk(declaration, "type") or "").casefold().startswith("secure")


def is_secret_reference(value: JSON) -> bool:
    """True for ``{"secretRef": {"env"|"file": …}}``, which stands for a secret without being one."""
    return isinstance(value, Mapping) and len(value) == 1 and isinstance(get_folded(value, "secretRef"), Mapping)


def _check_allowed(name: str, allowed: JSON, value: JSON, shown: str) -> None:
    """An array is allowed when each of its elements is."""
    if not is_array(allowed) or any(equal(value, choice) for choice in allowed):
        return
    if is_array(value) and all(any(equal(item, choice) for choice in allowed) for item in value):
        return
    choices = ", ".join(f"`{choice}`" for choice in allowed)
    raise TemplateError(f"parameter `{name}` does not allow {shown}", help=f"allowed: {choices}")


def _check_bounds(name: str, declaration: Mapping[str, JSON], value: JSON, shown: str) -> None:
    is_number = kind_of(value) == "a whole number"
    if not is_number and not isinstance(value, str) and not is_array(value):
        return
    size, words = (value, "Value") if is_number else (len(value), "Length")
    low, high = get_folded(declaration, f"min{words}"), get_folded(declaration, f"max{words}")
    if low is not None and size < low:
        raise TemplateError(f"parameter `{name}` does not allow {shown}: its min{words} is {low}")
    if high is not None and size > high:
        raise TemplateError(f"parameter `{name}` does not allow {shown}: its max{words} is {high}")
