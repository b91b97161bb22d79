"""Stride, batches, threads and interruptions never change what is said of a frame."""

from dataclasses import replace

import numpy as np
import pytest

from pyojeong.core.errors import BadArray, VideoUnreadable
from pyojeong.core.face import Box, Expression, Face
from pyojeong.core.labels import FER7
from pyojeong.image.files import read_image
from pyojeong.output.clip_file import ClipFile
from pyojeong.runtime.golden import PICTURES
from pyojeong.stream.pipeline import nearest, read_frames
from pyojeong.stream.segments import Selection
from pyojeong.stream.source import Clip
from pyojeong.stream.track import Tracker
from tests.video.made import make_clip


class FakeFrame:
    """A frame whose pixels say which frame it is and where two people are."""

    def __init__(self, index, scene=0):
        self.index = index
        self.time_s = index / 25
        self.scene = scene

    def thumbnail(self):
        rng = np.random.default_rng(self.scene)
        return rng.uniform(0, 255, (18, 32)).astype(np.float32)

    def pixels(self):
        image = np.zeros((60, 100, 3), np.uint8)
        image[0, 0] = (self.index // 256, self.index % 256, self.scene)
        return image


def people_at(index, scene):
    """Boxes of who is there: one from the start, one more from frame 23 on."""
    out = [Face(Box(10 + index / 4, 10, 30 + index / 4, 30), 0.9)]
    if index >= 23:
        out.append(Face(Box(70, 30, 88, 48), 0.8))
    return tuple(out)


class FakeAnalyzer:
    """Reads the frame's number out of its pixels; follows people like a real detector."""

    model_ids = ("fake",)

    def __init__(self, *, loses=()):
        self.detector = self
        self.loses = set(loses)
        self.searched = []

    id = "fake"

    @staticmethod
    def number(image):
        return int(image[0, 0, 0]) * 256 + int(image[0, 0, 1]), int(image[0, 0, 2])

    def detect(self, image):
        index, scene = self.number(image)
        self.searched.append(index)
        return people_at(index, scene)

    def follow(self, image, faces):
        index, scene = self.number(image)
        if index in self.loses:
            return (None,) * len(faces)
        now = people_at(index, scene)
        return tuple(now[: len(faces)])

    def read_faces(self, image, faces):
        index, _ = self.number(image)
        scores = np.full(7, 0.1, np.float32)
        scores[index % 7] = 0.4
        return tuple(replace(f, expression=Expression(scores, FER7)) for f in faces)


def clip(length=60, cuts=()):
    scene = 0
    for index in range(length):
        scene += index in cuts
        yield FakeFrame(index, scene)


def read(length=60, *, cuts=(), loses=(), after=None, tracker=None, workers=2, **selection):
    analyzer = FakeAnalyzer(loses=loses)
    chunks = list(
        read_frames(
            clip(length, cuts),
            analyzer,
            "clip",
            selection=Selection(**selection),
            workers=workers,
            tracker=tracker,
            after=after,
        )
    )
    return [r for c in chunks for r in c.results], chunks, analyzer


def by_index(results):
    return {r.index: r for r in results}


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("stride", [1, 2, 3, 7, 30])
def test_stride_and_threads_change_no_row(stride, workers):
    everything = by_index(read(cuts=(31,), loses={13, 14, 44})[0])
    some = by_index(read(cuts=(31,), loses={13, 14, 44}, stride=stride, workers=workers)[0])
    assert list(some) == list(range(0, 60, stride))
    assert all(some[i] == everything[i] for i in some)


def test_every_frame_gets_a_result_in_order():
    results, _, _ = read(stride=1)
    assert [r.index for r in results] == list(range(60))
    assert [r.time_s for r in results] == [i / 25 for i in range(60)]
    assert all(r.faces for r in results)


def test_faces_are_searched_on_key_frames_only():
    _, _, analyzer = read(stride=1, detect_every=5)
    assert sorted(analyzer.searched) == list(range(0, 60, 5))


def test_a_lost_face_is_searched_for_at_once_and_keeps_its_number():
    results, _, analyzer = read(loses={12})
    assert 12 in analyzer.searched
    assert [f.track_id for f in results[12].faces] == [1]


def test_a_newcomer_between_key_frames_is_found_on_the_next_and_numbered():
    results, _, _ = read()
    assert [len(results[i].faces) for i in (22, 23, 24, 25)] == [1, 1, 1, 2]
    assert {f.track_id for f in results[30].faces} == {1, 2}


def test_a_newcomer_seen_early_gets_the_number_of_the_next_key_frame():
    results, _, _ = read(loses={24})  # frame 24 is searched and shows the newcomer
    assert {f.track_id for f in results[24].faces} == {1, 2}


def test_a_cut_begins_new_numbers_and_a_key_frame():
    results, _, analyzer = read(cuts=(32,))
    assert 32 in analyzer.searched
    before = {f.track_id for f in results[31].faces}
    after = {f.track_id for f in results[32].faces}
    assert not before & after


@pytest.mark.parametrize("stop", [0, 1, 4, 7])
def test_going_on_after_an_interruption_gives_the_rest_exactly(stop):
    whole, chunks, _ = read(cuts=(31,), loses={13, 44})
    done = [r for c in chunks[: stop + 1] for r in c.results]
    tracker = Tracker.from_dict(chunks[stop].tracker)
    rest, _, _ = read(cuts=(31,), loses={13, 44}, after=chunks[stop].key, tracker=tracker)
    assert done + rest == whole


def test_start_and_end_choose_by_time():
    results, _, _ = read(start_s=0.5, end_s=1.0)
    assert [r.index for r in results] == list(range(13, 25))


def test_frames_per_second_choose_the_first_of_every_slot():
    results, _, _ = read(fps=5)
    assert [r.index for r in results] == list(range(0, 60, 5))


def test_an_error_in_a_worker_comes_out():
    class Broken(FakeAnalyzer):
        def read_faces(self, image, faces):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        list(read_frames(clip(), Broken(), "clip"))


def test_nearest_gives_every_known_face_away_once():
    def at(x, size=10.0):
        return Face(Box(x, 0, x + size, size), 1.0)

    known = (at(0), at(20))
    assert nearest((at(2), at(21), at(1)), known) == (None, 1, 0)
    assert nearest((at(0, 40.0),), known) == (None,)
    assert nearest((), known) == ()


def test_read_video_is_the_whole_thing_in_one_call(tmp_path):
    from pyojeong import read_video

    clip = make_clip(tmp_path / "walk.mp4", frames=12)
    results = list(read_video(clip, stride=3))
    assert [r.index for r in results] == [0, 3, 6, 9]
    assert all(f.track_id == 1 and f.expression.top[0] == "happy" for r in results for f in r.faces)
    with pytest.raises(VideoUnreadable, match="No such file"):
        next(read_video(tmp_path / "none.mp4"))
    with pytest.raises(BadArray, match="stride"):
        next(read_video(clip, stride=0))


@pytest.mark.data
def test_real_clip_does_not_depend_on_stride_or_threads(shared):
    from pyojeong import Analyzer

    analyzer = Analyzer(threads=1, eyes=True)
    path = shared / "data" / "clips" / "single_face.mp4"

    def rows(**options):
        with Clip(path) as opened:
            chunks = read_frames(opened, analyzer, "clip", **options)
            return by_index([r for c in chunks for r in c.results])

    everything = rows(workers=1)
    assert len(everything) == 72
    assert all(len(r.faces) == 1 for r in everything.values())
    assert {f.track_id for r in everything.values() for f in r.faces} == {1}
    assert all(
        f.eyes is not None and f.luma is not None for r in everything.values() for f in r.faces
    )
    for stride in (3, 7):
        some = rows(workers=2, selection=Selection(stride=stride))
        assert some == {i: everything[i] for i in range(0, 72, stride)}


@pytest.mark.data
def test_following_loses_no_face_of_real_clips(shared):
    """The measured claim behind ``detect_every = 5``: as many faces as with a search every time."""
    from pyojeong import Analyzer

    analyzer = Analyzer(threads=1)
    path = shared / "data" / "clips" / "noface_face.mov"

    def counts(every):
        with Clip(path) as opened:
            chunks = read_frames(opened, analyzer, "clip", selection=Selection(detect_every=every))
            return [len(r.faces) for c in chunks for r in c.results]

    assert counts(5) == counts(1)


def crossing_clip(path, frames=100):
    """Two people walk past one another; the one in front hides the other for a while."""
    picture = read_image(PICTURES / "astronaut.jpg")[20:280, 130:330]
    one = np.ascontiguousarray(picture[::2, ::2])
    other = np.ascontiguousarray(one[:, ::-1, [2, 0, 1]] // 2 + 60)
    height, width = one.shape[:2]
    with ClipFile(path, (640, 240), rate=25) as file:
        for i in range(frames):
            canvas = np.full((240, 640, 3), (150, 155, 160), np.uint8)
            share = i / (frames - 1)
            back, front = round(30 + 500 * share), round(530 - 500 * share)
            canvas[60 : 60 + height, back : back + width] = one
            canvas[70 : 70 + height, front : front + width] = other
            file.write(canvas, i / 25)
    return path


def test_people_who_pass_one_another_keep_their_numbers(tmp_path):
    from pyojeong import read_video

    results = list(read_video(crossing_clip(tmp_path / "cross.mp4")))

    def number_near(result, x):
        faces = sorted(result.faces, key=lambda f: abs((f.box.x1 + f.box.x2) / 2 - x))
        return faces[0].track_id

    assert {f.track_id for r in results for f in r.faces} == {1, 2}
    first, last = results[0], results[-1]
    assert len(first.faces) == len(last.faces) == 2
    assert number_near(first, 80) == number_near(last, 580)  # walked to the right
    assert number_near(first, 580) == number_near(last, 80)  # and to the left
