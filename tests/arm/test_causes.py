from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.arm.causes import Cause, cause_in_resource, innermost_cause

DENIED = "admission webhook 'validation.gatekeeper.sh' denied the request: no privileged pods"


def test_details_are_followed_to_the_last() -> None:
    error = {
        "error": {
            "code": "DeploymentFailed",
            "message": "At least one failed.",
            "details": [{"code": "A", "message": "", "details": [{"code": "B", "message": "disk full"}]}],
        }
    }

    assert innermost_cause(error) == Cause("B", "disk full")


def test_json_in_the_message_is_unwrapped_however_often() -> None:
    inner = {"error": {"code": "InstallationFailed", "message": DENIED}}
    once = {"error": {"code": "ExtensionOperationFailed", "message": json.dumps(inner)}}
    twice = {"error": {"code": "ResourceDeploymentFailure", "message": f"It failed: {json.dumps(once)} (see the log)"}}

    assert innermost_cause(once) == innermost_cause(twice) == Cause("InstallationFailed", DENIED)


def test_json_whose_quotes_are_still_escaped_is_unwrapped() -> None:
    text = json.dumps(json.dumps({"error": {"code": "X", "message": "no room"}}))

    assert innermost_cause(f"The agent said {text}") == Cause("X", "no room")


def test_the_agents_own_wrapping_is_taken_off() -> None:
    text = (
        "Error: {failed to install chart from path [] for release [flux]: err [cannot re-use a name that is still in "
        "use]} occurred while doing the operation : {Installing the extension} on the config"
    )
    cause = innermost_cause({"code": "InstallationFailed", "message": text})

    assert str(cause) == "InstallationFailed: cannot re-use a name that is still in use"
    assert cause.help is not None
    assert "Helm release" in cause.help


def test_inner_errors_in_brackets_are_found() -> None:
    text = "The extension operation failed with the following error: Error: [ InnerError: [Helm timed out]] "

    assert innermost_cause({"code": "ExtensionOperationFailed", "message": text}).message == "Helm timed out"


def test_braces_that_are_no_json_are_left_alone() -> None:
    assert innermost_cause("values {a: b} are wrong").message == "values {a: b} are wrong"


def test_a_resource_tells_by_error_info_message_or_status() -> None:
    info = {"properties": {"errorInfo": {"code": "InstallationFailed", "message": DENIED}}}
    told = {"properties": {"errorInfo": None, "errorMessage": "no such branch"}}
    status = {
        "properties": {
            "statuses": [
                {"code": "Ok", "level": "Information"},
                {"code": "InstallationFailed", "level": "Error", "message": "no room"},
            ]
        }
    }

    assert cause_in_resource(info) == Cause("InstallationFailed", DENIED)
    assert cause_in_resource(told) == Cause("", "no such branch")
    assert cause_in_resource(status) == Cause("InstallationFailed", "no room")
    assert cause_in_resource({"properties": {"errorMessage": ""}}) is None


def test_only_a_wrapper_is_vague() -> None:
    assert Cause("ResourceOperationFailure", "The resource operation completed with terminal state 'Failed'.").is_vague
    assert Cause("", "").is_vague
    assert not Cause("", "disk full").is_vague


@pytest.mark.parametrize("body", [None, [], 3, "", {}, {"error": None}, {"error": []}, {"error": {"details": "x"}}])
def test_anything_has_a_cause_in_words(body: object) -> None:
    assert str(innermost_cause(body))


JSONISH = st.recursive(
    st.none() | st.booleans() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "message", "details", "innererror", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSONISH)
def test_no_body_breaks_it_and_the_cause_is_one_line(body: object) -> None:
    assert "\n" not in innermost_cause(body).message


def test_a_message_nested_without_end_is_cut_off() -> None:
    text = "bottom"
    for _ in range(18):
        text = json.dumps({"error": {"code": "E", "message": text}})

    assert innermost_cause(text).code == "E"
