"""What the process answers, the same for every command and every output format."""

from __future__ import annotations

from enum import IntEnum

from policyengine import errors


class ExitCode(IntEnum):
    OK = 0
    NO = 1  # the answer is "no": non-compliant, errors found, differences
    USAGE = 2
    INCOMPLETE = 3  # some scopes could not be evaluated, or part of the remediation failed
    INVALID = 4  # policy, configuration or inventory file
    NOT_PERMITTED = 5
    UNAVAILABLE = 6  # database, Resource Manager, emulator
    REFUSED = 7  # by a guard: plan stale, write conflict, no consent
    INTERRUPTED = 130
    TERMINATED = 143


BY_ERROR: tuple[tuple[type[errors.PolicyEngineError], ExitCode], ...] = (
    (errors.PolicyError, ExitCode.INVALID),
    (errors.ConfigError, ExitCode.INVALID),
    (errors.InventoryError, ExitCode.INVALID),
    (errors.TemplateError, ExitCode.INVALID),
    (errors.ExpressionError, ExitCode.USAGE),  # only a --query reaches the command line as one
    (errors.UsageError, ExitCode.USAGE),
    (errors.ArmNotAuthorized, ExitCode.NOT_PERMITTED),
    (errors.ArmError, ExitCode.UNAVAILABLE),
    (errors.StoreError, ExitCode.UNAVAILABLE),
    (errors.RemediationError, ExitCode.REFUSED),
)


def for_error(error: errors.PolicyEngineError) -> ExitCode:
    """The first row whose class matches; order matters where classes nest."""
    return next((code for kind, code in BY_ERROR if isinstance(error, kind)), ExitCode.NO)
