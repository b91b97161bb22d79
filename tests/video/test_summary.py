"""Shares, events and quality come out as the frames went in."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pyojeong.core.eyes import HeadPose
from pyojeong.core.labels import FER7
from pyojeong.video.summary import BINS, CHARTED, Summary, Timeline
from tests.video.made import expression, face, frames


def summed(results, **options):
    summary = Summary(FER7, **options)
    for result in results:
        summary.add(result)
    return summary.finish()


def test_shares_of_time_add_up_and_unclear_is_one_of_them():
    def made(i):
        if i < 50:
            return [face("happy")]
        return [face("sad")] if i < 75 else [face("sad", score=0.3)]

    told = summed(frames(101, made)).to_dict()
    (person,) = told["people"]
    assert person["share"] == pytest.approx(
        {"happy": 0.5, "sad": 0.25, "unclear": 0.25}
        | dict.fromkeys(("angry", "disgust", "fear", "neutral", "surprise"), 0.0)
    )
    assert person["seconds"] == pytest.approx(4.0)


def test_events_are_stretches_that_last():
    def made(i):
        return [face("happy" if i < 50 or i == 60 else "sad", score=0.6 + 0.001 * (i % 7))]

    events = summed(frames(100, made), hold_s=0.5).events
    assert [(e.label, round(e.start_s * 25), round(e.end_s * 25)) for e in events] == [
        ("happy", 0, 50),
        ("sad", 61, 99),
    ]
    assert round(events[0].best_s * 25) == 6
    assert events[0].score == pytest.approx(0.606)


def test_time_without_a_face_is_nobodys_time():
    def made(i):
        return [] if 25 <= i < 75 else [face("happy")]

    told = summed(frames(100, made)).to_dict()
    (person,) = told["people"]
    assert person["seconds"] == pytest.approx(48 / 25)
    assert told["quality"]["frames without a face"] == 50
    assert [(e["start_s"], e["end_s"]) for e in told["events"]] == [(0.0, 0.96), (3.0, 3.96)]


def test_people_are_kept_apart():
    told = summed(frames(30, lambda _: [face("happy", 1), face("sad", 2, x=100)])).to_dict()
    shares = {p["track_id"]: p["share"] for p in told["people"]}
    assert shares[1]["happy"] == shares[2]["sad"] == 1.0


def test_quality_counts_what_makes_faces_worth_less():
    turned = {"pose": HeadPose(0.9, 0, 0), "luma": 0.1}
    told = summed(frames(10, lambda i: [face(openness=0.9, **(turned if i < 4 else {}))])).to_dict()
    assert told["quality"]["low light"] == 4
    assert told["quality"]["turned away"] == 4
    assert told["quality"]["small"] == 0
    assert told["quality"]["faces"] == 10


def test_smoothed_scores_are_judged_when_there_are_any():
    results = frames(30, lambda _: [face("happy", smoothed=expression("sad"))])
    assert summed(results).to_dict()["people"][0]["share"]["sad"] == 1.0
    raw = summed(results, use_smoothed=False)
    assert raw.to_dict()["people"][0]["share"]["happy"] == 1.0


def test_blinks_are_counted_per_minute():
    def made(i):
        return [face(openness=0.05 if i % 250 in range(100, 104) else 0.9)]

    (person,) = summed(frames(1500, made)).to_dict()["people"]
    assert person["blinks"] == 6
    assert person["blinks_per_minute"] == pytest.approx(6, abs=0.05)
    assert person["eyes_closed_s"] == pytest.approx(6 * 4 / 25, abs=0.01)


@pytest.mark.parametrize("length", [10, 500, 90_000])
def test_a_timeline_keeps_means_however_long_it_gets(length):
    timeline = Timeline(2, start_s=5.0)
    for i in range(length):
        timeline.add(5.0 + i / 25, np.array([i / length, math.nan]))
    times, means = timeline.means()
    assert len(times) <= BINS
    assert np.isnan(means[:, 1]).all()
    known = np.isfinite(means[:, 0])
    expected = (times[known] - 5.0) * 25 / length
    assert np.abs(means[known, 0] - expected).max() < 1.5 * timeline.bin_s * 25 / length + 1e-9


def test_memory_does_not_grow_with_the_clip():
    import tracemalloc

    summary = Summary(FER7)
    seen = frames(1, lambda _: [face("happy", openness=0.9)])[0]

    def feed(first, past):
        for i in range(first, past):
            summary.add(replace(seen, index=i, time_s=i / 25))

    feed(0, 3000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    feed(3000, 9000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000


def test_people_who_are_seen_for_seconds_cost_little():
    """An hour with a cut every 19 seconds: 190 people."""
    import tracemalloc

    summary = Summary(FER7)
    seen = frames(1, lambda _: [face("happy", openness=0.9)])[0]
    tracemalloc.start()
    for person in range(190):
        (shown,) = seen.faces
        shown = replace(shown, track_id=person)
        for i in range(0, 475, 5):
            summary.add(replace(seen, time_s=person * 19 + i / 25, faces=(shown,)))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 3_000_000


def test_those_who_were_seen_longest_keep_whole_timelines():
    rng = np.random.default_rng(4)
    summary = Summary(FER7)
    (shown,) = frames(1, lambda _: [face("happy")])[0].faces
    time_s = 0.0
    counts = rng.permutation(np.arange(10, 10 + 3 * CHARTED))
    for person, count in enumerate(counts):
        for _ in range(int(count)):
            time_s += 0.5
            result = frames(1, lambda _: [])[0]
            faces = (replace(shown, track_id=person),)
            summary.add(replace(result, time_s=time_s, faces=faces))
        time_s += 12.0
    summary.finish()
    ranked = sorted(summary.people.values(), key=lambda p: (-p.seconds, p.track_id))
    for person in ranked[:CHARTED]:
        times, means = person.scores.means()
        assert np.isfinite(means[:, 0]).sum() == person.frames
        assert times[0] == pytest.approx(person.first_s, abs=0.1)
    assert sum(len(p.scores.means()[0]) == 0 for p in ranked) > CHARTED
