"""Shares of a list of inputs for several machines: ``--shard 2/8``.

Which shard an input belongs to follows from its name alone. The order of the list, other inputs in
it and the machine change nothing, so that every machine can tell its share from the same list.
"""

import hashlib
import os
import re
from dataclasses import dataclass

from pyojeong.core.addresses import is_address
from pyojeong.core.errors import InputError

KEY_BYTES = 16
"""Length of a content key."""
OTHER_SHARDS = "in other shards"
"""Why inputs are left out of a shard."""


def content_key(source: str) -> bytes:
    """Return the 128-bit key of an input: BLAKE2b of its path or address.

    ``a//b`` and ``a/./b`` have one key. Addresses are taken as they are.
    """
    name = source if is_address(source) else os.path.normpath(source)
    return hashlib.blake2b(os.fsencode(name), digest_size=KEY_BYTES).digest()


@dataclass(frozen=True, slots=True)
class Shard:
    """One share of so many.

    Attributes:
        index: From 1.
        count: How many there are.
    """

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def takes(self, key: bytes) -> bool:
        """Return whether the input with this content key belongs to the shard."""
        return int.from_bytes(key[:8], "little") % self.count == self.index - 1

    @classmethod
    def from_text(cls, text: str) -> "Shard":
        """Return the shard that ``2/8`` names.

        Raises:
            InputError: When it is no such text, or the index is not between 1 and the count.
        """
        parts = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text)
        index, count = map(int, parts.groups()) if parts else (0, 0)
        if not 1 <= index <= count:
            raise InputError(
                f"--shard {text!r}: expected INDEX/COUNT with an index from 1 to the count, for "
                "example 2/8"
            )
        return cls(index, count)
