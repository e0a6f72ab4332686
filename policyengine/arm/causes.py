"""Down through the wrappings of an error, to the sentence that says what went wrong.

Resource Manager wraps errors in errors, and the agents wrap them in text: JSON inside JSON strings,
``InnerError: [ … ]``, ``Error: {…} occurred while doing the operation``, ``: err […]``. Pure.
Source: users' reports (ask 22); GitOps behaviour G12; configuration API §2, §3 and §5.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policyengine.arm.answer import one_line
from policyengine.model.values import JSON, get_folded, is_array, walk

_DEEPEST: Final = 40
_AGENT: Final = re.compile(r"Error:?\s*\{(?P<cause>.+)\}\s*occurred while doing the operation", re.DOTALL)
_INNER: Final = re.compile(r"InnerError:?\s*\[(?P<cause>.+?)\](?:\s|$|\])", re.DOTALL)
_HELM: Final = re.compile(r":\s*err\s*\[(?P<cause>.+)\]\s*$", re.DOTALL)
_VAGUE: Final = frozenset({"resourceoperationfailure", "deploymentfailed", "resourcedeploymentfailure"})

KNOWN: Final = (
    ("admission webhook", "a policy on the cluster itself denied it: mend that policy or exempt the namespace"),
    ("cannot re-use a name", "a Helm release of that name is left on the cluster: remove it, then plan again"),
    ("sourcecontrolconfiguration", "remove the Flux v1 configurations of this cluster first"),
    ("servicePrincipal", "the cluster needs a managed identity instead of a service principal"),
    ("ImagePullBackOff", "the cluster cannot pull the image: allow the registry through its firewall"),
    ("insufficient cpu", "the cluster has no room for the pods: add a node or free some"),
    ("insufficient memory", "the cluster has no room for the pods: add a node or free some"),
)
"""What is often behind a failure: a piece of the message, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The innermost error that could be found. Either part may be empty."""

    code: str
    message: str

    @property
    def is_vague(self) -> bool:
        """True when it only says that something failed."""
        return not self.message or self.code.casefold() in _VAGUE

    @property
    def help(self) -> str | None:
        text = self.message.casefold()
        return next((help for piece, help in KNOWN if piece.casefold() in text), None)

    def __str__(self) -> str:
        if not self.message:
            return self.code or "no cause was given"
        return self.message if not self.code or self.code in self.message else f"{self.code}: {self.message}"


def innermost_cause(error: JSON) -> Cause:
    """The deepest error inside ``error``: an error body, its ``error`` object, or the text of a message."""
    return _unwrap(error, Cause("", ""), _DEEPEST)


def cause_in_resource(document: Mapping[str, JSON]) -> Cause | None:
    """What a failed extension, configuration or deployment says about itself, or None when it says nothing.

    Source: configuration API §2 (errorInfo, statuses) and §3 (errorMessage); ARM deployments (error).
    """
    for name in ("errorInfo", "errorMessage", "error"):
        told = walk(document, "properties", name)
        if told and not (cause := innermost_cause(told)).is_vague:
            return cause
    statuses = walk(document, "properties", "statuses")
    for status in statuses if is_array(statuses) else ():
        if str(walk(status, "level") or "").casefold() == "error" and walk(status, "message"):
            return innermost_cause({"code": walk(status, "code"), "message": walk(status, "message")})
    return None


def _unwrap(value: JSON, known: Cause, depth: int) -> Cause:
    if depth == 0:
        return known
    if isinstance(value, str):
        return _unwrap_text(value, known, depth)
    if isinstance(value, Mapping):
        return _unwrap_object(value, known, depth)
    return known


def _unwrap_object(error: Mapping[str, JSON], known: Cause, depth: int) -> Cause:
    for name in ("error", "innererror", "innerError"):
        inside = get_folded(error, name)
        if isinstance(inside, Mapping) and _says_something(inside):
            known = _own(error, known)
            return _unwrap(inside, known, depth - 1)
    details = get_folded(error, "details")
    for detail in details if is_array(details) else ():
        if isinstance(detail, Mapping) and _says_something(detail):
            return _unwrap(detail, _own(error, known), depth - 1)
    own = _own(error, known)
    return _unwrap(own.message, own, depth - 1) if own.message else own


def _own(error: Mapping[str, JSON], known: Cause) -> Cause:
    code, message = get_folded(error, "code"), get_folded(error, "message")
    text = one_line(message) if isinstance(message, str) else ""
    return Cause(str(code) if code else known.code, text or known.message)


def _says_something(error: Mapping[str, JSON]) -> bool:
    return any(get_folded(error, name) for name in ("message", "code", "error", "details"))


def _unwrap_text(text: str, known: Cause, depth: int) -> Cause:
    for inside in _objects_in(text):
        if _says_something(inside):
            return _unwrap(inside, known, depth - 1)
    for wrapping in (_AGENT, _INNER, _HELM):
        if found := wrapping.search(text):
            return _unwrap(found.group("cause").strip(), known, depth - 1)
    return Cause(known.code, one_line(text) or known.message)


def _objects_in(text: str) -> Iterator[Mapping[str, JSON]]:
    """JSON objects embedded in ``text``, also where their quotes are still escaped."""
    for form in (text, text.replace('\\"', '"')):
        at = form.find("{")
        while at >= 0:
            try:
                value, _ = json.JSONDecoder().raw_decode(form, at)
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, Mapping):
                yield value
            at = form.find("{", at + 1)
