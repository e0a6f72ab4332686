"""Conditions × documents → true or false, and why; knows no effect."""

from policyengine.evaluation.fields import short_name
from policyengine.evaluation.masking import MASK, mask, redact_text, secrets_in
from policyengine.evaluation.scalar import evaluate, trace
from policyengine.evaluation.subject import Context, Subject, expression_context
from policyengine.evaluation.trace import Trace

__all__ = [
    "MASK",
    "Context",
    "Subject",
    "Trace",
    "evaluate",
    "expression_context",
    "mask",
    "redact_text",
    "secrets_in",
    "short_name",
    "trace",
]
