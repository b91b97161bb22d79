"""What differs between the records of two results, in few words."""

from pyojeong.core.result_key import differences, summary


def test_settings_are_named_with_both_values():
    lines = differences({"a": 1, "b": {"c": "x"}}, {"a": 1, "b": {"c": "y"}, "d": True})
    assert lines == ["b.c was 'x', is 'y'", "d was not given, is True"]


def test_tables_are_counted_and_not_printed():
    one = [{"label": "funny", "start_s": 1.0}]
    two = [*one, {"label": "plain", "start_s": 2.0}]
    assert differences({"events": one}, {"events": two}) == ["events was 1 entry, is 2 entries"]
    other = [{"label": "funny", "start_s": 1.5}]
    assert differences({"events": one}, {"events": other}) == [
        "events has other contents (1 entry)"
    ]
    assert differences({"events": None}, {"events": one}) == ["events was not given, is 1 entry"]


def test_long_lists_are_cut():
    (line,) = differences({"names": list("abcdef")}, {"names": []})
    assert line == "names was ['a', 'b', 'c', ... (6)], is []"
    assert summary(["a", "b", "c", "d", "e"]) == "a; b; c and 2 more"
