"""What pages and reports say, in English and Korean: one catalogue per page and language.

A catalogue is a JSON object of messages, ``NAME.LANGUAGE.json`` in this folder. Both languages have
the same keys and the same places (``{name}``). Only words that people read are in here: columns,
files and the keys of summaries never change their language.
"""

import json
import re
from collections.abc import Mapping
from functools import cache, cached_property
from importlib.resources import files

from pyojeong.core.errors import InputError

LANGUAGES = ("en", "ko")
"""Languages of pages and reports; the first is the default."""
PAGES = {
    "report": ("labels", "report"),
    "curation": ("labels", "checks", "curation"),
    "review": ("labels", "checks", "review"),
    "live": ("labels", "live"),
}
"""Page -> names of its catalogues."""

_PLACE = re.compile(r"\{([a-z_]+?)(\d?)\}")
_NUMBER = r"[-+]?\d[\d,.]*"


class Texts:
    """The messages of one page in one language.

    Args:
        page: One of ``PAGES``.
        language: One of ``LANGUAGES``.

    Raises:
        InputError: When there is no such language.
    """

    def __init__(self, page: str, language: str = "en") -> None:
        require_language(language)
        self.page = page
        self.language = language
        self.messages: Mapping[str, str] = _messages(page, language)

    def __call__(self, key: str, **places: object) -> str:
        """Return a message with its places filled."""
        return self.messages[key].format(**places)

    def count(self, key: str, number: int, **places: object) -> str:
        """Return the message ``KEY.one`` or ``KEY.many`` with ``{n}`` filled."""
        form = "one" if number == 1 else "many"
        return self(f"{key}.{form}", n=f"{number:,}", **places)

    def label(self, name: str) -> str:
        """Return the name of an expression, or of ``"unclear"``; another name as it is."""
        return self.messages.get(f"label.{name}", name)

    def split(self, name: str) -> str:
        """Return the name of a split."""
        return self.messages.get(f"split.{name}", name)

    def said(self, words: str, group: str) -> str:
        """Return a sentence of the results, which is English, in the language of the page.

        Settings, notes and reasons are kept in English beside the results. A sentence that fits a
        message ``said.GROUP.*`` of the English catalogue is replaced by the message of the same
        key; the first one that fits counts, and what its places hold is treated in the same way.

        Args:
            words: The sentence.
            group: Where it comes from.

        Returns:
            The sentence; as it is where no message fits.
        """
        if self.language == "en" or not words:
            return words
        for key, pattern in _patterns(self.page, group):
            if found := pattern.fullmatch(words):
                held = {name: self._held(name, v, group) for name, v in found.groupdict().items()}
                return self(key, **held)
        english = _messages(self.page, "en")
        whole = [key for key, pattern in _patterns(self.page, group) if not pattern.groups]
        for key in whole:  # several sentences, one after the other
            if words.startswith(f"{english[key]} "):
                return f"{self(key)} {self.said(words[len(english[key]) + 1 :], group)}"
        return words

    def _held(self, name: str, value: str, group: str) -> str:
        kind = name.rstrip("0123456789")
        if kind in {"label", "labels"}:
            return ", ".join(map(self.label, value.split(", ")))
        return self.split(value) if kind == "split" else self.said(value, group)

    def part(self, *groups: str) -> dict[str, str]:
        """Return the messages whose keys begin with these words and a point."""
        starts = tuple(f"{group}." for group in groups)
        return {key: text for key, text in self.messages.items() if key.startswith(starts)}

    @cached_property
    def as_json(self) -> str:
        """Messages that a script of the page fills, for a script element of HTML."""
        shown = {key: text for key, text in self.messages.items() if not key.startswith("said.")}
        # "<" would end the script element early in a browser.
        return json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c")


def require_language(language: str) -> None:
    """Refuse a language that pages and reports do not have.

    Raises:
        InputError: When there is no such language.
    """
    if language not in LANGUAGES:
        raise InputError(f"language {language!r}: choose one of {', '.join(LANGUAGES)}")


@cache
def english() -> Texts:
    """Return the messages of reports in English, the default."""
    return Texts("report")


@cache
def _messages(page: str, language: str) -> Mapping[str, str]:
    here = files("pyojeong.core.texts")
    out: dict[str, str] = {}
    for name in PAGES[page]:
        out |= json.loads((here / f"{name}.{language}.json").read_text(encoding="utf-8"))
    return out


@cache
def _patterns(page: str, group: str) -> list[tuple[str, re.Pattern[str]]]:
    """Return the English messages of a group as regular expressions, by their keys, in order."""
    english = _messages(page, "en")
    names = "|".join(k.removeprefix("label.") for k in english if k.startswith("label."))
    splits = "|".join(k.removeprefix("split.") for k in english if k.startswith("split."))
    kinds = {"label": names, "labels": f"(?:{names})(?:, (?:{names}))*", "split": splits}
    kinds |= {"n": _NUMBER}
    out = []
    for key, message in english.items():
        if key.startswith(f"said.{group}."):
            parts = _PLACE.split(message)
            text = re.escape(parts[0])
            for name, digit, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
                text += f"(?P<{name}{digit}>{kinds.get(name, '.+?')}){re.escape(rest)}"
            out.append((key, re.compile(text, re.DOTALL)))
    return out


def places_of(message: str) -> list[str]:
    """Return the names of a message's places, in alphabetical order."""
    return sorted(name + digit for name, digit in _PLACE.findall(message))
