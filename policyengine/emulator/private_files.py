"""Files that are for their owner alone, and are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from policyengine.errors import ConfigError


def write_private(path: Path, content: bytes) -> None:
    """Replace the file in one step; nobody else may read it. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(handle)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be written: {error.strerror}") from error


def read_private(path: Path) -> bytes | None:
    """None when there is no such file. Raises ConfigError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be read: {error.strerror}") from error
