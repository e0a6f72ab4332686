"""Claim: reading a fleet's texts and judging it by twenty policies costs hardly more than parsing the texts.

Every block of clusters is parsed by `orjson.loads` and thrown away (the baseline), then judged by 20, 100 and 200
policies, text in, states out; so the rounds are interleaved, and each block is new to everything but the caches that
a scan keeps from block to block. The first block pays for filling these; the others are the steady state. What one more
policy costs is told from the second hundred: the first also bring it about that what is on most clusters is read, which
later ones share; the mean of all beyond the first twenty is printed beside it. Then other
engines, in an environment of their own, take the same texts to the same states by the same rules, on a sample of the
last block; ours judges a block in each of their rounds, so that both have the machine as it is then. Prints ratios of
processor time, medians over the blocks, and over the rounds for the other engines.

    python benchmarks/evaluation.py [--clusters 122880] [--block 20480] [--peers custodian,cel-cpp,…]
        [--sample 2000] [--chosen]
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from statistics import median
from typing import TypeVar

import orjson

from benchmarks.fleet import blocks, machine, policies, world
from benchmarks.peers.beside import PACKAGES, Peer, Unfit, beside
from policyengine.compliance.block import NO_REASON, Block
from policyengine.compliance.fleet_judge import FleetJudge
from policyengine.model.states import ComplianceState
from policyengine.model.synthetic import SyntheticFleet
from policyengine.workflows.work import CLUSTERS_AT_ONCE

T = TypeVar("T")

HALF, COPIES = 5, 10
STATES = {
    ComplianceState.NOT_APPLICABLE.code: 0,
    ComplianceState.COMPLIANT.code: 1,
    ComplianceState.NON_COMPLIANT.code: 2,
}
"""As the peers tell them."""


@dataclass(frozen=True)
class Ours:
    """Microseconds per cluster that 20, 100 and 200 policies took on one block."""

    few: float
    half: float
    many: float

    @property
    def marginal(self) -> float:
        """Of one more policy, among many."""
        return (self.many - self.half) / (20 * (COPIES - HALF))

    @property
    def mean(self) -> float:
        """Of one more policy, from the first twenty on."""
        return (self.many - self.few) / (20 * COPIES - 20)


class Judges:
    """Ours, with the caches that a scan keeps from block to block."""

    def __init__(self, fleet: SyntheticFleet, *, chosen: bool) -> None:
        self.few, self.half, self.many = (
            FleetJudge(policies(copies, chosen=chosen), world(fleet)) for copies in (1, HALF, COPIES)
        )

    def round(self, block: Block) -> Ours:
        return Ours(*(timed(partial(judge.judge, block), block) for judge in (self.few, self.half, self.many)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=6 * CLUSTERS_AT_ONCE)
    parser.add_argument("--block", type=int, default=CLUSTERS_AT_ONCE, help="as many as a scan takes")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--peers", default=",".join(PACKAGES), help="which, with commas between; none: ''")
    parser.add_argument("--sample", type=int, default=2000, help="so many clusters for the peers")
    parser.add_argument("--rounds", type=int, default=15, help="of each peer")
    parser.add_argument("--chosen", action="store_true", help="policies that choose the clusters of one owner and ring")
    arguments = parser.parse_args()
    fleet = SyntheticFleet(arguments.clusters, arguments.seed)
    judges, every = Judges(fleet, chosen=arguments.chosen), list(blocks(fleet, arguments.block))
    show(fleet, every, judges)
    peers = [peer for peer in arguments.peers.split(",") if peer]
    if peers:
        show_peers(peers, judges, every, arguments)


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


def show(fleet: SyntheticFleet, every: list[Block], judges: Judges) -> None:
    rounds = [(timed(partial(parse, block), block), judges.round(block)) for block in every]
    size = sum(len(text) for block in every for text in (*block.documents, *block.children)) / len(fleet)
    findings = float((judges.few.judge(every[-1]).reasons != NO_REASON).mean())
    print(machine(fleet.seed))
    print(f"{len(fleet):,} clusters of {size:,.0f} bytes, {findings:.1%} of the pairs are findings")
    print(f"{'':28}{'first block':>12}{'steady state':>14}   µs a cluster; ratios where it says ÷")
    for name, values in {
        "orjson.loads and discard": [parsed for parsed, _ in rounds],
        "20 policies": [ours.few for _, ours in rounds],
        "100 policies": [ours.half for _, ours in rounds],
        "200 policies": [ours.many for _, ours in rounds],
        "20 policies ÷ orjson": [ours.few / parsed for parsed, ours in rounds],
        "200 ÷ 20 policies": [ours.many / ours.few for _, ours in rounds],
        "one more policy of 200": [ours.marginal for _, ours in rounds],
        "one more policy, mean": [ours.mean for _, ours in rounds],
    }.items():
        print(f"{name:28}{values[0]:12.3f}{median(later(values)):14.3f}")


def show_peers(peers: list[str], judges: Judges, every: list[Block], arguments: argparse.Namespace) -> None:
    block = every[-1]
    rows = range(0, len(block), max(1, len(block) // arguments.sample))
    texts = [(as_text(block.documents[row]), as_text(block.children[row])) for row in rows]
    states = judges.few.judge(block).states[:, rows]
    found = b"".join(bytes(STATES[code] for code in row) for row in states.tolist())
    print(
        f"{len(texts):,} clusters from text to the states of 20 policies, µs a cluster; medians of {arguments.rounds}"
    )
    print(f"{'':16}{'20 policies':>12}{'ours':>7}{'÷ ours':>8}{'one more':>10}{'ours':>8}{'÷ ours':>8}   states")
    for name in peers:
        try:
            with beside(name, texts, chosen=arguments.chosen) as peer:
                print(f"{name:16}{against(peer, judges, every, arguments.rounds)}   {agreement(peer.states, found)}")
        except Unfit as why:
            print(why)


def against(peer: Peer, judges: Judges, every: list[Block], rounds: int) -> str:
    """The times of a peer and of ours, taken by turns; of one more policy, which is little, the medians are divided."""
    turns = [(peer.round(), judges.round(block)) for block in islice(cycle(later(every)), rounds)]
    all = median(theirs.all / ours.few for theirs, ours in turns)
    theirs_all, theirs_more = (median(getattr(theirs, name) for theirs, _ in turns) for name in ("all", "marginal"))
    ours_all, ours_more = (median(getattr(ours, name) for _, ours in turns) for name in ("few", "marginal"))
    more = theirs_more / ours_more
    return f"{theirs_all:12.1f}{ours_all:7.1f}{all:8.1f}{theirs_more:10.3f}{ours_more:8.3f}{more:8.1f}"


def agreement(theirs: bytes, ours: bytes) -> str:
    differing = sum(one != other for one, other in zip(theirs, ours, strict=True))
    return f"{differing} of {len(ours)} pairs differ" if differing else "agree"


def later(blocks: list[T]) -> list[T]:
    """All but the first, which pays for filling caches, where there are others."""
    return blocks[1:] or blocks


def as_text(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode()


if __name__ == "__main__":
    main()
