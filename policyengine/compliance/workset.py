"""What must be judged again, and why: a state holds as long as nothing that it was derived from has changed.

A state is a function of the cluster with what is on it and around it, of the policy, of exemptions and of the instant.
Inventories number what changes; for the rest every block of states carries a mark, and what the mark says is compared
with what would be said now. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.clashes import may_clash
from policyengine.compliance.digest import writes_the_time
from policyengine.effects.base import World
from policyengine.effects.deploy_if_not_exists import DeployIfNotExists
from policyengine.effects.existence import COLLECTED
from policyengine.effects.manual import Manual
from policyengine.effects.modify import Modify
from policyengine.language.alias_file import to_document
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Attestation, Enrollment, Exemption
from policyengine.model.values import JSON, fingerprint


class Cause(Enum):
    """Why pairs are judged. The value is the word that programs see."""

    CLUSTERS = "clusters-changed"
    NEW = "policy-new"
    POLICY = "policy-changed"
    RIVALS = "policies-in-dispute-changed"
    EXEMPTION = "exemption-changed"
    CLOCK = "policy-reads-clock"
    RESOURCES = "policy-reads-resources"
    FULL = "asked-for"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a block of states holds for: a digest of its policy, exemptions by name, the inventory up to a reading."""

    digest: str
    leave: Mapping[str, str]
    seq: int


@dataclass(frozen=True)
class Standing:
    """A policy as it stands at an instant, beside all others.

    ``digest`` changes with whatever may change the state of any cluster, ``leave`` holds a digest for each active
    exemption. ``volatile`` says why its states may change though nothing that can be compared did, if they may.
    ``partners`` are keys of policies with which it may dispute: they are judged with it.
    """

    policy: BoundPolicy
    digest: str
    leave: Mapping[str, str]
    volatile: Cause | None = None
    partners: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.policy.key

    def mark(self, seq: int) -> Mark:
        return Mark(self.digest, self.leave, seq)


@dataclass(frozen=True)
class Demand:
    """What of a block must be judged again: all of it for a ``cause``, else clusters changed after ``since``.

    ``ended``: names of exemptions that no longer hold as they did; ``begun``: those that hold now and did not.
    """

    cause: Cause | None = None
    since: int = 0
    ended: tuple[str, ...] = ()
    begun: tuple[Exemption, ...] = field(default=())

    @property
    def is_of_changes(self) -> bool:
        """Whether nothing is asked for but changed clusters."""
        return self.cause is None and not self.ended and not self.begun


def demand(standing: Standing, mark: Mark | None) -> Demand:
    if mark is None:
        return Demand(Cause.NEW)
    if mark.digest != standing.digest:
        return Demand(Cause.RIVALS if standing.partners else Cause.POLICY)
    if standing.volatile is not None:
        return Demand(standing.volatile)
    if list(mark.leave.items()) == list(standing.leave.items()):
        return Demand(since=mark.seq)
    kept = {name for name, digest in mark.leave.items() if standing.leave.get(name) == digest}
    if [name for name in mark.leave if name in kept] != [name for name in standing.leave if name in kept]:
        kept = set()  # the first that covers a cluster counts, and another one is first now
    ended = tuple(name for name in mark.leave if name not in kept)
    begun = tuple(e for e in standing.policy.exemptions if e.name in standing.leave and e.name not in kept)
    return Demand(since=mark.seq, ended=ended, begun=begun)


def standings(policies: Sequence[BoundPolicy], world: World, engine: str) -> tuple[Standing, ...]:
    """Each of all ``policies``; ``engine`` names the program's semantics."""
    aliases = _digest_of(world.aliases)
    groups = _groups(policies)
    own = {policy.key: fingerprint([engine, aliases, _meaning(policy, world)]) for policy in policies}
    leaves = {policy.key: _leave(policy, world.at) for policy in policies}
    volatile = {policy.key: _volatile(policy, world) for policy in policies}
    return tuple(
        Standing(policy, own[policy.key], leaves[policy.key], volatile[policy.key])
        if groups[policy.key] == (policy.key,)
        else _among([p for p in policies if p.key in groups[policy.key]], policy, own, leaves, volatile)
        for policy in policies
    )


def _among(
    group: Sequence[BoundPolicy],
    policy: BoundPolicy,
    own: Mapping[str, str],
    leaves: Mapping[str, Mapping[str, str]],
    volatile: Mapping[str, Cause | None],
) -> Standing:
    """Of a policy that may dispute with others: whatever changes for one of them may change the state of each."""
    facts: JSON = [[p.key, own[p.key], _enforcement(p), dict(leaves[p.key])] for p in group]
    partners = tuple(p.key for p in group if p is not policy)
    why = next((volatile[p.key] for p in group if volatile[p.key] is not None), None)
    if why is None and any(writes_the_time(p.definition) for p in group):
        why = Cause.CLOCK
    return Standing(policy, fingerprint([policy.key, facts]), {}, why, partners)


