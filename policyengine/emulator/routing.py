"""Finds the handler for a path. Literal segments match without regard to case; `{name}` takes any one segment."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from typing import Final, TypeAlias

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.emulator.emulator import Emulator

Handler: TypeAlias = Callable[[Emulator, ArmRequest], Answer]
Fallback: TypeAlias = Callable[[str, Sequence[str]], tuple[Handler, dict[str, str]] | None]

OLDEST_API_VERSION: Final = "2020-01-01"
OLDEST_STORED_API_VERSION: Final = "2014-01-01"
"""Of resources that are only stored: built-in templates still name versions of 2015."""
_API_VERSION: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(-preview)?", re.IGNORECASE)
_REFUSED_TYPES: Final = frozenset(
    {"microsoft.hybridcontainerservice/provisionedclusters", "microsoft.resourceconnector/appliances"}
)
"""Kubernetes clusters of other kinds: real types, which this service does not have."""


@dataclass(frozen=True)
class Route:
    """One path and what may be done with it. ``since`` is the oldest api-version it answers.

    ``missing`` are methods that Azure has there and the emulator does not.
    """

    pattern: str
    handlers: Mapping[str, Handler]
    since: str = OLDEST_API_VERSION
    missing: tuple[str, ...] = ()

    @cached_property
    def parts(self) -> tuple[tuple[str, bool], ...]:
        """Per segment: the variable's name and True, or the folded literal and False."""
        return tuple(
            (part[1:-1], True) if part.startswith("{") else (part.casefold(), False) for part in segments(self.pattern)
        )

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """The path's variables; None when it is another path."""
        found: dict[str, str] = {}
        for (name, is_variable), segment in zip(self.parts, path, strict=True):
            if is_variable:
                found[name] = segment
            elif name != segment.casefold():
                return None
        return found


class Router:
    """``fallback`` is asked for paths that no route knows."""

    def __init__(self, routes: Iterable[Route], fallback: Fallback | None = None) -> None:
        self._fallback = fallback
        self._by_length: dict[int, list[Route]] = {}
        for route in routes:
            self._by_length.setdefault(len(route.parts), []).append(route)

    def find(self, method: str, path: str, api_version: str | None) -> tuple[Handler, dict[str, str]]:
        """Raises Refusal when nothing answers there, or not in that api-version."""
        parts = segments(path)
        if api_version is None:
            raise Refusal(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        for route in self._by_length.get(len(parts), ()):
            variables = route.match(parts)
            if variables is not None:
                check_api_version(api_version, route.since)
                return _handler(route, method, parts), variables
        refused = _refused_type(parts)
        if refused:
            check_api_version(api_version, OLDEST_API_VERSION)
            raise _no_such_type(refused, api_version)
        generic = self._fallback(method, parts) if self._fallback is not None else None
        check_api_version(api_version, OLDEST_API_VERSION if generic is None else OLDEST_STORED_API_VERSION)
        if generic is not None:
            return generic
        raise _unknown(method, parts)


def segments(path: str) -> list[str]:
    """The path's segments; doubled and trailing slashes count for nothing."""
    return [segment for segment in path.split("/") if segment]


def check_api_version(text: str, since: str) -> None:
    """Any well-formed version from ``since`` on will do: clients take a new one with each of their releases."""
    match = _API_VERSION.fullmatch(text)
    try:
        if match is None or date.fromisoformat(match.group(1)) < date.fromisoformat(since):
            raise ValueError
    except ValueError:
        raise Refusal(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{text}' is invalid. The supported versions are those of the form 'YYYY-MM-DD' "
            f"or 'YYYY-MM-DD-preview' from '{since}' on.",
        ) from None


def _handler(route: Route, method: str, parts: Sequence[str]) -> Handler:
    handler = route.handlers.get(method)
    if handler is not None:
        return handler
    if method == "HEAD" and "GET" in route.handlers:
        return partial(_only_existence, route.handlers["GET"])
    if method in route.missing:
        raise not_emulated(method, _provider_type(parts) or parts[-2])
    raise Refusal(
        405,
        "MethodNotAllowed",
        f"The requested resource does not support http method '{method}'.",
        headers={"Allow": ", ".join(sorted(route.handlers))},
    )


def _only_existence(get: Handler, emulator: Emulator, request: ArmRequest) -> Answer:
    """What HEAD asks: whether there is anything, not what it is."""
    get(emulator, request)
    return Answer(204)


def _unknown(method: str, parts: Sequence[str]) -> Refusal:
    if not parts:
        return Refusal(404, "NotFound", "There is nothing at '/'.")
    return not_emulated(method, _provider_type(parts) or f"/{'/'.join(parts)}")


def _refused_type(parts: Sequence[str]) -> str | None:
    """`Namespace/type` of a cluster of another kind in the path, however deep below it the path goes."""
    return next((f"{a}/{b}" for a, b in itertools.pairwise(parts) if f"{a}/{b}".casefold() in _REFUSED_TYPES), None)


def _no_such_type(provider_type: str, api_version: str) -> Refusal:
    namespace, _, type = provider_type.partition("/")
    return Refusal(
        404,
        "InvalidResourceType",
        f"The resource type '{type}' could not be found in the namespace '{namespace}' "
        f"for api version '{api_version}'.",
    )


def not_emulated(method: str, provider_type: str) -> Refusal:
    return Refusal(501, "NotImplemented", f"The emulator does not serve {method} of '{provider_type}'.")


def _provider_type(parts: Sequence[str]) -> str | None:
    """`Namespace/type/subtype` of the innermost provider in the path."""
    folded = [part.casefold() for part in parts]
    if "providers" not in folded:
        return None
    after = parts[len(folded) - folded[::-1].index("providers") :]
    return "/".join((after[0], *after[1::2])) if len(after) > 1 else None
