"""LevelDB's table of sorted keys in one file, which TensorFlow uses as the index of a checkpoint.

A table is blocks and a footer. A block is entries, then where some of them begin, then a byte that says how it is
compressed and a checksum. An entry shares the beginning of its key with the entry before. The index block has an entry
for each block of data: where that is. The footer says where the index block is.
Source: github.com/google/leveldb/blob/main/doc/table_format.md.
"""

from collections.abc import Iterator

from mu.pretrained.crc32c import crc32c, masked
from mu.pretrained.wire_format import varint

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
TRAILER_BYTES = 5  # of a block: how it is compressed, and its checksum
UNCOMPRESSED = 0


def read_table(data: bytes) -> dict[bytes, memoryview]:
    """Key -> value of all entries, in the order of keys.

    Raises:
      ValueError: it is no such table, it is cut off or damaged, or its blocks are compressed.
    """
    if len(data) < FOOTER_BYTES or int.from_bytes(data[-8:], "little") != MAGIC:
        raise ValueError(f"its {len(data):,} bytes do not end as a table does: it is cut off, or something else")
    footer = memoryview(data)[-FOOTER_BYTES:]
    _, at = _handle(footer, 0)  # of a block on filters, which TensorFlow does not write
    index, _ = _handle(footer, at)
    table: dict[bytes, memoryview] = {}
    for _, where in _entries(_block(data, *index)):
        handle, _ = _handle(where, 0)
        table.update(_entries(_block(data, *handle)))
    return table


def _handle(data: memoryview, at: int) -> tuple[tuple[int, int], int]:
    """((where a block is, its bytes), where the next one is)."""
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return (offset, size), at


def _block(data: bytes, offset: int, size: int) -> memoryview:
    """The entries and what follows them of a block, checked."""
    end = offset + size
    if end + TRAILER_BYTES > len(data):
        raise ValueError(f"it has {len(data):,} bytes, and a block that ends at {end + TRAILER_BYTES:,}: it is cut off")
    block = memoryview(data)[offset : end + 1]
    if masked(crc32c(block)) != int.from_bytes(data[end + 1 : end + TRAILER_BYTES], "little"):
        raise ValueError(f"the checksum of the block at byte {offset:,} does not fit: it is damaged")
    if block[-1] != UNCOMPRESSED:
        raise ValueError(f"the block at byte {offset:,} is compressed (type {block[-1]}), which is not read")
    return block[:-1]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """(key, value) of a block, in order."""
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = len(block) - 4 * (restarts + 1), 0, b""
    if end < 0:
        raise ValueError(f"a block of {len(block):,} bytes says that {restarts:,} of its entries begin anew")
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        width, at = varint(block, at)
        if shared > len(key) or at + own + width > end:
            raise ValueError("an entry of the table reaches beyond its block")
        key = key[:shared] + bytes(block[at : at + own])
        yield key, block[at + own : at + own + width]
        at += own + width
