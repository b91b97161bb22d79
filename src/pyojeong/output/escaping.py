"""Words for HTML and SVG: nothing in a name is interpreted, neither as markup nor as direction."""

import html
import re

from pyojeong.core.printable import printable
from pyojeong.core.texts import Texts

_PLACE = re.compile(r"\{\{([a-z_.]+)\}\}")


def escaped(words: object, *, keep: str = "") -> str:
    """Return words for HTML; control characters are shown as escapes, except those to keep."""
    return html.escape(printable(words, keep=keep))


def translated(markup: str, say: Texts, *, prefix: str = "") -> str:
    """Return HTML of this package with its messages in the language of a page.

    Args:
        markup: ``{{KEY}}`` stands for a message, ``{{lang}}`` for the language, and ``{{texts}}``
            for all messages as JSON.
        say: The messages.
        prefix: Put before the keys.
    """

    def place(found: re.Match[str]) -> str:
        if found[1] == "lang":
            return say.language
        return say.as_json if found[1] == "texts" else escaped(say(prefix + found[1]))

    return _PLACE.sub(place, markup)
