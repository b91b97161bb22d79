"""LSL streams: what a reader on the same machine gets of a clip that is shown live."""

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from pyojeong import Analyzer
from pyojeong.core.action_units import ACTION_UNITS, ActionUnits
from pyojeong.core.errors import MissingExtra, OutputError
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.labels import FER7
from pyojeong.output.tables import read_csv
from pyojeong.serve.live_session import LiveSession
from pyojeong.serve.lsl import LslOutlets, channels_of, load_pylsl, sample_of
from pyojeong.stream.live import Camera
from tests.video.made import face, frames, make_clip

SESSION = f"test-{os.getpid()}"
SCORES = [f"score_{name}" for name in FER7.names]
MEASURED = ["gaze_yaw_rad", "gaze_pitch_rad", "head_yaw_rad", "head_pitch_rad", "head_roll_rad"]
MEASURED += ["right_openness", "left_openness"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The settings of docs/live.md, in a session of this run: this machine, without multicast."""
    page = (Path(__file__).parents[2] / "docs" / "live.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```\n(\[multicast\].*?)```", page, re.DOTALL)
    path = tmp_path_factory.mktemp("lsl") / "lsl_api.cfg"
    path.write_text(shown.replace("room-2", SESSION) + "[log]\nlevel = -2\n")
    return path


@pytest.fixture(scope="module")
def pylsl(config):
    """The module, which reads its settings when it is first used in a process."""
    os.environ["LSLAPICFG"] = str(config)
    return pytest.importorskip(
        "pylsl", reason="pylsl or liblsl is not installed", exc_type=Exception
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("live") / "walk.mp4", frames=40)


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1, eyes=True)


def inlet(pylsl, name):
    (found,) = pylsl.resolve_byprop("name", name, 1, timeout=20)
    opened = pylsl.StreamInlet(found, recover=False)
    opened.open_stream(timeout=20)
    return opened


def labels_of(opened):
    child = opened.info(timeout=10).desc().child("channels").child("channel")
    out = []
    while not child.empty():
        out.append(tuple(child.child_value(key) for key in ("label", "unit", "type")))
        child = child.next_sibling("channel")
    return out


class Received:
    """What an inlet gets until its stream ends, read in a thread: ``values`` and ``times``.

    An inlet whose stream has ended gives nothing more, not even what it has in store.
    """

    def __init__(self, pylsl, opened):
        self.values, self.times = [], []
        self._lost = pylsl.util.LostError
        self._opened = opened
        self._thread = threading.Thread(target=self._pull, daemon=True)
        self._thread.start()

    def _pull(self):
        end = time.monotonic() + 30
        with suppress(self._lost):
            while time.monotonic() < end:
                value, stamp = self._opened.pull_sample(timeout=0.5)
                if stamp is not None:
                    self.values.append(value)
                    self.times.append(stamp)

    def until_the_end(self):
        self._thread.join(40)
        assert not self._thread.is_alive()
        return self.values, self.times


class WithUnits(Analyzer):
    """States that it measures action units."""

    measures = ("action_units",)


def test_channels_follow_what_is_measured(analyzer):
    assert [c.label for c in channels_of(analyzer)] == ["track", *SCORES, "valence", *MEASURED]
    units = WithUnits(threads=1, labels="ferplus8")
    names = [c.label for c in channels_of(units)]
    assert names[8:11] == ["score_contempt", "valence", "AU1"]
    assert names[10:28] == list(ACTION_UNITS)
    assert names[28:] == MEASURED


def test_a_sample_is_the_largest_face_and_what_was_not_measured_is_nan(analyzer):
    channels = channels_of(analyzer)
    full = replace(
        face("sad", track=7, x=5.0),
        pose=HeadPose(0.1, 0.2, 0.3),
        eyes=EyeSignals(openness=(0.8, 0.9), gaze_rad=(-0.1, -0.2)),
    )
    both, none, bare = frames(3, lambda i: ([full, face(track=2)], [], [face(track=2)])[i])
    row = dict(zip([c.label for c in channels], sample_of(channels, both).tolist(), strict=True))
    assert row["track"] == 7
    assert row["score_sad"] == pytest.approx(0.7)
    assert row["valence"] == pytest.approx(0.05 - 0.7)
    assert [row[n] for n in MEASURED] == pytest.approx([-0.1, -0.2, 0.1, 0.2, 0.3, 0.8, 0.9])
    assert np.isnan(sample_of(channels, none)).all()
    row = sample_of(channels, bare)
    assert row.dtype == np.float32
    assert np.isnan(row).tolist() == [False] * 9 + [True] * 7


def test_action_units_come_under_their_numbers():
    channels = channels_of(WithUnits(threads=1))
    strengths = tuple(None if name == "AU9" else i / 20 for i, name in enumerate(ACTION_UNITS))
    units = ActionUnits(strengths, (None,) * 11, (None,) * 11)
    (result,) = frames(1, lambda _: [replace(face(), action_units=units)])
    row = dict(zip([c.label for c in channels], sample_of(channels, result).tolist(), strict=True))
    assert row["AU12"] == pytest.approx(0.35)
    assert np.isnan(row["AU9"])


def test_a_reader_gets_the_samples_and_markers_of_a_clip(pylsl, clip, analyzer, tmp_path):
    outlets = LslOutlets(analyzer, "walk.mp4")
    samples, markers = inlet(pylsl, "pyojeong"), inlet(pylsl, "pyojeong-markers")
    info = samples.info(timeout=10)
    assert (info.type(), info.nominal_srate()) == ("Expression", 0.0)
    assert info.channel_format() == pylsl.cf_float32
    assert info.desc().child_value("person").startswith("the largest face")
    named = labels_of(samples)
    assert named == [(c.label, c.unit, c.type) for c in outlets.channels]
    assert ("head_yaw_rad", "rad", "HeadPose") in named
    assert labels_of(markers) == [("event", "none", "Marker")]
    before = pylsl.local_clock()
    got_samples, got_markers = Received(pylsl, samples), Received(pylsl, markers)
    with LiveSession(Camera(str(clip)), analyzer, record=tmp_path, outlets=outlets) as session:
        session.start_recording()
        values, times = got_samples.until_the_end()
        events, event_times = got_markers.until_the_end()
        shown = session.newest(0).number
        assert session.error == ""
    assert len(values) == shown >= 3
    rows = np.array(values)
    assert rows.shape[1] == 16
    assert rows[:, 1:8].sum(1) == pytest.approx(1)
    assert [FER7.names[i] for i in set(rows[:, 1:8].argmax(1))] == ["happy"]
    assert (np.diff(times) > 0).all()
    assert before < times[0] < times[-1] < pylsl.local_clock()
    assert (
        0.5 < times[-1] - times[0] < 39 / 25 + 0.5
    )  # as long as the clip, less frames passed over
    (file,) = tmp_path.iterdir()
    words = [each for (each,) in events]
    start = f"recording/starts/{file.name}"
    assert sorted(words[:3]) == ["person/1/appears", "person/1/label/happy", start]
    assert event_times[words.index(start)] in times[:3]  # one that was recorded
    assert len(list(read_csv(file))) == shown - times.index(event_times[words.index(start)])
    # On a busy machine frames are passed over, and the person may be seen as a second one.
    assert words[-2] == f"recording/ends/{file.name}"
    assert re.fullmatch(r"person/\d+/disappears", words[-1])
    assert event_times == sorted(event_times)
    assert set(event_times) <= set(times)


class Slow:
    """An analyzer's classifier, a third of a second slower."""

    def __init__(self, reader):
        self._read = reader.read

    def __call__(self, moment):
        time.sleep(0.3)
        return self._read(moment)


def test_times_are_those_of_the_capture_and_not_of_the_answer(pylsl, clip, analyzer):
    outlets = LslOutlets(analyzer, "slow")
    samples = inlet(pylsl, "pyojeong")
    session = LiveSession(Camera(str(clip)), analyzer, outlets=outlets)
    session._reader.read = Slow(session._reader)
    with session:
        _, stamp = samples.pull_sample(timeout=10)
        assert pylsl.local_clock() - stamp >= 0.3


def test_frames_without_a_face_are_samples_of_nan(pylsl, analyzer):
    outlets = LslOutlets(analyzer, "empty")
    got = Received(pylsl, inlet(pylsl, "pyojeong"))
    for result in frames(3, lambda i: [face()] if i == 1 else []):
        outlets.push(result, 100.0 + result.index)
    outlets.close()
    values, times = got.until_the_end()
    assert times == [100.0, 101.0, 102.0]
    assert [np.isnan(v).all() for v in values] == [True, False, True]
    outlets.close()  # a second time changes nothing


def test_the_settings_on_the_page_are_understood(pylsl, analyzer):
    """With an error in them LSL would take its defaults, and announce streams everywhere."""
    outlets = LslOutlets(analyzer, "settings")
    assert outlets._samples.get_info().session_id() == SESSION
    outlets.close()


def test_nothing_of_the_end_is_lost(pylsl, analyzer):
    outlets = LslOutlets(analyzer, "end")
    got = Received(pylsl, inlet(pylsl, "pyojeong-markers"))
    for result in frames(2, lambda _: [face(track=n) for n in range(1, 200)]):
        outlets.push(result, 100.0 + result.index)
    outlets.close()
    events, times = got.until_the_end()
    assert [e for (e,) in events[-199:]] == [f"person/{n}/disappears" for n in range(1, 200)]
    assert times == [100.0] * 2 * 199 + [101.0] * 199


def test_streams_that_fail_end_and_the_page_does_not(pylsl, clip, analyzer):
    outlets = LslOutlets(analyzer, "failing")

    def fail(*_):
        raise RuntimeError("an internal error has occurred.")

    outlets._samples.push_sample = fail
    with LiveSession(Camera(str(clip)), analyzer, outlets=outlets) as session:
        assert session.newest(3, 20) is not None
        assert (
            session.error == "the LSL streams ended: RuntimeError: an internal error has occurred."
        )
    with pytest.raises(OutputError, match="the LSL streams ended"):
        outlets.push(*frames(1, lambda _: []), 1.0)


def test_without_pylsl_the_cure_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pyojeong\[lsl\]'"):
        load_pylsl()


def test_without_the_native_library_the_cure_is_named(monkeypatch, tmp_path):
    (tmp_path / "pylsl.py").write_text(
        "raise RuntimeError('LSL binary library file was not found')"
    )
    monkeypatch.delitem(sys.modules, "pylsl", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingExtra, match=r"liblsl .*PYLSL_LIB") as info:
        load_pylsl()
    assert "pyojeong[lsl]" not in str(info.value)


def test_importing_the_live_page_does_not_load_pylsl():
    code = "import sys, pyojeong.cli.webcam; print('pylsl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_command_offers_streams(pylsl, clip, config):
    command = [sys.executable, "-m", "pyojeong", "webcam", "--source", clip, "--loop", "--no-open"]
    process = subprocess.Popen(
        [*map(str, command), "--lsl", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LSLAPICFG": str(config)},
    )
    try:
        url = process.stdout.readline().strip()
        opened = inlet(pylsl, "pyojeong")
        assert opened.info(timeout=10).channel_count() == 16
        value, _ = opened.pull_sample(timeout=20)
        assert len(value) == 16
        root, _, token = url.partition("/?token=")
        about = httpx.get(f"{root}/api/about", headers={"x-pyojeong-token": token})
        assert not about.json()["over"]
    finally:
        process.terminate()
        said = process.communicate(timeout=20)[1]
    assert "LSL streams pyojeong (16 channels) and pyojeong-markers" in said
    assert "open to the network" in said
    assert process.returncode == 0
