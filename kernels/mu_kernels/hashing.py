"""Counted randomness: SplitMix64 hashes of (seed, step, row, column) in place of a generator with a state.

Every function is a kernel, so other kernels call it; `mix_array` is `mix` for NumPy arrays. All words are uint64 and
wrap around.
"""

import numpy as np

from mu_kernels.compile import kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the increment of SplitMix64: 2**64 over the golden ratio
HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


def mix_array(words):
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014; Stafford's variant 13): uint64 [n] to uint64 [n]."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


mix = kernel(mix_array)  # of one word, in a kernel


@kernel
def stream(seed, step, row):
    """The stream of a row: column i has the word `column_word(stream, i)`."""
    key = mix(mix(seed + GOLDEN) ^ (step * GOLDEN + GOLDEN))
    return mix(key ^ (row * GOLDEN + GOLDEN))


@kernel
def column_word(stream, column):
    """The random word of a column; `stream` may be moved on by c columns as `stream + c * GOLDEN`."""
    return mix(stream + (np.uint64(column) + np.uint64(1)) * GOLDEN)


@kernel
def below(word, n):
    """An integer in [0, n) from a random word: the upper half of the 128-bit product; n is uint64, less than 2**31."""
    carry = ((word & LOW) * n) >> HALF  # no partial sum overflows
    return ((word >> HALF) * n + carry) >> HALF


@kernel
def fraction(word):
    """A float64 in [0, 1) from the upper 53 bits of a random word."""
    return np.float64(word >> np.uint64(11)) * 2.0**-53
