"""Runs the targets under atheris: `python -m tests.fuzz.run rule --seconds 60`; without a name, all of them in turn.

What is found is written to `crash-…` beside you; keep its bytes in `tests/robustness/test_fuzz.py`, where the suite
runs it ever after. Needs the extra `fuzz`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import atheris

with atheris.instrument_imports(include=["policyengine"]):
    from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.target is None:
        return max(_alone(name, arguments.seconds, arguments.seed) for name in TARGETS)
    limits = [
        f"-max_total_time={arguments.seconds}",
        f"-seed={arguments.seed}",
        "-max_len=512",
        "-len_control=0",
        "-timeout=10",
    ]
    atheris.Setup([sys.argv[0], *limits], TARGETS[arguments.target])
    atheris.Fuzz()  # never returns: the fuzzer ends the process
    return 0


def _alone(name: str, seconds: int, seed: int) -> int:
    """A process of its own, since the fuzzer ends the one it runs in."""
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--seconds", str(seconds), "--seed", str(seed)]
    print(f"{name}: {seconds} s", flush=True)
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
