"""Text files that people write, read and written in one way."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

from policyengine.errors import UsageError


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte-order mark. Raises OSError, its ``strerror`` fit for people."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, "it is not UTF-8", str(path)) from error


def write_new(texts: Mapping[Path, str], *, force: bool = False) -> None:
    """Write every file, or none when one is there already and ``force`` is not given. Raises UsageError."""
    present = [path for path in texts if path.exists()]
    if present and not force:
        raise UsageError(f"`{present[0]}` is there already", help="write elsewhere, or over it with `--force`")
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"`{path}` cannot be written: {error.strerror}") from error
