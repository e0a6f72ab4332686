"""Claim: reading a fleet's texts and judging it by twenty policies costs hardly more than parsing the texts.

Every block of clusters is parsed by `orjson.loads` and thrown away (the baseline), then judged by 20 and by 200
policies, text in, states out; so the rounds are interleaved, and each block is new to everything but the caches that
a scan keeps from block to block. The first block pays for filling these; the others are the steady state. Prints
ratios of processor time, medians over the blocks.

    python benchmarks/evaluation.py [--clusters 60000] [--block 20000]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from benchmarks.fleet import blocks, machine, policies, world
from policyengine.compliance.block import Block
from policyengine.compliance.fleet_judge import FleetJudge
from policyengine.model.synthetic import SyntheticFleet

COPIES = 10


@dataclass
class Figures:
    """Microseconds per cluster, one for each block."""

    bytes: list[float] = field(default_factory=list)
    parse: list[float] = field(default_factory=list)
    few: list[float] = field(default_factory=list)
    many: list[float] = field(default_factory=list)
    findings: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=60_000)
    parser.add_argument("--block", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    fleet = SyntheticFleet(arguments.clusters, arguments.seed)
    show(measured(fleet, arguments.block), fleet)


def measured(fleet: SyntheticFleet, size: int) -> Figures:
    few, many = (FleetJudge(policies(copies), world(fleet)) for copies in (1, COPIES))
    figures = Figures()
    for block in blocks(fleet, size):
        figures.bytes.append(sum(map(len, (*block.documents, *block.children))) / len(block))
        figures.parse.append(timed(lambda: parse(block), block))  # noqa: B023 - called at once
        figures.few.append(timed(lambda: few.judge(block), block))  # noqa: B023
        figures.many.append(timed(lambda: many.judge(block), block))  # noqa: B023
        verdicts = few.judge(block)
        figures.findings.append(float((verdicts.reasons >= 0).mean()))
    return figures


def parse(block: Block) -> None:
    for texts in (block.documents, block.children):
        for text in texts:
            orjson.loads(text)


def timed(work: Callable[[], object], block: Block) -> float:
    """Processor time in microseconds per cluster."""
    gc.collect()
    started = time.process_time()
    work()
    return (time.process_time() - started) / len(block) * 1e6


def show(figures: Figures, fleet: SyntheticFleet) -> None:
    print(machine(fleet.seed))
    size, findings = statistics.mean(figures.bytes), statistics.mean(figures.findings)
    print(f"{len(fleet):,} clusters of {size:,.0f} bytes, {findings:.1%} of the pairs are findings")
    print(f"{'':28}{'first block':>12}{'steady state':>14}   µs a cluster; ratios where it says ÷")
    for name, values in {
        "orjson.loads and discard": figures.parse,
        "20 policies": figures.few,
        "200 policies": figures.many,
        "20 policies ÷ orjson": ratios(figures.few, figures.parse),
        "200 ÷ 20 policies": ratios(figures.many, figures.few),
        "one more policy": [
            (many - few) / (20 * COPIES - 20) for few, many in zip(figures.few, figures.many, strict=True)
        ],
    }.items():
        print(f"{name:28}{values[0]:12.3f}{statistics.median(values[1:] or values):14.3f}")


def ratios(ones: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]


if __name__ == "__main__":
    main()
