"""Kernels of the import: numbering ids, sorting plays, dropping rare users and tracks, splitting integers."""

import numpy as np

from mu_kernels.compile import kernel
from mu_kernels.hashing import mix

EMPTY = -1
NEWLINE, RETURN, QUOTE = 10, 13, 34
FIELD_START, IN_FIELD, IN_QUOTES, AFTER_QUOTE = range(4)


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


@kernel
def take_slots(users, cursor, out):
    """The next free place in the row of each play's user, in input order; advances `cursor`."""
    for at in range(len(users)):
        user = users[at]
        out[at] = cursor[user]
        cursor[user] += 1


@kernel
def count_backwards(users, times, last):
    """Counts plays that are earlier than the previous play of the same user, whose time is in `last`; updates `last`.

    Returns:
      (count, position of the first or -1).
    """
    n, first = 0, -1
    for at in range(len(users)):
        user = users[at]
        if times[at] < last[user]:
            n += 1
            if first < 0:
                first = at
        last[user] = times[at]
    return n, first


@kernel
def scatter(values, slots, shift, out):
    """`out[slot + shift[slot]] = value`; an empty `shift` means zeros."""
    if len(shift) == 0:
        for at in range(len(slots)):
            out[slots[at]] = values[at]
    else:
        for at in range(len(slots)):
            out[slots[at] + shift[slots[at]]] = values[at]


@kernel
def any_unsorted(indptr, times):
    """Whether some row is not in order of time."""
    for row in range(len(indptr) - 1):
        for at in range(indptr[row] + 1, indptr[row + 1]):
            if times[at] < times[at - 1]:
                return True
    return False


@kernel
def sort_rows(first_row, stop_row, indptr, times, shift):
    """Sorts each row by time, stable; `shift[old place] = new - old place`."""
    for row in range(first_row, stop_row):
        start, stop = indptr[row], indptr[row + 1]
        ordered = True
        for at in range(start + 1, stop):
            if times[at] < times[at - 1]:
                ordered = False
                break
        if ordered:
            continue
        unsorted = times[start:stop].copy()
        order = stable_order(unsorted)
        for new in range(stop - start):
            old = order[new]
            times[start + new] = unsorted[old]
            shift[start + old] = new - old


@kernel
def stable_order(values):
    """int32: the stable argsort of `values`, by insertion sort in runs of 16 and merging.

    np.argsort(kind="mergesort") gives the same, and takes 3 s to compile.
    """
    n = len(values)
    order = np.arange(n).astype(np.int32)
    for start in range(0, n, 16):
        for at in range(start + 1, min(start + 16, n)):
            moving = order[at]
            place = at
            while place > start and values[order[place - 1]] > values[moving]:
                order[place] = order[place - 1]
                place -= 1
            order[place] = moving
    other = np.empty(n, np.int32)
    width = 16
    while width < n:
        for start in range(0, n, 2 * width):
            middle, stop = min(start + width, n), min(start + 2 * width, n)
            left, right = start, middle
            for at in range(start, stop):
                if left < middle and (right == stop or values[order[left]] <= values[order[right]]):
                    other[at] = order[left]
                    left += 1
                else:
                    other[at] = order[right]
                    right += 1
        order, other = other, order
        width *= 2
    return order


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
def drop_rare(indptr, items, n_items, user_minimum, track_minimum, keep):
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


@kernel
def find_records(data, separator, n_columns, line_of):
    """Finds the records of quoted CSV (RFC 4180) and checks them; `data` ends with a newline.

    `line_of[i]` receives the line of record i, from 0; it has room for one more than the lines of `data`.

    Returns:
      The number of records, or -1 if a record does not have `n_columns` fields, a quote is not at an end of its field,
      a carriage return is not part of the end of a record, or the last record does not end.
    """
    record, column, line = 0, 0, 0
    state = FIELD_START
    line_of[0] = 0
    for at in range(len(data)):
        byte = data[at]
        if state == IN_QUOTES:
            if byte == QUOTE:
                state = AFTER_QUOTE
            elif byte == NEWLINE:
                line += 1
            elif byte == RETURN:
                return -1
        elif byte == QUOTE:
            if state == IN_FIELD:
                return -1
            state = IN_QUOTES  # a field starts, or the second of two quotes stands for one
        elif byte == separator:
            column += 1
            if column == n_columns:
                return -1
            state = FIELD_START
        elif byte == NEWLINE:
            if column != n_columns - 1:
                return -1
            line += 1
            record += 1
            line_of[record] = line
            column, state = 0, FIELD_START
        elif byte == RETURN:
            if at + 1 == len(data) or data[at + 1] != NEWLINE:
                return -1
        elif state == AFTER_QUOTE:
            return -1
        else:
            state = IN_FIELD
    return record if state == FIELD_START and column == 0 else -1


@kernel
def split_integers(data, separator, n_columns, slot_of, out, integer):
    """Parses the whole numbers in lines of `n_columns` fields; each line ends with a newline.

    Column c goes to `out[slot_of[c]]` where `slot_of[c] >= 0`. `integer[slot]` is cleared where a field is not a whole
    number of at most 18 digits in canonical form (no sign +, no leading zero, no space), from which its text can be
    written again.

    Returns:
      The number of lines, or -1 where a line does not have `n_columns` fields.
    """
    row, column, at = 0, 0, 0
    slot = slot_of[0]
    value, n_digits, negative, plain = np.int64(0), 0, False, True
    for at in range(len(data)):
        byte = data[at]
        if byte == separator or byte == 10:
            if slot >= 0:
                if n_digits == 0 or n_digits > 18:
                    plain = False
                if not plain:
                    integer[slot] = False
                out[slot, row] = -value if negative else value
            if byte == 10:
                if column != n_columns - 1:
                    return -1
                row += 1
                column = 0
            else:
                column += 1
                if column == n_columns:
                    return -1
            slot = slot_of[column]
            value, n_digits, negative, plain = np.int64(0), 0, False, True
        elif slot >= 0 and plain:
            if byte >= 48 and byte <= 57:
                if n_digits > 0 and value == 0:
                    plain = False  # a leading zero
                if negative and n_digits == 0 and byte == 48:
                    plain = False  # -0
                value = value * 10 + (byte - 48)
                n_digits += 1
            elif byte == 45 and n_digits == 0 and not negative:
                negative = True
            else:
                plain = False
    return row