def _meaning(policy: BoundPolicy, world: World) -> JSON:
    """Whatever a verdict of the policy may depend on beside the cluster, the exemptions and other policies."""
    return {
        "policy": policy.digest,
        "identity": dict(policy.identity),
        "spellings": dict(policy.spellings),
        "unknown": dict(policy.unknown_aliases),
        "unknownGroup": policy.unknown_group(world.tree),
        **({"resources": world.edition} if world.edition and _looks_elsewhere(policy) else {}),
        "attested": [_attested(a) for a in _attestations(policy) if not _is_over(a, world.at)],
        "variants": [_meaning(variant, world) for _, variant in policy.variants],
    }


def _attestations(policy: BoundPolicy) -> tuple[Attestation, ...]:
    return policy.effect.attestations if isinstance(policy.effect, Manual) else ()


def _attested(attestation: Attestation) -> JSON:
    told = (attestation.name, attestation.owner, attestation.comments, attestation.state.value)
    member = (attestation.reference_id or "").casefold()
    return [*told, member, repr(attestation.evidence), *_scopes(attestation), *_times(attestation)]


def _times(attestation: Attestation) -> list[JSON]:
    return [str(attestation.expires_on), str(attestation.assessed_at)]


def _is_over(granted: Attestation | Exemption, at: datetime) -> bool:
    return granted.expires_on is not None and at >= granted.expires_on


def _leave(policy: BoundPolicy, at: datetime) -> dict[str, str]:
    """A digest for each exemption that is active, in their order."""
    return {e.name: fingerprint(_exempted(e)) for e in policy.exemptions if not _is_over(e, at)}


def _exempted(exemption: Exemption) -> JSON:
    told = [exemption.name, exemption.category.value, exemption.reason, str(exemption.expires_on)]
    return [*told, list(exemption.reference_ids), *_scopes(exemption), _selected(exemption)]


def _scopes(granted: Attestation | Exemption | Enrollment) -> list[JSON]:
    return [scope.text.casefold() for scope in granted.scopes]


def _selected(granted: Exemption | Enrollment) -> JSON:
    return [
        [[selector.kind.value, selector.is_negated, sorted(selector.values)] for selector in group.selectors]
        for group in granted.resource_selectors
    ]


def _enforcement(policy: BoundPolicy) -> JSON:
    """Whether its effect may write counts for disputes only."""
    enrolled: list[JSON] = [[*_scopes(e), list(e.reference_ids), _selected(e)] for e in policy.enrollments]
    return [policy.assignment.enforcement_mode.value, enrolled]


def _volatile(policy: BoundPolicy, world: World) -> Cause | None:
    forms = list(_forms(policy))
    if any(form.volatile for form in forms):
        return Cause.CLOCK
    return Cause.RESOURCES if world.edition is None and any(map(_looks_elsewhere, forms)) else None


def _looks_elsewhere(policy: BoundPolicy) -> bool:
    """Whether it may ask for resources that are not read with every cluster."""
    details = policy.effect.details if policy.effect is not None else None
    return details is not None and str(details.type.source).casefold() not in COLLECTED


def _digest_of(aliases: AliasCatalogue) -> str:
    return fingerprint([aliases.raw_paths, to_document(aliases)])


def _groups(policies: Sequence[BoundPolicy]) -> dict[str, tuple[str, ...]]:
    """The policies that each one must be judged with, itself among them, by key."""
    found = {policy.key: {policy.key} for policy in policies}
    for one, other in _clashing(policies):
        group = found[one] | found[other]
        found |= dict.fromkeys(group, group)
    return {key: tuple(sorted(group)) for key, group in found.items()}


def _clashing(policies: Iterable[BoundPolicy]) -> Iterator[tuple[str, str]]:
    writers = [policy for policy in policies if any(map(_may_write, _forms(policy)))]
    for number, one in enumerate(writers):
        yield from ((one.key, other.key) for other in writers[number + 1 :] if may_clash(one, other))


def _may_write(policy: BoundPolicy) -> bool:
    return isinstance(policy.effect, Modify | DeployIfNotExists)


def _forms(policy: BoundPolicy) -> Iterator[BoundPolicy]:
    yield policy
    for _, variant in policy.variants:
        yield from _forms(variant)
