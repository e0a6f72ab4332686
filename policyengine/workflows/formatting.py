"""Files → the same files in canonical layout; nothing is written whose meaning would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from policyengine.errors import PolicyError, UsageError
from policyengine.language.key_order import order_of
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.values import canonical_json
from policyengine.text.layout import lay_out
from policyengine.text.reader import read, to_value
from policyengine.text.writer import to_json
from policyengine.workflows.files import read_text
from policyengine.workflows.load import policy_files


@dataclass(frozen=True)
class Formatted:
    """``changed`` files differ from their canonical layout; ``refused`` ones stay: laying them out is not safe."""

    files: tuple[Path, ...]
    changed: tuple[Path, ...]
    refused: tuple[Path, ...] = ()


def format_files(paths: Sequence[str], *, write: bool) -> Formatted:
    """JSON is left alone unless the file itself is named. Raises PolicyError with everything that cannot be read."""
    named = {Path(path).resolve() for path in paths if Path(path).is_file()}
    files = [f for f in policy_files(paths) if f.suffix.lower() != ".json" or f.resolve() in named]
    problems: list[Diagnostic] = []
    results: list[tuple[Path, str, str | None]] = []
    for file in files:
        try:
            text = read_text(file)
            results.append((file, text, format_text(text, str(file))))
        except OSError as error:
            problems.append(Diagnostic("unreadable-file", f"`{file}` cannot be read: {error.strerror}"))
        except PolicyError as error:
            problems += error.diagnostics
    if problems:
        raise PolicyError(problems)
    changed = [(file, after) for file, before, after in results if after is not None and after != before]
    for file, after in changed if write else ():
        _write(file, after)
    refused = tuple(file for file, _, after in results if after is None)
    return Formatted(tuple(files), tuple(file for file, _ in changed), refused)


def format_text(text: str, name: str) -> str | None:
    """The canonical layout; None when the meaning could not be kept. Raises PolicyError for what cannot be read."""
    nodes = read(text, name)
    if name.casefold().endswith(".json"):
        value = to_value(nodes[0]) if nodes else None
        after = to_json(value)
        return after if canonical_json(to_value(read(after, name)[0])) == canonical_json(value) else None
    return lay_out(text, name, [order_of(node) for node in nodes])


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"`{file}` cannot be written: {error.strerror}") from error
