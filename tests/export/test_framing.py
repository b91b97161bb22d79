"""How faces are cut out is measured on training pictures, when there are enough of them."""

from pathlib import Path

import pytest

from pyojeong.core.errors import DataError
from pyojeong.export.framing import measure_framing
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.training.experiment import Experiment
from tests.training.tiny import TOML, manifest


def test_too_few_faces_are_said_with_a_cure(tmp_path: Path) -> None:
    pre = Experiment.from_toml(TOML).preprocess
    said = r"only 0 training pictures, .* 50 or more: add training pictures.*--data.*--detector"
    with pytest.raises(DataError, match=said):
        measure_framing(pre, manifest(tmp_path), build_detector("fast"))
