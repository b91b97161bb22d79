"""The self-examination passes here, and notices what it is for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyojeong import doctor
from pyojeong.doctor import DIAGNOSTICS, examine
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.zoo import Entry


def test_all_checks_pass() -> None:
    assert [f.what for f in examine() if not f.ok] == []


@pytest.mark.parametrize(
    ("check", "name", "value"),
    [
        ("golden vectors", "read_golden", lambda *_: np.zeros((13, 15), np.float32)),
        ("colour order", "decode_image", lambda _: np.full((2, 2, 3), (10, 50, 200), np.uint8)),
        ("label order", "FER2013_TO_FER7", (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_it_notices(check: str, name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, name, value)
    ok, detail = DIAGNOSTICS[check]()
    assert not ok
    assert detail


@pytest.mark.parametrize(
    ("ms_of_the_twin", "said"),
    [(1.0, "set PYOJEONG_MODEL=variant-s-made-fer7.v1"), (1.96, "is the right one here")],
)
def test_the_faster_form_is_named(
    ms_of_the_twin: float, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = find_classifier("default")
    variant = replace(used.card, id="variant-s-made-fer7.v1", variant=used.card.id)
    card = replace(used.card, variant=variant.id)
    (tmp_path / card.file).write_bytes(used.weights.read_bytes())
    (tmp_path / "variant.card.json").write_text(variant.to_json(), encoding="utf-8")
    monkeypatch.setenv("PYOJEONG_MODELS", str(tmp_path))
    monkeypatch.setattr(doctor, "find_classifier", lambda _: Entry(card, tmp_path))
    times = {card.id: 2.0, variant.id: ms_of_the_twin}
    monkeypatch.setattr(
        doctor, "_ms_per_face", lambda entries: {e.card.id: times[e.card.id] for e in entries}
    )
    ok, detail = DIAGNOSTICS["faster form"]()
    assert ok
    assert said in detail
    assert f"{variant.id} {ms_of_the_twin:.2f} ms" in detail


def test_times_of_faces_are_measured() -> None:
    entry = find_classifier("default")
    assert 0.05 < doctor._ms_per_face([entry], rounds=1, faces=3)[entry.card.id] < 1e3
