r"""Names and messages as they are shown to people: one line, in which nothing is interpreted.

Names of files may hold anything but ``/`` and NUL: terminal escape codes, line ends, marks that
turn the direction of the text, bytes that are no characters. ``printable`` is the one function
that shows them; data (JSON, CSV, Parquet) keep names as they are.
"""

import codecs
import re
import unicodedata

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, format characters, surrogates and line ends."""
_JOINERS = "\u200c\u200d"
"""Format characters that Persian and Indic scripts and emoji need; they turn nothing round."""


def printable(text: object, *, keep: str = "") -> str:
    r"""Return a name or message as one line that no terminal, browser or viewer interprets.

    Control characters, line ends, invisible characters and marks of direction become escapes as in
    Python (``\x1b``, ``\n``, ``\u202e``); bytes that are no characters become ``\udc..``, as in
    tables. All else stays, also emoji and letters that are written from right to left.

    Args:
        text: Anything; what ``str`` makes of it is shown.
        keep: Characters that stay as they are.
    """
    words = str(text)
    if words.isascii() and words.isprintable():
        return words
    return "".join(
        c.encode("unicode_escape").decode("ascii")
        if unicodedata.category(c) in _ESCAPED and c not in _JOINERS and c not in keep
        else c
        for c in words
    )


def encodable(text: str, encoding: str) -> str:
    r"""Return the text with escapes (``\ud45c``) for the characters that an encoding lacks."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def is_utf8(encoding: str) -> bool:
    """Return whether an encoding is UTF-8, whatever it is called."""
    return codecs.lookup(encoding).name == "utf-8"


def is_unicode(text: str) -> bool:
    """Return whether a text can be written in UTF-8: it came from no undecodable name."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def markdown_cell(text: object) -> str:
    """Return a name as the cell of a Markdown table: no cell ends in it, nothing is formatted."""
    words = re.sub(r"[\\`*\[\]<>|&~]", r"\\\g<0>", printable(text))
    return re.sub(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])", r"\\_", words)
