"""The self-examination passes here, and notices what it is for."""

import numpy as np
import pytest

from pyojeong import doctor
from pyojeong.doctor import CHECKS, examine


def test_all_checks_pass() -> None:
    assert [f.what for f in examine() if not f.ok] == []


@pytest.mark.parametrize(
    ("check", "name", "value"),
    [
        ("golden vectors", "read_golden", lambda *_: np.zeros((13, 7), np.float32)),
        ("colour order", "decode_image", lambda _: np.full((2, 2, 3), (10, 50, 200), np.uint8)),
        ("label order", "FER2013_TO_FER7", (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_it_notices(check: str, name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, name, value)
    ok, detail = CHECKS[check]()
    assert not ok
    assert detail
