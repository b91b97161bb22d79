"""What NumPy raises on array files (``.npy``, ``.npz``) that are damaged or of another kind.

Files are always opened with ``allow_pickle=False``: nothing in them is executed.
"""

import tokenize
import zlib
from zipfile import BadZipFile

UNREADABLE_ARRAY = (
    OSError,
    KeyError,  # an array of that name is not there
    ValueError,
    EOFError,
    BadZipFile,
    zlib.error,
    RuntimeError,  # a bit says that it is encrypted, or names a compression that Python lacks
    MemoryError,  # a header states a huge shape
    OverflowError,
    AttributeError,  # one array where a file of several is expected, or the other way round
    TypeError,
    IndexError,
    SyntaxError,  # a header is text in Python's syntax
    tokenize.TokenError,
)
"""Catch these around ``numpy.load`` and the first use of what it gave."""
