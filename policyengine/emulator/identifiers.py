"""GUIDs, revisions and public keys, all drawn from one seed so that two runs can be compared."""

from __future__ import annotations

import base64
import hashlib
import random
import struct
import uuid


class Identifiers:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def guid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def public_key(self) -> str:
        """A well-formed `ssh-rsa` line. Its private half exists nowhere: nothing here ever signs."""
        modulus = b"\0" + (self._random.getrandbits(2048) | 1 << 2047 | 1).to_bytes(256, "big")
        fields = (b"ssh-rsa", b"\x01\x00\x01", modulus)
        return "ssh-rsa " + base64.b64encode(b"".join(struct.pack(">I", len(f)) + f for f in fields)).decode()


def digest_of(*words: str) -> str:
    """40 hexadecimal digits that depend on ``words`` alone: the head of a pretended repository."""
    return hashlib.sha1("\0".join(words).encode(), usedforsecurity=False).hexdigest()


def fraction_of(*words: str) -> float:
    """A number in [0, 1) that depends on ``words`` alone: where in its interval an agent polls."""
    return int(digest_of(*words)[:8], 16) / 2**32
