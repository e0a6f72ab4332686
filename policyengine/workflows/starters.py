"""First drafts of policies and of their tests, for people to change: YAML with comments that say what is what.

Knows no files. Every draft is clean, and every test of it passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policyengine.model.resource import CLUSTER_TYPES


class Draft(StrEnum):
    """What a draft is about."""

    EXTENSION = "extension"
    FLUX_CONFIGURATION = "flux-configuration"
    TAG = "tag"
    RULE = "rule"


class Target(StrEnum):
    """Which clusters a draft is about."""

    AKS = "aks"
    ARC = "arc"
    ALL = "all"


EFFECTS: Final[Mapping[Draft, Sequence[str]]] = {
    Draft.EXTENSION: ("DeployIfNotExists", "AuditIfNotExists", "Disabled"),
    Draft.FLUX_CONFIGURATION: ("DeployIfNotExists", "AuditIfNotExists", "Disabled"),
    Draft.TAG: ("Modify", "Audit", "Deny", "Disabled"),
    Draft.RULE: ("Audit", "Deny", "Disabled"),
}
"""The effects that each draft allows; the first is the default unless another is chosen."""


@dataclass(frozen=True, slots=True)
class Starter:
    """``effect`` is one of `EFFECTS`; ``extension_type`` matters to the draft of an extension only."""

    name: str
    draft: Draft
    effect: str
    target: Target = Target.ALL
    extension_type: str = "microsoft.flux"

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(CLUSTER_TYPES) if self.target is Target.ALL else (self.target.value,)

    @property
    def extension_name(self) -> str:
        """`flux` for microsoft.flux, else the last part of the type."""
        is_flux = self.extension_type.casefold() == "microsoft.flux"
        return "flux" if is_flux else self.extension_type.rpartition(".")[2]


def draft_policy(starter: Starter) -> str:
    """The text of a PolicyDefinition."""
    return _filled(_HEAD + _POLICIES[starter.draft], starter)


def draft_test(starter: Starter) -> str:
    """The text of a PolicyTest that the draft passes."""
    return _filled(_TEST_HEAD + _TESTS[starter.draft] + _TEST_TAIL, starter)


def _filled(text: str, starter: Starter) -> str:
    title = " ".join(starter.name.replace("-", " ").replace("_", " ").split())
    words = {
        "<name>": starter.name,
        "<title>": title[:1].upper() + title[1:],
        "<effects>": ", ".join(EFFECTS[starter.draft]),
        "<effect>": starter.effect,
        "<kinds>": ", ".join(starter.kinds),
        "<kind>": starter.kinds[0],
        "<type>": starter.extension_type,
        "<extension>": starter.extension_name,
        "<parameters>": 'repositoryUrl: "https://git.example/fleet"'
        if starter.draft is Draft.FLUX_CONFIGURATION
        else "",
        "<resource>": CLUSTER_TYPES[starter.kinds[0]],
    }
    for word, value in words.items():
        text = text.replace(word, value)
    return text.lstrip("\n")


_HEAD: Final = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata:
  name: <name>
  version: 1.0.0
  displayName: "<title>"
  description: Say here what every cluster has to have, and why.
  severity: medium # low, medium, high or critical: for reports and `--fail-on`
  owner: platform-team # whom to ask about a finding
spec:
  parameters:
    effect:
      type: String
      allowedValues: [<effects>]
      defaultValue: <effect>
"""

_POLICIES: Final[Mapping[Draft, str]] = {
    Draft.EXTENSION: """\
  appliesTo: [<kinds>]
  # Narrow it down with any condition: when: {field: tags.environment, equals: production}
  require:
    # Found by its type, whatever it is called. What stands here is compared, and written where it differs; everything
    # else is left alone.
    extension:
      name: <extension>
      extensionType: <type>
      autoUpgradeMinorVersion: true
  nonComplianceMessage: "{cluster.name} has no healthy extension <type>"
""",
    Draft.FLUX_CONFIGURATION: """\
    repositoryUrl:
      type: String
      metadata: {description: HTTPS or SSH address of the repository}
    branch:
      type: String
      defaultValue: main
      metadata: {description: Branch that every cluster follows}
  appliesTo: [<kinds>]
  # Narrow it down with any condition: when: {field: tags.gitops, notEquals: disabled}
  require:
    # The configuration of this very name. What stands here is compared, and written where it differs; everything else
    # is left alone, kustomizations of other names too.
    fluxConfiguration:
      name: cluster-config
      namespace: flux-system
      scope: cluster
      gitRepository:
        url: "[parameters('repositoryUrl')]"
        repositoryRef: {branch: "[parameters('branch')]"}
      kustomizations:
        apps: {path: ./apps, prune: true}
  # Flux has to report that it is applied, or it has to be younger than this.
  reconciled: {within: 15m}
  nonComplianceMessage: "{cluster.name} does not follow the repository"
""",
    Draft.TAG: """\
    tagName:
      type: String
      defaultValue: owner
      metadata: {description: Tag that every cluster has to have}
    tagValue:
      type: String
      defaultValue: unknown
      metadata: {description: Its value where it is missing}
  appliesTo: [<kinds>]
  policyRule:
    # What is wrong: a cluster for which this holds is non-compliant.
    if: {field: "[concat('tags[', parameters('tagName'), ']')]", exists: false}
    then:
      effect: "[parameters('effect')]"
      details:
        # Another assignment that sets the same tag gets its way: this one only reports.
        conflictEffect: audit
        roleDefinitionIds:
          - /providers/Microsoft.Authorization/roleDefinitions/4a9ae827-6dc8-4573-8ac7-8239d42aa03f # Tag Contributor
        operations:
          - operation: add
            field: "[concat('tags[', parameters('tagName'), ']')]"
            value: "[parameters('tagValue')]"
  nonComplianceMessage: "{cluster.name} has no such tag"
""",
    Draft.RULE: """\
    allowedLocations:
      type: Array
      defaultValue: [northeurope, westeurope]
      metadata: {description: Regions in which clusters may be}
  appliesTo: [<kinds>]
  policyRule:
    # What is wrong: a cluster for which this holds is non-compliant. `policyengine eval` tells what a field reads.
    if: {field: location, notIn: "[parameters('allowedLocations')]"}
    then:
      effect: "[parameters('effect')]"
  nonComplianceMessage: "{cluster.name} is in a region that is not allowed"
""",
}

