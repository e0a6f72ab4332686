"""A remedy on one cluster → the requests that carry it out, or why there are none.

Azure's definitions deploy a template: their writes replace the object. Our `require` changes only what differs:
a PATCH of the declared fields, never a field that can only be set at creation. A `modify` is a PATCH of the cluster.
Source: policy language §6.4; configuration API §2–§4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from policyengine.compliance.explain import healthy_but
from policyengine.effects.base import Amendment, Remedy, World
from policyengine.errors import TemplateError
from policyengine.evaluation.places import api_version, resource_group_value, subscription_value
from policyengine.language.syntax import Desired
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource, ResourceWrite
from policyengine.model.values import JSON, get_folded
from policyengine.remediation.deployments import deployment_write, literal_secret
from policyengine.remediation.diff import holds
from policyengine.remediation.habits import ENVELOPE, habits_of, is_empty, is_kept_up_to_date, is_same, is_secret
from policyengine.remediation.merge import merge, without_nulls
from policyengine.templates import Answers, DeploymentScope, LiveRead, expand

FAILED = {"failed", "canceled"}
UNREAD: Final[Answers] = {}
_COLLECTED: Final = frozenset({EXTENSIONS.casefold(), FLUX_CONFIGURATIONS.casefold()})
"""Types that are read with every cluster: what is not there does not exist."""


@dataclass(frozen=True, slots=True)
class Wants:
    """The objects a remedy wants, whole; or the reads it takes to say so.

    ``as_deployment``: why the only write is a deployment that Resource Manager carries out. ``seen``: objects of the
    remedy that were read for this plan; None for what is not there.
    """

    writes: tuple[ResourceWrite, ...] = ()
    reads: tuple[LiveRead, ...] = ()
    as_deployment: str = ""
    seen: Mapping[ResourceId, Mapping[str, JSON] | None] = field(default_factory=dict)

    def own_part(self, want: ResourceWrite, cluster: Cluster) -> Mapping[str, JSON]:
        """What the policy asks of the object: of the cluster, which is read and put back, only what it changes."""
        if want.id != cluster.id or want.method != "PUT":
            return want.body
        live = self.seen.get(want.id) or cluster.resource.document
        return difference(live, {key: value for key, value in want.body.items() if key.casefold() not in ENVELOPE})


PATCHABLE: Mapping[str, frozenset[str]] = {
    AKS.casefold(): frozenset(),
    ARC.casefold(): frozenset({"distribution", "distributionversion", "azurehybridbenefit"}),
}
"""The properties (folded) that a PATCH of a cluster takes, beside its tags. Source: configuration API §8."""


@dataclass(frozen=True, slots=True)
class Writes:
    """Requests in order; ``refusal`` says why they must not be sent, empty when they may."""

    writes: tuple[ResourceWrite, ...]
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class NothingToWrite:
    """No request would help now, and why."""

    reason: str


def wants_of(
    remedy: Remedy | Amendment, cluster: Cluster, world: World, *, name: str = "policyengine", answers: Answers = UNREAD
) -> Wants:
    """The objects as the remedy wants them, whole, each under the id of the object it means; null demands absence.

    ``name`` is that of the deployment, ``answers`` are those to reads asked for before. Raises TemplateError or
    ExpressionError when the deployment cannot be expanded.
    """
    if isinstance(remedy, Amendment):
        version = api_version(Resource(cluster.id, {})) or ""
        return Wants((ResourceWrite(cluster.id, version, remedy.patch, "PATCH"),) if remedy.patch else ())
    if (parameter := literal_secret(remedy.deployment.template, remedy.parameters)) is not None:
        raise TemplateError(
            f"its secure parameter `{parameter}` is given as it is, and no plan keeps secrets",
            help="give it as a Key Vault reference, or as {secretRef: {env: NAME}}",
        )
    scope = _deployment_scope(remedy, cluster, world, name)
    expansion = expand(remedy.deployment.template, remedy.parameters, scope, answers)
    if expansion.only_whole:
        return Wants((deployment_write(remedy, scope),), as_deployment=expansion.only_whole)
    if remedy.desired is None:
        return _with_what_is_there(expansion.writes, expansion.reads, cluster, answers)
    return Wants(
        tuple(
            replace(
                created,
                id=remedy.live.id if remedy.live is not None else created.id,
                body={**created.body, "properties": remedy.desired_properties},
            )
            for created in expansion.writes
        )
    )


def _with_what_is_there(
    writes: tuple[ResourceWrite, ...], reads: tuple[LiveRead, ...], cluster: Cluster, answers: Answers
) -> Wants:
    """Objects that no inventory carries are read before they are written, as those of the cluster were.

    Raises TemplateError when one could not be read: it may be there.
    """
    known = {cluster.id, *(child.id for child in cluster.children)}
    own = [LiveRead(write.id, write.api_version, full=True) for write in writes]
    foreign = [read for read in own if read.id not in known and read.id.type.casefold() not in _COLLECTED]
    if open_reads := (*reads, *(read for read in foreign if read not in answers)):
        return Wants(reads=open_reads)
    for read in foreign:
        if answers[read].problem:
            raise TemplateError(f"`{read.id}` cannot be read: {answers[read].problem}")
    return Wants(writes, seen={read.id: answers[read].document for read in own if read in answers})


def writes_for(remedy: Remedy | Amendment, wants: Wants, cluster: Cluster) -> Writes | NothingToWrite:
    """What to send so that the cluster holds ``wants``, which are those of the remedy."""
    if isinstance(remedy, Amendment):
        return _amend(wants, cluster)
    if not wants.writes:
        return NothingToWrite("its deployment creates nothing on this cluster")
    if wants.as_deployment:
        return Writes(wants.writes)
    if remedy.desired is None:
        return _replace(wants, cluster)
    (want,) = wants.writes
    if remedy.live is None:
        created = replace(want, body=without_nulls(want.body))
        return Writes((created,), _frozen(created, _live(cluster).get(want.id)))
    return _change(remedy.desired, want, remedy.live)


def with_whole_tags(write: ResourceWrite, live: Mapping[str, JSON]) -> ResourceWrite:
    """A PATCH replaces the whole map of tags: the ones it does not speak of go along. Source: configuration API §8."""
    changed = get_folded(write.body, "tags")
    if write.method != "PATCH" or not isinstance(changed, Mapping):
        return write
    present = get_folded(live, "tags")
    named = {name.casefold() for name in changed}
    kept = {k: v for k, v in (present if isinstance(present, Mapping) else {}).items() if k.casefold() not in named}
    return replace(write, body={**write.body, "tags": {**kept, **without_nulls(changed)}})


def without_null_tags(body: Mapping[str, JSON]) -> dict[str, JSON]:
    """The body of a PUT after a change that takes tags away."""
    return {
        key: without_nulls(value) if key.casefold() == "tags" and isinstance(value, Mapping) else value
        for key, value in body.items()
    }


def _amend(wants: Wants, cluster: Cluster) -> Writes | NothingToWrite:
    if not wants.writes:
        return NothingToWrite("its operations change nothing here: the fields are as it wants them, or have no parent")
    if not _is_settled(cluster.resource):
        return _still_moving(cluster.resource)
    (want,) = wants.writes
    return Writes((want,), _unpatchable(want))


def _unpatchable(want: ResourceWrite) -> str:
    """Why the service would not take the PATCH, empty when it would."""
    taken = PATCHABLE.get(want.id.type.casefold(), frozenset())
    properties = get_folded(want.body, "properties")
    paths = [name for name in want.body if name.casefold() not in {"tags", "properties"}]
    paths += [
        f"properties.{n}" for n in (properties if isinstance(properties, Mapping) else {}) if n.casefold() not in taken
    ]
    return f"the service takes no PATCH of `{paths[0]}`; only tags can be changed so on every cluster" if paths else ""


def _replace(wants: Wants, cluster: Cluster) -> Writes | NothingToWrite:
    live = {id: Resource(id, document) for id, document in wants.seen.items() if document is not None}
    live |= {cluster.id: cluster.resource} | _live(cluster)
    for want in wants.writes:
        if want.id in live and not _is_settled(live[want.id]):
            return _still_moving(live[want.id])
    missing = tuple(
        want for want in wants.writes if want.id not in live or not _is_in_place(want, live[want.id], wants, cluster)
    )
    if not missing:
        return NothingToWrite("what it deploys is already in place and does not satisfy its own existence condition")
    return Writes(missing, next((why for want in missing if (why := _frozen(want, live.get(want.id)))), ""))


def _live(cluster: Cluster) -> dict[ResourceId, Resource]:
    return {child.id: child for child in cluster.children}


def _frozen(want: ResourceWrite, live: Resource | None) -> str:
    """Why ``want`` may not be put over ``live``: it would make another thing of it. Empty when it may."""
    for key, value in (get_folded(want.body, "properties") or {}).items() if live is not None else ():
        if key.casefold() in habits_of(want.id.type).create_only:
            now = live.property(key) if live is not None else None
            if not is_empty(value) and not is_empty(now) and not is_same(now, value, key.casefold()):
                return _frozen_in_words(key, want.id.name)
    return ""


def _frozen_in_words(key: str, name: str) -> str:
    return f"`{key}` can only be set at creation; delete `{name}` to change it"


def _is_in_place(want: ResourceWrite, live: Resource, wants: Wants, cluster: Cluster) -> bool:
    return not _has_failed(live) and holds(live.document, wants.own_part(want, cluster))


def _change(desired: Desired, want: ResourceWrite, live: Resource) -> Writes | NothingToWrite:
    if not _is_settled(live):
        return _still_moving(live)
    declared = {
        key: value
        for key, value in get_folded(want.body, "properties").items()
        if not is_secret(key, value) and not (value is None and is_kept_up_to_date(key, live.document))
    }
    patch = difference(get_folded(live.document, "properties"), declared)
    if not patch:
        return Writes((_again(want, live),)) if _has_failed(live) else NothingToWrite(healthy_but(live))
    write = replace(want, method="PATCH", body={"properties": patch})
    frozen = sorted(key for key in patch if key.casefold() in {c.casefold() for c in desired.create_only})
    if frozen:
        return Writes((write,), _frozen_in_words(frozen[0], live.name))
    return Writes((write,))


def _again(want: ResourceWrite, live: Resource) -> ResourceWrite:
    """Create the object once more, with what others have set on it kept; secrets cannot be read back."""
    read_only = habits_of(live.type).read_only
    kept = {
        key: value
        for key, value in get_folded(live.document, "properties").items()
        if key.casefold() not in read_only and not is_kept_up_to_date(key, live.document) and not is_secret(key, value)
    }
    return replace(want, body=merge(without_nulls(want.body), {"properties": kept}))


def difference(live: JSON, declared: Mapping[str, JSON]) -> dict[str, JSON]:
    """The declared members that the live object lacks or holds otherwise, nested maps cut down to what differs.

    A declared null demands absence and stands as null, which removes the member in a merge.
    """
    have = live if isinstance(live, Mapping) else {}
    found: dict[str, JSON] = {}
    for key, value in declared.items():
        actual = get_folded(have, key)
        if isinstance(value, Mapping):
            if nested := difference(actual, value):
                found[key] = nested
        elif not is_same(actual, value, key.casefold()):
            found[key] = value
    return found


def left_out(live: Mapping[str, JSON], body: Mapping[str, JSON]) -> dict[str, JSON]:
    """What a PUT of ``body`` takes away, as nulls: members of ``live`` in objects that the body writes without them.

    A property that the body does not name at all is kept. Source: AKS managed clusters, create or update.
    """
    found: dict[str, JSON] = {}
    for key, value in body.items():
        inside = get_folded(live, key)
        if not isinstance(value, Mapping) or not isinstance(inside, Mapping):
            continue
        kept = {name.casefold() for name in value}
        is_open = key.casefold() == "properties"
        gone = {} if is_open else dict.fromkeys(name for name in inside if name.casefold() not in kept)
        if missing := {**gone, **left_out(inside, value)}:
            found[key] = missing
    return found


def _is_settled(live: Resource) -> bool:
    return _state(live) in {"succeeded", *FAILED, ""}


def _has_failed(live: Resource) -> bool:
    return _state(live) in FAILED


def _state(live: Resource) -> str:
    """How the last change of the object ended; empty for types that do not say."""
    return str(live.property("provisioningState") or "").casefold()


def _still_moving(live: Resource) -> NothingToWrite:
    state = live.property("provisioningState")
    return NothingToWrite(f"`{live.name}` is {state}; plan again when that has finished")


def _deployment_scope(remedy: Remedy, cluster: Cluster, world: World, name: str) -> DeploymentScope:
    subscription = subscription_value(cluster.id, world.tree)
    group: Mapping[str, JSON] | None = None
    if remedy.deployment.scope.casefold() != "subscription":
        named = remedy.resource_group
        place = cluster.id if named is None else ResourceId(f"{subscription['id']}/resourceGroups/{named}")
        group = resource_group_value(place, world.tree)
    return DeploymentScope(subscription, group, name, world.at, remedy.location)
