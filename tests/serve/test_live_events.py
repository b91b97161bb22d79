"""Events of a live image: people come and go, labels change, eyes close, recordings begin."""

from pyojeong.core.face import FrameResult
from pyojeong.serve.live_events import LiveEvents
from tests.video.made import expression, face, frames


def markers(results, recording=lambda _: ""):
    """(index of the frame, event) of all frames, and the events of the end."""
    events = LiveEvents()
    found = [(r.index, e) for r in results for e in events.add(r, recording=recording(r.index))]
    return found, events.finish()


def test_people_appear_and_disappear_a_second_after_they_were_last_seen():
    there = frames(60, lambda i: [face(track=1)] + [face(track=2)] * (10 <= i < 20))
    found, end = markers(there)
    assert found == [
        (0, "person/1/appears"),
        (0, "person/1/label/happy"),
        (10, "person/2/appears"),
        (10, "person/2/label/happy"),
        (45, "person/2/disappears"),  # last seen on frame 19, 25 a second
    ]
    assert end == ["person/1/disappears"]


def test_a_short_absence_is_no_event():
    found, _ = markers(frames(60, lambda i: [] if 10 <= i < 30 else [face()]))
    assert [e for _, e in found] == ["person/1/appears", "person/1/label/happy"]


def test_who_comes_back_appears_again():
    found, _ = markers(frames(90, lambda i: [] if 10 <= i < 60 else [face()]))
    assert [e for _, e in found] == [
        "person/1/appears",
        "person/1/label/happy",
        "person/1/disappears",
        "person/1/appears",
        "person/1/label/happy",
    ]


def test_labels_are_the_smoothed_ones():
    def made(i):
        return [face("sad" if i % 2 else "happy", smoothed=expression("sad" if i > 5 else "fear"))]

    found, _ = markers(frames(10, made))
    assert found[1:] == [(0, "person/1/label/fear"), (6, "person/1/label/sad")]
    unclear, _ = markers(frames(3, lambda i: [face(score=0.7 if i == 0 else 0.3)]))
    assert unclear[2] == (1, "person/1/label/unclear")


def test_blinks_and_closed_eyes_come_when_the_eyes_open():
    def made(i):
        closed = 20 <= i < 24 or 50 <= i < 70
        return [face(openness=0.1 if closed else 0.95)]

    found, end = markers(frames(90, made))
    assert found[2:] == [(24, "person/1/blink/160ms"), (70, "person/1/eyes-closed/800ms")]
    assert end == ["person/1/disappears"]


def test_eyes_that_are_still_closed_at_the_end_count():
    _, end = markers(frames(50, lambda i: [face(openness=0.1 if i >= 25 else 0.95)]))
    assert end == ["person/1/eyes-closed/960ms", "person/1/disappears"]


def test_recordings_begin_and_end_with_their_frames():
    names = ["", "a.csv", "a.csv", "b.csv", "", "c.csv"]
    found, end = markers(frames(6, lambda _: []), recording=names.__getitem__)
    assert found == [
        (1, "recording/starts/a.csv"),
        (3, "recording/ends/a.csv"),
        (3, "recording/starts/b.csv"),
        (4, "recording/ends/b.csv"),
        (5, "recording/starts/c.csv"),
    ]
    assert end == ["recording/ends/c.csv"]


def test_faces_without_a_number_or_an_expression_do_no_harm():
    plain = face(track=None)
    bare = FrameResult("c", 0, 0.0, (9, 9), (plain,))
    assert LiveEvents().add(bare) == []
