"""What a Flux v1 configuration may say, and what becomes of it. Legacy: replaced by Flux configurations.

Its operator is not simulated: at the agent's next poll it is there, or has failed as the simulation says.
Source: configuration API §1; GitOps behaviour G11, G38.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from policyengine.emulator.answers import validation_failed
from policyengine.emulator.clock import stamp
from policyengine.emulator.flux_rules import is_ssh
from policyengine.emulator.operations import FAILED, SUCCEEDED
from policyengine.emulator.shapes import flag, obj, text, text_map
from policyengine.emulator.state import EmulatedCluster, Record
from policyengine.model.values import JSON

SOURCE_CONTROL_CONFIGURATIONS: Final = "Microsoft.KubernetesConfiguration/sourceControlConfigurations"
PROPERTIES: Final = obj(
    repositoryUrl=text(),
    operatorNamespace=text("default"),
    operatorInstanceName=text(),
    operatorType=text("Flux", words=("Flux",)),
    operatorParams=text(""),
    operatorScope=text("cluster", words=("cluster", "namespace")),
    sshKnownHostsContents=text(""),
    enableHelmOperator=flag(False),
    helmOperatorProperties=obj(chartVersion=text(""), chartValues=text("")),
    configurationProtectedSettings=text_map(secret=True),
)
BLANK_STATUS: Final[Mapping[str, JSON]] = {
    "repositoryPublicKey": "",
    "provisioningState": "Accepted",
    "complianceStatus": {"complianceState": "Pending", "message": "", "messageLevel": "Information"},
}
"""What only the service writes, of a configuration no agent has seen yet."""


def check(spec: Mapping[str, JSON]) -> None:
    url = str(spec.get("repositoryUrl") or "")
    if not url.casefold().startswith(("http://", "https://", "ssh://", "git@")):
        raise validation_failed(
            f"The repositoryUrl '{url}' is invalid: it must begin with one of http://, https://, ssh://, git@.",
            target="properties.repositoryUrl",
        )


def uses_key_pair(record: Record) -> bool:
    """An ssh url without a key of the user's own."""
    own = {key.casefold() for key in record.secrets.keys}
    return is_ssh(str(record.spec["repositoryUrl"])) and "sshprivatekey" not in own


def apply(cluster: EmulatedCluster, record: Record, generation: int, at: datetime) -> None:
    """The agent takes the write of that ``generation``; a newer one, or a deletion, makes it void."""
    if record.generation != generation or not cluster.holds(record):
        return
    failure = cluster.simulation.reconcile_failure(record.name)
    record.delivered = generation
    record.secrets.erase(at)
    record.provisioning_state = FAILED if failure else SUCCEEDED
    record.status["complianceStatus"] = {
        "complianceState": "Failed" if failure else "Installed",
        "lastConfigApplied": stamp(at),
        "message": failure.message if failure else "The operator was installed.",
        "messageLevel": "Error" if failure else "Information",
    }
