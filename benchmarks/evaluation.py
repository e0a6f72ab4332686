"""Claim: reading a fleet's texts and judging it by twenty policies costs hardly more than parsing the texts.

Every block of clusters is parsed by `orjson.loads` and thrown away (the baseline), then judged by 20, 100 and 200
policies, text in, states out; so the rounds are interleaved, and each block is new to everything but the caches that
a scan keeps from block to block. The first block pays for filling these; the others are the steady state. What one more
policy costs is told from the second hundred: the first also bring it about that what is on most clusters is read, which
later ones share; the mean of all beyond the first twenty is printed beside it. Then other
engines, in an environment of their own, take the same texts to the same states by the same rules, on a sample of the
last block. Prints ratios of processor time, medians over the blocks, and over rounds for the other engines.

    python benchmarks/evaluation.py [--clusters 60000] [--block 20000] [--peers custodian,cel-cpp,…] [--sample 2000]
        [--broad]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

from benchmarks.fleet import blocks, machine, policies, world
from benchmarks.peers.beside import PACKAGES, Told, told
from policyengine.compliance.block import Block
from policyengine.compliance.fleet_judge import FleetJudge
from policyengine.model.states import ComplianceState
from policyengine.model.synthetic import SyntheticFleet

HALF, COPIES = 5, 10
STATES = {
    ComplianceState.NOT_APPLICABLE.code: 0,
    ComplianceState.COMPLIANT.code: 1,
    ComplianceState.NON_COMPLIANT.code: 2,
}
"""As the peers tell them."""


@dataclass
class Figures:
    """Microseconds per cluster, one for each block; and a sample of the last block with the states of the twenty."""

    sizes: list[float] = field(default_factory=list)
    parse: list[float] = field(default_factory=list)
    few: list[float] = field(default_factory=list)
    half: list[float] = field(default_factory=list)
    many: list[float] = field(default_factory=list)
    findings: list[float] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    states: list[bytes] = field(default_factory=list)

    @property
    def marginal(self) -> list[float]:
        """Of one more policy, among many."""
        return [(many - half) / (20 * (COPIES - HALF)) for half, many in zip(self.half, self.many, strict=True)]

    @property
    def mean(self) -> list[float]:
        """Of one more policy, from the first twenty on."""
        return [(many - few) / (20 * COPIES - 20) for few, many in zip(self.few, self.many, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=60_000)
    parser.add_argument("--block", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--peers", default=",".join(PACKAGES), help="which, with commas between; none: ''")
    parser.add_argument("--sample", type=int, default=2_000, help="so many clusters for the peers")
    parser.add_argument("--rounds", type=int, default=3, help="of the peers")
    parser.add_argument("--broad", action="store_true", help="policies that look at all clusters, whatever their tags")
    arguments = parser.parse_args()
    fleet = SyntheticFleet(arguments.clusters, arguments.seed)
    figures = measured(fleet, arguments.block, arguments.sample, broad=arguments.broad)
    show(figures, fleet)
    peers = [peer for peer in arguments.peers.split(",") if peer]
    if peers:
        found = told(peers, figures.texts, figures.states, arguments.rounds, broad=arguments.broad)
        show_peers(figures, found)


def measured(fleet: SyntheticFleet, size: int, sample: int, *, broad: bool) -> Figures:
    few, half, many = (FleetJudge(policies(copies, broad=broad), world(fleet)) for copies in (1, HALF, COPIES))
    figures = Figures()
    for block in blocks(fleet, size):
        figures.sizes.append(sum(map(len, (*block.documents, *block.children))) / len(block))
        figures.parse.append(timed(lambda: parse(block), block))  # noqa: B023 - called at once
        figures.few.append(timed(lambda: few.judge(block), block))  # noqa: B023
        figures.half.append(timed(lambda: half.judge(block), block))  # noqa: B023
        figures.many.append(timed(lambda: many.judge(block), block))  # noqa: B023
        verdicts = few.judge(block)
        figures.findings.append(float((verdicts.reasons >= 0).mean()))
        rows = range(0, len(block), max(1, len(block) // sample))
        figures.texts = [(as_text(block.documents[row]), as_text(block.children[row])) for row in rows]
        figures.states = [bytes(STATES[code] for code in states) for states in verdicts.states[:, rows].tolist()]
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
    size, findings = statistics.mean(figures.sizes), statistics.mean(figures.findings)
    print(f"{len(fleet):,} clusters of {size:,.0f} bytes, {findings:.1%} of the pairs are findings")
    print(f"{'':28}{'first block':>12}{'steady state':>14}   µs a cluster; ratios where it says ÷")
    for name, values in {
        "orjson.loads and discard": figures.parse,
        "20 policies": figures.few,
        "100 policies": figures.half,
        "200 policies": figures.many,
        "20 policies ÷ orjson": ratios(figures.few, figures.parse),
        "200 ÷ 20 policies": ratios(figures.many, figures.few),
        "one more policy of 200": figures.marginal,
        "one more policy, mean": figures.mean,
    }.items():
        print(f"{name:28}{values[0]:12.3f}{steady(values):14.3f}")


def show_peers(figures: Figures, found: Iterator[Told | str]) -> None:
    all, marginal = steady(figures.few), steady(figures.marginal)
    print(f"{len(figures.texts):,} clusters from text to the states of 20 policies, µs a cluster; ours at steady state")
    print(f"{'':16}{'20 policies':>12}{'÷ ours':>8}{'one more':>10}{'÷ ours':>8}   states")
    print(f"{'policyengine':16}{all:12.1f}{1:8.1f}{marginal:10.3f}{1:8.1f}")
    for one in found:
        if isinstance(one, str):
            print(one)
            continue
        agreed = "agree" if not one.differing else f"{one.differing} of {one.pairs} pairs differ"
        print(
            f"{one.peer:16}{one.all:12.1f}{one.all / all:8.1f}{one.marginal:10.3f}{one.marginal / marginal:8.1f}"
            f"   {agreed}",
            flush=True,
        )


def steady(values: list[float]) -> float:
    return statistics.median(values[1:] or values)


def as_text(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode()


def ratios(ones: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]


if __name__ == "__main__":
    main()
