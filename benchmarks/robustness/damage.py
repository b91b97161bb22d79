"""Ways to damage bytes and text, each a function of a seeded generator."""

import random
from collections.abc import Callable

Damage = Callable[[random.Random, bytes], bytes]


def flip_one(rng: random.Random, data: bytes) -> bytes:
    """Flip a single bit."""
    out = bytearray(data)
    at = rng.randrange(8 * len(out))
    out[at // 8] ^= 1 << at % 8
    return bytes(out)


def flip_some(rng: random.Random, data: bytes) -> bytes:
    """Flip two to forty bits."""
    for _ in range(rng.randint(2, 40)):
        data = flip_one(rng, data)
    return data


def cut(rng: random.Random, data: bytes) -> bytes:
    """Leave out the end."""
    return data[: rng.randrange(len(data))]


def take_out(rng: random.Random, data: bytes) -> bytes:
    """Leave out a part in the middle."""
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randint(1, max(len(data) // 4, 1)) :]


def repeat(rng: random.Random, data: bytes) -> bytes:
    """Write a part twice."""
    start = rng.randrange(len(data))
    return data[:start] + data[start // 2 :]


def overwrite(rng: random.Random, data: bytes) -> bytes:
    """Put zeros, ones or noise over a part."""
    start, length = rng.randrange(len(data)), rng.randint(1, 64)
    new = rng.choice([b"\0" * length, b"\xff" * length, rng.randbytes(length)])
    return data[:start] + new[: len(data) - start] + data[start + length :]


def head(rng: random.Random, data: bytes) -> bytes:
    """Change bytes among the first hundred, where sizes and kinds stand."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        out[rng.randrange(min(100, len(out)))] = rng.randrange(256)
    return bytes(out)


def nothing(rng: random.Random, data: bytes) -> bytes:
    """Return noise of some length, or nothing."""
    return rng.randbytes(rng.choice([0, 1, 7, len(data) // 2 + 1]))


KINDS: tuple[Damage, ...] = (flip_one, flip_some, cut, take_out, repeat, overwrite, head, nothing)


def any_damage(rng: random.Random, data: bytes) -> bytes:
    """Apply one of ``KINDS``."""
    return rng.choice(KINDS)(rng, data or b"\0")


NUMBERS = ("NaN", "1e400", "-1", "0", "1e-300", "99999999999999999999", "true", "null", '""', "[]")


def other_number(rng: random.Random, text: str) -> str:
    """Put something odd in the place of a number of a JSON or TOML text."""
    places = [i for i, c in enumerate(text) if c.isdigit() and not text[i - 1].isalnum()]
    if not places:
        return text
    start = end = rng.choice(places)
    while end < len(text) and (text[end].isalnum() or text[end] in ".+-"):
        end += 1
    return text[:start] + rng.choice(NUMBERS) + text[end:]
