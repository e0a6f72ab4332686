"""Objects inside a JSON value that know their path, so that every complaint about a file can name the place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from policyengine.errors import InventoryError
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON, is_array


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a fleet file; ``steps`` lead to it from the document.

    Every method raises InventoryError when the file does not say what is asked for.
    """

    value: Mapping[str, JSON]
    steps: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.value, Mapping):
            raise self.error("must be an object", help="write it as `key: value` lines")

    @property
    def path(self) -> str:
        """``clusters[3].properties``; empty for the document."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps).removeprefix(".")

    def error(self, message: str, *, help: str | None = None, key: str | None = None) -> InventoryError:
        """What is wrong with this part, or with what it has under ``key``, ready to be raised."""
        place = f"`{self.path}`" if self.steps else "the document"
        path = self.steps if key is None else (*self.steps, key)
        return InventoryError(f"{place} {message}", help=help, path=path)

    def only(self, noun: str, keys: Collection[str]) -> None:
        """Refuses a key that a ``noun`` does not have."""
        for key in self.value:
            if key not in keys:
                known = did_you_mean(str(key), keys) or f"a {noun} has {', '.join(keys)}"
                raise self.error(f"has an unknown key `{key}`", help=known, key=key)

    def text(self, key: str, default: str | None = None) -> str:
        """The text under ``key``; one that is absent without a default, or empty, is refused."""
        value = self.value.get(key, default)
        if not isinstance(value, str) or not value:
            help = f"add `{key}: …`, in quotes if need be"
            raise self.error(f"needs `{key}`, a text that is not empty", help=help, key=key)
        return value

    def optional_text(self, key: str) -> str | None:
        return None if self.value.get(key) is None else self.text(key)

    def part(self, key: str) -> Part:
        """The object under ``key``; an absent or null one is empty."""
        value = self.value.get(key)
        return Part({} if value is None else value, (*self.steps, key))

    def items(self, key: str) -> Iterator[Part]:
        """The objects of the list under ``key``; an absent or null one is empty."""
        value = self.value.get(key)
        if value is not None and not is_array(value):
            raise self.error(f"needs `{key}` to be a list", help="start each entry with `- `", key=key)
        return (Part(item, (*self.steps, key, at)) for at, item in enumerate(value or []))
