"""zstd streams that raise where the file is cut: zstandard's own reader takes it for a short one."""

import io
from typing import BinaryIO

import zstandard

# Few, since 4 bytes can stand for 128 KiB.
INPUT_BYTES = 8192


class ZstdStream(io.RawIOBase):
    """The bytes in a zstd file of one frame or more.

    Raises:
      EOFError: the file ends inside of a frame.
      zstandard.ZstdError: it is damaged.
    """

    def __init__(self, raw: BinaryIO):
        self._raw, self._frame = raw, None
        self._waiting, self._input = memoryview(b""), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore
        """Fills the buffer with the next bytes; returns their number, 0 at the end."""
        while not self._waiting:
            self._input = self._input or self._raw.read(INPUT_BYTES)
            if not self._input:
                if self._frame is not None:
                    raise EOFError("the zstd stream is cut")
                return 0
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._waiting = memoryview(self._frame.decompress(self._input))
            self._input = b""
            if self._frame.eof:
                self._input, self._frame = self._frame.unused_data, None
        n = min(len(buffer), len(self._waiting))
        buffer[:n] = self._waiting[:n]
        self._waiting = self._waiting[n:]
        return n
