"""Results of live images as streams of the lab streaming layer (LSL).

LSL gives the samples of cameras, amplifiers and eye trackers of one room a common clock
(Kothe et al. 2025, Imaging Neuroscience 3; ``labstreaminglayer.org``). Two streams are offered:

``pyojeong``
    Type ``Expression``, float32, irregular rate: one sample for every frame that was read, of the
    largest face. ``channels_of`` lists the channels; the description of the stream has them too.
``pyojeong-markers``
    Type ``Markers``, text, irregular rate: what happened, of everybody; see ``live_events``.

LSL has no empty value: what was not measured is NaN, and so is all of a frame without a face.
Whoever is on the network can find and read these streams; they are not encrypted.
"""

import hashlib
import platform
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong._version import __version__
from pyojeong.core.action_units import ACTION_UNITS
from pyojeong.core.errors import MissingExtra, OutputError, one_line
from pyojeong.core.face import FrameResult
from pyojeong.output.column_spec import ColumnSpec
from pyojeong.output.columns import columns_of
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.live_events import LiveEvents

NAME, MARKERS = "pyojeong", "pyojeong-markers"
"""Names of the two streams."""
PERSON = "the largest face of each frame; the channel track has its number"
_LAST_SAMPLES_S = 0.3
"""Samples leave in a thread of LSL's: an outlet that is closed at once would lose the last ones."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of the stream ``pyojeong``.

    Attributes:
        label: Its name: that of the column in tables, and ``track`` for ``track_id``.
        unit: ``normalized`` (0 to 1, valence -1 to 1), ``rad`` or ``number``.
        type: What kind of thing it holds.
        column: Where the value lies in the dictionary of a face.
    """

    label: str
    unit: str
    type: str
    column: ColumnSpec


def channels_of(analyzer: Analyzer) -> tuple[Channel, ...]:
    """Return the channels for what an analyzer measures, in their order.

    Action units are channels when the analyzer measures them; head, eyes and gaze always are.
    """
    labels = analyzer.classifier.label_set
    columns = {c.name: c for c in columns_of(labels, measures=analyzer.measures)}
    units = ACTION_UNITS if "action_units" in analyzer.measures else ()
    wanted = [
        ("Track", "number", ["track_id"]),
        ("Expression", "normalized", [f"score_{name}" for name in labels.names]),
        ("Valence", "normalized", ["valence"]),
        ("ActionUnit", "normalized", list(units)),
        ("Gaze", "rad", ["gaze_yaw_rad", "gaze_pitch_rad"]),
        ("HeadPose", "rad", ["head_yaw_rad", "head_pitch_rad", "head_roll_rad"]),
        ("EyeOpenness", "normalized", ["right_openness", "left_openness"]),
    ]
    return tuple(
        Channel("track" if name == "track_id" else name, unit, kind, columns[name])
        for kind, unit, names in wanted
        for name in names
    )


def load_pylsl() -> Any:
    """Return the module ``pylsl``.

    Raises:
        MissingExtra: When it, or the native library that it needs, is not installed.
    """
    try:
        import pylsl
    except ModuleNotFoundError as error:
        raise MissingExtra("an LSL stream", "lsl") from error
    except (RuntimeError, OSError, AttributeError) as error:  # no liblsl, a foreign or an old one
        cure = (
            "pylsl is there, but no library liblsl that it can load; install one "
            "(conda install -c conda-forge liblsl), or name its file in the variable PYLSL_LIB"
        )
        raise MissingExtra("an LSL stream", "lsl", cure=cure) from error
    return pylsl


