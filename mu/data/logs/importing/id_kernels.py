"""Kernels that number ids: a hash table with open addressing and linear probing."""

import numpy as np

from mu_kernels.compile import kernel
from mu_kernels.hashing import mix

EMPTY = -1


@kernel
def look_up(keys, start, table_keys, table_ids, n_known, limit, out, first):
    """Dense ids of `keys[start:]`, new keys numbered from `n_known` on; open addressing, linear probing.

    `first[i]` receives the position of the i-th new key. Stops before the table holds more than `limit` keys.

    Returns:
      (position reached, number of new keys): the caller grows the table and calls again until all are done.
    """
    mask = len(table_keys) - 1
    n_new = 0
    for at in range(start, len(keys)):
        key = keys[at]
        slot = _slot_hash(key) & mask
        while table_ids[slot] != EMPTY and table_keys[slot] != key:
            slot = (slot + 1) & mask
        if table_ids[slot] == EMPTY:
            if n_known + n_new == limit:
                return at, n_new
            table_keys[slot] = key
            table_ids[slot] = n_known + n_new
            first[n_new] = at
            n_new += 1
        out[at] = table_ids[slot]
    return len(keys), n_new


@kernel
def refill(keys, table_keys, table_ids):
    """Enters distinct `keys` with ids 0, 1, ... into an empty table."""
    mask = len(table_keys) - 1
    for at in range(len(keys)):
        slot = _slot_hash(keys[at]) & mask
        while table_ids[slot] != EMPTY:
            slot = (slot + 1) & mask
        table_keys[slot] = keys[at]
        table_ids[slot] = at


@kernel
def _slot_hash(key):
    """The hash of a key, not negative: neighbouring ids must not fall into neighbouring slots."""
    return np.int64(mix(np.uint64(key)) >> np.uint64(1))
