"""Which addresses are ours: the token goes to the endpoint's own scheme, host and port and nowhere else. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from policyengine.errors import ArmRejected, ConfigError

_PORTS: Final = {"http": 80, "https": 443}
_IN_A_PATH: Final = "/:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a Resource Manager.

    Raises ConfigError for text that is no address, and for one that would carry the token in clear text.
    """

    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text.strip().rstrip("/"))
        parts = urlsplit(self.text)
        if _origin(self.text) is None or parts.query or parts.fragment:
            raise ConfigError(f"`{self.text}` is no endpoint", help="write it as `https://management.azure.com`")
        if not self.is_encrypted and not self.is_local:
            raise ConfigError(
                f"endpoint `{self.text}` would carry the token in clear text",
                help="use https; plain http is only for this machine (127.0.0.1)",
            )

    @property
    def is_local(self) -> bool:
        """True when it is this machine."""
        return self.host == "localhost" or _is_loopback(self.host)

    @property
    def host(self) -> str:
        return urlsplit(self.text).hostname or ""

    @property
    def is_encrypted(self) -> bool:
        return urlsplit(self.text).scheme == "https"

    def url(self, path: str, api_version: str) -> str:
        return f"{self.text}{quote(path, safe=_IN_A_PATH)}?api-version={quote(api_version)}"

    def resolve(self, link: str) -> str | None:
        """``link`` as an absolute URL of this endpoint; None when it leads elsewhere."""
        try:
            url = urljoin(self.text + "/", link)
        except ValueError:
            return None
        return url if _origin(url) == _origin(self.text) else None

    def own(self, link: str) -> str:
        """Like `resolve`, but raises ArmRejected for a link that leads elsewhere."""
        url = self.resolve(link)
        if url is None:
            path = path_of(link)
            raise ArmRejected(
                f"the link to {path} leads away from {self.text} and is not followed: the token goes nowhere else",
                method="GET",
                url=path,
            )
        return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def path_of(url: str) -> str:
    """The path alone, for messages: a query may hold an opaque token."""
    try:
        return urlsplit(url).path
    except ValueError:
        return "an address that cannot be read"


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port; None for what is no web address, or hides its host behind a user name."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or "\\" in url:
        return None
    return parts.scheme, parts.hostname, port