class LslOutlets:
    """Offers the two streams from now on until it is closed.

    Args:
        analyzer: What reads the frames: its labels and measures decide the channels.
        source: Name of the camera. Programs that read a stream find it again after a restart with
            the same source and channels on the same machine.

    Attributes:
        channels: Those of the stream ``pyojeong``.

    Raises:
        MissingExtra: When pylsl or its native library is not installed.
        OutputError: When LSL could not offer the streams.
    """

    def __init__(self, analyzer: Analyzer, source: str) -> None:
        self._lsl = load_pylsl()
        self.channels = channels_of(analyzer)
        self._events = LiveEvents()
        self._last_s: float | None = None
        names = ",".join(channel.label for channel in self.channels)
        key = f"{platform.node()}\n{source}\n{names}".encode(errors="surrogateescape")
        digest = hashlib.sha256(key).hexdigest()[:16]
        try:
            self._samples, self._markers = (
                self._lsl.StreamOutlet(self._described(info, analyzer))
                for info in (
                    self._info(NAME, "Expression", len(self.channels), "float32", digest),
                    self._info(MARKERS, "Markers", 1, "string", digest),
                )
            )
        except RuntimeError as error:
            raise OutputError(
                f"LSL could not offer streams: {one_line(error)}; are its ports (16572 to 16604) "
                "free, and is lsl_api.cfg right?"
            ) from error

    def _info(self, name: str, kind: str, channels: int, dtype: str, digest: str) -> Any:
        rate = self._lsl.IRREGULAR_RATE
        return self._lsl.StreamInfo(name, kind, channels, rate, dtype, f"{name}-{digest}")

    def _described(self, info: Any, analyzer: Analyzer) -> Any:
        about = info.desc()
        for key, value in {
            "manufacturer": "pyojeong",
            "version": __version__,
            "models": ";".join(analyzer.model_ids),
            "label_set": analyzer.classifier.label_set.id,
            "prior": analyzer.classifier.head.prior,
        }.items():
            about.append_child_value(key, value)
        if info.name() == NAME:
            about.append_child_value("person", PERSON)
            about.append_child_value("missing", "NaN")
            rows = [(c.label, c.unit, c.type) for c in self.channels]
        else:
            rows = [("event", "none", "Marker")]
        children = about.append_child("channels")
        for label, unit, kind in rows:
            child = children.append_child("channel")
            for key, value in (("label", label), ("unit", unit), ("type", kind)):
                child.append_child_value(key, value)
        return info

    def clock(self) -> float:
        """Return the seconds of LSL's clock on this machine."""
        return float(self._lsl.local_clock())

    def push(self, result: FrameResult, clock_s: float, *, recording: str = "") -> None:
        """Send the sample and the markers of one frame.

        Args:
            result: Faces, largest first, with track numbers; frames come in order of time.
            clock_s: What ``clock`` showed when the frame came.
            recording: Name of the recording that the frame went into; "" = none.

        Raises:
            OutputError: When LSL refuses them.
        """
        self._last_s = clock_s
        events = self._events.add(result, recording=recording)
        self._push(clock_s, events, sample_of(self.channels, result))

    def close(self) -> None:
        """Send the last markers, with the time of the last frame, and end both streams.

        Raises:
            OutputError: When LSL refuses them.
        """
        if self._samples is None:
            return
        try:
            if self._last_s is not None:
                self._push(self._last_s, self._events.finish())
            if self._samples.have_consumers() or self._markers.have_consumers():
                time.sleep(_LAST_SAMPLES_S)
        finally:
            self._samples = self._markers = None

    def _push(
        self, clock_s: float, events: list[str], sample: NDArray[np.float32] | None = None
    ) -> None:
        try:
            if sample is not None:
                self._samples.push_sample(sample, clock_s)
            for event in events:
                self._markers.push_sample([event], clock_s)
        except RuntimeError as error:
            raise OutputError(f"the LSL streams ended: {one_line(error)}") from error


def sample_of(channels: tuple[Channel, ...], result: FrameResult) -> NDArray[np.float32]:
    """Return the values of the largest face, float32 (number of channels,); NaN = not measured."""
    if not result.faces:
        return np.full(len(channels), np.nan, np.float32)
    face = result.faces[0].to_dict()
    values = (channel.column.get(face) for channel in channels)
    return np.array([np.nan if v is None else v for v in values], np.float32)
