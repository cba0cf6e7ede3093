"""An order of the plays of a log that gives the same log when it is imported: the same ids, rows and vocabularies."""

import numpy as np

from mu.data.logs.exporting.order_kernels import emit_in_order
from mu.data.logs.interactions import Interactions


def import_order(log: Interactions) -> tuple[np.ndarray, bool]:
    """int64 [E]: the plays in an order in which users, tracks and values of event columns first appear by their ids.

    Plays of one user at one time keep their order, and so do the parts of a split, one after the other. Of event
    columns only values that are played count.

    Returns:
      The order, and whether it is one: a log whose ids were not given by first appearance has none, and its plays come
      by user then.
    """
    users = np.repeat(np.arange(log.n_users), log.lengths)
    if not log.has_times:
        return np.argsort(log.times, kind="stable"), True
    played = [np.unique(codes, return_inverse=True) for codes in log.columns.values()]
    spaces = [users, log.items, *(ranks for _, ranks in played)]
    sizes = [log.n_users, log.n_items, *(len(codes) for codes, _ in played)]
    n = len(log)
    ids = np.stack(spaces, axis=1).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(np.array(sizes) + 1)[:-1]]).astype(np.int64)
    next_ids = np.zeros(len(spaces), np.int64)
    waiting = np.full(int(sum(sizes)) + len(sizes), -1, np.int64)
    waits_behind, order = np.full(n, -1, np.int64), np.empty(n, np.int64)
    parts = np.zeros(n, np.uint8) if log.parts is None else log.parts
    emitted = 0
    for part in range(int(parts.max(initial=0)) + 1):
        plays = np.flatnonzero(parts == part)
        same = (np.diff(users[plays]) == 0) & (np.diff(log.times[plays]) == 0)
        following = np.full(n, -1, np.int64)
        following[plays[:-1][same]] = plays[1:][same]
        heads = plays[np.concatenate([[True], ~same])] if len(plays) else plays
        ready = np.empty(n, np.int64)
        ready[: len(heads)] = heads[::-1]
        due = emitted + len(plays)
        arguments = (ids, offsets, next_ids, following, ready, len(heads), waiting, waits_behind, order, emitted)
        emitted = emit_in_order(*arguments)
        if emitted < due:
            return np.argsort(parts, kind="stable"), False
    return order, True
