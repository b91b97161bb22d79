"""Made-up writing: where it is said to be, there it is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pyojeong.core.card import ModelCard
from pyojeong.runtime.session import Session
from pyojeong.zoo import CARD_SUFFIX, Entry
from research.occlusion_training import CoverNet
from research.occlusion_training import export as export_cover
from research.text_detector_images import SIDE, STRIDE, Makings, make, photographs
from research.text_detector_training import WritingNet
from research.text_detector_training import export as export_writing

NANUM = Path("/usr/share/fonts/truetype/nanum/NanumGothicBold.ttf")


@pytest.fixture(scope="module")
def makings() -> Makings:
    if not NANUM.exists():
        pytest.fail(f"{NANUM} is missing: apt-get install fonts-nanum (make system)")
    rng = np.random.default_rng(0)
    faces = [rng.integers(0, 256, (48, 48), dtype=np.uint8) for _ in range(3)]
    return Makings(faces, photographs(), [NANUM], [NANUM])


def test_pictures_targets_and_weights_fit_together(makings: Makings) -> None:
    rng = np.random.default_rng(1)
    some = none = 0
    for _ in range(30):
        picture, target, weight = make(makings, rng)
        assert picture.shape == (SIDE, SIDE)
        assert picture.dtype == np.uint8
        assert target.shape == weight.shape == (SIDE // STRIDE, SIDE // STRIDE)
        assert set(np.unique(target)) <= {0, 1}
        assert set(np.unique(weight)) <= {0, 1}
        assert (weight[target == 1] == 1).all()
        some += bool(target.any())
        none += not target.any()
    assert some > 8
    assert none > 4


def test_the_same_numbers_make_the_same_picture(makings: Makings) -> None:
    one, other = (make(makings, np.random.default_rng(7)) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_photographs_are_large_enough() -> None:
    pictures = photographs()
    assert len(pictures) >= 10
    assert all(min(p.shape) >= SIDE and p.ndim == 2 for p in pictures)


def test_the_nets_take_what_they_are_fed() -> None:
    assert WritingNet()(torch.zeros(2, 1, 96, 256)).shape == (2, 1, 12, 32)
    assert CoverNet()(torch.zeros(3, 1, 48, 48)).shape == (3, 2)


def entry_of(network: Path) -> Entry:
    """Return a network that was made again under the id of a bundled one, which `find` refuses."""
    card = network.with_name(f"{network.stem}{CARD_SUFFIX}")
    return Entry(ModelCard.read(card), network.parent)


def test_checkers_are_served_as_they_were_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = WritingNet().eval()
    file = export_writing(net, tmp_path / "new", steps=1)
    session = Session(entry_of(file))
    x = torch.randn(1, 1, 64, 128)
    with torch.inference_mode():
        expected = net(x).numpy()
    np.testing.assert_allclose(session.run(x.numpy())[0], expected, atol=1e-4)
    crop = torch.randn(3, 1, 48, 48)
    cover = CoverNet().eval()
    session = Session(entry_of(export_cover(cover, tmp_path / "new", steps=1, faces=1)))
    with torch.inference_mode():
        expected = cover(crop).numpy()
    np.testing.assert_allclose(session.run(crop.numpy())[0], expected, atol=1e-4)
