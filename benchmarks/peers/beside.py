"""Installs the peers beside the checkout, gives each the same texts, and holds their states against ours."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGES: Final = {
    "custodian": "c7n",
    "cel-cpp": "cel-expr-python",
    "cel-rust": "common-expression-language",
    "jmespath": "jmespath",
    "jsonlogic-rust": "datalogic-py",
}
ROOT: Final = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT: Final = Path(tempfile.gettempdir()) / "policyengine-benchmark-peers"


@dataclass(frozen=True)
class Told:
    """Microseconds per cluster, text in, states out, and for one more policy; ``differing`` counts pairs of states."""

    peer: str
    all: float
    marginal: float
    differing: int
    pairs: int


def told(
    peers: Sequence[str], texts: Sequence[tuple[str, str]], states: Sequence[bytes], rounds: int, *, broad: bool
) -> Iterator[Told | str]:
    """What each peer took; a text for one that could not be had. ``states`` are ours, one row per policy."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clusters.json"
        file.write_text(json.dumps(texts))
        for peer in peers:
            if not _installed("orjson", PACKAGES[peer]):
                yield f"{peer}: `{PACKAGES[peer]}` could not be installed"
                continue
            command = [str(_python()), "-m", "benchmarks.peers.run", peer, str(file), str(rounds), *["broad"] * broad]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                yield f"{peer}: {done.stderr.strip().splitlines()[-1]}"
                continue
            answer = json.loads(done.stdout.splitlines()[-1])
            theirs = b"".join(map(bytes.fromhex, answer["states"]))
            ours = b"".join(states)
            assert len(theirs) == len(ours)
            differing = sum(one != other for one, other in zip(theirs, ours, strict=True))
            yield Told(peer, answer["all"], answer["marginal"], differing, len(ours))


def _installed(*packages: str) -> bool:
    if not _python().exists():
        venv.create(ENVIRONMENT, with_pip=True)
    command = [str(_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _python() -> Path:
    return ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
