"""What a template asks of the live fleet: declared as data, answered by whoever expands, never fetched here.

`reference()` of a live resource becomes a `LiveRead`; the caller fetches it and expands again. What only Resource
Manager can do (open a vault, give keys, read what the deployment itself has just written) sends the whole template
to it. Source: policy language §6.4; ARM template functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from policyengine.errors import TemplateError
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded, walk


@dataclass(frozen=True, slots=True)
class LiveRead:
    """A GET of ``id``; ``full`` asks for the whole document, not only its ``properties``."""

    id: ResourceId
    api_version: str
    full: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a read gave. Without a ``document`` the resource is not there, or ``problem`` says why it stayed unread."""

    document: Mapping[str, JSON] | None
    problem: str = ""


Answers = Mapping[LiveRead, Answer]


class Deferred(Exception):
    """Unwinds one evaluation; it never leaves `expand`."""


class Unread(Deferred):
    """A value that needs a read nobody has answered yet."""


class Absent(Deferred):
    """A value that needs a resource which is not there."""

    def __init__(self, read: LiveRead) -> None:
        self.read = read


class OnlyWhole(Deferred):
    """Only Resource Manager can carry the template out, and why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


@dataclass(slots=True)
class Reader:
    """The reads of one expansion: those answered, and those still to be asked, in the order they were met.

    ``own`` are functions the caller answers itself, by folded name: a Resource Manager knows what no plan does.
    """

    answers: Answers
    own: Mapping[str, Callable[..., JSON]] = field(default_factory=dict)
    unanswered: dict[LiveRead, None] = field(default_factory=dict)

    def read(self, read: LiveRead) -> JSON:
        """What `reference()` gives. Raises Deferred, or TemplateError when the resource could not be read."""
        answer = self.answers.get(read)
        if answer is None:
            self.unanswered[read] = None
            raise Unread
        if answer.problem:
            raise TemplateError(f"`{read.id}` cannot be read: {answer.problem}")
        if answer.document is None:
            raise Absent(read)
        return answer.document if read.full else get_folded(answer.document, "properties", {})

    def reference(self, target: str, api_version: str = "", full: str = "") -> JSON:
        """`reference()` of something the template does not declare."""
        try:
            id = ResourceId(target)
        except ValueError:
            raise TemplateError(f"`reference('{target}')` is neither an id nor the name of a resource here") from None
        if not api_version:
            raise TemplateError(f"`reference('{target}')` needs an API version, since the template does not declare it")
        return self.read(LiveRead(id, api_version, full.casefold() == "full"))


def _list(target: str, *_: JSON) -> JSON:
    raise OnlyWhole(f"it asks for keys of `{target.rpartition('/')[2]}`, which must not come to rest in a plan")


def _only(what: str) -> Callable[..., JSON]:
    def refuse(*_: JSON) -> JSON:
        raise OnlyWhole(f"only Resource Manager knows {what}")

    return refuse


def _management_group() -> JSON:
    raise TemplateError(
        "`managementGroup()` has no answer in a deployment to a subscription or a resource group",
        help="take the group's name as a parameter",
    )


NEVER_ANSWERED: Mapping[str, Callable[..., JSON]] = {
    "list*": _list,
    "newguid": _only("what `newGuid()` gives"),
    "environment": _only("what `environment()` gives"),
    "providers": _only("what `providers()` gives"),
    "pickzones": _only("what `pickZones()` gives"),
    "managementgroup": _management_group,
}
"""Functions that have no answer outside Resource Manager, by folded name, ready for an `ExpressionContext`."""


def defer_to_key_vault(parameter: str, reference: Mapping[str, JSON]) -> None:
    """Raises for a parameter whose value is ``{"reference": {"keyVault": …}}``: we never open a vault."""
    vault = str(walk(reference, "keyVault", "id") or "").rsplit("/", 1)[-1]
    secret = get_folded(reference, "secretName")
    raise OnlyWhole(f"parameter `{parameter}` is secret `{secret}` of Key Vault `{vault}`")
