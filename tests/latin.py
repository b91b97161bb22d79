"""Words in Latin letters on a Korean page: what is no known name is a text that stayed English."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser

PHRASES = (
    *("pyojeong video redact FOLDER --edits edits.json", "pyojeong data review", "--record FOLDER"),
    *("pyojeong data curate", "findings/", "--event-window S", "event_window_s=S", "edits.json"),
    *("Home, End, Page", "Shift +", "Ctrl +", "Space", "Esc", "pyojeong", "JavaScript", "Python"),
    *("WebVTT", "ELAN", "BORIS", "OpenFace", "py-feat", "FaceReader", "HDR", "UTC", "`default`"),
    *("SE-ResNet", "MobileNet-V1", "VGGFace2", "FER2013", "FER+", "docs/ko/answers.md"),
    *(
        "summary.json",
        "epochs.csv",
        "AU*_delta",
        "annotated.mp4",
        "(prior)",
        "natural",
        "between",
        "balanced",
    ),
    *("ID", " ms"),
)
"""What Korean documents write in Latin letters: products, formats, commands, options, units."""
_WORD = re.compile(r"[A-Za-z][\w.+-]*[A-Za-z]|[A-Za-z]{2,}")
_READ = ("aria-label", "title", "alt", "placeholder", "data-empty")


class _Reader(HTMLParser):
    """Collects what a person sees or hears."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.lang = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self._hidden += tag in {"script", "style"}
        self.lang = self.lang or (known.get("lang") or "" if tag == "html" else "")
        self.texts += [known[name] or "" for name in _READ if name in known]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.texts.append(data)


def texts_of(html: str) -> tuple[str, list[str]]:
    """Return the language of a page, and its text nodes and spoken attributes."""
    reader = _Reader()
    reader.feed(html)
    return reader.lang, reader.texts


def english_in(texts: Iterable[str], names: Iterable[str] = ()) -> list[str]:
    """Return the texts with words in Latin letters that are no known names.

    Args:
        texts: Text nodes.
        names: What the page was given: names of files, people, labels of the user.
    """
    own = sorted((*PHRASES, *names), key=len, reverse=True)
    found = []
    for text in texts:
        rest = text
        for name in own:
            rest = rest.replace(name, " ")
        words = [w for w in _WORD.findall(rest) if not re.fullmatch(r"AU\d*", w)]
        if words:
            found.append(f"{words} in {text.strip()[:120]!r}")
    return found
