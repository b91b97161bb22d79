"""What NumPy raises on damaged arrays is known."""

import io

import numpy as np
import pytest

from pyojeong.core.array_files import UNREADABLE_ARRAY


@pytest.mark.filterwarnings("ignore")
def test_every_damaged_byte_of_an_array_file_is_read_or_is_a_known_error() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(5, dtype=np.uint64))
    whole = buffer.getvalue()
    damaged = [whole[:length] for length in range(len(whole))]
    for value in b"\x00(['\"\\#9":
        damaged += [whole[:i] + bytes([value]) + whole[i + 1 :] for i in range(len(whole))]
    failed = 0
    for data in damaged:
        try:
            set(np.load(io.BytesIO(data), allow_pickle=False).tolist())
        except UNREADABLE_ARRAY:
            failed += 1
    assert failed > len(whole)
