"""Settings as a whole: what strict refuses, loose takes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from policyengine.emulator import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api


def test_strict_and_loose_choose_on_different_points() -> None:
    documented, strict, loose = (asdict(s) for s in (Settings(), Settings.strict(), Settings.loose()))
    stricter = {name for name in documented if strict[name] != documented[name]}
    looser = {name for name in documented if loose[name] != documented[name]}
    assert stricter
    assert looser
    assert not stricter & looser


def test_strict_refuses_a_configuration_without_its_extension(start: Callable[..., Api]) -> None:
    api = start(**asdict(Settings.strict()))
    accepted = api.configure(api.arc)
    api.advance("2m")
    assert api.operation(accepted)["status"] == "Failed"


def test_loose_takes_a_secret_for_granted(start: Callable[..., Api]) -> None:
    api = start(**asdict(Settings.loose()))
    api.configure(api.arc, gitRepository={**api.git, "localAuthRef": "token"})
    api.advance("4m")
    assert api.properties(api.configuration(api.arc))["complianceState"] == "Compliant"
