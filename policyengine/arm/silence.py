"""From the lack of an answer to the exception that says so, with what the user can do about it. Pure."""

from __future__ import annotations

import re
from typing import Final

from policyengine.arm.answer import one_line
from policyengine.errors import ArmTransportError

_DISTRUST: Final = re.compile(r"certificate", re.IGNORECASE)
_OUT_OF_TIME: Final = re.compile(r"certificate (has expired|is not yet valid)", re.IGNORECASE)
_OTHER_NAME: Final = re.compile(r"certificate is not valid for|mismatch", re.IGNORECASE)
_NOISE: Final = (
    (re.compile(r"""<\w+: \d+, message=(['"])(.*?)\1>"""), r"\2"),
    (re.compile(r"""\w+Error: \(\d+, (['"])(.*?)\1\)"""), r"\2"),
    (re.compile(r"\[SSL: \w+\] | ssl:\w+| \(_ssl\.c:\d+\)"), ""),
)
_NO_TLS: Final = re.compile(r"\[SSL")  # OpenSSL's own words; aiohttp says `ssl:` about any connection


def silence(
    why: str,
    *,
    method: str,
    path: str,
    endpoint: str,
    sent: bool,
    correlation_id: str | None,
    is_read: bool = False,
    what: str = "",
) -> ArmTransportError:
    """The exception for no usable answer. ``is_read``: what was asked changes nothing; ``what`` it was, in words."""
    error = ArmTransportError(
        f"{what or f'{method} {path}'} got no answer from {endpoint}: {_plain(why)}",
        method=method,
        url=path,
        correlation_id=correlation_id,
        help=_help_of_silence(why, endpoint, is_read=is_read, sent=sent),
    )
    error.sent = sent
    error.lasts = not sent and _DISTRUST.search(why) is not None
    return error


def _plain(why: str) -> str:
    """What the libraries below say, without the names of their types and of their sources."""
    text = one_line(why)
    for noise, said in _NOISE:
        text = noise.sub(said, text)
    return text


def _help_of_silence(why: str, endpoint: str, *, is_read: bool, sent: bool) -> str:
    if sent and not is_read:
        return "it may have been applied all the same: look before trying again"
    if sent:
        plain = "; if it serves https, say so" if endpoint.startswith("http://") else ""
        return f"try again; if it lasts, see what stands between here and `{endpoint}`{plain}"
    if _OUT_OF_TIME.search(why):
        return f"compare this machine's clock; if it is right, the certificate of `{endpoint}` must be renewed"
    if _OTHER_NAME.search(why):
        return (
            f"the certificate is that of another host than `{endpoint}`: check the endpoint, or what stands in between"
        )
    if _DISTRUST.search(why):
        return (
            f"the certificate of `{endpoint}` is not trusted: a proxy may stand in between; "
            "name the file of its CA in SSL_CERT_FILE"
        )
    if _NO_TLS.search(why):
        return f"`{endpoint}` does not speak TLS as it should: check scheme, port and proxy"
    return f"check that `{endpoint}` is the right endpoint and can be reached from here"
