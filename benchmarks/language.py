"""What it takes to read, bind and evaluate each of Azure's published definitions, as figures per definition.

The baseline is `json.loads` of the same text, measured in the same run. Rounds are interleaved and the median is taken,
so that a busy machine disturbs all figures alike. Nothing is drawn at random: the seed only orders the definitions.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from policyengine.compliance.bind import BoundPolicy, bind
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Assignment, PolicyDefinition, Reference
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from tests.corpus import matching_resource, other_resource, packed, sample_values

T = TypeVar("T")

CORPUS = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus" / "azure-policy-builtins.jsonl.gz"
ALIASES = AliasCatalogue.packaged()
WORLD = World(ScopeTree(), datetime(2026, 11, 23, tzinfo=UTC), ALIASES)


@dataclass(frozen=True, slots=True)
class Work:
    """The same definitions at every stage."""

    texts: Sequence[tuple[str, str]]
    libraries: Sequence[PolicyLibrary]
    pairs: Sequence[tuple[BoundPolicy, Cluster]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take every so many of the definitions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    work = prepare(arguments.every, arguments.seed)
    stages: dict[str, tuple[int, Callable[[], None]]] = {
        "json.loads": (len(work.texts), lambda: each(work.texts, lambda entry: json.loads(entry[1]))),
        "parse": (len(work.texts), lambda: each(work.texts, lambda e: parse_documents(e[1], e[0], ALIASES))),
        "bind": (len(work.libraries), lambda: each(work.libraries, lambda library: bind(library, ALIASES))),
        "evaluate": (len(work.pairs), lambda: each(work.pairs, lambda pair: judge(pair[0], pair[1], WORLD))),
    }
    times: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(arguments.rounds):
        for name, (count, stage) in stages.items():
            times[name].append(timed(stage) / count)
    show(work, times, arguments.seed)


def prepare(every: int, seed: int) -> Work:
    texts = list(packed(CORPUS))[::every]
    random.Random(seed).shuffle(texts)
    documents = [document for name, text in texts for document in parse_documents(text, name, ALIASES).documents]
    rules = [d for d in documents if isinstance(d, PolicyDefinition) and d.policy_type != "Static"]
    libraries = [PolicyLibrary((rule,), assignments=(assigned(rule),)) for rule in rules]
    bound = [policy for library in libraries for policy in bind(library, ALIASES)]
    other = Cluster(other_resource())
    meant = [Cluster(matching_resource(policy.definition.condition, ALIASES)) for policy in bound]
    pairs = [
        pair for policy, cluster in zip(bound, meant, strict=True) for pair in ((policy, cluster), (policy, other))
    ]
    return Work(texts, libraries, pairs)


def assigned(rule: PolicyDefinition) -> Assignment:
    values = sample_values(rule.parameters)
    return Assignment("a", ResourceId("/"), policy=Reference(rule.azure_id or ""), parameters=values, cloud=rule.cloud)


def each(items: Sequence[T], call: Callable[[T], object]) -> None:
    for item in items:
        call(item)


def timed(stage: Callable[[], None]) -> float:
    gc.collect()
    started = time.process_time()
    stage()
    return time.process_time() - started


def show(work: Work, times: dict[str, list[float]], seed: int) -> None:
    size = statistics.mean(len(text) for _, text in work.texts)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, seed {seed}")
    print(f"{len(work.texts)} definitions of {size:,.0f} characters, {len(work.libraries)} of them evaluated")
    print(f"{'':12}{'µs each':>10}{'a second':>12}{'÷ json.loads':>14}{'spread':>10}")
    baseline = statistics.median(times["json.loads"])
    for name, found in times.items():
        median = statistics.median(found)
        spread = (max(found) - min(found)) / median
        print(f"{name:12}{median * 1e6:10.1f}{1 / median:12,.0f}{median / baseline:14.2f}{spread:10.0%}")


if __name__ == "__main__":
    main()
