"""Logs in memory, of given plays or of random ones with repeats and weights."""

import numpy as np

from mu.data.logs.interactions import Interactions


def log_of(rows, n_items):
    """The plays of each user, in order; each weighs 1."""
    indptr = np.append(0, np.cumsum([len(row) for row in rows]))
    items = np.array([item for row in rows for item in row], np.int32)
    return Interactions(indptr, items, np.arange(len(items)), np.ones(len(items), np.float32), n_items)


def weighted_log(n_users, n_items, seed=0):
    """1 to 9 plays of each user, with repeats, that weigh 1 to 7, no whole numbers."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 10, n_users)
    items = random.integers(0, n_items, lengths.sum()).astype(np.int32)
    weights = random.uniform(1, 7, len(items)).astype(np.float32)
    return Interactions(np.append(0, np.cumsum(lengths)), items, np.arange(len(items)), weights, n_items)
