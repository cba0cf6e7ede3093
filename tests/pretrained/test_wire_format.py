"""Messages of Protocol Buffers: the examples of their documentation, and data that are cut off or are none."""

import pytest

from mu.pretrained.wire_format import fields, message, numbers, text, value_bytes, value_number, varint

WHOLE = bytes.fromhex("089601 120774657374696e67 1a03089601 3206038e029ea705 2d01000000 390200000000000000")


def test_the_documentation_s_examples():
    values = message(WHOLE)
    assert values[1] == [150] and text(values[2][0]) == "testing"
    assert message(value_bytes(values[3][0])) == {1: [150]}
    assert numbers(values[6]) == [3, 270, 86942]
    assert (value_number(values[5][0]), value_number(values[7][0]), value_number(values[1][0])) == (1, 2, 150)


def test_numbers_of_a_repeated_field():
    """Packed, one by one or both; negative ones have ten bytes."""
    data = bytes.fromhex("0801 0afeffffffffffffffff01".replace("0afe", "08fe")) + bytes.fromhex("0a020304")
    assert numbers(message(data)[1]) == [1, -2, 3, 4]
    assert numbers([]) == []


@pytest.mark.parametrize("end", range(1, len(WHOLE)))
def test_data_that_are_cut_off(end):
    """Between two fields nobody can know; elsewhere it is said."""
    whole = {0, 3, 12, 17, 25, 30}
    if end in whole:
        assert len(list(fields(WHOLE[:end]))) < len(list(fields(WHOLE)))
    else:
        with pytest.raises(ValueError, match=rf"ends at byte {end}, within a"):
            list(fields(WHOLE[:end]))


@pytest.mark.parametrize(
    ("data", "words"),
    [("0b", "has the type 3"), ("0001", "has the number 0"), ("08" + "ff" * 10, "more than 64 bits")],
)
def test_data_that_are_no_message(data, words):
    with pytest.raises(ValueError, match=words):
        list(fields(bytes.fromhex(data)))


def test_values_of_another_kind():
    with pytest.raises(ValueError, match="number 150 where text"):
        text(message(WHOLE)[1][0])
    with pytest.raises(ValueError, match="7 bytes where a number"):
        value_number(message(WHOLE)[2][0])
    with pytest.raises(ValueError, match="utf-8"):
        text(memoryview(b"\xff"))
    assert varint(b"\xff" * 9 + b"\x01", 0) == (2**64 - 1, 10)
