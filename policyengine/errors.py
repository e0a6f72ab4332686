"""The exception tree. A caller handles a branch; each leaf says what happened in the user's words.

PolicyEngineError
├── PolicyError(diagnostics)         the policy text is wrong
├── ExpressionError                  a template expression cannot be parsed or evaluated
├── TemplateError                    a deployment template cannot be expanded
├── InventoryError                   a snapshot or listing cannot be read
│   └── NotReadError                 what a policy looks for on a cluster could not be
├── ArmError(method, url, status, code)
│   ├── ArmTransportError            no answer                    retry
│   ├── ArmThrottled                 429, with retry_after_s      retry
│   ├── ArmUnavailable               5xx                          retry
│   ├── ArmConflict                  409, 412                     re-read, re-plan
│   ├── ArmNotAuthorized             401, 403                     sign in, or ask for the role
│   ├── ArmNotFound                  404
│   ├── ArmRejected                  any other 4xx                do not retry
│   └── OperationFailed              accepted, then failed
├── RemediationError                 a plan refused
├── StoreError                       the database cannot be used
├── ConfigError                      settings that cannot be used
└── UsageError                       an unknown name, an impossible combination of options
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policyengine.model.diagnostic import Diagnostic


class PolicyEngineError(Exception):
    """Root of everything this package raises on purpose."""

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help

    @property
    def told(self) -> str:
        """What is wrong and, where anybody knows, how to mend it, on one line."""
        return f"{self.message}; {self.help}" if self.help else self.message


class PolicyError(PolicyEngineError):
    """Policy files that cannot be used; every problem found, sorted by place."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: d.sort_key))
        count = sum(1 for d in self.diagnostics if d.is_error)
        super().__init__(f"{count} error{'s' if count != 1 else ''} in policy files")


class ExpressionError(PolicyEngineError):
    """An expression that cannot be parsed or evaluated.

    ``offset`` counts characters from the start of the expression text, 0-based; None when unknown.
    """

    def __init__(self, message: str, *, offset: int | None = None, help: str | None = None) -> None:
        super().__init__(message, help=help)
        self.offset = offset


class TemplateError(PolicyEngineError):
    """A deployment template that cannot be expanded into resource writes."""


class InventoryError(PolicyEngineError):
    """A snapshot or a listing that cannot be read.

    ``path`` leads to what is wrong in the document: keys and, in lists, numbers from 0; None when unknown.
    """

    def __init__(self, message: str, *, help: str | None = None, path: tuple[str | int, ...] | None = None) -> None:
        super().__init__(message, help=help)
        self.path = path


class NotReadError(InventoryError):
    """What a policy looks for on a cluster could not be read, so that nobody can tell whether it is there."""


class ArmError(PolicyEngineError):
    """Resource Manager's answer, or the lack of one.

    ``status`` is the HTTP status, None without an answer; ``code`` is ``error.code`` of the body.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str,
        url: str,
        status: int | None = None,
        code: str | None = None,
        correlation_id: str | None = None,
        help: str | None = None,
    ) -> None:
        super().__init__(message, help=help)
        self.method = method
        self.url = url
        self.status = status
        self.code = code
        self.correlation_id = correlation_id


class ArmTransportError(ArmError):
    """No answer: refused, reset, timed out, or cut short.

    ``sent`` is false when no connection was made; when true, the request may have been applied. ``lasts`` when
    asking again cannot help: the other side's certificate is not trusted.
    """

    sent: bool = True
    lasts: bool = False


class ArmThrottled(ArmError):
    """429, still refused after every retry."""

    retry_after_s: float | None = None


class ArmUnavailable(ArmError):
    """5xx, still failing after every retry."""


class ArmConflict(ArmError):
    """409 or 412: something else is changing the resource, or it is not what was expected.

    ``passes``: something else was still under way after every retry; the same request may succeed later.
    """

    passes: bool = False


class ArmNotAuthorized(ArmError):
    """401 or 403."""


class ArmNotFound(ArmError):
    """404."""


class ArmRejected(ArmError):
    """A request the service will never accept as it is."""


class OperationFailed(ArmError):
    """An operation that was accepted and then ended Failed or Canceled."""


class RemediationError(PolicyEngineError):
    """A remediation refused by a guard: nothing was written."""


class StoreError(PolicyEngineError):
    """The database cannot be opened, migrated or trusted."""


class ConfigError(PolicyEngineError):
    """Settings that cannot be used."""


class UsageError(PolicyEngineError):
    """A name nobody knows, or options that cannot go together."""
