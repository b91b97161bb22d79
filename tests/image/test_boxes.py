"""Box algebra against hand-made numbers and a slow, obvious version of itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.image.boxes import area, clip, iou, nms, square

BOX = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 15), st.integers(0, 15))
BOXES = st.lists(BOX.map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])), min_size=1, max_size=12)


def covered(box):
    """The unit squares of a whole-number box."""
    x1, y1, x2, y2 = map(int, box)
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


def test_known_answers():
    a = np.array([[0, 0, 2, 2], [0, 0, 4, 1.0]])
    b = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6.0]])
    assert area(a).tolist() == [4, 4]
    assert iou(a, b) == pytest.approx(np.array([[1 / 7, 1, 0], [0, 2 / 6, 0]]))


@given(BOXES, BOXES)
def test_iou_counts_pixels(a, b):
    got = iou(np.array(a, float), np.array(b, float))
    for i, j in np.ndindex(got.shape):
        both, either = covered(a[i]) & covered(b[j]), covered(a[i]) | covered(b[j])
        assert got[i, j] == pytest.approx(len(both) / len(either) if either else 0)


def test_empty_and_inverted_boxes():
    odd = np.array([[3, 3, 3, 9], [5, 5, 2, 2.0]])
    assert area(odd).tolist() == [0, 0]
    assert iou(odd, odd).tolist() == [[0, 0], [0, 0]]
    none = np.zeros((0, 4))
    assert iou(none, odd).shape == (0, 2)
    assert nms(none, np.zeros(0), threshold=0.5) == []
    assert square(none).shape == clip(none, (5, 5)).shape == (0, 4)


def test_nms_known_answer():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [2, 2, 5, 5.0]])
    scores = np.array([0.8, 0.9, 0.1, 0.5])
    assert nms(boxes, scores, threshold=0.5) == [1, 3, 2]
    assert nms(boxes, scores, threshold=0.5, over_smaller=True) == [1, 2]
    assert nms(boxes, scores, threshold=0.9) == [1, 0, 3, 2]


def test_nms_keeps_the_order_of_equals():
    boxes = np.array([[0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10.0]])
    assert nms(boxes, np.full(3, 0.5), threshold=0.5) == [0, 1, 2]


@given(BOXES, st.floats(0, 1), st.randoms())
def test_nms_keeps_apart_and_drops_for_a_reason(boxes, threshold, chance):
    boxes = np.array(boxes, float)
    scores = np.array([chance.random() for _ in boxes])
    keep = nms(boxes, scores, threshold=threshold)
    assert scores[keep].tolist() == sorted(scores[keep], reverse=True)
    table = iou(boxes, boxes)
    for n, i in enumerate(keep):
        assert all(table[i, j] <= threshold + 1e-9 for j in keep[:n])
    for i in set(range(len(boxes))) - set(keep):
        assert any(table[i, j] > threshold - 1e-9 and scores[j] >= scores[i] for j in keep)


@given(BOXES)
def test_square_keeps_the_centre_and_the_longer_side(boxes):
    before = np.array(boxes, float)
    after = square(before)
    side = np.maximum(before[:, 2] - before[:, 0], before[:, 3] - before[:, 1])
    assert after[:, :2] + after[:, 2:] == pytest.approx(before[:, :2] + before[:, 2:])
    assert after[:, 2] - after[:, 0] == pytest.approx(side)
    assert after[:, 3] - after[:, 1] == pytest.approx(side)
    assert square(after) == pytest.approx(after)


def test_clip_known_answer():
    boxes = np.array([[-5, -5, 20, 20], [3, 2, 4, 9], [50, 50, 60, 60.0]], np.float32)
    got = clip(boxes, (10, 8))
    assert got.tolist() == [[0, 0, 10, 8], [3, 2, 4, 8], [10, 8, 10, 8]]
    assert got.dtype == np.float32
