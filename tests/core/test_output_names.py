"""Names of results differ for all inputs, whatever the order in which they are given."""

import os
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.output_names import (
    MOST_BYTES,
    distinct_names,
    folded_name,
    name_candidates,
    shortened,
)


def test_folders_above_tell_files_of_one_name_apart() -> None:
    clips = ["sub-01/task.mp4", "sub-02/task.mp4", "y.mp4"]
    assert distinct_names(clips) == ["sub-01_task", "sub-02_task", "y"]
    deeper = [f"sub-0{i}/ses-1/func/task.mp4" for i in (1, 2)]
    assert distinct_names(deeper) == ["sub-01_ses-1_func_task", "sub-02_ses-1_func_task"]


def test_endings_tell_files_of_one_folder_apart() -> None:
    assert distinct_names(["a/x.mp4", "a/x.mov", "b/x.mp4"]) == ["x.mp4", "x.mov", "b_x"]
    endings = [".annotated.jpg", ".annotated.png"]
    assert distinct_names(["a/x.jpg", "a/x.png"], endings) == ["x", "x"]


def test_names_differ_where_case_and_normal_forms_do_not_count() -> None:
    names = distinct_names(["a/X.mp4", "b/x.mp4", "c/\u00e9.mp4", "d/e\u0301.mp4"])
    assert len({folded_name(name) for name in names}) == 4


PARTS = st.sampled_from(["a", "b", "A", "a_b", "b_a", "표정", "e\u0301", "\u00e9", "..x"])


@given(st.lists(st.lists(PARTS, min_size=1, max_size=4), min_size=1, max_size=8), st.randoms())
def test_all_names_differ_in_any_order(parts: list[list[str]], shuffle: random.Random) -> None:
    paths = list({f"/{'/'.join(p)}.mp4" for p in parts})
    names = dict(zip(paths, distinct_names(paths), strict=True))
    assert len({folded_name(name) for name in names.values()}) == len(paths)
    shuffle.shuffle(paths)
    assert dict(zip(paths, distinct_names(paths), strict=True)) == names


def test_candidates_are_no_folders_above_and_end_in_one_of_its_own() -> None:
    for path in ("..mp4", "a/...mp4", "/x"):
        assert all(name.strip(".") for name in name_candidates(path))
    assert name_candidates("a/x.mp4")[-1] != name_candidates("b/x.mp4")[-1]


def test_long_names_are_shortened_with_a_digest() -> None:
    one, two = ("표" * 80 + end for end in "ab")
    assert shortened("short") == "short"
    assert shortened(one) != shortened(two)
    assert len(os.fsencode(shortened(one))) <= MOST_BYTES
    shortened(one).encode("utf-8")  # no half characters
    assert len(os.fsencode(name_candidates(Path("k" * 251 + ".mp4"))[0])) <= MOST_BYTES
