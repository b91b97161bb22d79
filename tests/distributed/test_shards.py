"""Shares of a list: every input in one of them, whatever the order of the list is."""

import pytest

from pyojeong.core.errors import InputError
from pyojeong.core.shards import KEY_BYTES, Shard, content_key


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_input_is_in_one_shard(count: int) -> None:
    keys = [content_key(f"folder/{i}.jpg") for i in range(300)]
    taken = [[s for s in range(1, count + 1) if Shard(s, count).takes(key)] for key in keys]
    assert all(len(shards) == 1 for shards in taken)
    sizes = [sum(shard in shards for shards in taken) for shard in range(1, count + 1)]
    assert min(sizes) > 0.6 * 300 / count


def test_keys_follow_from_names_alone() -> None:
    assert len(content_key("a.jpg")) == KEY_BYTES
    assert content_key("x//a.jpg") == content_key("x/./a.jpg") == content_key("x/y/../a.jpg")
    assert content_key("x/a.jpg") != content_key("x/A.jpg")
    assert content_key("s3://b//a.jpg") != content_key("s3://b/a.jpg")
    assert content_key("\udcff.jpg") != content_key("\udcfe.jpg")


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "1", "1/0", "-1/2", "a/b", "1/2/3", "1.0/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected INDEX/COUNT"):
        Shard.from_text(text)


def test_text_and_back() -> None:
    assert str(Shard.from_text(" 2/8 ")) == "2/8"
