"""The state on disk: written whole, sealed, with its key in another place (G44).

The key is `POLICYENGINE_EMULATOR_KEY`, or a file beside the state that is made on first use. A file of another
version of the program, or of another key, is refused, never overwritten.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from policyengine import __version__
from policyengine.emulator.crypto.sealing import Unsealable, new_key, parse_key, seal, unseal
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.private_files import read_private, write_private
from policyengine.errors import ConfigError

_LOG: Final = logging.getLogger(__name__)
KEY_VARIABLE: Final = "POLICYENGINE_EMULATOR_KEY"
KEY_SUFFIX: Final = ".key"
FORMAT: Final = 2
_LABEL: Final = "policyengine-emulator-state"
WRITE_EVERY_S: Final = 1.0
"""How long a change waits, at most, until it is on disk; longer where writing takes more than ``SHARE`` of that."""
_ANEW: Final = "use the program that wrote it, or begin with another file"
SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class StateFile:
    path: Path
    key: bytes
    key_place: str
    """Where the key came from, for messages."""

    @classmethod
    def at(cls, path: Path, environ: Mapping[str, str] | None = None) -> StateFile:
        """With its key. Raises ConfigError when there is none for a file that is there, or it is no key."""
        if path.is_dir():
            raise ConfigError(f"`{path}` is a folder", help="name the file in it that shall hold the state")
        given = (os.environ if environ is None else environ).get(KEY_VARIABLE)
        if given is not None:
            return cls(path, _key(given, f"`{KEY_VARIABLE}`"), f"`{KEY_VARIABLE}`")
        beside = path.with_name(path.name + KEY_SUFFIX)
        written = read_private(beside)
        if written is None:
            if path.exists():
                raise ConfigError(
                    f"`{path}` is encrypted and its key is missing: there is no `{beside}`",
                    help=f"bring the file back, or set `{KEY_VARIABLE}`; without the key the state is lost",
                )
            written = new_key().encode()
            write_private(beside, written + b"\n")
        return cls(path, _key(written.decode(errors="replace"), f"`{beside}`"), f"`{beside}`")

    def restore(self, emulator: Emulator) -> bool:
        """Be as when the file was written; False when there is no file yet. Raises ConfigError."""
        content = read_private(self.path)
        if content is None:
            return False
        label, _, sealed = content.partition(b"\n")
        self._check(label.decode(errors="replace"))
        try:
            frozen = zlib.decompress(unseal(self.key, sealed, label))
        except Unsealable as error:
            raise ConfigError(
                f"`{self.path}` cannot be decrypted with the key of {self.key_place}: "
                "it is the wrong key, or the file was changed",
                help=f"set `{KEY_VARIABLE}` to the key it was written with, or begin with another file",
            ) from error
        emulator.thaw(frozen)
        return True

    def write(self, frozen: bytes) -> None:
        """In one step: whoever reads finds the old state or the new one. Raises ConfigError."""
        label = f"{_LABEL} {FORMAT} {__version__}".encode()
        write_private(self.path, label + b"\n" + seal(self.key, zlib.compress(frozen, 1), label))

    def _check(self, label: str) -> None:
        name, _, rest = label.partition(" ")
        if name != _LABEL:
            raise ConfigError(f"`{self.path}` is not a state of the emulator", help="begin with another file")
        if rest != f"{FORMAT} {__version__}":
            version = rest.partition(" ")[2]
            if version == __version__:
                raise ConfigError(f"`{self.path}` is in another format than this release writes", help=_ANEW)
            raise ConfigError(f"`{self.path}` was written by version {version} and this is {__version__}", help=_ANEW)


class Keeper:
    """Inside the `with` every change reaches the file within a second, and the last ones at the end.

    Where much was written to, writing it all takes a while: it is then done less often, for a tenth of the time.
    """

    def __init__(self, emulator: Emulator, file: StateFile) -> None:
        self._emulator, self._file = emulator, file
        self._stopped = threading.Event()
        self._written: tuple[object, ...] | None = None
        self._thread = threading.Thread(target=self._run, name="emulator-state", daemon=True)

    def save(self) -> None:
        """Write what changed since the last time, if anything did. Raises ConfigError."""
        with self._emulator.lock:
            self._emulator.settle()
            changes = self._emulator.changes
            if changes == self._written:
                return
            frozen = self._emulator.freeze()
        self._file.write(frozen)  # requests are answered again meanwhile
        self._written = changes

    def __enter__(self) -> Keeper:
        self.save()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        # The clock has moved, even where nothing else did.
        self._file.write(self._emulator.freeze())

    def _run(self) -> None:
        pause_s = WRITE_EVERY_S
        while not self._stopped.wait(pause_s):
            started = time.monotonic()
            self._try()
            pause_s = max(WRITE_EVERY_S, (time.monotonic() - started) / SHARE)

    def _try(self) -> None:
        """A disk that is full now may have room later: until then the old file stands."""
        try:
            self.save()
        except ConfigError as error:
            _LOG.warning("the state is not kept: %s", error.message)


def _key(text: str, place: str) -> bytes:
    key = parse_key(text)
    if key is None:
        raise ConfigError(
            f"{place} holds no key", help="a key is 32 random bytes in base64, as in the file made on first use"
        )
    return key
