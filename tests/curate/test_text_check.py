"""Writing is found, read in both scripts, and not seen where there is none."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pyojeong.core.errors import MissingExtra
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.text_check import Finder, Text, Word, language_folder, pages
from pyojeong.image.preprocess import to_gray
from tests.curate.made import ASTRONAUT, COFFEE, face, sample

NANUM = Path("/usr/share/fonts/truetype/nanum/NanumGothicBold.ttf")


def written(image: np.ndarray, word: str, *, size: int, at: tuple[int, int]) -> np.ndarray:
    """White letters with a black outline, as captions are."""
    if not NANUM.exists():
        pytest.fail(f"{NANUM} is missing: apt-get install fonts-nanum (make system)")
    picture = Image.fromarray(image)
    font = ImageFont.truetype(str(NANUM), size)
    draw = ImageDraw.Draw(picture)
    draw.text(at, word, font=font, fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0))
    return np.asarray(picture)


@pytest.fixture(scope="module")
def check() -> Text:
    return Text()


def test_words_are_found_and_most_are_read(check: Text) -> None:
    read = 0
    words = ("Hello", "SAMPLE", "Festival", "안녕하세요", "대한민국", "행복")
    for word in words:
        for photo in (ASTRONAUT, COFFEE):
            marked = written(photo, word, size=48, at=(20, 20))
            finding = check.check_image(DecodedImage(0, sample(marked)))
            assert finding.score >= check.threshold, word
            read += word.lower() in finding.reason.lower()
    assert read >= len(words)  # half of the twelve


@pytest.mark.parametrize("photo", [face(200), face(350), COFFEE], ids=["face", "larger", "coffee"])
def test_photographs_without_writing_are_left_alone(check: Text, photo: np.ndarray) -> None:
    finding = check.check_image(DecodedImage(0, sample(photo)))
    assert finding.score < check.threshold
    assert finding.reason == ""


def test_a_small_picture_is_enlarged_first(check: Text) -> None:
    small = cv2.resize(
        written(face(200), "PRESS", size=40, at=(30, 140)), (100, 100), interpolation=cv2.INTER_AREA
    )
    assert check.check_image(DecodedImage(0, sample(small))).score >= check.threshold


def test_the_spot_lies_on_the_word() -> None:
    photo = to_gray(written(COFFEE, "Coffee", size=50, at=(200, 40)))
    best = Finder().spots(photo)[0]
    assert best.x1 < 260 < best.x2
    assert best.y1 < 70 < best.y2
    assert best.y2 < 140


def test_odd_shapes_and_broken_files_get_a_score(check: Text) -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (3, 500), (500, 3), (48, 48), (1200, 40)):
        score, _ = check.judge(rng.integers(0, 256, shape, np.uint8))
        assert 0 <= score <= 1
    assert check.check_image(DecodedImage(0, sample(b"broken"))).score == 0


def test_short_words_weigh_less_and_a_syllable_counts_twice() -> None:
    assert Word("a", 1.0).score == 0
    assert Word("ab", 1.0).score == 0.5
    assert Word("abcd", 0.9).score == pytest.approx(0.9)
    assert Word("행복", 0.9).score == pytest.approx(0.9)
    assert Word("~=|", 1.0).score == 0


def test_pages_are_black_on_white_with_a_border() -> None:
    part = np.full((20, 60), 200, np.uint8)
    part[5:15, 10:50] = 20
    first, second, *_ = pages(part)
    assert set(np.unique(first)) == {0, 255}
    assert first[0, 0] == second[0, 0] == 255
    assert not list(pages(np.zeros((1, 9), np.uint8)))


def test_missing_languages_name_the_cure(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="apt-get install tesseract-ocr-kor"):
        language_folder(tmp_path)
