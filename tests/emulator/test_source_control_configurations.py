"""Flux v1 configurations: legacy, kept for those who still have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

BODY: dict[str, Any] = {
    "properties": {
        "repositoryUrl": "https://github.com/contoso/v1",
        "operatorNamespace": "cluster-config",
        "OperatorInstanceName": "operator",
        "operatorType": "flux",
        "operatorScope": "cluster",
        "enableHelmOperator": "true",
        "configurationProtectedSettings": {"httpsUser": "dXNlcg==", "httpsKey": "c2VjcmV0"},
    }
}


def v1(cluster: str, name: str = "old") -> str:
    return f"{cluster}/providers/Microsoft.KubernetesConfiguration/sourceControlConfigurations/{name}"


@pytest.fixture
def loose(start: Callable[..., Api]) -> Api:
    return start(allow_flux_v1=True)


def test_new_ones_are_refused_unless_the_past_is_allowed(api: Api) -> None:
    assert api.error(api.put(v1(api.arc), BODY)) == (400, "ValidationFailed")
    assert api.get(v1(api.arc, "").rstrip("/")).json() == {"value": []}


def test_one_is_stored_and_installed_at_the_next_poll(loose: Api) -> None:
    created = loose.put(v1(loose.arc), BODY)
    assert created.status_code == 201
    found = created.json()
    assert found["type"] == "Microsoft.KubernetesConfiguration/sourceControlConfigurations"
    properties = found["properties"]
    assert (properties["operatorInstanceName"], properties["operatorType"]) == ("operator", "Flux")
    assert properties["enableHelmOperator"] is True
    assert properties["provisioningState"] == "Accepted"
    assert properties["complianceStatus"]["complianceState"] == "Pending"
    assert "c2VjcmV0" not in loose.get(v1(loose.arc)).text + loose.http.get("/_emulator/journal").text
    loose.advance("1m")
    after = loose.properties(v1(loose.arc))
    assert after["provisioningState"] == "Succeeded"
    assert after["complianceStatus"]["complianceState"] == "Installed"
    assert loose.put(v1(loose.arc), BODY).status_code == 200


def test_an_agent_that_is_away_takes_it_when_it_is_back(loose: Api) -> None:
    loose.put(v1(loose.offline), BODY)
    loose.advance("1h")
    assert loose.properties(v1(loose.offline))["complianceStatus"]["complianceState"] == "Pending"
    loose.emulator.connect("got-02")
    loose.advance("1m")
    assert loose.properties(v1(loose.offline))["complianceStatus"]["complianceState"] == "Installed"


def test_a_failure_is_told_in_the_words_of_v1(loose: Api) -> None:
    loose.put(v1(loose.settled, "broken"), BODY)
    loose.advance("1m")
    status = loose.properties(v1(loose.settled, "broken"))["complianceStatus"]
    assert (status["complianceState"], status["message"]) == ("Failed", "unable to clone")


def test_one_is_deleted_once(loose: Api) -> None:
    loose.put(v1(loose.aks), BODY)
    assert loose.send("DELETE", v1(loose.aks)).status_code == 200
    assert loose.send("DELETE", v1(loose.aks)).status_code == 204
    assert loose.error(loose.get(v1(loose.aks))) == (404, "ResourceNotFound")
    loose.advance("1m")
    assert loose.get(v1(loose.aks)).status_code == 404


def test_a_key_pair_is_shown_for_ssh_without_a_key_of_ones_own(loose: Api) -> None:
    ssh = {"properties": {"repositoryUrl": "git@github.com:contoso/v1"}}
    assert loose.put(v1(loose.arc), ssh).json()["properties"]["repositoryPublicKey"].startswith("ssh-rsa ")
    assert loose.put(v1(loose.arc, "https"), BODY).json()["properties"]["repositoryPublicKey"] == ""


@pytest.mark.parametrize(
    "properties", [{}, {"repositoryUrl": "ftp://x"}, {"repositoryUrl": "https://x", "operatorScope": "x"}]
)
def test_what_makes_no_sense_is_refused(loose: Api, properties: dict[str, Any]) -> None:
    assert loose.error(loose.put(v1(loose.arc), {"properties": properties})) == (400, "ValidationFailed")
