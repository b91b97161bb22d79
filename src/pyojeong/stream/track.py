"""Who is who from frame to frame: faces that move smoothly keep their number.

Every track predicts where its face will be: straight on, or slowing down while out of sight.
Pairs of track and face are ranked by distance, change of size and change of looks, and joined from
the best on; a track that finds no face waits, and ends after ``max_lost_s``. A scene cut ends all.

Looks are a few colours of the face's region, compared within one clip and never kept: they tell two
people apart who pass one another, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Box, Face, Image
from pyojeong.image.preprocess import warp

_LOOKS_SIDE = 4
_FADE_S = 0.4
"""The speed of a face that comes to rest out of sight falls to 1/e in this time."""


def appearance_descriptor(image: Image, box: Box) -> NDArray[np.float32]:
    """Colours of a face's region: float32 (48,), RGB in [0, 1] on a 4 x 4 grid."""
    scale_x = _LOOKS_SIDE / max(box.width, 1.0)
    scale_y = _LOOKS_SIDE / max(box.height, 1.0)
    scale = min(scale_x, scale_y)
    centre = ((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2)
    half = _LOOKS_SIDE / 2
    matrix = np.array([[scale, 0, half - scale * centre[0]], [0, scale, half - scale * centre[1]]])
    patch = warp(image, matrix, (_LOOKS_SIDE, _LOOKS_SIDE))
    return patch.reshape(-1).astype(np.float32) / np.float32(255)


def mean_luma(looks: NDArray[np.float32]) -> float:
    """Return mean luma of a face's region, in [0, 1]."""
    return float(looks.reshape(-1, 3).mean(0) @ np.array([0.299, 0.587, 0.114]))


_NO_TIME = 1e-6
"""Seconds between two frames from which a speed can be measured."""


@dataclass(slots=True)
class _Track:
    id: int
    box: NDArray[np.float64]  # centre x, centre y, size
    velocity: NDArray[np.float64]  # of the centre, pixels per second
    seen_s: float
    looks: NDArray[np.float32]

    def distances(self, centre: NDArray[np.float64], time_s: float) -> tuple[float, float]:
        """Return the distance of a face's centre from where the track may be, in pixels.

        The first is from the nearer of two guesses: it went straight on, or came to rest. The
        second counts the place where it was last seen too.
        """
        away = max(time_s - self.seen_s, 0.0)
        gone = np.array([away, _FADE_S * (1 - np.exp(-away / _FADE_S)), 0.0])
        places = self.box[:2] + gone[:, None] * self.velocity
        straight, faded, still = np.hypot(*(places - centre).T).tolist()
        return min(straight, faded), min(straight, faded, still)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerOptions:
    """How faces are joined to tracks.

    Attributes:
        max_lost_s: A track without a face ends after so many seconds.
        reach: Greatest distance of a face from a track's prediction or last place, in face sizes;
            more for a track that is out of sight.
        looks_weight: Weight of the difference in looks (0..1) against distance in face sizes.
    """

    max_lost_s: float = 1.0
    reach: float = 0.9
    looks_weight: float = 3.0


@dataclass(slots=True)
class Tracker:
    """Numbers the faces of successive frames, from 1.

    Args:
        options: How faces are joined to tracks.
    """

    options: TrackerOptions = TrackerOptions()
    _tracks: list[_Track] = field(default_factory=list)
    _next: int = 1

    def update(
        self,
        faces: Sequence[Face],
        looks: Sequence[NDArray[np.float32]],
        time_s: float,
        *,
        cut: bool = False,
    ) -> list[int]:
        """Return the number of every face of the next frame, in order.

        Args:
            faces: The frame's faces.
            looks: ``appearance_descriptor`` each of them.
            time_s: The frame's time; must not run backwards.
            cut: A new scene begins here: nobody is recognised.
        """
        if cut:
            self._tracks = []
        self._tracks = [t for t in self._tracks if not self._lost(t, time_s)]
        ids: list[int | None] = [None] * len(faces)
        for track, place in self._joined(faces, looks, time_s):
            ids[place] = track.id
            self._move(track, _shape(faces[place]), looks[place], time_s)
        numbered: list[int] = []
        for place, known in enumerate(ids):
            if known is None:
                known = self._next  # noqa: PLW2901
                self._next += 1
                shape = _shape(faces[place])
                still = np.zeros(2)
                self._tracks.append(_Track(known, shape, still, time_s, looks[place].copy()))
            numbered.append(known)
        return numbered

    def known(self, face: Face, looks: NDArray[np.float32], time_s: float) -> int | None:
        """Return the number a face would get, or None for nobody known; nothing changes."""
        pairs = self._joined([face], [looks], time_s)
        return pairs[0][0].id if pairs else None

    def _lost(self, track: _Track, time_s: float) -> bool:
        return time_s - track.seen_s > self.options.max_lost_s + 1e-9

    def _joined(
        self, faces: Sequence[Face], looks: Sequence[NDArray[np.float32]], time_s: float
    ) -> list[tuple[_Track, int]]:
        ranked = sorted(
            (cost, track.id, place, track)
            for track in self._tracks
            if not self._lost(track, time_s)
            for place, face in enumerate(faces)
            if (cost := self._cost(track, _shape(face), looks[place], time_s)) is not None
        )
        tracks: set[int] = set()
        places: set[int] = set()
        pairs = []
        for _, number, place, track in ranked:
            if number not in tracks and place not in places:
                tracks.add(number)
                places.add(place)
                pairs.append((track, place))
        return pairs

    def _cost(
        self,
        track: _Track,
        shape: NDArray[np.float64],
        looks: NDArray[np.float32],
        time_s: float,
    ) -> float | None:
        size = float(track.box[2] + shape[2]) / 2
        distance, least = track.distances(shape[:2], time_s)
        growth = abs(float(np.log(shape[2] / track.box[2])))
        # The longer a face was out of sight, the further it may have gone.
        reach = self.options.reach * (1 + 0.5 * min(time_s - track.seen_s, 1.0))
        if least > reach * size or growth > 0.7:
            return None
        different = float(np.abs(track.looks - looks).mean())
        return float(distance / size + 0.5 * growth + self.options.looks_weight * different)

    @staticmethod
    def _move(
        track: _Track, shape: NDArray[np.float64], looks: NDArray[np.float32], time_s: float
    ) -> None:
        passed = time_s - track.seen_s
        if passed > _NO_TIME:
            speed = (shape[:2] - track.box[:2]) / passed
            share = min(1.0, passed / 0.2)
            track.velocity = track.velocity + share * (speed - track.velocity)
        track.box = shape
        track.seen_s = time_s
        track.looks = (track.looks * np.float32(0.8) + looks * np.float32(0.2)).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain JSON types; ``from_dict`` is its exact inverse."""
        return {
            "next": self._next,
            "tracks": [
                {
                    "id": t.id,
                    "box": t.box.tolist(),
                    "velocity": t.velocity.tolist(),
                    "seen_s": t.seen_s,
                    "looks": t.looks.astype(float).tolist(),
                }
                for t in self._tracks
            ],
        }

    @classmethod
    def from_dict(
        cls, data: dict[str, Any], options: TrackerOptions = TrackerOptions()
    ) -> "Tracker":
        """Return a tracker that goes on from ``to_dict``'s output."""
        tracks = [
            _Track(
                t["id"],
                np.array(t["box"], np.float64),
                np.array(t["velocity"], np.float64),
                t["seen_s"],
                np.array(t["looks"], np.float32),
            )
            for t in data["tracks"]
        ]
        return cls(options, tracks, data["next"])


def _shape(face: Face) -> NDArray[np.float64]:
    b = face.box
    size = max((b.width * b.height) ** 0.5, 1e-3)
    return np.array([(b.x1 + b.x2) / 2, (b.y1 + b.y2) / 2, size])
