"""Words for HTML and SVG: nothing in a name is interpreted, neither as markup nor as direction."""

import html

from pyojeong.core.printable import printable


def escaped(words: object, *, keep: str = "") -> str:
    """Return words for HTML; control characters are shown as escapes, except those to keep."""
    return html.escape(printable(words, keep=keep))
