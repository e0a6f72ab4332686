"""What pretended repositories hold: per revision the objects a Kustomization would apply, and how each turns out.

A repository nobody has scripted always answers, and holds nothing. Only data and its reading; the controllers act.

    {"url": "https://github.com/contoso/fleet",
     "heads": {"main": "r2"},                     # branch, tag or semver range: the revision it points to
     "revisions": {"r2": [{"kind": "Deployment", "namespace": "shop", "name": "web", "path": "./apps",
                           "healthyAfter": "40s"}]},
     "failure": {"reason": "AuthenticationFailed", "message": "denied"},
     "private": true}                             # nobody reads it without credentials
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.durations import parse_duration
from policyengine.emulator.flux_objects import ObjectKey
from policyengine.emulator.kinds import Kind, kind_of
from policyengine.emulator.simulation import ReconcileFailure
from policyengine.emulator.written import yes_or_no
from policyengine.errors import ConfigError, UsageError
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON

_SOURCE_KEYS: Final = ("url", "heads", "revisions", "failure", "private")
_OBJECT_KEYS: Final = (
    "apiVersion",
    "chart",
    "chartVersion",
    "data",
    "failure",
    "healthyAfter",
    "immutable",
    "kind",
    "name",
    "namespace",
    "path",
    "serviceAccountName",
    "source",
    "url",
)
ANY_REVISION: Final = "*"


@dataclass(frozen=True, slots=True)
class ScriptedObject:
    """An object in a repository. ``namespace`` is empty where the configuration's own is meant.

    It becomes healthy ``healthy_after`` it was applied, or ends with ``failure`` then. ``immutable`` stands for the
    fields that cannot be changed in place. ``source`` is the kind, namespace and name a HelmRelease or Kustomization
    refers to. ``data`` of a Secret is never told.
    """

    kind: str
    name: str
    namespace: str = ""
    api_version: str = ""
    path: str = ""
    healthy_after: timedelta = timedelta(0)
    failure: ReconcileFailure | None = None
    immutable: str = ""
    data: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""
    source: ObjectKey | None = None
    chart: str = ""
    chart_version: str = ""
    service_account: str = ""

    @property
    def type(self) -> Kind:
        return kind_of(self.kind, self.api_version)

    @property
    def key(self) -> ObjectKey:
        return (self.kind, self.namespace, self.name)

    @classmethod
    def read(cls, value: JSON) -> ScriptedObject:
        """Raises ConfigError naming what cannot be used."""
        said = _mapping(value, "an object", _OBJECT_KEYS)
        if not said.get("kind") or not said.get("name"):
            help = "for example `{kind: ConfigMap, namespace: shop, name: vars}`"
            raise ConfigError("an object needs a `kind` and a `name`", help=help)
        kind = kind_of(str(said["kind"]), str(said.get("apiVersion") or ""))
        return cls(
            kind=kind.name,
            name=str(said["name"]),
            namespace=str(said.get("namespace") or "") if kind.namespaced else "",
            api_version=kind.api_version,
            path=folder(str(said.get("path") or "")),
            healthy_after=_duration(said.get("healthyAfter")),
            failure=_failure(said.get("failure")),
            immutable=str(said.get("immutable") or ""),
            data={str(k): str(v) for k, v in _mapping(said.get("data") or {}, "`data`").items()},
            url=str(said.get("url") or ""),
            source=_reference(said.get("source")),
            chart=str(said.get("chart") or ""),
            chart_version=str(said.get("chartVersion") or ""),
            service_account=str(said.get("serviceAccountName") or ""),
        )

    def rewritten(self, rewrite: Callable[[str], str]) -> ScriptedObject:
        """With every text an author writes put through ``rewrite``."""
        return replace(
            self,
            name=rewrite(self.name),
            namespace=rewrite(self.namespace),
            immutable=rewrite(self.immutable),
            data={key: rewrite(value) for key, value in self.data.items()},
            url=rewrite(self.url),
            chart=rewrite(self.chart),
            chart_version=rewrite(self.chart_version),
            service_account=rewrite(self.service_account),
        )

    def placed(self, namespace: str) -> ScriptedObject:
        """With the namespaces it left out."""
        source = self.source and (self.source[0], self.source[1] or self.namespace or namespace, self.source[2])
        own = self.namespace or namespace if self.type.namespaced else ""
        return replace(self, namespace=own, source=source)


@dataclass(frozen=True, eq=False, slots=True)
class ScriptedSource:
    """A repository from one change to the next. ``revisions`` are shared with what it was before: they only join."""

    url: str
    heads: Mapping[str, str] = field(default_factory=dict)
    revisions: dict[str, tuple[ScriptedObject, ...]] = field(default_factory=dict)
    failure: ReconcileFailure | None = None
    private: bool = False

    def objects(self, revision: str) -> tuple[ScriptedObject, ...]:
        """What is in it at ``revision``, which may carry its reference in front (`main/r2`)."""
        commit = revision.rpartition("/")[2]
        return self.revisions.get(commit, self.revisions.get(ANY_REVISION, ()))

    def document(self) -> dict[str, JSON]:
        return {
            "url": self.url,
            "heads": dict(sorted(self.heads.items())),
            "revisions": {
                revision: [{"kind": o.kind, "namespace": o.namespace, "name": o.name} for o in objects]
                for revision, objects in sorted(self.revisions.items())
            },
            "failure": {"reason": self.failure.reason, "message": self.failure.message} if self.failure else None,
            "private": self.private,
        }


class SourceScripts:
    """By url, compared without case, a trailing slash or `.git`; each as it was at any instant."""

    def __init__(self) -> None:
        self._by_url: dict[str, list[tuple[datetime, ScriptedSource | None]]] = {}

    def find(self, url: str, at: datetime) -> ScriptedSource | None:
        """What was said of it last, at or before ``at``."""
        said = self._by_url.get(url_key(url), ())
        return next((source for since, source in reversed(said) if since <= at), None)

    def script(self, value: Mapping[str, JSON], at: datetime) -> ScriptedSource:
        """Heads and revisions join those that are there; `failure: null` ends a failure. Raises ConfigError."""
        said = _mapping(value, "a source", _SOURCE_KEYS)
        url = _url(said.get("url"))
        revisions = {
            str(name): tuple(ScriptedObject.read(item) for item in _list(objects, f"revision `{name}`"))
            for name, objects in _mapping(said.get("revisions") or {}, "`revisions`").items()
        }
        heads = {str(k): str(v) for k, v in _mapping(said.get("heads") or {}, "`heads`").items()}
        failure, private = _failure(said.get("failure")), yes_or_no(said.get("private"), "`private`")
        old = self._newest(url) or ScriptedSource(url)
        old.revisions.update(revisions)
        source = replace(
            old,
            heads={**old.heads, **heads},
            failure=failure if "failure" in said else old.failure,
            private=private if "private" in said else old.private,
        )
        self._by_url.setdefault(url_key(source.url), []).append((at, source))
        return source

    def forget(self, url: str, at: datetime) -> None:
        """Raises UsageError for a source that nobody scripted."""
        if self._newest(url) is None:
            known = ", ".join(f"`{source.url}`" for source in self.all()[:3]) or "none"
            raise UsageError(f"nobody scripted a source `{url}`", help=f"scripted are: {known}")
        self._by_url[url_key(url)].append((at, None))

    def all(self) -> list[ScriptedSource]:
        """As they are now, in the order of their urls."""
        newest = (self._by_url[key][-1][1] for key in sorted(self._by_url))
        return [source for source in newest if source is not None]

    def _newest(self, url: str) -> ScriptedSource | None:
        said = self._by_url.get(url_key(url))
        return said[-1][1] if said else None


def _url(value: JSON) -> str:
    """What a configuration could have as its source's address."""
    if not isinstance(value, str) or not ("://" in value or value.startswith("git@")):
        help = "write `url` as the configurations have it, for example `https://github.com/contoso/fleet`"
        raise ConfigError(f"a source needs its `url`, got `{value or ''}`", help=help)
    return value


