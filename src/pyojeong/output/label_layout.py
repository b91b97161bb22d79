"""Where labels go: beside the faces, in the image, over no other face where that can be."""

from collections.abc import Iterator, Sequence

from pyojeong.output.drawing import Rect

Size = tuple[float, float]

_MOST_TRIES = 2000


def overlap(a: Rect, b: Rect) -> float:
    """Area that two rectangles share, in square pixels."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    return max(w, 0.0) * max(h, 0.0)


def grown(rect: Rect, by: float) -> Rect:
    """Return a rectangle larger by so many pixels on every side."""
    return rect[0] - by, rect[1] - by, rect[2] + by, rect[3] + by


def _at(x: float, y: float, size_wh: Size) -> Rect:
    return x, y, x + size_wh[0], y + size_wh[1]


def _aligned(low: float, high: float, length: float, limit: float, room: float) -> list[float]:
    """Return starts of a label beside low..high: flush, centred, flush at the end."""
    starts = (low, (low + high - length) / 2, high - length)
    return list(dict.fromkeys(min(max(s, room), limit - room - length) for s in starts))


def beside(face: Rect, size_wh: Size, frame_wh: Size, gap: float) -> Iterator[Rect]:
    """Places right of, left of, below and above a face that lie inside the frame, best first."""
    x1, y1, x2, y2 = face
    (w, h), (width, height), room = size_wh, frame_wh, gap / 2
    if h + 2 * room <= height:
        for x in (x2 + gap, x1 - gap - w):
            if x >= room and x + w + room <= width:
                yield from (_at(x, y, size_wh) for y in _aligned(y1, y2, h, height, room))
    if w + 2 * room <= width:
        for y in (y2 + gap, y1 - gap - h):
            if y >= room and y + h + room <= height:
                yield from (_at(x, y, size_wh) for x in _aligned(x1, x2, w, width, room))


def panels(
    faces: Sequence[Rect], sizes_wh: Sequence[Size], frame_wh: Size, gap: float
) -> list[Rect] | None:
    """Return a free place beside every face at once, or None when there is no such arrangement.

    The search goes through the combinations in order of preference, up to a limit.

    Args:
        faces: Visible parts of the face boxes.
        sizes_wh: Width and height of the panel of each face.
        frame_wh: Width and height of the image.
        gap: Between a face and its panel; half of it is kept free around everything else.
    """
    taken: list[Rect] = []
    tried = 0

    def place(i: int) -> bool:
        nonlocal tried
        if i == len(faces):
            return True
        for rect in beside(faces[i], sizes_wh[i], frame_wh, gap):
            tried += 1
            if tried > _MOST_TRIES:
                return False
            room = grown(rect, gap / 2)
            if not any(overlap(room, other) for other in (*faces, *taken)):
                taken.append(rect)
                if place(i + 1):
                    return True
                taken.pop()
        return False

    return taken if place(0) else None


def corner(face: Rect, size_wh: Size, frame_wh: Size, room: float) -> Rect | None:
    """Return the corner of the frame where a panel hides least of one face.

    None if over a sixth of it.
    """
    (w, h), (width, height) = size_wh, frame_wh
    if w + 2 * room > width or h + 2 * room > height:
        return None
    right, bottom = width - room - w, height - room - h
    spots = [_at(x, y, size_wh) for y in (bottom, room) for x in (right, room)]
    best = min(spots, key=lambda rect: overlap(rect, face))
    area = (face[2] - face[0]) * (face[3] - face[1])
    return best if overlap(best, face) <= area / 6 else None


def chips(
    faces: Sequence[Rect], sizes_wh: Sequence[Size], frame_wh: Size, gap: float
) -> list[Rect]:
    """Return a place for a small label at every face; where all is full, the least harmful one.

    Args:
        faces: Visible parts of the face boxes.
        sizes_wh: Width and height of the label of each face.
        frame_wh: Width and height of the image.
        gap: Between a face and its label.
    """
    taken: list[Rect] = []
    for i, (face, (w, h)) in enumerate(zip(faces, sizes_wh, strict=True)):
        x1, y1, x2, y2 = face
        others = [other for j, other in enumerate(faces) if j != i]
        rows = (y1 - gap - h, y2 + gap, y1 + gap, y2 - gap - h)
        cols = (x1, (x1 + x2 - w) / 2, x2 - w)
        spots = [(x, y) for y in rows for x in cols]
        spots += [(x, (y1 + y2 - h) / 2) for x in (x2 + gap, x1 - gap - w)]

        def harm(rect: Rect, face: Rect = face, others: list[Rect] = others) -> float:
            own = overlap(rect, face)
            return (
                own * 0.3
                + sum(overlap(rect, o) for o in others)
                + sum(4 * overlap(grown(rect, gap / 2), t) for t in taken)
            )

        inside = [
            _at(max(min(x, frame_wh[0] - w), 0), max(min(y, frame_wh[1] - h), 0), (w, h))
            for x, y in spots
        ]
        # Among equals the first: a small toll for every step down the list.
        costs = [harm(rect) + 0.02 * w * h * k for k, rect in enumerate(inside)]
        taken.append(inside[costs.index(min(costs))])
    return taken
