"""Functions only a place can answer: declared here, supplied through the context, never computed here."""

from __future__ import annotations

from policyengine.expressions.functions.base import (
    ANY,
    INTEGER,
    RULE_ONLY,
    TEMPLATE_ONLY,
    TEXT,
    Calling,
    Function,
)

_SUPPLIED = Calling.SUPPLIED

PLACES = (
    Function("parameters", None, (TEXT,), calling=_SUPPLIED),
    Function("subscription", None, calling=_SUPPLIED),
    Function("resourceGroup", None, calling=_SUPPLIED),
    Function("field", None, (TEXT,), where=RULE_ONLY, calling=_SUPPLIED),
    Function("current", None, optional=(TEXT,), where=RULE_ONLY, calling=_SUPPLIED),
    Function("policy", None, where=RULE_ONLY, calling=_SUPPLIED),
    Function("requestContext", None, where=RULE_ONLY, calling=_SUPPLIED),
    Function("claims", None, where=RULE_ONLY, calling=_SUPPLIED),
    Function("variables", None, (TEXT,), where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("deployment", None, where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("copyIndex", None, optional=(TEXT + INTEGER, INTEGER), where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("reference", None, (TEXT,), (TEXT, TEXT), where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("list*", None, (TEXT,), rest=ANY, where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("newGuid", None, where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("environment", None, where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("managementGroup", None, where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("tenant", None, where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("providers", None, (TEXT,), (TEXT,), where=TEMPLATE_ONLY, calling=_SUPPLIED),
    Function("pickZones", None, (TEXT, TEXT, TEXT), (INTEGER, INTEGER), where=TEMPLATE_ONLY, calling=_SUPPLIED),
)
