"""Who holds a lease: one run of one process on one machine, and whether that process still lives.

Only the machine itself can tell that a process is gone; from anywhere else a lease has to run out.
"""

from __future__ import annotations

import os
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

_ENDED = frozenset("ZX")  # a zombie runs no more, though signals still reach it


@dataclass(frozen=True, slots=True)
class Owner:
    """``machine`` tells machines, boots and containers of one name apart, ``started`` a process from a later one with
    its number, ``run`` the runs of one process."""

    host: str
    machine: str
    pid: int
    started: str
    run: str

    @classmethod
    def new(cls) -> Owner:
        """A run of this process that nobody else is."""
        pid = os.getpid()
        return cls(socket.gethostname().replace(":", "-"), _machine(), pid, _started(pid) or "", uuid.uuid4().hex[:8])

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """The owner whose ``text`` it is; None for text of another release."""
        parts = text.split(":")
        if len(parts) != 5 or not parts[2].isdecimal():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3], parts[4])

    @property
    def text(self) -> str:
        return ":".join((self.host, self.machine, str(self.pid), self.started, self.run))

    @property
    def process(self) -> str:
        """What all runs of one process have in common."""
        return ":".join((self.machine, str(self.pid), self.started))

    def is_running(self) -> bool | None:
        """None when only time can tell: the process is elsewhere, or it is this one and the run may have ended."""
        if self.machine != _machine() or self.pid == os.getpid() or os.name != "posix":
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True  # somebody else's process
        return _started(self.pid) == (self.started or None)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@cache
def _machine() -> str:
    parts = [hex(uuid.getnode())]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return sha256("\n".join(parts).encode()).hexdigest()[:12]


def _started(pid: int) -> str | None:
    """When the process began, in the kernel's count; None where that is not told, or it has ended."""
    with suppress(OSError, IndexError):
        # The name stands in brackets and may hold anything; the state comes next, the start 19 fields on.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] in _ENDED else fields[19]
    return None