def url_key(url: str) -> str:
    return url.casefold().rstrip("/").removesuffix(".git")


def folder(path: str) -> str:
    """A path in a repository without leading `./` and slashes at its ends; empty for the top."""
    parts = (part for part in path.strip().split("/") if part not in {"", "."})
    return "/".join(parts)


def _reference(value: JSON) -> ObjectKey | None:
    if not value:
        return None
    said = _mapping(value, "`source`", ("kind", "namespace", "name"))
    kind = kind_of(str(said.get("kind") or "HelmRepository")).name
    return (kind, str(said.get("namespace") or ""), str(said.get("name") or ""))


def _failure(value: JSON) -> ReconcileFailure | None:
    if not value:
        return None
    said = _mapping(value, "`failure`", ("reason", "message"))
    reason = str(said.get("reason") or "ReconciliationFailed")
    return ReconcileFailure(reason, str(said.get("message") or "reconciliation failed"))


def _duration(value: JSON) -> timedelta:
    try:
        return parse_duration(value or 0)
    except ValueError as error:
        raise ConfigError(f"`healthyAfter`: {error}") from error


def _mapping(value: JSON, what: str, keys: Sequence[str] = ()) -> Mapping[str, JSON]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{what} must be written as keys and values", help="write it as `key: value` lines")
    for key in value:
        if keys and key not in keys:
            help = did_you_mean(str(key), keys) or f"there are {', '.join(keys)}"
            raise ConfigError(f"{what} has no `{key}`", help=help)
    return value


def _list(value: JSON, what: str) -> Sequence[JSON]:
    if not isinstance(value, list):
        raise ConfigError(f"{what} must be a list of objects", help="start each with `- `")
    return value
