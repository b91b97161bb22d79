"""Scores over time: smoothed within a track.

Smoothing is an average over time, weighted by a kernel in seconds and not in frames, so that its
meaning does not depend on the frame rate. Frames before and after count alike (no lag); a live
image cannot wait and uses ``Trailing``, which lags by about its time constant.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import BadArray
from pyojeong.core.face import Expression, Face, FrameResult

_REACH = 2.5
"""The kernel is cut off at so many standard deviations."""


def smoothed(results: Iterable[FrameResult], sigma_s: float) -> Iterator[FrameResult]:
    """Yield the same frames with ``Face.smoothed``, a Gaussian average over each track, no lag.

    Args:
        results: Frames in order of time; faces without a track or an expression stay as they are.
        sigma_s: Standard deviation of the kernel in seconds. Frames further away than 2.5 of it
            do not count; so much of the clip is held in memory.

    Raises:
        BadArray: When ``sigma_s`` is not positive.
    """
    if not sigma_s > 0:
        raise BadArray("smoothing", expected="a positive number of seconds", got=str(sigma_s))
    reach = _REACH * sigma_s
    window: deque[FrameResult] = deque()
    done = 0  # frames of the window that were given out
    for result in results:
        window.append(result)
        while done < len(window) and window[done].time_s + reach < result.time_s:
            yield _averaged(window, done, sigma_s)
            done += 1
            while window[0].time_s < window[done].time_s - reach:
                window.popleft()
                done -= 1
    while done < len(window):
        yield _averaged(window, done, sigma_s)
        done += 1


def _averaged(window: Iterable[FrameResult], at: int, sigma_s: float) -> FrameResult:
    frames = list(window)
    now = frames[at]
    if not any(f.track_id is not None and f.expression is not None for f in now.faces):
        return now
    sums: dict[int, tuple[float, NDArray[np.float64]]] = {}
    wanted = {face.track_id for face in now.faces}
    for frame in frames:
        away = (frame.time_s - now.time_s) / sigma_s
        if abs(away) > _REACH:
            continue
        weight = float(np.exp(-0.5 * away * away))
        for face in frame.faces:
            if face.track_id is not None and face.track_id in wanted and face.expression:
                total, sum_ = sums.get(face.track_id, (0.0, np.zeros(len(face.expression.scores))))
                sums[face.track_id] = (total + weight, sum_ + weight * face.expression.scores)
    return replace(now, faces=tuple(_with_mean(face, sums) for face in now.faces))


def _with_mean(face: Face, sums: dict[int, tuple[float, NDArray[np.float64]]]) -> Face:
    if face.track_id is None or face.expression is None:
        return face
    total, sum_ = sums[face.track_id]
    return replace(face, smoothed=_expression(face.expression, sum_ / total))


def _expression(like: Expression, scores: NDArray[np.float64]) -> Expression:
    return replace(like, scores=(scores / scores.sum()).astype(np.float32))


class Trailing:
    """Smoothing for live images: an exponential average of what came before.

    Args:
        tau_s: Time constant in seconds, which is also about the lag of what is shown.
        forget_s: A track that was away for longer starts again.
    """

    def __init__(self, tau_s: float, *, forget_s: float = 1.0) -> None:
        if not tau_s > 0:
            raise BadArray("smoothing", expected="a positive number of seconds", got=str(tau_s))
        self._tau_s = tau_s
        self._forget_s = forget_s
        self._state: dict[int, tuple[float, NDArray[np.float64]]] = {}

    def __call__(self, result: FrameResult) -> FrameResult:
        """Return the frame with ``Face.smoothed``; frames must come in order of time."""
        self._state = {
            k: v for k, v in self._state.items() if result.time_s - v[0] <= self._forget_s
        }
        return replace(result, faces=tuple(self._next(f, result.time_s) for f in result.faces))

    def _next(self, face: Face, time_s: float) -> Face:
        if face.track_id is None or face.expression is None:
            return face
        scores = face.expression.scores.astype(np.float64)
        if face.track_id in self._state:
            before_s, before = self._state[face.track_id]
            share = 1 - np.exp(-max(time_s - before_s, 0.0) / self._tau_s)
            scores = before + share * (scores - before)
        self._state[face.track_id] = (time_s, scores)
        return replace(face, smoothed=_expression(face.expression, scores))
