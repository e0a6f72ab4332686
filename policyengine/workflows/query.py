"""`--query`: JMESPath over any result."""

from __future__ import annotations

from policyengine.clock import SystemClock
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.model.values import JSON


def apply_query(query: str, document: JSON) -> JSON:
    """Raises ExpressionError for a query that is not JMESPath."""
    return compile_jmespath(query).search(document, at=SystemClock().now())
