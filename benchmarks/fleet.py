"""What the benchmarks share: a synthetic fleet as texts, block by block, and the twenty policies bound to it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from benchmarks.policies import assignments, definitions
from policyengine.compliance.bind import BoundPolicy, bind
from policyengine.compliance.block import Block
from policyengine.effects.base import World
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.language.shape import respelled
from policyengine.model.cluster_text import to_texts
from policyengine.model.synthetic import SyntheticFleet

ALIASES: Final = AliasCatalogue.packaged()


def world(fleet: SyntheticFleet) -> World:
    return World(fleet.tree, datetime(2026, 11, 23, tzinfo=UTC), ALIASES)


def policies(copies: int = 1, *, chosen: bool = False) -> tuple[BoundPolicy, ...]:
    """Twenty for each copy, assigned to the whole fleet."""
    texts = [json.dumps(document) for document in (*definitions(copies, chosen=chosen), *assignments(copies))]
    documents = [d for n, text in enumerate(texts) for d in parse_documents(text, f"{n}.json", ALIASES).documents]
    library, problems = PolicyLibrary.build(documents)
    assert not any(problem.is_error for problem in problems), problems
    return tuple(bind(library, ALIASES))


def blocks(fleet: SyntheticFleet, size: int) -> Iterator[Block]:
    """The fleet in the form in which it is stored, so many clusters at a time."""
    for start in range(0, len(fleet), size):
        clusters = [fleet.cluster(index) for index in range(start, min(start + size, len(fleet)))]
        texts = [to_texts(respelled(cluster)) for cluster in clusters]
        yield Block(
            [cluster.id.text for cluster in clusters],
            [cluster.resource.type for cluster in clusters],
            [document.encode() for document, _ in texts],
            [children.encode() for _, children in texts],
            secretive=[False] * len(clusters),
        )


def machine(seed: int) -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, seed {seed}"
