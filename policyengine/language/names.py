"""What a definition or initiative may be called: by its name, its Azure id, its file, or its display name.

The first two say what is meant; the others help where a built-in is named by a GUID, and only while they are unique.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

from policyengine.language.documents import Cloud, Reference
from policyengine.language.versions import matches_version, version_key
from policyengine.model.diagnostic import Span, did_you_mean, listing

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Versioned(Protocol):
    """A document that references lead to."""

    @property
    def name(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def version(self) -> str | None: ...
    @property
    def azure_id(self) -> str | None: ...
    @property
    def cloud(self) -> Cloud: ...
    @property
    def span(self) -> Span | None: ...


V = TypeVar("V", bound=Versioned)


class Names(Generic[V]):
    """Looks documents of one kind up. Names are compared without case, display names by their words."""

    def __init__(self, documents: Iterable[V]) -> None:
        listed = tuple(documents)
        self._own = _index((key, document) for document in listed for key in _own_names(document))
        self._other = _index((key, document) for document in listed for key in _other_names(document))
        self._spelt = {_words(text): text for document in listed for text in _spellings(document)}
        self._readable = [_readable(document) for document in listed]

    def find(self, reference: Reference, cloud: Cloud = Cloud.PUBLIC) -> V | None:
        """The highest version the reference allows, as ``cloud`` sees it; None when there is none, or when several
        documents are meant.
        """
        for seen in self.as_seen_from(cloud, reference):
            if is_ambiguous(seen):
                return None
            fitting = [document for document in seen if matches_version(document.version, reference.version)]
            if fitting:
                return max(fitting, key=lambda document: version_key(document.version))
        return None

    def as_seen_from(self, cloud: Cloud, reference: Reference) -> Iterator[tuple[V, ...]]:
        """What the reference may mean: the cloud's own documents, then those it falls back to."""
        found = self.all(reference)
        for place in dict.fromkeys((cloud, Cloud.PUBLIC)):
            yield tuple(document for document in found if document.cloud is place)

    def all(self, reference: Reference) -> tuple[V, ...]:
        """Everything the reference may mean, in every version and every cloud.

        An Azure id also finds a document that has no id of its own and is called as the id ends.
        """
        key = reference.name.casefold()
        if key in self._own:
            return self._own[key]
        if key.startswith("/"):
            return tuple(d for d in self._own.get(key.rpartition("/")[2], ()) if d.azure_id is None)
        return self._other.get(_words(reference.name), ())

    def near(self, name: str) -> str | None:
        """Help for a name that nothing has: the nearest that would do, else the first few of all."""
        other = [key for key, documents in self._other.items() if not is_ambiguous(documents)]
        return did_you_mean(name, [*self._readable, *(self._spelt[key] for key in other)]) or listing(self._readable)


def label(document: Versioned) -> str:
    """``policy `x` `` for messages; a name that is a GUID has the display name beside it."""
    title = " ".join(document.display_name.split())
    return f"`{document.name}` ({title})" if title and _GUID.fullmatch(document.name) else f"`{document.name}`"


def is_ambiguous(documents: Sequence[Versioned]) -> bool:
    """True for several documents, rather than versions of one."""
    return len({document.name.casefold() for document in documents}) > 1


def _readable(document: Versioned) -> str:
    return document.display_name if document.display_name and _GUID.fullmatch(document.name) else document.name


def _index(pairs: Iterable[tuple[str, V]]) -> Mapping[str, tuple[V, ...]]:
    index: dict[str, list[V]] = {}
    for key, document in pairs:
        index.setdefault(key, []).append(document)
    return {key: tuple(found) for key, found in index.items()}


def _own_names(document: Versioned) -> set[str]:
    return {document.name.casefold(), (document.azure_id or document.name).casefold()}


def _other_names(document: Versioned) -> set[str]:
    return {_words(text) for text in _spellings(document)}


def _spellings(document: Versioned) -> Iterator[str]:
    """The display name, and the name of the file without its endings."""
    if document.display_name:
        yield document.display_name
    if document.span is not None:
        file = document.span.source.name.replace("\\", "/").rpartition("/")[2]
        if stem := file.partition(".")[0]:
            yield stem


def _words(text: str) -> str:
    return " ".join(text.casefold().split())
