"""The kinds of Kubernetes objects known by name: where their API lives, and which controller looks after them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_SOURCE: Final = "source.toolkit.fluxcd.io"
_NOTIFICATION: Final = "notification.toolkit.fluxcd.io"
_IMAGE: Final = "image.toolkit.fluxcd.io"
_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Kind:
    """``controller`` is the deployment that must run for objects of a Flux kind to become ready; else empty."""

    name: str
    group: str
    version: str
    plural: str
    namespaced: bool = True
    controller: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def definition(self) -> str:
        """Name of its custom resource definition."""
        return f"{self.plural}.{self.group}"


FLUX_CONFIG: Final = Kind("FluxConfig", "clusterconfig.azure.com", "v1beta1", "fluxconfigs")
FLUX_KINDS: Final = (
    Kind("Bucket", _SOURCE, "v1", "buckets", controller="source-controller"),
    Kind("GitRepository", _SOURCE, "v1", "gitrepositories", controller="source-controller"),
    Kind("HelmChart", _SOURCE, "v1", "helmcharts", controller="source-controller"),
    Kind("HelmRepository", _SOURCE, "v1", "helmrepositories", controller="source-controller"),
    Kind("OCIRepository", _SOURCE, "v1", "ocirepositories", controller="source-controller"),
    Kind("Kustomization", "kustomize.toolkit.fluxcd.io", "v1", "kustomizations", controller="kustomize-controller"),
    Kind("HelmRelease", "helm.toolkit.fluxcd.io", "v2", "helmreleases", controller="helm-controller"),
    Kind("Alert", _NOTIFICATION, "v1beta3", "alerts", controller="notification-controller"),
    Kind("Provider", _NOTIFICATION, "v1beta3", "providers", controller="notification-controller"),
    Kind("Receiver", _NOTIFICATION, "v1", "receivers", controller="notification-controller"),
    Kind("ImagePolicy", _IMAGE, "v1beta2", "imagepolicies", controller="image-reflector-controller"),
    Kind("ImageRepository", _IMAGE, "v1beta2", "imagerepositories", controller="image-reflector-controller"),
    Kind(
        "ImageUpdateAutomation", _IMAGE, "v1beta2", "imageupdateautomations", controller="image-automation-controller"
    ),
)
"""The thirteen kinds that Flux brings with it (G9)."""
KUBERNETES_KINDS: Final = (
    Kind("ConfigMap", "", "v1", "configmaps"),
    Kind("Namespace", "", "v1", "namespaces", namespaced=False),
    Kind("PersistentVolume", "", "v1", "persistentvolumes", namespaced=False),
    Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims"),
    Kind("Pod", "", "v1", "pods"),
    Kind("Secret", "", "v1", "secrets"),
    Kind("Service", "", "v1", "services"),
    Kind("ServiceAccount", "", "v1", "serviceaccounts"),
    Kind("CustomResourceDefinition", "apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False),
    Kind("DaemonSet", "apps", "v1", "daemonsets"),
    Kind("Deployment", "apps", "v1", "deployments"),
    Kind("StatefulSet", "apps", "v1", "statefulsets"),
    Kind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers"),
    Kind("CronJob", "batch", "v1", "cronjobs"),
    Kind("Job", "batch", "v1", "jobs"),
    Kind("Ingress", "networking.k8s.io", "v1", "ingresses"),
    Kind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies"),
    Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
    Kind("ClusterRole", _RBAC, "v1", "clusterroles", namespaced=False),
    Kind("ClusterRoleBinding", _RBAC, "v1", "clusterrolebindings", namespaced=False),
    Kind("Role", _RBAC, "v1", "roles"),
    Kind("RoleBinding", _RBAC, "v1", "rolebindings"),
    Kind("PriorityClass", "scheduling.k8s.io", "v1", "priorityclasses", namespaced=False),
    Kind("StorageClass", "storage.k8s.io", "v1", "storageclasses", namespaced=False),
)
FLUX_CUSTOM_RESOURCES: Final = (FLUX_CONFIG, *FLUX_KINDS)
_KNOWN: Final[Mapping[str, Kind]] = {kind.name.casefold(): kind for kind in (*FLUX_CUSTOM_RESOURCES, *KUBERNETES_KINDS)}


def kind_of(name: str, api_version: str = "") -> Kind:
    """The kind of that name, without case; one nobody knows is namespaced and lives where ``api_version`` says."""
    known = _KNOWN.get(name.casefold())
    if known is not None and api_version in {"", known.api_version}:
        return known
    group, _, version = api_version.rpartition("/")
    if known is not None and group == known.group:
        return known
    return Kind(name, group, version or "v1", _plural(name))


def _plural(name: str) -> str:
    word = name.casefold()
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"
