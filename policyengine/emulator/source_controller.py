"""What the source controller finds when it asks a repository: a revision, or why there is none.

G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

from policyengine.emulator.credentials import signs_in_by_identity
from policyengine.emulator.flux_objects import FluxConfigObject
from policyengine.emulator.flux_rules import source_of
from policyengine.emulator.identifiers import digest_of
from policyengine.emulator.settings import Settings
from policyengine.emulator.simulation import ReconcileFailure
from policyengine.emulator.source_script import ScriptedSource, SourceScripts
from policyengine.emulator.state import EmulatedCluster
from policyengine.model.values import JSON, get_folded

_UNREACHABLE: Final[Mapping[str, str]] = {
    "GitRepository": "GitOperationFailed",
    "Bucket": "BucketOperationFailed",
    "OCIRepository": "OCIArtifactPullFailed",
}
"""The reason each kind of source gives when it cannot be fetched (G37)."""


class SourceController:
    def __init__(self, scripts: SourceScripts, settings: Settings) -> None:
        self.scripts = scripts
        self._settings = settings

    def fetch(self, cluster: EmulatedCluster, config: FluxConfigObject, at: datetime) -> bool:
        """Ask the repository once; True when its revision is another than before."""
        config.source.last_attempt = at
        failure = self._failure(cluster, config, at)
        if failure is not None:
            fail_source(config, failure, at)
            return False
        before, config.revision = config.synced_revision, revision_of(config.spec, self.script_of(config, at))
        succeed_source(config, at)
        return config.synced_revision != before

    def script_of(self, config: FluxConfigObject, at: datetime) -> ScriptedSource | None:
        return self.scripts.find(str(source_of(config.spec)[1]["url"]), at)

    def _failure(self, cluster: EmulatedCluster, config: FluxConfigObject, at: datetime) -> ReconcileFailure | None:
        told = cluster.simulation.reconcile_failure(config.name)
        if told is not None and told.is_source:
            return told
        script = self.script_of(config, at)
        return (
            _not_allowed(cluster, config)
            or self._not_authenticated(cluster, config, script)
            or (script.failure if script else None)
            or _no_such_head(config, script)
        )

    def _not_authenticated(
        self, cluster: EmulatedCluster, config: FluxConfigObject, script: ScriptedSource | None
    ) -> ReconcileFailure | None:
        _, source = source_of(config.spec)
        named = str(source.get("localAuthRef") or "")
        if named and self._settings.check_local_secrets and not cluster.objects.secret_exists(config.namespace, named):
            return _no_secret(config, named)
        if config.secrets_missing:
            return _no_secret(config, config.secret_name)
        if script is None or not script.private:
            return None
        if named or config.secret_keys or signs_in_by_identity(config.spec):
            return None
        message = f"failed to fetch '{source['url']}': authentication required"
        return ReconcileFailure("AuthenticationFailed", message)


def reaches(cluster: EmulatedCluster, url: str) -> bool:
    """Behind a private link, only what the firewall lets through (G45)."""
    allowed = cluster.simulation.allowed_hosts
    if not is_private(cluster) or allowed is None:
        return True
    host = host_of(url)
    return any(fnmatchcase(host, pattern.casefold()) for pattern in allowed)


def is_private(cluster: EmulatedCluster) -> bool:
    properties = cluster.document.get("properties") or {}
    return str(get_folded(properties, "privateLinkState")).casefold() == "enabled"


def host_of(url: str) -> str:
    """Also of `git@host:path`, folded."""
    if "://" not in url:
        return url.rpartition("@")[2].partition(":")[0].casefold()
    return (urlsplit(url).hostname or "").casefold()


def succeed_source(config: FluxConfigObject, at: datetime) -> None:
    config.synced_revision, config.source_updated = config.revision, at
    config.source.set_ready("True", "Succeeded", f"stored artifact for revision '{config.revision}'", at)


def fail_source(config: FluxConfigObject, failure: ReconcileFailure, at: datetime) -> None:
    """Kustomizations that have applied an earlier artifact keep to that; the others have nothing to apply."""
    config.source.fail(failure.reason, failure.message, at, "FetchFailed")
    for kustomization in config.kustomizations.values():
        if not kustomization.applied_revision:
            kustomization.set_ready("False", "ArtifactFailed", "Source artifact not found, retrying in 30s", at)


def revision_of(spec: Mapping[str, JSON], script: ScriptedSource | None = None) -> str:
    """`reference/digest`. The head of a repository nobody scripted depends on its url and reference alone."""
    kind, source = source_of(spec)
    reference, url = source.get("repositoryRef") or {}, str(source["url"])
    name = head_of(spec)
    if reference.get("commit"):
        return f"{reference.get('branch') or 'master'}/{reference['commit']}"
    if script is not None and name in script.heads:
        return f"{name}/{script.heads[name]}"
    if kind.member == "gitRepository":
        return f"{name}/{digest_of(url, name)}"
    return f"{name}/{digest_of(url, name, str(source.get('bucketName') or source.get('containerName')))}"


def head_of(spec: Mapping[str, JSON]) -> str:
    """What is asked for. Precedence of a Git reference: commit, semver, tag, branch; none is `master` (G31)."""
    kind, source = source_of(spec)
    reference = source.get("repositoryRef") or {}
    if kind.member == "gitRepository":
        return _first(reference, ("commit", "semver", "tag", "branch"), "master")
    return _first(reference, ("digest", "semver", "tag"), "latest")


def _first(reference: Mapping[str, JSON], names: Sequence[str], default: str) -> str:
    return str(next((reference[name] for name in names if reference.get(name)), default))


def _not_allowed(cluster: EmulatedCluster, config: FluxConfigObject) -> ReconcileFailure | None:
    kind, source = source_of(config.spec)
    if reaches(cluster, str(source["url"])):
        return None
    message = f"unable to fetch '{source['url']}': '{host_of(str(source['url']))}' is not reachable from the cluster"
    return ReconcileFailure(_UNREACHABLE[kind.object_kind], message)


def _no_such_head(config: FluxConfigObject, script: ScriptedSource | None) -> ReconcileFailure | None:
    kind, source = source_of(config.spec)
    name = head_of(config.spec)
    if script is None or not script.heads or name in script.heads:
        return None
    if (source.get("repositoryRef") or {}).get("commit"):
        return None
    message = f"failed to checkout and determine revision: unable to find reference '{name}'"
    return ReconcileFailure(_UNREACHABLE[kind.object_kind], message)


def _no_secret(config: FluxConfigObject, name: str) -> ReconcileFailure:
    message = f"failed to get secret '{config.namespace}/{name}': secrets \"{name}\" not found"
    return ReconcileFailure("AuthenticationFailed", message)
