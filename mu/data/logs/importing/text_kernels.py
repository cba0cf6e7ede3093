"""Kernels over the bytes of delimited text: finding records, parsing whole numbers."""

import numpy as np

from mu_kernels.compile import kernel

NEWLINE, RETURN, QUOTE = 10, 13, 34
FIELD_START, IN_FIELD, IN_QUOTES, AFTER_QUOTE = range(4)
MAX_FIELD = 1 << 17  # Python's csv has the same limit


@kernel
def find_records(data, separator, n_columns, line_of) -> int:
    """Finds the records of quoted CSV (RFC 4180) and checks them; `data` ends with a newline.

    `line_of[i]` receives the line of record i, from 0; it has room for one more than the lines of `data`.

    Returns:
      The number of records, or -1 if a record does not have `n_columns` fields, a quote is not at an end of its field,
      a carriage return is not part of the end of a record, a field has more than `MAX_FIELD` bytes, or the last record
      does not end.
    """
    record, column, line, start = 0, 0, 0, 0
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
            if column == n_columns or at - start > MAX_FIELD:
                return -1
            state = FIELD_START
            start = at + 1
        elif byte == NEWLINE:
            if column != n_columns - 1 or at - start > MAX_FIELD:
                return -1
            line += 1
            record += 1
            start = at + 1
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
def split_integers(data, separator, n_columns, slot_of, out, integer) -> int:
    """Parses the whole numbers in lines of `n_columns` fields; each line ends with a newline.

    Column c goes to `out[slot_of[c]]` where `slot_of[c] >= 0`. `integer[slot]` is cleared where a field is not a whole
    number of at most 18 digits in canonical form (no sign +, no leading zero, no space), from which its text can be
    written again.

    Returns:
      The number of lines, or -1 where a line does not have `n_columns` fields, or one of more than `MAX_FIELD` bytes.
    """
    row, column, at, start = 0, 0, 0, 0
    slot = slot_of[0]
    value, n_digits, negative, plain = np.int64(0), 0, False, True
    for at in range(len(data)):
        byte = data[at]
        if byte == separator or byte == 10:
            if at - start > MAX_FIELD:
                return -1
            start = at + 1
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
