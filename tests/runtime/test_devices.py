"""Devices: names, lists of providers, what is offered, and what does not start."""

from typing import Any

import onnxruntime as ort
import pytest

from pyojeong import Analyzer
from pyojeong.core.errors import DeviceUnavailable, DeviceWarning
from pyojeong.runtime import session
from pyojeong.runtime.devices import CPU, choose_device
from pyojeong.runtime.golden import PICTURES

CUDA, COREML, DML = "CUDAExecutionProvider", "CoreMLExecutionProvider", "DmlExecutionProvider"
ROCM, AZURE = "ROCMExecutionProvider", "AzureExecutionProvider"
ASTRONAUT = PICTURES / "astronaut.jpg"


@pytest.mark.parametrize(
    ("wanted", "available", "name", "providers"),
    [
        ("auto", [CPU], "cpu", [CPU]),
        ("auto", [AZURE, CPU], "cpu", [CPU]),
        ("auto", ["TensorrtExecutionProvider", CUDA, CPU], "cuda", [CUDA, CPU]),
        ("auto", [ROCM, CPU], "cuda", [ROCM, CPU]),
        ("auto", [COREML, AZURE, CPU], "coreml", [COREML, CPU]),
        ("auto", [DML, CPU], "directml", [DML, CPU]),
        ("cpu", [CUDA, CPU], "cpu", [CPU]),
        ("cuda", [CUDA, CPU], "cuda", [CUDA, CPU]),
        ("directml", [DML, CPU], "directml", [DML, CPU]),
        ([CPU], [CUDA, CPU], "cpu", [CPU]),
        (["TensorrtExecutionProvider", CUDA], ["TensorrtExecutionProvider", CUDA, CPU], "custom",
         ["TensorrtExecutionProvider", CUDA, CPU]),
    ],
)  # fmt: skip
def test_names_become_providers(
    wanted: Any, available: list[str], name: str, providers: list[str]
) -> None:
    device = choose_device(wanted, available)
    assert (device.name, list(device.providers)) == (name, providers)
    assert device.is_cpu == (providers == [CPU])


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("gpu", "auto, cuda, coreml, directml, cpu"),
        ("cuda", "onnxruntime-gpu"),
        ("coreml", "macOS"),
        ("directml", "onnxruntime-directml"),
        ([CUDA], "this onnxruntime has CPUExecutionProvider"),
        ([], "none"),
    ],
)
def test_what_is_not_there_is_refused_with_a_cure(wanted: Any, words: str) -> None:
    with pytest.raises(DeviceUnavailable, match=words):
        choose_device(wanted, [CPU])


def test_auto_on_this_machine_is_what_onnxruntime_offers() -> None:
    analyzer = Analyzer(threads=1)
    if set(ort.get_available_providers()) & {CUDA, COREML, DML, ROCM} == set():
        assert analyzer.device.is_cpu
        assert analyzer.model_ids == Analyzer(threads=1, device="cpu").model_ids
    with pytest.raises(DeviceUnavailable):
        Analyzer(device="tpu")


class FakeOrt:
    """onnxruntime that offers CUDA; whether it starts is chosen."""

    def __init__(self, *, starts: bool) -> None:
        self.starts, self.asked = starts, []
        self._real = ort.InferenceSession

    def open(self, path: str, options: Any, providers: list[str]) -> Any:
        self.asked.append(providers)
        made = self._real(path, options, providers=[CPU])
        if self.starts and providers[0] == CUDA:
            made.get_providers = lambda: providers
        return made


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> FakeOrt:
    made = FakeOrt(starts=request.param)
    monkeypatch.setattr(session.ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(session.ort, "InferenceSession", made.open)
    return made


@pytest.mark.parametrize("fake", [True], indirect=True)
@pytest.mark.parametrize("detector", ["auto", "mtcnn", "blazeface", "centerface"])
def test_every_network_runs_on_the_device(fake: FakeOrt, detector: str) -> None:
    analyzer = Analyzer(threads=1, detector=detector, eyes=True)
    assert fake.asked
    assert all(providers == [CUDA, CPU] for providers in fake.asked)
    assert analyzer.model_ids[-1] == "cuda:CUDA"
    assert analyzer.settings["models"][-1] == "cuda:CUDA"
    result = analyzer.analyze(ASTRONAUT)
    assert result.model_ids == analyzer.model_ids
    here = Analyzer(threads=1, detector=detector, eyes=True, device="cpu")
    assert here.model_ids == analyzer.model_ids[:-1]
    assert here.analyze(ASTRONAUT).faces == result.faces


@pytest.mark.parametrize("fake", [False], indirect=True)
def test_a_device_that_does_not_start(fake: FakeOrt) -> None:
    with pytest.warns(DeviceWarning, match="networks run on the CPU") as caught:
        analyzer = Analyzer(threads=1)
    assert len(caught) == 1, "one line, not one for each network"
    assert analyzer.device.is_cpu
    assert analyzer.model_ids == Analyzer(threads=1, device="cpu").model_ids
    with pytest.raises(DeviceUnavailable, match="driver"):
        Analyzer(threads=1, device="cuda")
