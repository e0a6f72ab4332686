"""Policy files on disk → a library whose references hold, with every problem of every file reported together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from policyengine.compliance.bind import BoundPolicy, bind
from policyengine.errors import PolicyError, UsageError
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import check
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document, parse_documents
from policyengine.language.problems import CODES
from policyengine.model.diagnostic import Diagnostic, did_you_mean
from policyengine.workflows.aliases import load_catalogue
from policyengine.workflows.data import SHIPPED, data_root
from policyengine.workflows.files import read_text

SUFFIXES = {".yaml", ".yml", ".json"}


@dataclass(frozen=True)
class Loaded:
    """What the files say."""

    library: PolicyLibrary
    policies: tuple[BoundPolicy, ...]
    aliases: AliasCatalogue


@dataclass(frozen=True)
class Checked:
    """What `validate` tells: every file read and every problem found, sorted by place."""

    files: tuple[Path, ...]
    diagnostics: tuple[Diagnostic, ...]

    def choosing(self, select: Collection[str] = (), ignore: Collection[str] = ()) -> Checked:
        """With only the warnings of ``select`` (all when empty) that are not in ``ignore``. Errors always stay.

        Raises UsageError for a code there is not.
        """
        for code in (*select, *ignore):
            if code not in CODES:
                raise UsageError(f"no problem has the code `{code}`", help=did_you_mean(code, CODES))
        chosen = tuple(
            d for d in self.diagnostics if d.is_error or (d.code not in ignore and (not select or d.code in select))
        )
        return Checked(self.files, chosen)

    @property
    def errors(self) -> int:
        return sum(d.is_error for d in self.diagnostics)


def load(paths: Sequence[str], catalogue: str = "") -> Loaded:
    """The files under ``paths``, read with the aliases of the file ``catalogue`` before the packaged ones.

    Raises PolicyError with everything that is wrong, UsageError for a path that does not exist.
    """
    aliases = load_catalogue(catalogue)
    documents, diagnostics = _read(policy_files(paths), aliases)
    library, found = PolicyLibrary.build(documents)
    diagnostics += found
    if any(d.is_error for d in diagnostics):
        raise PolicyError(diagnostics)
    return Loaded(library, bind(library, aliases), aliases)


def check_files(paths: Sequence[str], catalogue: str = "", *, at: datetime | None = None) -> Checked:
    """Everything that can be said about the files without a cluster; about time only with an instant ``at``."""
    aliases = load_catalogue(catalogue)
    files = tuple(policy_files(paths))
    if not files:
        places = ", ".join(f"`{path}`" for path in paths)
        raise UsageError(f"there is no policy file in {places}", help="they end in .yaml, .yml or .json")
    documents, diagnostics = _read(files, aliases)
    library, found = PolicyLibrary.build(documents)
    diagnostics += [*found, *check(library, aliases, at=at)]
    if not any(d.is_error for d in diagnostics):
        try:
            bind(library, aliases)
        except PolicyError as error:
            diagnostics += error.diagnostics
    return Checked(files, tuple(sorted(diagnostics, key=lambda d: d.sort_key)))


def policy_files(paths: Sequence[str]) -> Iterator[Path]:
    """The files named, and those under the folders named, each once, in a stable order."""
    seen: set[Path] = set()
    for text in paths:
        path = data_root() / SHIPPED[text] if text in SHIPPED else Path(text)
        if not path.exists():
            raise UsageError(
                f"`{text}` does not exist",
                help="name policy files or folders, set `policies:` in policyengine.yaml, "
                "or use `library:` for the shipped library",
            )
        for file in _walk(path):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def _walk(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _read(files: Iterable[Path], aliases: AliasCatalogue) -> tuple[list[Document], list[Diagnostic]]:
    documents: list[Document] = []
    diagnostics: list[Diagnostic] = []
    for file in files:
        try:
            text = read_text(file)
        except OSError as error:
            diagnostics.append(Diagnostic("unreadable-file", f"`{file}` cannot be read: {error.strerror}"))
            continue
        parsed = parse_documents(text, str(file), aliases)
        documents += parsed.documents
        diagnostics += parsed.diagnostics
    return documents, diagnostics


def select(
    policies: Sequence[BoundPolicy], *, assignment: str | None = None, policy: str | None = None
) -> tuple[BoundPolicy, ...]:
    """Those of one assignment, or of one policy (by key, reference id or definition name); all without a filter.

    Raises UsageError for a name that matches nothing.
    """
    chosen = tuple(policies)
    if assignment is not None:
        chosen = tuple(p for p in chosen if p.assignment.name.casefold() == assignment.casefold())
        _demand(chosen, "assignment", assignment, {p.assignment.name for p in policies})
    if policy is not None:
        matched = tuple(p for p in chosen if policy.casefold() in {n.casefold() for n in _names(p)})
        _demand(matched, "policy", policy, {name for p in chosen for name in _names(p)})
        chosen = matched
    return chosen


def _names(policy: BoundPolicy) -> set[str]:
    return {policy.key, policy.definition.name, policy.reference_id or policy.key}


def _demand(chosen: Sequence[BoundPolicy], noun: str, name: str, known: set[str]) -> None:
    if not chosen:
        listed = ", ".join(f"`{k}`" for k in sorted(known)[:12]) or "none"
        raise UsageError(f"no {noun} is called `{name}`", help=did_you_mean(name, known) or f"there are: {listed}")
