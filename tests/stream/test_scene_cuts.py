"""Cuts are found where scenes are joined and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.stream.scene_cuts import is_cut
from pyojeong.stream.source import Clip
from tests.stream.made import scene, write_clip

FLAT = np.full((18, 32), 90, np.float32)


def thumb(seed):
    return scene(seed, 18, 32).mean(axis=2).astype(np.float32)


def cuts_of(path):
    with Clip(path) as clip:
        thumbs = [frame.thumbnail() for frame in clip]
    return [i for i in range(1, len(thumbs)) if is_cut(thumbs[i - 1], thumbs[i])]


def moving(seed, number=12, by=6):
    """A scene that the camera pans over, ``by`` of 160 pixels a frame."""
    wide = scene(seed, 120, 160 + number * by)
    return [wide[:, i * by : i * by + 160] for i in range(number)]


def joined(tmp_path, *parts):
    pictures = [picture for part in parts for picture in part]
    return write_clip(tmp_path / "a.mp4", pictures, "-c:v", "libx264", "-pix_fmt", "yuv420p")


@pytest.mark.parametrize("seed", range(8))
def test_panning_is_no_cut(tmp_path, seed):
    assert cuts_of(joined(tmp_path, moving(seed, 20))) == []


@pytest.mark.parametrize("seed", range(8))
def test_two_scenes_have_one_cut(tmp_path, seed):
    assert cuts_of(joined(tmp_path, moving(seed), moving(100 + seed))) == [12]


def test_a_cut_through_black(tmp_path):
    black = [np.zeros((120, 160, 3), np.uint8)] * 4
    found = cuts_of(joined(tmp_path, moving(1), black, moving(2)))
    assert found == [12, 16]


def test_a_fade_through_black_ends_the_scene_once_at_most(tmp_path):
    def faded(pictures, strengths):
        return [(p * s).astype(np.uint8) for p, s in zip(pictures, strengths, strict=True)]

    down, up = np.linspace(1, 0, 12), np.linspace(0, 1, 12)
    found = cuts_of(joined(tmp_path, faded(moving(1), down), faded(moving(2), up)))
    assert len(found) <= 1
    assert all(8 <= place <= 16 for place in found)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("strength", [25, 60, 100])
def test_a_flash_is_no_cut(tmp_path, seed, strength):
    pictures = [(p * 0.6).astype(np.uint8) for p in moving(seed)]  # not yet burnt out
    for place in (5, 6):
        pictures[place] = np.clip(pictures[place].astype(int) + strength, 0, 255).astype(np.uint8)
    assert cuts_of(joined(tmp_path, pictures)) == []


@given(st.integers(0, 500), st.floats(0, 4), st.integers(0, 99))
def test_noise_is_no_cut(seed, strength, chance):
    noise = np.random.default_rng(chance).normal(0, strength, (18, 32))
    assert not is_cut(thumb(seed), (thumb(seed) + noise).astype(np.float32))


@given(st.integers(0, 500), st.floats(0.5, 1.5), st.floats(-60, 60))
def test_brightness_is_no_cut(seed, gain, more):
    changed = (thumb(seed) * gain + more).astype(np.float32)
    assert not is_cut(thumb(seed), changed)
    assert not is_cut(changed, thumb(seed))


def test_flat_pictures():
    assert not is_cut(FLAT, FLAT)
    assert not is_cut(FLAT, FLAT + 15)
    assert is_cut(FLAT, FLAT + 16)
    assert is_cut(FLAT, thumb(1))
    assert is_cut(thumb(1), FLAT)
    assert type(is_cut(FLAT, thumb(1))) is bool


# The third shows a film, then (96) a man, and its last frame (168) is black.
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "cuts"), [("no_face.mp4", []), ("single_face.mp4", []), ("noface_face.mov", [96, 168])]
)
def test_real_clips(shared, name, cuts):
    assert cuts_of(shared / "data/clips" / name) == cuts
