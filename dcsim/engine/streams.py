"""Named random streams: adding a component never shifts the draws of another."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_PER_BLOCK = 4  # Philox yields four 64-bit words a counter value.


class Streams:
    """Random generators keyed by the scenario's seed and a name."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def generator(self, *key: str | int) -> np.random.Generator:
        """Return a fresh generator of the stream ``key``; the same key always starts the same sequence."""
        return np.random.Generator(np.random.Philox(key=self._philox_key(key)))

    def normal(self, first: int, count: int, *key: str | int) -> NDArray[np.float64]:
        """Return the standard normal draws from number ``first`` of the stream ``key``, shape (count,).

        A draw depends on its number alone, so it is the same whether it is asked for alone or among others.
        """
        from scipy.special import ndtri  # a quarter of a second of imports that only jittered jobs need

        bits = np.random.Philox(key=self._philox_key(key))
        bits.advance(first // _PER_BLOCK)
        words = bits.random_raw(count + first % _PER_BLOCK)[first % _PER_BLOCK :]
        return np.asarray(ndtri(uniforms(words)), dtype=np.float64)

    def _philox_key(self, key: tuple[str | int, ...]) -> int:
        text = "\x1f".join([str(self._seed), *map(str, key)])
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def uniforms(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return numbers inside (0, 1) from random 64-bit ``words``, shape of ``words``.

    52 bits and a half: one bit more, and the largest word would round up to 1, whose normal draw is infinite.
    """
    return ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
