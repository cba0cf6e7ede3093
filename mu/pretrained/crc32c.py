"""CRC-32C (Castagnoli), the checksum of LevelDB's tables and TensorFlow's checkpoints."""

import numpy as np

POLYNOMIAL = 0x82F63B78  # bits in the order of their transfer, lowest first
# LevelDB stores checksums turned and shifted, so that a checksum of data with checksums in it is no special case.
_SHIFT = 0xA282EAD8


def crc32c(data: bytes | memoryview) -> int:
    """The checksum of some bytes, 32 bits; 0xE3069283 for b'123456789'. Some 10 MB/s."""
    crc, table = 0xFFFFFFFF, _TABLE
    words = memoryview(data)
    even = len(words) - len(words) % 2
    # Two bytes a step: the loop is Python's.
    for word in np.frombuffer(words[:even], "<u2").tolist():
        crc = table[(crc ^ word) & 0xFFFF] ^ (crc >> 16)
    if even < len(words):
        crc = _BYTES[(crc ^ words[even]) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """A checksum as files hold it."""
    return (((crc >> 15) | (crc << 17)) + _SHIFT) & 0xFFFFFFFF


def _byte_table() -> list[int]:
    """What 8 steps of division make of each byte."""
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = (values >> np.uint32(1)) ^ np.where(values & np.uint32(1), np.uint32(POLYNOMIAL), np.uint32(0))
    return values.tolist()


def _word_table(table: list[int]) -> list[int]:
    """What 16 steps make of each pair of bytes, the lower first."""
    of = np.array(table, np.uint32)
    values = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(2):
        values = of[values & np.uint32(0xFF)] ^ (values >> np.uint32(8))
    return values.tolist()


_BYTES = _byte_table()
_TABLE = _word_table(_BYTES)
