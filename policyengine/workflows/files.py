"""Text files that people write, read in one way."""

from __future__ import annotations

import errno
from pathlib import Path


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte-order mark. Raises OSError, its ``strerror`` fit for people."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, "it is not UTF-8", str(path)) from error
