"""Names derived from values: `uniqueString()` and `guid()`, digit for digit those of Azure.

Source: policy language §6.4; the published values there are tests.
"""

from __future__ import annotations

import uuid

from policyengine.expressions.functions.base import SCALAR, Function, to_text
from policyengine.model.values import JSON

_MASK = 0xFFFFFFFF
_A, _B = 0xAB0E9789, 0x239B961B
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_GUID_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")


def unique_string(*values: JSON) -> str:
    """13 characters of ``a–z2–7``: the 64-bit hash of the arguments joined by ``-``, in base 32."""
    bits = _murmur("-".join(to_text(value) for value in values).encode()) << 1
    return "".join(_ALPHABET[(bits >> shift) & 31] for shift in range(60, -1, -5))


def guid(*values: JSON) -> str:
    """A version 5 UUID of the arguments joined by ``-``."""
    return str(uuid.uuid5(_GUID_NAMESPACE, "-".join(to_text(value) for value in values)))


def _murmur(data: bytes) -> int:
    """MurmurHash3's x86 128-bit scheme cut down to two 32-bit lanes, seed 0."""
    h1 = h2 = 0
    whole = len(data) - len(data) % 8
    for at in range(0, whole, 8):
        h1 = (_rotate(h1 ^ _scramble1(data[at : at + 4]), 19) + h2) & _MASK
        h1 = (h1 * 5 + 0x561CCD1B) & _MASK
        h2 = (_rotate(h2 ^ _scramble2(data[at + 4 : at + 8]), 13) + h1) & _MASK
        h2 = (h2 * 5 + 0x0BCAA747) & _MASK
    tail = data[whole:]
    h1 ^= _scramble1(tail[:4])
    h2 ^= _scramble2(tail[4:])
    h1, h2 = _mix_lanes(h1 ^ len(data), h2 ^ len(data))
    h1, h2 = _mix_lanes(_finalise(h1), _finalise(h2))
    return h2 << 32 | h1


def _scramble1(piece: bytes) -> int:
    return _rotate(int.from_bytes(piece, "little") * _B & _MASK, 15) * _A & _MASK


def _scramble2(piece: bytes) -> int:
    return _rotate(int.from_bytes(piece, "little") * _A & _MASK, 17) * _B & _MASK


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & _MASK


def _mix_lanes(h1: int, h2: int) -> tuple[int, int]:
    h1 = (h1 + h2) & _MASK
    return h1, (h2 + h1) & _MASK


def _finalise(lane: int) -> int:
    lane = (lane ^ lane >> 16) * 0x85EBCA6B & _MASK
    lane = (lane ^ lane >> 13) * 0xC2B2AE35 & _MASK
    return lane ^ lane >> 16


HASHING = (
    Function("uniqueString", unique_string, (SCALAR,), rest=SCALAR),
    Function("guid", guid, (SCALAR,), rest=SCALAR),
)
