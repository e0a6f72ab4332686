from __future__ import annotations

import pytest

from policyengine.arm.answer import Answer
from policyengine.arm.refusal import refusal
from policyengine.arm.registration import missing_in
from policyengine.arm.roles import role_for
from policyengine.errors import (
    ArmConflict,
    ArmError,
    ArmNotAuthorized,
    ArmNotFound,
    ArmRejected,
    ArmThrottled,
    ArmUnavailable,
)

PATH = "/subscriptions/s-1/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c"


def error_of(status: int, code: str = "Code", message: str = "Message.", **more: object) -> ArmError:
    answer = Answer(status, {"retry-after": "9"}, {"error": {"code": code, "message": message, **more}})
    return refusal(answer, method="PUT", path=PATH, correlation_id="c-1")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ArmRejected),
        (401, ArmNotAuthorized),
        (403, ArmNotAuthorized),
        (404, ArmNotFound),
        (408, ArmUnavailable),
        (409, ArmConflict),
        (412, ArmConflict),
        (429, ArmThrottled),
        (500, ArmUnavailable),
        (503, ArmUnavailable),
        (302, ArmRejected),
    ],
)
def test_every_status_has_its_branch_of_the_tree(status: int, kind: type[ArmError]) -> None:
    assert type(error_of(status)) is kind


def test_it_says_what_where_and_under_which_id() -> None:
    error = error_of(400, "ValidationFailed", "Invalid source kind match.")

    assert error.message == f"PUT {PATH} was answered 400: ValidationFailed: Invalid source kind match."
    assert (error.method, error.url, error.status, error.code, error.correlation_id) == (
        "PUT",
        PATH,
        400,
        "ValidationFailed",
        "c-1",
    )


def test_a_throttled_error_knows_the_wait() -> None:
    error = error_of(429)

    assert isinstance(error, ArmThrottled)
    assert error.retry_after_s == 9.0


def test_a_missing_permission_names_action_and_scope() -> None:
    message = (
        "The client 'X' with object id 'Y' does not have authorization to perform action 'A/write' over scope '/s' "
        "or the scope is invalid."
    )

    assert error_of(403, "AuthorizationFailed", message).help == (
        "it needs a role that allows `A/write`, such as Contributor: "
        "`az role assignment create --assignee Y --role 'Contributor' --scope /s`"
    )


@pytest.mark.parametrize(
    ("action", "role"),
    [
        ("Microsoft.KubernetesConfiguration/extensions/write", "Kubernetes Extension Contributor"),
        ("Microsoft.KubernetesConfiguration/extensions/operations/read", "Kubernetes Extension Contributor"),
        ("Microsoft.KubernetesConfiguration/fluxConfigurations/write", "Contributor"),
        ("Microsoft.KubernetesConfiguration/fluxConfigurations/read", "Reader"),
        ("Microsoft.KubernetesConfiguration/register/action", "Contributor"),
        ("Microsoft.ContainerService/managedClusters/write", "Azure Kubernetes Service Contributor Role"),
        ("Microsoft.ContainerService/managedClusters/read", "Reader"),
        ("Microsoft.Kubernetes/connectedClusters/read", "Reader"),
        ("Microsoft.Management/managementGroups/read", "Management Group Reader"),
        ("Microsoft.Resources/deployments/write", "Contributor"),
        ("Microsoft.Authorization/roleAssignments/write", "User Access Administrator"),
    ],
)
def test_a_missing_permission_names_the_role_that_grants_it(action: str, role: str) -> None:
    assert role_for(action) == role


@pytest.mark.parametrize(
    ("status", "code", "help"),
    [
        (302, "", "arm.endpoint"),
        (400, "ValidationFailed", "mend the policy"),
        (400, "InvalidApiVersionParameter", "arm.cloud"),
        (401, "InvalidAuthenticationToken", "arm.credential"),
        (401, "ExpiredAuthenticationToken", "renews its tokens"),
        (401, "InvalidAuthenticationTokenTenant", "AZURE_TENANT_ID"),
        (403, "AuthorizationFailed", "such as Contributor"),
        (403, "", "a firewall"),
        (403, "ReadOnlyDisabledSubscription", "enable it"),
        (404, "NotFound", "read the inventory again"),
        (404, "InvalidResourceType", "arm.cloud"),
        (408, "RequestTimeout", "look before trying again"),
        (409, "Conflict", "plan again"),
        (409, "ScopeLocked", "remove it"),
        (404, "SubscriptionNotFound", "arm.cloud"),
        (404, "ResourceNotFound", "deleted meanwhile"),
        (412, "PreconditionFailed", "plan again"),
        (429, "TooManyRequests", "arm.budget"),
        (500, "InternalServerError", "look before trying again"),
        (503, "ServiceUnavailable", "try again later"),
        (504, "GatewayTimeout", "look before trying again"),
        (511, "", "try again later"),
    ],
)
def test_every_kind_of_refusal_says_what_to_do(status: int, code: str, help: str) -> None:
    assert help in (error_of(status, code).help or "")


def test_a_read_that_failed_leaves_nothing_in_doubt() -> None:
    failed = refusal(Answer(500, {}, None), method="GET", path=PATH, correlation_id=None, is_read=True)
    forbidden = refusal(Answer(403, {}, None), method="GET", path=PATH, correlation_id=None, is_read=True)

    assert failed.help == "the service is overloaded or down: try again later"
    assert "such as Reader" in (forbidden.help or "")


def test_a_permission_that_is_missing_elsewhere_is_named_with_its_scope() -> None:
    message = (
        "The client 'X' with object id 'Y' has permission to perform action 'A/b/write' on scope '/here'; however, it "
        "does not have permission to perform action(s) 'M.I/userAssigned/assign/action' on the linked scope(s) '/there'"
    )

    help = error_of(403, "LinkedAuthorizationFailed", message).help or ""
    assert "allows `M.I/userAssigned/assign/action`" in help
    assert help.endswith("--scope /there`")


def test_a_missing_registration_gives_the_command() -> None:
    message = "The subscription is not registered to use namespace 'Microsoft.KubernetesConfiguration'. See https://aka.ms/rps-not-found"
    help = error_of(409, "MissingSubscriptionRegistration", message).help or ""

    assert "`az provider register --namespace Microsoft.KubernetesConfiguration --subscription s-1`" in help
    assert "arm.registerProviders" in help


def test_only_what_looks_like_a_provider_is_believed_to_be_one() -> None:
    """The namespace is put into a path and into a command."""
    for word in ("../../x", "a b", "x; rm -rf", "Microsoft"):
        missing = missing_in("MissingSubscriptionRegistration", f"not registered to use namespace '{word}'", PATH)
        assert missing is not None
        assert missing.namespace == "Microsoft.KubernetesConfiguration"
    assert missing_in("Conflict", "'Microsoft.X'", PATH) is None


def test_a_denial_by_azure_policy_names_the_assignment() -> None:
    info = [{"type": "PolicyViolation", "info": {"policyAssignmentDisplayName": "No Flux here"}}]

    assert "`No Flux here`" in (error_of(403, "RequestDisallowedByPolicy", additionalInfo=info).help or "")


def test_a_body_that_is_a_page_is_quoted_briefly() -> None:
    error = refusal(Answer(502, {}, "<html>\n" + "x" * 5000), method="GET", path="/p", correlation_id=None)

    assert len(error.message) < 300
    assert "\n" not in error.message
