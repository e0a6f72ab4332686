"""Ranges of addresses."""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.base import RULE_ONLY, TEXT, Function

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def ip_range_contains(outer: str, inner: str) -> bool:
    """True when every address of ``inner`` lies in ``outer``.

    Both may be one address, a CIDR block, or ``first-last``. Raises when the families differ or a range is empty.
    Source: policy language §5.4.
    """
    low, high = _bounds(outer)
    first, last = _bounds(inner)
    if low.version != first.version:
        raise ExpressionError(f"`{outer}` and `{inner}` are of different address families")
    return int(low) <= int(first) and int(last) <= int(high)


def _bounds(text: str) -> tuple[Address, Address]:
    try:
        if "/" in text:
            network = ipaddress.ip_network(text.strip(), strict=False)
            return network[0], network[-1]
        low, _, high = text.partition("-")
        first = ipaddress.ip_address(low.strip())
        last = ipaddress.ip_address(high.strip()) if high else first
    except ValueError as error:
        raise ExpressionError(f"`{text}` is not an address, a CIDR block or a range `first-last`") from error
    if first.version != last.version or int(last) < int(first):
        raise ExpressionError(f"the range `{text}` is empty")
    return first, last


NETWORKS = (Function("ipRangeContains", ip_range_contains, (TEXT, TEXT), where=RULE_ONLY),)
