"""Declarative policy for fleets of Kubernetes clusters: scan, explain, plan, remediate, report.

The public functions are resolved when they are first asked for, so that importing the package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policyengine.api import Evaluation, evaluate, evaluate_expression, parse_definition
    from policyengine.errors import ExpressionError, PolicyEngineError, PolicyError, UsageError
    from policyengine.language.aliases import AliasCatalogue
    from policyengine.language.documents import PolicyDefinition
    from policyengine.model.states import ComplianceState
    from policyengine.model.values import NO_RESULT

__version__ = "0.1.0"

_HOMES = {
    "AliasCatalogue": "policyengine.language.aliases",
    "ComplianceState": "policyengine.model.states",
    "Evaluation": "policyengine.api",
    "ExpressionError": "policyengine.errors",
    "NO_RESULT": "policyengine.model.values",
    "PolicyDefinition": "policyengine.language.documents",
    "PolicyEngineError": "policyengine.errors",
    "PolicyError": "policyengine.errors",
    "UsageError": "policyengine.errors",
    "evaluate": "policyengine.api",
    "evaluate_expression": "policyengine.api",
    "parse_definition": "policyengine.api",
}

__all__ = [
    "NO_RESULT",
    "AliasCatalogue",
    "ComplianceState",
    "Evaluation",
    "ExpressionError",
    "PolicyDefinition",
    "PolicyEngineError",
    "PolicyError",
    "UsageError",
    "__version__",
    "evaluate",
    "evaluate_expression",
    "parse_definition",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module `policyengine` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
