from __future__ import annotations

import pytest

from policyengine.arm.links import Endpoint, path_of
from policyengine.errors import ArmRejected, ConfigError


@pytest.mark.parametrize(
    "text",
    [
        "https://management.azure.com",
        "https://host:8443/base/",
        "http://127.0.0.1:1",
        "http://[::1]:80",
        "http://localhost",
        "http://127.0.0.2:8765",
    ],
)
def test_https_and_this_machine_are_endpoints(text: str) -> None:
    assert Endpoint(text).text == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "http://management.azure.com",
        "management.azure.com",
        "ftp://x",
        "https://u:p@h",
        "https://h?q=1",
        "http://127.0.0.1.evil.example",
    ],
)
def test_what_would_show_the_token_is_no_endpoint(text: str) -> None:
    with pytest.raises(ConfigError):
        Endpoint(text)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/next",
        "http://arm.example/next",
        "https://arm.example:444/next",
        "https://arm.example@evil.example/",
        "//evil.example/next",
        "https://arm.example\\@evil.example/",
        "https://arm.example.evil.example/",
        "file:///etc/passwd",
        "https://[",
    ],
)
def test_a_link_to_anywhere_else_is_refused(link: str) -> None:
    endpoint = Endpoint("https://arm.example")

    assert endpoint.resolve(link) is None
    with pytest.raises(ArmRejected, match="leads away"):
        endpoint.own(link)


def test_own_links_may_be_absolute_relative_and_spelt_with_the_port() -> None:
    endpoint = Endpoint("https://arm.example")

    assert endpoint.own("/a?b=1") == "https://arm.example/a?b=1"
    assert endpoint.own("https://ARM.example:443/a") == "https://ARM.example:443/a"


def test_a_path_is_quoted_and_a_query_never_shown() -> None:
    assert Endpoint("https://h").url("/a b/ü?x", "2024-01-01") == "https://h/a%20b/%C3%BC%3Fx?api-version=2024-01-01"
    assert path_of("https://h/a?$skipToken=secret") == "/a"
