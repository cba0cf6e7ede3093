"""Kernels of the rules that need the whole log: repeats, k-core, minimum history."""

import numpy as np

from mu_kernels.compile import kernel


@kernel
def drop_repeats(indptr, items, n_items, keep):
    """Clears `keep` at each play of a track that its user has played before; returns the number cleared."""
    last_user = np.full(n_items, -1, np.int64)
    n_dropped = 0
    for user in range(len(indptr) - 1):
        for at in range(indptr[user], indptr[user + 1]):
            if not keep[at]:
                continue
            if last_user[items[at]] == user:
                keep[at] = False
                n_dropped += 1
            else:
                last_user[items[at]] = user
    return n_dropped


@kernel
def drop_rare(indptr, items, n_items, user_minimum, track_minimum, keep) -> int:
    """Clears `keep` of users and tracks with fewer kept plays than their minimum, until none is left.

    Returns:
      The number of plays cleared.
    """
    n_users = len(indptr) - 1
    of_user = np.zeros(n_users, np.int64)
    of_track = np.zeros(n_items, np.int64)
    for user in range(n_users):
        for at in range(indptr[user], indptr[user + 1]):
            if keep[at]:
                of_user[user] += 1
                of_track[items[at]] += 1
    n_dropped = 0
    changed = True
    while changed:
        changed = False
        for user in range(n_users):
            if of_user[user] == 0:
                continue
            whole = of_user[user] < user_minimum
            for at in range(indptr[user], indptr[user + 1]):
                if keep[at] and (whole or of_track[items[at]] < track_minimum):
                    keep[at] = False
                    of_user[user] -= 1
                    of_track[items[at]] -= 1
                    n_dropped += 1
                    changed = True
    return n_dropped
