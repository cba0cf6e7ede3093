"""Counted random numbers of the simulation: each is a hash of (seed, listener, play or session, purpose).

A listener's plays of a week depend neither on the other listeners' plays of that week, nor on threads, nor on how the
work is cut.
"""

import numpy as np

from mu_kernels.compile import kernel
from mu_kernels.hashing import GOLDEN, column_word, fraction, mix

# Purposes. DAY to SHUFFLE count sessions, the others plays; SLOT and SHUFFLE have one for each of up to 100 places of a
# slate, a choice by taste uses CHOICE + 3 * try + (0, 1, 2).
NEW_SESSION, COMPONENT, PICK, FINISH, SHARE, PAUSE = range(6)
DAY, HOUR, CONTEXT, EXAMINE, ACCEPT, SLOT, SHUFFLE, CHOICE = 6, 7, 8, 9, 10, 32, 160, 288
DRAWS_PER_PLAY = 1 << 24


@kernel
def row_key(seed, row):
    """The key of a listener, or of a row that is sampled."""
    return mix(mix(np.uint64(seed) + GOLDEN) + np.uint64(row))


@kernel
def random(key, play, purpose):
    """A float64 in [0, 1) from 53 bits of hash(key, play, purpose)."""
    counter = np.uint64(play) * np.uint64(DRAWS_PER_PLAY) + np.uint64(purpose)
    return fraction(column_word(np.uint64(key), counter))
