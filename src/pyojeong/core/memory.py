"""Give memory back to the system."""

import ctypes
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _malloc_trim() -> Any:
    """Return the function of the GNU C library; None where there is another one."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


def release_free_memory() -> None:
    """Return freed memory to the system, where the C library keeps it for itself.

    The GNU C library keeps a heap for each thread. After a few large images these hold hundreds of
    megabytes that no thread uses. Takes about a millisecond.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)
