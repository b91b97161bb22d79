"""What happens in a live image, as short texts: people, their labels, blinks, recordings.

A text's parts have slashes between them, as MNE-Python's hierarchical event names have:

================================  ==================================================================
``person/N/appears``              track N is there
``person/N/disappears``           it was not seen for a second, or the camera has ended
``person/N/label/LABEL``          its label, smoothed as on the live page, is another than before
``person/N/blink/Tms``            its eyes are open again after T milliseconds
``person/N/eyes-closed/Tms``      the same after more than half a second: that was no blink
``recording/starts/FILE``         the first frame of a recording
``recording/ends/FILE``           the first frame behind it, or the last one of the camera
================================  ==================================================================
"""

from dataclasses import dataclass

from pyojeong.core.face import Face, FrameResult
from pyojeong.stream.blinks import BlinkCounter, Closure

GONE_S = 1.0
"""A person disappears when not seen for so long: the tracker waits as long for a lost face."""


@dataclass(slots=True)
class _Person:
    last_s: float
    blinks: BlinkCounter
    label: str = ""


class LiveEvents:
    """Finds the events of frames that are given in order of time."""

    def __init__(self) -> None:
        self._people: dict[int, _Person] = {}
        self._recording = ""

    def add(self, result: FrameResult, *, recording: str = "") -> list[str]:
        """Return the events of one frame.

        Args:
            result: Faces with track numbers.
            recording: Name of the recording that the frame went into; "" = none.
        """
        out = self._recorded(recording)
        for track, person in list(self._people.items()):
            if result.time_s - person.last_s > GONE_S and track not in _tracks(result):
                out += self._gone(track)
        for face in result.faces:
            if face.track_id is not None:
                out += self._seen(face.track_id, face, result.time_s)
        return out

    def finish(self) -> list[str]:
        """Return the events of the end: recording and people."""
        out = self._recorded("")
        for track in list(self._people):
            out += self._gone(track)
        return out

    def _recorded(self, name: str) -> list[str]:
        before, self._recording = self._recording, name
        if before == name:
            return []
        ends = [f"recording/ends/{before}"] if before else []
        return [*ends, *([f"recording/starts/{name}"] if name else [])]

    def _seen(self, track: int, face: Face, time_s: float) -> list[str]:
        out = []
        person = self._people.get(track)
        if person is None:
            person = self._people[track] = _Person(time_s, BlinkCounter(track))
            out.append(f"person/{track}/appears")
        person.last_s = time_s
        shown = face.smoothed or face.expression
        if shown is not None and shown.label != person.label:
            person.label = shown.label
            out.append(f"person/{track}/label/{shown.label}")
        openness = None if face.eyes is None else face.eyes.openness
        return out + _closed(person.blinks.add(time_s, openness))

    def _gone(self, track: int) -> list[str]:
        person = self._people.pop(track)
        return [*_closed(person.blinks.finish()), f"person/{track}/disappears"]


def _tracks(result: FrameResult) -> set[int | None]:
    return {face.track_id for face in result.faces}


def _closed(closure: Closure | None) -> list[str]:
    if closure is None:
        return []
    kind = "blink" if closure.blink else "eyes-closed"
    return [f"person/{closure.track_id}/{kind}/{round(1000 * closure.length_s)}ms"]
