"""One peer in its environment: texts in, states out, and how long that takes. Prints lines of JSON.

The first holds its states; then one for each line it is given, with the times of one more round.

    python -m benchmarks.peers.run PEER FILE [chosen]
"""

from __future__ import annotations

import gc
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.peers.rules import rules

ENGINES = {
    "custodian": "custodian:Custodian",
    "custodian-bare": "custodian:WithoutNotes",
    "cel-cpp": "cel:CelCpp",
    "cel-rust": "cel:CelRust",
    "jmespath": "jmes:Jmespath",
    "jsonlogic-rust": "logic:JsonLogic",
}
MORE = 3
"""So many times the twenty policies, to see what one more costs."""


def main() -> None:
    peer, file, *words = sys.argv[1:]
    chosen = "chosen" in words
    texts = [tuple(pair) for pair in json.loads(Path(file).read_text())]
    module, _, name = ENGINES[peer].partition(":")
    engine = getattr(import_module(f"benchmarks.peers.{module}"), name)
    few, many = engine(rules(chosen=chosen)), engine(rules(MORE, chosen=chosen))
    tell({"states": [row.hex() for row in few.states(texts)]})
    for _ in sys.stdin:
        less, more = timed(few, texts), timed(many, texts)
        tell({"all": less, "marginal": (more - less) / (len(rules(MORE)) - len(rules()))})


def tell(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def timed(engine: Any, texts: list[Any]) -> float:
    """Processor time in microseconds per cluster."""
    gc.collect()
    started = time.process_time()
    engine.states(texts)
    return (time.process_time() - started) / len(texts) * 1e6


if __name__ == "__main__":
    main()
