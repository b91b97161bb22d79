"""What runs behind the live page: the camera, the reading, the recording, and the newest answer."""

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import cv2

from pyojeong.core.errors import OutputError, PyojeongError
from pyojeong.core.face import FrameResult, Image
from pyojeong.core.protocols import Sink
from pyojeong.core.texts import Texts
from pyojeong.output.media import annotate, annotate_numbers
from pyojeong.output.tables import CsvSink
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.lsl import LslOutlets
from pyojeong.stream.live import Camera, LiveReader, Moment, Pace

_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the page shows of one frame.

    Attributes:
        number: Counts the frames that were shown, from 1.
        jpeg: The annotated image.
        payload: Everything beside it, plain JSON types.
    """

    number: int
    jpeg: bytes
    payload: dict[str, Any]


class LiveSession:
    """Reads a camera until it is closed; a context manager.

    Args:
        camera: Opened camera.
        analyzer: Reads frames.
        record: Folder for recordings; None = nothing can be recorded.
        tau_s: Time constant of the smoothing.
        boxes: Draw boxes and scores into the image.
        outlets: LSL streams that get every frame's result; closed when the camera ends.
        lang: Language of the page, one of ``core.texts.LANGUAGES``.

    Raises:
        InputError: When there is no such language.
    """

    def __init__(
        self,
        camera: Camera,
        analyzer: Analyzer,
        *,
        record: Path | None = None,
        tau_s: float = 0.25,
        boxes: bool = True,
        outlets: LslOutlets | None = None,
        lang: str = "en",
    ) -> None:
        self.say = Texts("live", lang)
        self._camera = camera
        self._outlets = outlets
        if outlets is not None:
            camera.clock = outlets.clock
        self._analyzer = analyzer
        self._reader = LiveReader(analyzer, camera.name, tau_s=tau_s)
        self._record = record
        self._boxes = boxes
        self._sink: Sink | None = None
        self._stack = ExitStack()
        self.file: Path | None = None
        self.pace = Pace()
        self.error = ""
        self._shown: Snapshot | None = None
        self._over = False
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="pyojeong-live", daemon=True)

    def __enter__(self) -> Self:
        self._camera.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._camera.close()
        self._thread.join(timeout=5)
        self.stop_recording()

    @property
    def can_record(self) -> bool:
        """Whether a folder for recordings was given."""
        return self._record is not None

    @property
    def recording(self) -> bool:
        """Whether results are being written at this moment."""
        return self._sink is not None

    def start_recording(self) -> Path:
        """Write results of every frame from now on into a new file.

        Raises:
            OutputError: When nothing may be recorded, or the file could not be written.
        """
        if self._record is None:
            raise OutputError("nothing can be recorded: start with --record FOLDER")
        with self._writing:
            if self._sink is None:
                stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
                self.file = self._record / f"live-{stamp}-{secrets.token_hex(2)}.csv"
                sink = CsvSink(
                    self.file,
                    labels=self._analyzer.classifier.label_set,
                    timeline=True,
                    measures=self._analyzer.measures,
                    in_place=True,  # a killed process leaves its recording: nobody can repeat it
                )
                self._sink = self._stack.enter_context(sink)
            assert self.file is not None  # noqa: S101 - set together with the sink
            return self.file

    def stop_recording(self) -> Path | None:
        """Finish the file; returns it, or None when nothing was recorded."""
        with self._writing:
            self._sink = None
            self._stack.close()
            return self.file

    def _work(self) -> None:
        try:
            try:
                for moment in self._camera:
                    pixels, result = self._reader.read(moment)
                    done_s = time.monotonic()
                    self.pace.add(moment, done_s)
                    self._send(moment, result, recording=self._write(result))
                    self._show(pixels, result)
            finally:
                if self._outlets is not None:
                    self._outlets.close()
        except PyojeongError as error:
            self.error = str(error)
        finally:
            self.error = self.error or self._camera.error
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _write(self, result: FrameResult) -> str:
        """Add a frame to the recording; returns its name, or "" when there is none.

        One that fails ends the recording and not the page.
        """
        with self._writing:
            if self._sink is None or self.file is None:
                return ""
            try:
                self._sink.write(result)
            except OutputError as error:
                self.error = f"the recording ended: {error}"
                self._sink = None
                self._stack.close()
                return ""
            return self.file.name

    def _send(self, moment: Moment, result: FrameResult, *, recording: str) -> None:
        """Push a frame into the LSL streams; when they fail they end, and the page does not."""
        if self._outlets is None or moment.clock_s is None:
            return
        try:
            self._outlets.push(result, moment.clock_s, recording=recording)
        except OutputError as error:
            self.error = str(error)
            self._outlets = None

    def _show(self, pixels: Image, result: FrameResult) -> None:
        picture = pixels
        if self._boxes:
            # The letters of the drawing are Latin ones: the names are beside the image then.
            latin = self.say.language == "en"
            picture = (
                annotate(pixels, result, keep_size=True)
                if latin
                else annotate_numbers(pixels, result)
            )
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        number = 1 if self._shown is None else self._shown.number + 1
        with self._changed:
            self._shown = Snapshot(number, data.tobytes() if done else b"", self._payload(result))
            self._changed.notify_all()

    def _payload(self, result: FrameResult) -> dict[str, Any]:
        return {
            "time_s": round(result.time_s, 3),
            "faces": [
                {k: v for k, v in face.to_dict().items() if k != "landmarks"}
                for face in result.faces
            ],
            **self.state(),
        }

    def state(self) -> dict[str, Any]:
        """Speed, recording and error, plain JSON types."""
        return {
            "fps": round(self.pace.fps, 1),
            "latency_ms": round(self.pace.latency_ms, 1),
            "recording": self.recording,
            "can_record": self.can_record,
            "file": None if self.file is None else self.file.name,
            "over": self._over,
            "error": self.say.said(self.error or self._camera.error, "error"),
        }

    def newest(self, after: int, timeout_s: float = 1.0) -> Snapshot | None:
        """Return the newest frame if it is newer than number ``after``.

        Waits for one for a while.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._over or (self._shown is not None and self._shown.number > after),
                timeout_s,
            )
            shown = self._shown
            return shown if shown is not None and shown.number > after else None

    @property
    def over(self) -> bool:
        """Whether the camera has ended and everything of it was read."""
        return self._over

    def events(self) -> Iterator[str]:
        """Server-sent events: one per frame, a last one when the camera ends."""
        number = 0
        while True:
            shown = self.newest(number)
            if shown is not None:
                number = shown.number
                yield f"data: {json.dumps(shown.payload)}\n\n"
            elif self._over:
                yield f"event: over\ndata: {json.dumps(self.state())}\n\n"
                return
            else:
                yield ": waiting\n\n"

    def pictures(self) -> Iterator[bytes]:
        """Parts of a motion JPEG, the newest frame each time."""
        number = 0
        while True:
            shown = self.newest(number)
            if shown is not None:
                number = shown.number
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(shown.jpeg)}"
                yield head.encode() + b"\r\n\r\n" + shown.jpeg + b"\r\n"
            elif self._over:
                return
