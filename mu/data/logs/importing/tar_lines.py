"""The lines of the JSON files in a tar archive, one after the other, read in place."""

import io
import tarfile
from collections.abc import Iterator
from typing import IO, BinaryIO

TAR_HEAD = 512  # bytes of the first header, in which 'ustar' stands
EXTENSIONS = (".listens", ".jsonl", ".ndjson", ".json")


class TarLines(io.RawIOBase):
    """The bytes of the members with JSON lines, in the order of the archive; each ends with a newline.

    Members are read as the archive goes by: nothing is sought, unpacked to disk or kept in memory.

    Args:
      stream: of the archive.
      label: what messages call it.

    Raises:
      ValueError: at the end, where no member has one of the `EXTENSIONS`.
    """

    def __init__(self, stream: BinaryIO, label: str):
        self._archive = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115
        self._label, self._n, self._last = label, 0, b"\n"
        self._members = self._files()
        self._member: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore
        """Fills the buffer with the next bytes; returns their number, 0 at the end."""
        while True:
            if self._member is None:
                self._member = next(self._members, None)
                if self._member is None:
                    if not self._n:
                        raise ValueError(
                            f"{self._label} is a tar archive without JSON lines (files of {', '.join(EXTENSIONS)})"
                        )
                    return 0
                self._n += 1
            if data := self._member.read(len(buffer)):
                self._last = data[-1:]
                buffer[: len(data)] = data
                return len(data)
            self._member = None
            if self._last != b"\n":
                self._last = b"\n"
                buffer[:1] = b"\n"
                return 1

    def _files(self) -> Iterator[IO[bytes]]:
        for member in self._archive:
            if member.isfile() and member.name.lower().endswith(EXTENSIONS):
                file = self._archive.extractfile(member)
                assert file is not None  # it is a file
                yield file
