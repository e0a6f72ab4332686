"""Rules about deployment templates: what can never be expanded, and what no plan could show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.expressions.compiled import Where, compile_value
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.lint.base import Finding
from policyengine.model.values import get_folded

_ONLY_RESOURCE_MANAGER: Final = {name.casefold(): name for name in ("environment", "newGuid", "pickZones", "providers")}


def template_expression(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Text in the deployment template that can never be expanded. Source: policy language §6.4."""
    details, (functions, error) = definition.then.details, _template(definition)
    span = details.span if details is not None else None
    if error is not None:
        yield Finding(f"the deployment template cannot be expanded: {error.message}", span, error.help)
    elif "managementgroup" in functions:
        message = "`managementGroup()` has no answer in a deployment to a subscription or a resource group"
        yield Finding(message, span, "take the group's name as a parameter")


def template_function(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """A function that only Resource Manager answers: the template is sent whole, and no plan shows what it writes."""
    details, (functions, _) = definition.then.details, _template(definition)
    for name in sorted(functions & set(_ONLY_RESOURCE_MANAGER)):
        if details is not None:
            message = f"`{_ONLY_RESOURCE_MANAGER[name]}()` is answered by Resource Manager only"
            help = "its plan shows one deployment and not what that writes; take the value as a parameter"
            yield Finding(message, details.span, help)


def _template(definition: PolicyDefinition) -> tuple[frozenset[str], ExpressionError | None]:
    """The functions that the deployment template calls (folded), or why it cannot be compiled."""
    details = definition.then.details
    template = details.deployment.template if details is not None and details.deployment is not None else {}
    if get_folded(template, "functions"):
        return frozenset(), None  # calls of its own functions are not ours to understand
    try:
        return compile_value(template, where=Where.TEMPLATE).functions, None
    except ExpressionError as error:
        return frozenset(), error
