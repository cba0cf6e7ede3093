"""A kernel that finds an order of plays in which every id appears for the first time in the order of ids."""

from mu_kernels.compile import kernel


@kernel
def emit_in_order(ids, offsets, next_ids, following, ready, n_ready, waiting, waits_behind, order, n_emitted) -> int:
    """Emits plays so that in each of K id spaces the ids first appear as 0, 1, 2, ...

    A play can be emitted when none of its ids is beyond the next new one of its space; a play that cannot waits for the
    first of its ids that is. Emitting a play only ever lets others be emitted, so no choice can lead astray.

    Args:
      ids: int64 [E, K].
      offsets: int64 [K], where the ids of each space begin in `waiting`.
      next_ids: int64 [K], the next new id of each space; advanced.
      following: int64 [E], the play that may follow only after this one, -1 for none.
      ready: int64 [>= E], a stack of plays to look at.
      n_ready: how many.
      waiting: int64, by id: the last play that waits for it, -1 for none.
      waits_behind: int64 [E], the play that waits for the same id, -1 for none.
      order: int64 [E], receives the plays from `n_emitted` on.
      n_emitted: how many are there.

    Returns:
      How many are there afterwards: fewer than all where there is no such order.
    """
    while n_ready > 0:
        n_ready -= 1
        play = ready[n_ready]
        blocked = -1
        for space in range(ids.shape[1]):
            if ids[play, space] > next_ids[space]:
                blocked = offsets[space] + ids[play, space]
                break
        if blocked >= 0:
            waits_behind[play] = waiting[blocked]
            waiting[blocked] = play
            continue
        order[n_emitted] = play
        n_emitted += 1
        if following[play] >= 0:
            ready[n_ready] = following[play]
            n_ready += 1
        for space in range(ids.shape[1]):
            if ids[play, space] == next_ids[space]:
                next_ids[space] += 1
                slot = offsets[space] + next_ids[space]
                woken = waiting[slot]
                waiting[slot] = -1
                while woken >= 0:
                    ready[n_ready] = woken
                    n_ready += 1
                    woken = waits_behind[woken]
    return n_emitted
