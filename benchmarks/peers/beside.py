"""Installs the peers beside the checkout, gives each the same texts, and lets it judge them round by round."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

PACKAGES: Final = {
    "custodian": "c7n",
    "custodian-bare": "c7n",
    "cel-cpp": "cel-expr-python",
    "cel-rust": "common-expression-language",
    "jmespath": "jmespath",
    "jsonlogic-rust": "datalogic-py",
}
ROOT: Final = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT: Final = Path(tempfile.gettempdir()) / "policyengine-benchmark-peers"


@dataclass(frozen=True)
class Round:
    """Microseconds per cluster, text in, states out, and for one more policy."""

    all: float
    marginal: float


class Peer:
    """One engine, ready to judge the texts it was given as often as it is asked. ``states`` are what it found."""

    def __init__(self, name: str, process: subprocess.Popen[str], faults: IO[str]) -> None:
        self.name, self._process, self._faults = name, process, faults
        self.states = bytes.fromhex("".join(self._told()["states"]))

    def round(self) -> Round:
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return Round(**self._told())

    def _told(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._faults.seek(0)
            raise Unfit(f"{self.name}: {self._faults.read().strip().splitlines()[-1]}")
        return json.loads(line)


class Unfit(Exception):
    """An engine that could not be had, or failed; the text says which and why."""


@contextmanager
def beside(name: str, texts: Sequence[tuple[str, str]], *, chosen: bool) -> Iterator[Peer]:
    """Raises Unfit."""
    if not _installed("orjson", PACKAGES[name]):
        raise Unfit(f"{name}: `{PACKAGES[name]}` could not be installed")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as faults:
        file = Path(folder) / "clusters.json"
        file.write_text(json.dumps(texts))
        command = [str(_python()), "-m", "benchmarks.peers.run", name, str(file), *["chosen"] * chosen]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=faults) as process:
            yield Peer(name, process, faults)


def _installed(*packages: str) -> bool:
    if not _python().exists():
        venv.create(ENVIRONMENT, with_pip=True)
    command = [str(_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _python() -> Path:
    return ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
