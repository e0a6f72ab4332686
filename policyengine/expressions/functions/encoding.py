"""Base 64, URIs and data URIs."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote, unquote, urljoin

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.base import TEXT, Function
from policyengine.expressions.functions.objects import parse_json
from policyengine.model.values import JSON


def to_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def base64_to_string(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ExpressionError("the text is not base 64 of a UTF-8 text") from error


def base64_to_json(text: str) -> JSON:
    return parse_json(base64_to_string(text))


def uri(base: str, relative: str) -> str:
    try:
        return urljoin(base, relative)
    except ValueError as error:
        raise ExpressionError(f"`{base}` and `{relative}` make no URI") from error


def uri_component(text: str) -> str:
    """Everything but letters, digits and ``-._~`` percent-encoded."""
    return quote(text, safe="")


def uri_component_to_string(text: str) -> str:
    return unquote(text)


def data_uri(text: str) -> str:
    return f"data:text/plain;charset=utf8;base64,{to_base64(text)}"


def data_uri_to_string(text: str) -> str:
    """The content of a data URI, base 64 or percent-encoded."""
    head, comma, content = text.partition(",")
    if not comma or not head.casefold().startswith("data:"):
        raise ExpressionError("the text is not a data URI")
    return base64_to_string(content) if head.casefold().endswith(";base64") else unquote(content)


ENCODING = (
    Function("base64", to_base64, (TEXT,)),
    Function("base64ToString", base64_to_string, (TEXT,)),
    Function("base64ToJson", base64_to_json, (TEXT,)),
    Function("uri", uri, (TEXT, TEXT)),
    Function("uriComponent", uri_component, (TEXT,)),
    Function("uriComponentToString", uri_component_to_string, (TEXT,)),
    Function("dataUri", data_uri, (TEXT,)),
    Function("dataUriToString", data_uri_to_string, (TEXT,)),
)
