"""Checkpoints of TensorFlow, written here by hand: every tensor comes back, and whatever is damaged is refused."""

import numpy as np
import pytest

from mu.pretrained.crc32c import crc32c
from mu.pretrained.sorted_table import read_table
from mu.pretrained.tensorflow_checkpoint import read_checkpoint
from tests.helpers.checkpoints import checkpoint, crc, field, table

RANDOM = np.random.default_rng(3)
TENSORS = {
    "conv2d/bias": RANDOM.standard_normal(3).astype(np.float32),
    "conv2d/kernel": RANDOM.standard_normal((2, 1, 3)).astype(np.float32),
    "conv2d_1/kernel": RANDOM.standard_normal((2, 2)),
    "half": np.array([1.5, -2.0], np.float16),
    "nothing": np.zeros((0, 4), np.float32),
    "step": np.array(-7, np.int64),
    "table": np.arange(-4, 4, dtype=np.int32).reshape(2, 2, 2),
}


def test_checksums():
    """Of RFC 3720, appendix B.4, and as the slow way has them."""
    assert crc32c(b"123456789") == 0xE3069283 and crc32c(b"") == 0
    assert crc32c(bytes(32)) == 0x8A9136AA and crc32c(b"\xff" * 32) == 0x62A8AB43
    for length in range(5):
        data = RANDOM.bytes(length)
        assert crc(data) == (((crc32c(data) >> 15) | (crc32c(data) << 17)) + 0xA282EAD8) % (1 << 32)


def test_a_table_of_several_blocks():
    entries = {f"key/{n:03}".encode(): RANDOM.bytes(n) for n in range(0, 300, 7)}
    assert {key: bytes(value) for key, value in read_table(table(entries)).items()} == entries


def test_every_tensor_comes_back():
    read = read_checkpoint(*checkpoint(TENSORS), name="x")
    assert list(read) == sorted(TENSORS)
    for name, array in TENSORS.items():
        assert read[name].dtype == array.dtype and read[name].shape == array.shape
        np.testing.assert_array_equal(read[name], array)
    few = read_checkpoint(*checkpoint(TENSORS), name="x", wanted=lambda name: name.endswith("kernel"))
    assert list(few) == ["conv2d/kernel", "conv2d_1/kernel"]


def test_any_damage_is_noticed():
    """A byte of the index or of the data that is another one, and files that end early."""
    index, data = checkpoint(TENSORS)
    footer = len(index) - 48
    for place in range(footer):
        if place in unread(index):
            continue
        bad = bytearray(index)
        bad[place] ^= 0x40
        with pytest.raises(ValueError, match=r"^net\.index: "):
            read_checkpoint(bytes(bad), data, name="net")
    for place in range(len(data)):
        bad = bytearray(data)
        bad[place] ^= 1
        with pytest.raises(ValueError, match=r"net: the tensor '.*': its checksum does not fit"):
            read_checkpoint(index, bytes(bad), name="net")
    for end in range(len(index)):
        with pytest.raises(ValueError, match=r"^net\.index: .*(cut off|damaged)"):
            read_checkpoint(index[:end], data, name="net")
    for end in range(len(data)):
        with pytest.raises(ValueError, match=rf"of the data, which have {end}: they are cut off"):
            read_checkpoint(index, data[:end], name="net")


def unread(index):
    """The places of the block on filters, which nothing reads: 8 bytes and 5, before the index block."""
    handle = index[-48:]
    offset = handle[0] if handle[0] < 128 else handle[0] - 128 + 128 * handle[1]
    return range(offset, offset + 13)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (field(1, 2), "lies in 2 files of data"),
        (field(1, 1) + field(2, 1), "big-endian"),
        (b"", "lies in 0 files"),
        (b"\x0f", "has the type 7"),
    ],
)
def test_headers_of_what_is_not_read(header, words):
    with pytest.raises(ValueError, match=rf"^net\.index: .*{words}"):
        read_checkpoint(*checkpoint(TENSORS, header), name="net")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (field(1, 7) + field(5, 4), "it has the type 7 of TensorFlow; those read are float32"),
        (field(1, 1) + field(7, b""), "stored in slices"),
        (field(1, 1) + field(2, field(2, field(1, 2))) + field(5, 4), r"4 bytes, and its shape \[2\] of float32"),
        (field(1, 1) + field(2, 3), "number 3 where text or a message"),
        (field(1, 1) + field(2, field(2, b"\x08")), "ends at byte 1, within a number"),
    ],
)
def test_tensors_that_are_not_read(entry, words):
    index = table({b"": field(1, 1), b"net/odd": entry})
    with pytest.raises(ValueError, match=rf"^x: the tensor 'net/odd': .*{words}"):
        read_checkpoint(index, bytes(8), name="x")


def test_tables_that_are_not_read():
    with pytest.raises(ValueError, match=r"compressed \(type 1\)"):
        read_table(table({b"a": b"b"}, compression=1))
    with pytest.raises(ValueError, match="do not end as a table does"):
        read_table(b"PK" * 100)
    with pytest.raises(ValueError, match="it has no header"):
        read_checkpoint(table({b"a": b""}), b"", name="x")
