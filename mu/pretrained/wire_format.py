"""Protocol Buffers' wire format: the fields of a message without its schema.

A message is a sequence of fields, each a key and a value. The key is the varint 8 n + t: n the field's number, t the
type of the value. What a value means (signed or not, text or message) is in the schema, which the caller knows.
Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT = 10

Value = int | memoryview
"""Of a varint its number, unsigned; of any other field its bytes, those of fixed width little-endian."""


def varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """(the number, where the next byte is) of the varint at `at`: 7 bits a byte, the lowest first.

    Raises:
      ValueError: the data end within it, or it has more than 64 bits.
    """
    number = 0
    for place in range(_LONGEST_VARINT):
        if at + place >= len(data):
            raise ValueError(f"it ends at byte {len(data):,}, within a number")
        byte = data[at + place]
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            if number >> 64:
                break
            return number, at + place + 1
    raise ValueError(f"the number at byte {at:,} has more than 64 bits")


def fields(data: bytes | memoryview) -> Iterator[tuple[int, Value]]:
    """(field's number, value) of a message, in the order of the file.

    Raises:
      ValueError: the data end within a field, or are no message.
    """
    data, at = memoryview(data), 0
    while at < len(data):
        begin = at
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError(f"the field at byte {begin:,} has the number 0, which no message has")
        if kind == VARINT:
            value, at = varint(data, at)
            yield number, value
            continue
        if kind == BYTES:
            width, at = varint(data, at)
        elif kind in _WIDTHS:
            width = _WIDTHS[kind]
        else:
            raise ValueError(f"the field at byte {begin:,} has the type {kind}, which no message of today has")
        if at + width > len(data):
            raise ValueError(f"it ends at byte {len(data):,}, within a field of {width:,} bytes that begins at {at:,}")
        yield number, data[at : at + width]
        at += width


def message(data: bytes | memoryview) -> dict[int, list[Value]]:
    """Field's number -> its values in order: one of a plain field, several of a repeated one.

    Raises:
      ValueError: see `fields`.
    """
    values: dict[int, list[Value]] = {}
    for number, value in fields(data):
        values.setdefault(number, []).append(value)
    return values


def packed(data: bytes | memoryview) -> list[int]:
    """The numbers of a packed repeated field of varints, unsigned."""
    numbers, at = [], 0
    while at < len(data):
        number, at = varint(data, at)
        numbers.append(number)
    return numbers


def numbers(values: list[Value]) -> list[int]:
    """Those of a repeated field of varints, packed or one by one, signed as int32 and int64 are."""
    every = [one for value in values for one in ([value] if isinstance(value, int) else packed(value))]
    return [one - (1 << 64) if one >> 63 else one for one in every]


def text(value: Value) -> str:
    """Of a field of type string.

    Raises:
      ValueError: it is a number, or no UTF-8.
    """
    return str(value_bytes(value), "utf-8")


def value_bytes(value: Value) -> memoryview:
    """Of a field of type bytes, string or message.

    Raises:
      ValueError: it is a number.
    """
    if isinstance(value, int):
        raise ValueError(f"a field holds the number {value} where text or a message should be")
    return value


def value_number(value: Value) -> int:
    """Of a field of a whole number, unsigned; those of fixed width are little-endian.

    Raises:
      ValueError: it is text or a message.
    """
    if isinstance(value, int):
        return value
    if len(value) not in _WIDTHS.values():
        raise ValueError(f"a field holds {len(value):,} bytes where a number should be")
    return int.from_bytes(value, "little")
