"""Names of labels that the user states (``--map NAME=LABEL``): folders and tables of one's own."""

import re
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pyojeong.core.errors import DataError, LabelUnknown
from pyojeong.core.labels import FERPLUS8, LabelSet, folded

_NUMBERED = re.compile(r"^\d{1,2}[\s_.\-]+(?=\D)")
_PLAIN = re.compile(r"[\w.,:+@%/=-]+")
"""What a shell takes as it is."""
_CODES = {
    "an": "angry",
    "ang": "angry",
    "di": "disgust",
    "dis": "disgust",
    "fe": "fear",
    "af": "fear",
    "fea": "fear",
    "ha": "happy",
    "hap": "happy",
    "ne": "neutral",
    "neu": "neutral",
    "sa": "sad",
    "su": "surprise",
    "sur": "surprise",
    "sup": "surprise",
    "con": "contempt",
    "co": "contempt",
}
"""Codes of JAFFE, KDEF-like and other sets as names of folders."""

_AIHUB = re.compile(
    r"(?P<kind>\[(?:원천|라벨)\] ?)?emoimg_(?P<name>.+?)_(?:train|valid(?:ation)?|sample)(?:_\d+)?"
)
"""AI-Hub's folders of Korean faces: ``[원천]EMOIMG_기쁨_TRAIN_01``, ``[라벨]...`` beside it."""
_FACE = re.compile(r"(?<=\S)[\s_-]*(?:표정|얼굴|감정)$")
"""Behind Korean names: 기쁜 표정, 화난_얼굴."""

