"""Blinks: found where they are, trembling and winks and holes are none."""

import numpy as np
import pytest

from pyojeong.stream.blinks import BlinkCounter


def closures(values, rate=30.0):
    counter = BlinkCounter(1)
    found = []
    for i, value in enumerate(values):
        pair = value if isinstance(value, tuple) or value is None else (value, value)
        closure = counter.add(i / rate, pair)
        if closure is not None:
            found.append(closure)
    return found, counter


def with_blinks(starts, length, total=300, opened=0.95, closed=0.1):
    values = [opened] * total
    for start in starts:
        values[start : start + length] = [closed] * length
    return values


@pytest.mark.parametrize("length", [1, 4, 10])
def test_blinks_are_found_with_begin_and_length(length):
    found, _ = closures(with_blinks([40, 100, 170], length))
    assert [round(c.start_s * 30) for c in found] == [40, 100, 170]
    assert all(c.blink and round(c.length_s * 30) == length for c in found)


def test_a_long_closure_is_no_blink():
    (closure,), _ = closures(with_blinks([50], 30))
    assert not closure.blink
    assert closure.length_s == pytest.approx(1.0)


def test_eyes_that_tremble_while_closed_count_once():
    rng = np.random.default_rng(0)
    values = [0.95] * 60 + list(rng.uniform(0.05, 0.4, 60)) + [0.95] * 30
    found, _ = closures(values)
    assert len(found) == 1


def test_closed_from_the_first_frame_on():
    found, _ = closures([0.1] * 90 + [0.9] * 30)
    assert [c.start_s for c in found] == [0.0]
    assert not found[0].blink


def test_a_wink_is_no_blink():
    found, _ = closures([(0.9, 0.9)] * 30 + [(0.9, 0.05)] * 5 + [(0.9, 0.9)] * 30)
    assert found == []


def test_narrow_eyes_still_blink():
    found, _ = closures(with_blinks([60], 4, opened=0.6, closed=0.1))
    assert len(found) == 1


@pytest.mark.parametrize("behind", [[], [None] * 20 + [0.9] * 5])
def test_eyes_that_stay_closed_to_the_end_or_to_a_hole_are_closed_eyes(behind):
    found, counter = closures([0.9] * 30 + [0.1] * 30 + behind)
    last = counter.finish()
    (closure,) = [*found, *([last] if last is not None else [])]
    assert not closure.blink
    assert (closure.start_s, closure.end_s) == pytest.approx((1.0, 59 / 30))


def test_a_closure_of_a_moment_at_the_end_is_no_blink():
    _, counter = closures([0.9] * 30 + [0.1] * 3)
    assert counter.finish() is None


def test_a_hole_in_the_measurement_is_no_blink():
    values = [0.9] * 30 + [0.1] * 2 + [None] * 20 + [0.9] * 30
    found, counter = closures(values)
    assert found == []
    assert counter.measured_s == pytest.approx((30 + 2 + 30 - 2) / 30, abs=0.04)


def test_letting_go_of_what_is_too_old_changes_no_answer():
    rng = np.random.default_rng(1)
    values = with_blinks([40, 700, 800, 1200], 5, total=1500)
    values = list(np.array(values) + rng.normal(0, 0.02, len(values)))
    expected, _ = closures(values)
    counter = BlinkCounter(1)
    found = []
    for i, value in enumerate(values):
        counter.forget(i / 30)
        closure = counter.add(i / 30, (value, value))
        found += [] if closure is None else [closure]
    assert found == expected
    assert len(found) == 4
    counter.forget(1e6)
    assert not counter._usual
