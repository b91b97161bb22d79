"""Who is who: in scenes of people whose paths are known, everybody keeps a number of their own."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyojeong.core.face import Box, Face
from pyojeong.stream.track import Tracker, TrackerOptions, appearance_descriptor
from tests.stream.made import patches

STEP = 0.2
"""Every fifth frame of 25 per second."""
SEEDS = range(40)


def face(x, y, size):
    return Face(Box(x - size / 2, y - 0.6 * size, x + size / 2, y + 0.6 * size), 0.9)


def hidden(path, begin, end):
    """A path that could not be seen for a while."""
    return lambda t: None if begin <= t < end else path(t)


def line(x, y, size, *, speed=0.0):
    return lambda t: (x + speed * t, y, size)


def play(people, seconds, *, seed=0, unlike=None, cuts=(), tracker=None, step=STEP):
    """Numbers of every person over time.

    Args:
        people: Name -> function of the time that gives (x, y, size), or None when unseen.
        seconds: Length.
        seed: Of looks, noise (3 % of a face's size) and the order of the faces.
        unlike: How much people differ in looks; None = any colours at all.
        cuts: Times at which a new scene begins.
        tracker: Goes on from its state.
        step: Time between frames.
    """
    chance = np.random.default_rng(seed)
    common = chance.uniform(0.2, 0.8, 48)
    looks = {
        name: chance.uniform(0, 1, 48) if unlike is None else common + chance.normal(0, unlike, 48)
        for name in people
    }
    tracker = tracker or Tracker()
    numbers = {name: [] for name in people}
    for tick in range(round(seconds / step)):
        time_s = tick * step
        seen = {name: path(time_s) for name, path in people.items()}
        names = [name for name in people if seen[name] is not None]
        chance.shuffle(names)
        faces, colors = [], []
        for name in names:
            x, y, size = np.array(seen[name]) + chance.normal(0, 0.03, 3) * seen[name][2]
            faces.append(face(x, y, size))
            noisy = looks[name] + chance.normal(0, 0.03, 48)
            colors.append(np.clip(noisy, 0, 1).astype(np.float32))
        cut = any(abs(time_s - c) < step / 2 for c in cuts)
        ids = tracker.update(faces, colors, time_s, cut=cut)
        assert len(ids) == len(set(ids)) == len(faces)
        for name, number in zip(names, ids, strict=True):
            numbers[name].append(number)
    return numbers


def runs(numbers):
    """A person's numbers without repetitions."""
    return [n for i, n in enumerate(numbers) if i == 0 or n != numbers[i - 1]]


def kept(numbers):
    """Whether everybody had one number, and nobody another's."""
    each = [set(ids) for ids in numbers.values()]
    return all(len(ids) == 1 for ids in each) and len(set().union(*each)) == len(each)


# --- scenes ---


@pytest.mark.parametrize("speed", [50, 100, 150, 200])
@pytest.mark.parametrize("gone", [0, 0.4, 0.8])
@pytest.mark.parametrize("unlike", [None, 0.1])
def test_two_people_cross(speed, gone, unlike):
    for seed in SEEDS:
        meet = 2 + np.random.default_rng(seed).uniform(0, STEP)
        front = line(320 - speed * meet, 200, 80, speed=speed)
        behind = line(320 + speed * meet, 205, 75, speed=-speed)
        people = {"front": front, "behind": hidden(behind, meet - gone / 2, meet + gone / 2)}
        assert kept(play(people, 4, seed=seed, unlike=unlike)), seed


def test_people_who_look_alike_are_told_apart_by_their_motion():
    good = 0
    for seed in SEEDS:
        meet = 2 + np.random.default_rng(seed).uniform(0, STEP)
        people = {
            "a": line(320 - 150 * meet, 180, 80, speed=150),
            "b": hidden(line(320 + 150 * meet, 210, 75, speed=-150), meet - 0.2, meet + 0.2),
        }
        good += kept(play(people, 4, seed=seed, unlike=0.02))
    assert good >= 0.8 * len(SEEDS)


@pytest.mark.parametrize("gone", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("speed", [0, 60, 160])
def test_short_losses_keep_the_number(gone, speed):
    for seed in SEEDS:
        begin = np.random.default_rng(seed).uniform(1, 2)
        path = hidden(line(100, 200, 80, speed=speed), begin, begin + gone - 1e-6)
        people = {"lost": path, "other": line(500 + speed, 300, 70)}
        assert kept(play(people, 4, seed=seed)), seed


@pytest.mark.parametrize("turn", [1, 2])
def test_someone_who_sways_and_is_lost_is_found(turn):
    for seed in SEEDS:
        begin = np.random.default_rng(seed).uniform(1, 3)

        def sway(t):
            return (300 + 60 * np.sin(turn * t), 200 + 20 * np.cos(2 * t), 80)

        assert kept(play({"a": hidden(sway, begin, begin + 0.6)}, 5, seed=seed)), seed


def test_someone_who_turns_round_out_of_sight_is_found():
    def path(t):
        return (100 + 300 * min(t, 4 - t), 200, 80)

    for seed in SEEDS:
        assert kept(play({"a": hidden(path, 1.7, 2.3)}, 4, seed=seed)), seed


def test_long_losses_end_a_track():
    people = {"a": hidden(line(100, 200, 80), 1, 2.3), "b": line(400, 200, 80)}
    numbers = play(people, 5)
    assert len(runs(numbers["a"])) == 2
    assert len(runs(numbers["b"])) == 1
    assert max(numbers["b"]) < max(numbers["a"])


@pytest.mark.parametrize("longest", [0.5, 1.0, 3.0])
def test_how_long_a_track_waits(longest):
    for away, same in ((longest, True), (longest + 0.05, False)):
        tracker = Tracker(TrackerOptions(max_lost_s=longest))
        looks = [np.full(48, 0.5, np.float32)]
        assert tracker.update([face(100, 100, 80)], looks, 5.0) == [1]
        assert tracker.known(face(100, 100, 80), looks[0], 5 + away) == (1 if same else None)
        assert tracker.update([], [], 5 + away / 2) == []
        assert tracker.update([face(100, 100, 80)], looks, 5 + away) == [1 if same else 2]


def test_newcomers_get_new_numbers():
    people = {
        "a": line(100, 200, 80),
        "b": hidden(line(320, 200, 80), 0, 1),
        "c": hidden(line(540, 200, 80), 0, 2),
    }
    for seed in SEEDS:
        numbers = play(people, 3, seed=seed)
        assert kept(numbers)
        assert [numbers[name][0] for name in "abc"] == [1, 2, 3]


def test_one_comes_where_another_goes():
    leaves = hidden(line(100, 200, 80, speed=50), 2, 99)
    comes = hidden(line(400, 200, 80, speed=50), 0, 2)
    assert kept(play({"leaves": leaves, "comes": comes}, 4))


def test_a_face_of_quite_another_size_is_somebody_else():
    near, far = line(200, 200, 160), line(200, 200, 60)
    assert kept(play({"near": hidden(near, 1, 9), "far": hidden(far, 0, 1)}, 2))


def test_a_cut_makes_everybody_new():
    people = {name: line(100 + 200 * i, 200, 80) for i, name in enumerate("abc")}
    numbers = play(people, 4, cuts=[2])
    for ids in numbers.values():
        assert len(ids) == 20
        assert (len(set(ids[:10])), len(set(ids[10:])), len(set(ids))) == (1, 1, 2)
    assert sorted(ids[-1] for ids in numbers.values()) == [4, 5, 6]


@pytest.mark.parametrize("step", [0.04, 0.1, STEP, 0.4])
def test_five_people(step):
    for seed in SEEDS[:20]:
        chance = np.random.default_rng(seed)
        people = {}
        for i in range(5):
            x, speed, size = chance.uniform(100, 1100), chance.uniform(-120, 120), 50 + 10 * i
            begin = chance.uniform(1, 5)
            path = line(x, 120 + 90 * i, size, speed=speed)
            people[i] = hidden(path, begin, begin + 0.35)
        assert kept(play(people, 6, seed=seed, step=step, unlike=0.1)), seed


def test_faces_that_keep_still_cannot_swap():
    people = {i: line(100 + 90 * i, 200, 80) for i in range(5)}  # shoulder to shoulder
    for seed in SEEDS:
        assert kept(play(people, 4, seed=seed, unlike=0.0)), seed


def test_nobody():
    tracker = Tracker()
    assert tracker.update([], [], 0.0) == []
    assert tracker.update([], [], 0.0, cut=True) == []
    assert tracker.known(face(10, 10, 20), np.zeros(48, np.float32), 0.0) is None


def test_a_point_is_a_face_too():
    looks = [np.zeros(48, np.float32)]
    tracker = Tracker()
    assert tracker.update([Face(Box(5, 5, 5, 5), 0.5)], looks, 0.0) == [1]
    assert tracker.update([Face(Box(5, 5, 5, 5), 0.5)], looks, 0.0) == [1]


# --- state ---

LOOK = st.integers(0, 5).map(lambda i: np.random.default_rng(i).uniform(0, 1, 48).astype("f4"))
SEEN = st.tuples(st.floats(0, 600), st.floats(0, 400), st.floats(20, 120), LOOK)
FRAMES = st.lists(
    st.tuples(st.floats(0, 0.7), st.sampled_from([False] * 5 + [True]), st.lists(SEEN, max_size=4)),
    max_size=12,
)


def numbered(tracker, frames, time_s=0.0):
    out = []
    for passed, cut, seen in frames:
        time_s += passed
        faces, looks = [face(*s[:3]) for s in seen], [s[3] for s in seen]
        out.append(tracker.update(faces, looks, time_s, cut=cut))
    return out, time_s


@settings(max_examples=60)
@given(FRAMES, FRAMES)
def test_a_saved_tracker_goes_on_exactly(before, after):
    tracker = Tracker()
    _, time_s = numbered(tracker, before)
    saved = json.loads(json.dumps(tracker.to_dict()))
    other = Tracker.from_dict(saved)
    assert other.to_dict() == tracker.to_dict() == saved
    assert numbered(other, after, time_s) == numbered(tracker, after, time_s)
    assert other.to_dict() == tracker.to_dict()


def test_frames_at_the_same_moment_give_no_endless_speed():
    tracker = Tracker()
    for k, time_s in enumerate((0.0, 5e-324, 1e-310)):
        looks = [np.zeros(48, np.float32)]
        assert tracker.update([face(50 + k, 50, 40)], looks, time_s) == [1]
    assert tracker.update([face(52, 50, 40)], looks, 0.1) == [1]


def test_a_saved_tracker_keeps_its_options():
    tracker = Tracker(TrackerOptions(max_lost_s=9))
    looks = [np.zeros(48, np.float32)]
    tracker.update([face(50, 50, 40)], looks, 0.0)
    assert Tracker.from_dict(tracker.to_dict()).update([face(50, 50, 40)], looks, 5.0) == [2]
    longer = Tracker.from_dict(tracker.to_dict(), TrackerOptions(max_lost_s=9))
    assert longer.update([face(50, 50, 40)], looks, 5.0) == [1]


@settings(max_examples=60)
@given(FRAMES)
def test_numbers_are_never_used_again(frames):
    greatest, alive = 0, set()
    for (_, cut, seen), ids in zip(frames, numbered(Tracker(), frames)[0], strict=True):
        assert len(ids) == len(set(ids)) == len(seen)
        alive = set() if cut else alive
        new = [n for n in ids if n not in alive]
        assert new == list(range(greatest + 1, greatest + 1 + len(new)))
        greatest += len(new)
        alive |= set(ids)


@settings(max_examples=60)
@given(FRAMES, SEEN, st.floats(0, 2))
def test_known_says_what_update_would_and_changes_nothing(frames, seen, later):
    tracker = Tracker()
    _, time_s = numbered(tracker, frames)
    state = tracker.to_dict()
    number = tracker.known(face(*seen[:3]), seen[3], time_s + later)
    assert tracker.to_dict() == state
    (given_now,) = tracker.update([face(*seen[:3])], [seen[3]], time_s + later)
    assert given_now == (state["next"] if number is None else number)


def test_callers_may_reuse_their_looks():
    looks = np.zeros(48, np.float32)
    tracker = Tracker()
    tracker.update([face(50, 50, 40)], [looks], 0.0)
    state = tracker.to_dict()
    looks[:] = 1
    assert tracker.to_dict() == state


# --- looks ---


def test_looks_are_the_colours_of_the_region():
    picture = patches(240, 320)
    looks = appearance_descriptor(picture, Box(80, 80, 160, 160))  # the gray patch
    assert (looks.shape, looks.dtype) == ((48,), np.float32)
    assert looks == pytest.approx(128 / 255, abs=0.01)
    both = appearance_descriptor(picture, Box(0, 0, 160, 80)).reshape(
        4, 4, 3
    )  # red left, green right
    assert both[1:3, 0] == pytest.approx(np.tile([230, 30, 30], (2, 1)) / 255, abs=0.05)
    assert both[1:3, 3] == pytest.approx(np.tile([30, 200, 40], (2, 1)) / 255, abs=0.05)


@pytest.mark.parametrize(
    "box",
    [Box(-50, -50, 30, 30), Box(1e4, 1e4, 1e4 + 5, 1e4 + 5), Box(5, 5, 5, 5), Box(0, 0, 1, 9)],
)
def test_looks_of_odd_boxes(box):
    looks = appearance_descriptor(patches(48, 64), box)
    assert looks.shape == (48,)
    assert ((looks >= 0) & (looks <= 1)).all()