SKIP = ("skip", "-")
"""Targets that leave a class out."""
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Stated names.

    Attributes:
        targets: Name, ``folded`` -> label of the wanted label set; None = left out.
        written: Name, ``folded`` -> as the user wrote it.
    """

    targets: Mapping[str, str | None] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.targets)

    def knows(self, raw: str) -> bool:
        """Return whether a name is a stated one, or an expression in any known spelling."""
        return self._key(raw) in self.targets or expression(raw) is not None

    def _key(self, raw: str) -> str:
        """Return the name that was stated: the whole one, or the word in a name of AI-Hub."""
        whole = folded(raw)
        return whole if whole in self.targets else folded(plain_name(raw))

    def leaves_out(self, raw: str) -> bool:
        """Return whether the user leaves samples of that name out."""
        key = self._key(raw)
        return key in self.targets and self.targets[key] is None

    def label(self, raw: str) -> str | None:
        """Return the expression of a name; None when it is left out or not known."""
        key = self._key(raw)
        return self.targets[key] if key in self.targets else expression(raw)

    def check(self, seen: Mapping[str, int], *, ending: str = "") -> None:
        """Refuse stated names that do not occur.

        Args:
            seen: Names that occur -> number of images.
            ending: What is put behind a name in messages: ``"/"`` for folders.

        Raises:
            DataError: When a stated name is not among them; those that were seen are listed.
        """
        known = {folded(name) for name in [*seen, *map(plain_name, seen)]}
        missing = sorted(set(self.targets) - known)
        if missing:
            names = ", ".join(repr(self.written[key]) for key in missing)
            raise DataError(f"--map {names}: no such name; saw {listed(seen, ending=ending)}")


NO_MAP = LabelMap()
"""Nothing is stated."""


def expression(written: str) -> str | None:
    """Return the name of an expression (FER7's or contempt) written in any known way, or None.

    Besides synonyms: the codes of data sets (``ANG``, ``HA``), and names with a running number
    (``0_angry``, ``3-happy``); in Korean also AI-Hub's folders, and names of faces (기쁜 표정).
    """
    key = _NUMBERED.sub("", folded(plain_name(written)))
    for name in dict.fromkeys((_CODES.get(key, key), _FACE.sub("", key))):
        with suppress(LabelUnknown):
            return FERPLUS8.names[FERPLUS8.index(name)]
    return None


def plain_name(written: str) -> str:
    """Return the word in a name of AI-Hub's folders, folded; another name as it is written."""
    found = _AIHUB.fullmatch(folded(written))
    return found["name"] if found else written


def is_annotations(written: str) -> bool:
    """Return whether a name is that of an AI-Hub folder of annotations, not of images."""
    found = _AIHUB.fullmatch(folded(written))
    return found is not None and (found["kind"] or "").startswith("[라벨]")


def is_code(written: str) -> bool:
    """Return whether a name is the code of an expression in some data set, such as ``AN``."""
    return folded(written) in _CODES


def map_option(name: str, label: str) -> str:
    """Return the option that states a name, as it is typed in a shell."""
    word = f"{name}={label}"
    return f"--map {word if _PLAIN.fullmatch(word) else shlex.quote(word)}"


def codes_read(seen: Mapping[str, int], label_map: LabelMap, *, ending: str = "") -> list[str]:
    """Return one sentence on names that are read as codes of data sets; nothing without any.

    Args:
        seen: Names that occur -> number of images.
        label_map: Stated names are no codes.
        ending: What is put behind a name: ``"/"`` for folders.
    """
    codes = {
        name: to
        for name in sorted(seen)
        if is_code(name) and folded(name) not in label_map.targets and (to := expression(name))
    }
    if not codes:
        return []
    read = ", ".join(f"{name}{ending} is {to}" for name, to in codes.items())
    return [
        f"names are read as codes of data sets: {read}; if they mean something else, state it: "
        f"{map_option(next(iter(codes)), 'LABEL')}"
    ]


def parse_label_map(words: Iterable[str], labels: LabelSet) -> LabelMap:
    """Return the map of words ``NAME=LABEL``, ``NAME=skip`` or ``NAME=-``.

    Args:
        words: The last ``=`` divides, so that names may hold one; several in one word are divided
            by commas (``0=neutral,1=happy``).
        labels: The wanted label set; synonyms of its labels are understood.

    Raises:
        DataError: When a word has no ``=``, or a name gets two labels.
        LabelUnknown: When a target is not a label of the set; the labels are listed.
    """
    targets: dict[str, str | None] = {}
    written: dict[str, str] = {}
    for word in [part for given in words for part in _parts(given)]:
        name, equals, target = word.rpartition("=")
        key = folded(name)
        if not equals or not key:
            raise DataError(f"--map {word!r}: expected NAME=LABEL, as in --map 'my folder=happy'")
        to = None if folded(target) in SKIP else _target(word, target, labels)
        if key in targets and targets[key] != to:
            raise DataError(f"--map: {name.strip()!r} is given two labels; state one")
        targets[key] = to
        written[key] = name.strip()
    return LabelMap(targets, written)


def _parts(word: str) -> list[str]:
    """``0=neutral,1=happy`` as two words; a comma in a name divides nothing."""
    parts = word.split(",")
    return parts if all("=" in part for part in parts) else [word]


def _target(word: str, target: str, labels: LabelSet) -> str:
    try:
        return labels.names[labels.index(target)]
    except LabelUnknown:
        more = "; contempt needs --labels ferplus8" if expression(target) == "contempt" else ""
        raise LabelUnknown(
            f"--map {word!r}: {target.strip()!r} is no label of {labels.id}; expected "
            f"{', '.join(labels.names)}, or skip{more}"
        ) from None


def listed(seen: Mapping[str, int], *, ending: str = "") -> str:
    """Return names with their numbers of images, in words; at most twelve, the rest is counted."""
    shown = [f"{name}{ending} ({images(n)})" for name, n in list(seen.items())[:_SHOWN]]
    if len(seen) > _SHOWN:
        shown.append(f"and {len(seen) - _SHOWN:,} more")
    return ", ".join(shown) or "nothing"


def images(count: int) -> str:
    """Return a number of images, in words."""
    return f"{count:,} image{'' if count == 1 else 's'}"


def some(names: Collection[str], *, at_most: int = 3) -> str:
    """Return the first names, with "..." when there are more."""
    first = list(names)[:at_most]
    return ", ".join(first) + (", ..." if len(names) > at_most else "")


def merged(
    seen: Mapping[str, int], label: Callable[[str], str | None], *, ending: str = ""
) -> list[str]:
    """Return one sentence for each label that several names lead to.

    Args:
        seen: Names that occur -> number of images.
        label: Name -> label, None = left out.
        ending: As in ``LabelMap.check``.
    """
    by_label: dict[str, dict[str, int]] = {}
    for name, count in seen.items():
        to = label(name)
        if to is not None:
            by_label.setdefault(to, {})[name] = count
    return [
        f"{listed(names, ending=ending)} are one class: {to}"
        for to, names in by_label.items()
        if len(names) > 1
    ]