_TEST_HEAD: Final = """
apiVersion: policyengine/v1
kind: PolicyTest
metadata: {name: <name>}
spec:
  policy: <name>
  fixtures:
    cluster: {use: "sample:<kind>-basic"} # shipped; `patch` changes it
"""

_TEST_TAIL: Final = """\
    - name: what is no cluster is not applicable
      given:
        cluster: {use: cluster, patch: {type: Microsoft.Compute/virtualMachines}}
        parameters: {<parameters>}
      expect: {state: NotApplicable}
"""

_TESTS: Final[Mapping[Draft, str]] = {
    Draft.EXTENSION: """\
    healthy:
      name: <extension>
      properties: {extensionType: <type>, provisioningState: Succeeded, autoUpgradeMinorVersion: true}
  cases:
    - name: healthy is Compliant
      given: {cluster: cluster, extensions: [{use: healthy}]}
      expect: {state: Compliant, plan: []}
    - name: absent is NonCompliant
      given: {cluster: cluster, extensions: []}
      expect: {state: NonCompliant, reason: {contains: <type>}}
    - name: another extension does not count
      given: {cluster: cluster, extensions: [{use: healthy, patch: {properties: {extensionType: contoso.other}}}]}
      expect: {state: NonCompliant}
    - name: failed is NonCompliant
      given: {cluster: cluster, extensions: [{use: healthy, patch: {properties: {provisioningState: Failed}}}]}
      expect: {state: NonCompliant, failedClauses: [provisioningState]}
    - name: a pinned version is NonCompliant
      given: {cluster: cluster, extensions: [{use: healthy, patch: {properties: {autoUpgradeMinorVersion: false}}}]}
      expect: {state: NonCompliant, failedClauses: [autoUpgradeMinorVersion]}
    - name: a plan writes the extension
      given: {cluster: cluster, parameters: {effect: DeployIfNotExists}, extensions: []}
      expect:
        plan:
          - {op: PUT, type: Microsoft.KubernetesConfiguration/extensions, name: <extension>}
""",
    Draft.FLUX_CONFIGURATION: """\
    # A configuration is written only to a cluster that has Flux.
    flux: {name: flux, properties: {extensionType: microsoft.flux, provisioningState: Succeeded}}
    following:
      name: cluster-config
      properties:
        namespace: flux-system
        scope: cluster
        gitRepository: {url: "https://git.example/fleet", repositoryRef: {branch: main}}
        kustomizations: {apps: {path: ./apps, prune: true}}
        provisioningState: Succeeded
        complianceState: Compliant
  cases:
    - name: following is Compliant
      given:
        cluster: cluster
        parameters: {repositoryUrl: "https://git.example/fleet"}
        fluxConfigurations: [{use: following}]
      expect: {state: Compliant, plan: []}
    - name: absent is NonCompliant
      given:
        cluster: cluster
        parameters: {repositoryUrl: "https://git.example/fleet"}
        fluxConfigurations: []
      expect: {state: NonCompliant}
    - name: another branch is NonCompliant
      given:
        cluster: cluster
        parameters: {repositoryUrl: "https://git.example/fleet", branch: release}
        fluxConfigurations: [{use: following}]
      expect: {state: NonCompliant, reason: {contains: branch}}
    - name: a plan writes the configuration
      given:
        cluster: cluster
        parameters: {effect: DeployIfNotExists, repositoryUrl: "https://git.example/fleet"}
        extensions: [{use: flux}]
        fluxConfigurations: []
      expect:
        plan:
          - {op: PUT, type: Microsoft.KubernetesConfiguration/fluxConfigurations, name: cluster-config}
""",
    Draft.TAG: """\
    tagged: {use: "sample:<kind>-basic", patch: {tags: {owner: somebody}}}
  cases:
    - name: tagged is Compliant
      given: {cluster: tagged}
      expect: {state: Compliant}
    - name: untagged is NonCompliant
      given: {cluster: cluster}
      expect: {state: NonCompliant}
    - name: another tag can be asked for
      given: {cluster: tagged, parameters: {tagName: site}}
      expect: {state: NonCompliant}
    - name: a plan sets the tag
      given: {cluster: cluster, parameters: {effect: Modify}}
      expect:
        plan:
          - op: PATCH
            type: <resource>
            name: <kind>-basic
            body: {jmespath: tags.owner, equals: unknown}
""",
    Draft.RULE: """\
  cases:
    - name: an allowed region is Compliant
      given: {cluster: cluster}
      expect: {state: Compliant}
    - name: another region is NonCompliant
      given: {cluster: {use: cluster, patch: {location: westus}}}
      expect: {state: NonCompliant, reason: {contains: location}}
    - name: the regions can be chosen
      given: {cluster: cluster, parameters: {allowedLocations: [westus]}}
      expect: {state: NonCompliant}
""",
}
