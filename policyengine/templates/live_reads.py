"""Functions that need the live resource, a secret, or chance: named here, and refused with what they would need.

Expansion is pure: it fetches nothing and gives the same writes each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from policyengine.errors import TemplateError
from policyengine.model.values import JSON, get_folded, walk


def _reference(target: str, *_: JSON) -> JSON:
    raise TemplateError(
        f"`reference('{target}')` is not supported by this release",
        help="it needs a read of the live resource while the template is expanded",
    )


def _list(target: str, *_: JSON) -> JSON:
    raise TemplateError(
        f"`list…('{target}')` is not supported by this release",
        help="it needs keys of a live resource while the template is expanded",
    )


def _new_guid() -> JSON:
    raise TemplateError(
        "`newGuid()` is not supported: a plan must give the same writes each time",
        help="use `guid(…)` of what makes the name unique",
    )


UNSUPPORTED: Mapping[str, Callable[..., JSON]] = {"reference": _reference, "list*": _list, "newguid": _new_guid}
"""Folded names, ready for an `ExpressionContext`."""


def refuse_key_vault(parameter: str, reference: Mapping[str, JSON]) -> None:
    """Raises for a parameter whose value is ``{"reference": {"keyVault": …}}``."""
    vault = str(walk(reference, "keyVault", "id") or "").rsplit("/", 1)[-1]
    secret = get_folded(reference, "secretName")
    raise TemplateError(
        f"parameter `{parameter}` is secret `{secret}` of Key Vault `{vault}`, which is not supported by this release",
        help="it needs a read of the vault at the moment of deployment",
    )
