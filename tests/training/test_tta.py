"""Averaged views: order is kept, one unchanged view is the single view."""

import numpy as np
import pytest
import torch

from pyojeong.core.calibration import softmax
from pyojeong.core.card import Preprocess
from pyojeong.image.preprocess import invert, warp
from pyojeong.training.data.augment import Augment, Draws
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import Faces
from pyojeong.training.nets.registry import build_net
from pyojeong.training.tta import averaged_views

PRE = Preprocess(size_hw=(24, 24), color="gray", mean=(0.5,), std=(0.25,))


@pytest.fixture
def faces() -> Faces:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    images = [np.asarray(cv, np.uint8) for cv in rng.integers(0, 256, (30, 24, 24))]
    return Faces(images, np.arange(30) % 7, np.zeros((30, 8), np.float32))


def test_one_unchanged_view_is_the_single_view(faces: Faces) -> None:
    net = build_net("se_resnet", stem=4, widths=[8, 8, 8, 8], depths=[1, 1, 1, 1]).eval()
    x = FaceDataset(faces, PRE).__getitems__(list(range(30))).inputs
    with torch.inference_mode():
        single = softmax(net(x).numpy())
    for count in (1, 3):
        views = averaged_views(net, faces, PRE, augment=Augment(), count=count)
        np.testing.assert_allclose(views, single, rtol=1e-5, atol=1e-7)
    perturbed = averaged_views(net, faces, PRE, count=4)
    assert perturbed.sum(1) == pytest.approx(np.ones(30))
    assert not np.allclose(perturbed, single, atol=1e-4)
    np.testing.assert_array_equal(perturbed, averaged_views(net, faces, PRE, count=4))


def test_the_perturbation_is_the_papers() -> None:
    base = np.array([[1.0, 0, 0], [0, 1, 0]])
    draws = Draws(Augment(perturb=True, flip=0.5), 3000, seed=0, epoch=0)
    mirrored, zooms = 0, set()
    for row in range(3000):
        matrix = draws.geometry(row, base, (48, 48))
        linear = matrix[:, :2]
        mirrored += np.linalg.det(linear) < 0
        # det = zoom^2 (1 - skew_x skew_y), skews being -0.1, 0 or 0.1
        area = abs(np.linalg.det(linear))
        zooms.add(round(area, 4))
        # The window that fills the frame is upright but for rotation and skew, and lies inside.
        centre = invert(matrix) @ np.array([24, 24, 1])
        assert np.abs(centre - 24).max() <= 4
    expected = {
        round((47 / (47 - d)) ** 2 * (1 - s), 4) for d in range(5) for s in (-0.01, 0, 0.01)
    }
    assert zooms == expected
    assert mirrored == pytest.approx(1500, abs=120)


def test_perturbed_pictures_stay_faces() -> None:
    picture = np.zeros((48, 48), np.uint8)
    picture[20:28, 20:28] = 200
    draws = Draws(Augment(perturb=True), 200, seed=1, epoch=0)
    for row in range(200):
        out = warp(picture, draws.geometry(row, np.eye(2, 3), (48, 48)), (48, 48))
        y, x = np.nonzero(out > 100)
        assert 40 < len(y) < 110
        assert abs(y.mean() - 23.5) < 5
        assert abs(x.mean() - 23.5) < 5
