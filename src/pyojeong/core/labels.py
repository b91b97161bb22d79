"""Label sets, and the only tables that map one data set's labels to another's.

Everything that is measured here is the appearance of an *expression*. The canonical order of the
seven classes is alphabetical; every other order in the field is mapped onto it in this file.
"""

import unicodedata
from dataclasses import dataclass
from functools import cached_property

from pyojeong.core.errors import LabelUnknown


def folded(name: str) -> str:
    """Return a name as names are compared: NFC (macOS names folders in NFD), no case, stripped.

    Invisible characters, which copied text brings along (U+200B, U+FEFF), do not count.
    """
    seen = "".join(c for c in name if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", seen).casefold()).strip()


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of expression labels, with an id that cards and tables store.

    Attributes:
        id: Stable name of the set, for example ``"fer7"``.
        names: Labels; label i is column i of every score array.
    """

    id: str
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or not self.names:
            raise LabelUnknown(f"label set {self.id!r} has no or repeated names: {self.names}")

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def index(self, label: str) -> int:
        """Return the position of ``label``; synonyms and known misspellings are accepted.

        Raises:
            LabelUnknown: When neither the label nor a synonym of it is in the set.
        """
        key = folded(label)
        key = SYNONYMS.get(key, key)
        try:
            return self._index[key]
        except KeyError:
            raise LabelUnknown(
                f"unknown label {label!r}: label set {self.id!r} has {', '.join(self.names)}"
            ) from None


FER7 = LabelSet("fer7", ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"))
FERPLUS8 = LabelSet(
    "ferplus8",
    ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt"),
)
LABEL_SETS = {s.id: s for s in (FER7, FERPLUS8)}

_KOREAN_WORDS = {
    "angry": "분노 분노한 분노함 화 화남 화난 화냄 화가남 성난",
    "disgust": "혐오 혐오감 혐오스러움 역겨움 역겨운",
    "fear": "공포 공포감 두려움 두려운 무서움 무서운 겁먹음 겁먹은",
    "happy": "기쁨 기쁜 기뻐함 행복 행복한 행복함 행복감 즐거움 즐거운",
    "neutral": "중립 무표정 무감정 평온",
    "sad": "슬픔 슬픈 슬퍼함",
    "surprise": "놀람 놀란 놀라움 깜짝놀람",
    "contempt": "경멸 경멸감",
}
_KOREAN = {word: name for name, words in _KOREAN_WORDS.items() for word in words.split()}
NO_EXPRESSIONS = ("당황", "불안", "상처")
"""AI-Hub's embarrassed, anxious and hurt: none of the eight expressions."""

SYNONYMS = {
    "anger": "angry",
    "mad": "angry",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "disgusts": "disgust",
    "fearful": "fear",
    "fears": "fear",
    "afraid": "fear",
    "scared": "fear",
    "happiness": "happy",
    "hapiness": "happy",
    "joy": "happy",
    "neutal": "neutral",  # the seed's slides
    "neutrals": "neutral",
    "natural": "neutral",
    "calm": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
    "surprises": "surprise",
    "suprise": "surprise",  # the Telemoji image
    "suprised": "surprise",
    "surprize": "surprise",
    "surprized": "surprise",
    "surprising": "surprise",
    "astonished": "surprise",
    "astonishment": "surprise",
    "angriness": "angry",
    "disgusting": "disgust",
    "frightened": "fear",
    "joyful": "happy",
    "sorrow": "sad",
    "expressionless": "neutral",
    **_KOREAN,
}
"""Names in other words -> name of an expression; keys are ``folded``."""

FER2013_TO_FER7 = (0, 1, 2, 3, 5, 6, 4)
"""FER2013's column value (angry disgust fear happy sad surprise neutral) -> FER7 position."""

FERPLUS_TO_FER7 = (4, 3, 6, 5, 0, 1, 2, None)
"""FERPLUS8 position -> FER7 position; contempt has none."""

EXPW_TO_FER7 = FER2013_TO_FER7
"""ExpW's last column counts in FER2013's order."""

RAFDB_TO_FER7 = (6, 2, 1, 3, 5, 0, 4)
"""RAF-DB's value 1..7 less one (surprise fear disgust happiness sadness anger neutral) -> FER7."""

AFFECTNET_TO_FER7 = (4, 3, 5, 6, 2, 1, 0, None)
"""AffectNet's value 0..7 (neutral happy sad surprise fear disgust anger contempt) -> FER7."""

CKPLUS_TO_FER7 = (4, 0, None, 1, 2, 3, 5, 6)
"""CK+'s value 0..7 (neutral anger contempt disgust fear happy sadness surprise) -> FER7."""

JAFFE_TO_FER7 = {"AN": 0, "DI": 1, "FE": 2, "HA": 3, "NE": 4, "SA": 5, "SU": 6}
"""The two letters in the middle of JAFFE's file names -> FER7 position."""


def label_set(set_id: str) -> LabelSet:
    """Return the label set of that id.

    Raises:
        LabelUnknown: When there is no such set.
    """
    try:
        return LABEL_SETS[set_id]
    except KeyError:
        raise LabelUnknown(
            f"unknown label set {set_id!r}; known: {', '.join(LABEL_SETS)}"
        ) from None
