"""The objects of a JSON array, read in pieces, so that the array is never in memory as a whole."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from mu.data.logs.importing.json_values import TOO_DEEP, JsonRecord, decoder, is_nested_deeply
from mu.data.logs.importing.text_files import MAX_LINE_BYTES, TOO_LONG
from mu.data.tables import ColumnError

BATCH_RECORDS = 1 << 14
CUT = "the file ends inside of its array, it may be cut"
_SPACE = re.compile(r"[ \t\r\n]*")
_NEXT = re.compile(r'\}[^{}"]*(?=\{)')


class _Text:
    """The text from the place reached on, of which no more is kept than what is read next.

    Attributes:
      buffer: the text that is kept.
      at: the place reached in it.
      ended: whether all of the stream is in it.
    """

    def __init__(self, stream: BinaryIO, encoding: str, size: int):
        self.buffer, self.at, self.ended = "", 0, False
        self._stream, self._size, self._line = stream, size, 1
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")

    def line(self) -> int:
        """The line of the place reached, from 1."""
        return self._line + self.buffer.count("\n", 0, self.at)

    def more(self, size: int = 0) -> None:
        """Drops what lies before the place reached, and reads on."""
        self._line = self.line()
        raw = self._stream.read(max(size, self._size))
        self.ended = not raw
        self.buffer, self.at = self.buffer[self.at :] + self._decoder.decode(raw, final=self.ended), 0

    def next_character(self) -> str:
        """The next character that is no space, at which the place is afterwards; '' at the end."""
        while True:
            match = _SPACE.match(self.buffer, self.at)
            assert match is not None  # it may be empty
            self.at = match.end()
            if self.at < len(self.buffer) or self.ended:
                return self.buffer[self.at : self.at + 1]
            self.more()

    def skip_to_array(self, key: str) -> None:
        """Goes to the bracket of the first array with this key.

        Raises:
          ColumnError: there is none.
        """
        array = re.compile(rf'"{re.escape(key)}"[ \t\r\n]*:[ \t\r\n]*(?=\[)')
        while not (match := array.search(self.buffer, self.at)):
            if self.ended:
                raise ColumnError(f"there is no array {key!r}")
            self.at = max(self.at, len(self.buffer) - 1000)
            self.more()
        self.at = match.end()

    def skip_to_next_object(self) -> None:
        """Goes to where the next object seems to start, behind '}'; or to the bracket at the end; or to the end."""
        while not (match := _NEXT.search(self.buffer, self.at)):
            if self.ended:
                last = len(self.buffer.rstrip()) - 1
                self.at = last if last >= self.at and self.buffer[last] == "]" else len(self.buffer)
                return
            self.at = max(self.at, len(self.buffer) - 1000)
            self.more()
        self.at = match.end()


def array_records(stream: BinaryIO, encoding: str, size: int, key: str | None = None) -> Iterator[list[JsonRecord]]:
    """The elements of an array, some at a time; their number is that of their place, from 1.

    Args:
      stream: of the file.
      encoding: of its text.
      size: bytes to read at a time.
      key: of the array, in a file that is an object; what stands behind the array is not read.

    Raises:
      ColumnError: no array has this key.
    """
    text = _Text(stream, encoding, size)
    if key is not None:
        text.skip_to_array(key)
    text.next_character()
    if text.buffer.startswith("\ufeff", text.at):
        text.at += 1
        text.next_character()
    text.at += 1  # the bracket
    records: list[JsonRecord] = []
    for record in _elements(text, key is not None):
        records.append(record)
        if len(records) == BATCH_RECORDS:
            yield records
            records = []
    if records:
        yield records


def _elements(text: _Text, in_object: bool) -> Iterator[JsonRecord]:
    number, first = 0, text.next_character()
    while first != "]":
        number += 1
        if first == "":
            yield JsonRecord(number, "", {}, CUT)
            return
        record, skipped = _element(text, number)
        first = text.next_character()
        if skipped and first == "":
            yield record._replace(fault=f"{CUT}: {record.fault}")
            return
        yield record
        if skipped:
            continue
        if first == ",":
            text.at += 1
            first = text.next_character()
        elif first not in ("]", ""):
            number += 1
            yield JsonRecord(number, text.buffer[text.at :][:200], {}, f"no comma before it, in line {text.line()}")
            text.skip_to_next_object()
            first = text.next_character()
    text.at += 1
    if not in_object and text.next_character():
        rest = text.buffer[text.at :][:200]
        yield JsonRecord(number + 1, rest, {}, f"text after the end of the array, in line {text.line()}")


def _element(text: _Text, number: int) -> tuple[JsonRecord, bool]:
    """The element at the place reached, and whether text was skipped in search of the next one."""
    while True:
        reason = ""
        try:
            value, end = decoder.raw_decode(text.buffer, text.at)
        except json.JSONDecodeError as error:
            cut = error.msg.startswith("Unterminated string") or error.pos > len(text.buffer) - 16
            if cut and not text.ended and len(text.buffer) - text.at <= MAX_LINE_BYTES:
                text.more(len(text.buffer) - text.at)  # as much again, so that nothing is read more than twice
                continue
            reason = TOO_LONG if cut and not text.ended else f"not JSON: {error.msg}, in line {text.line()}"
        except RecursionError:
            reason = TOO_DEEP
        if reason:
            start = text.buffer[text.at :][:200]
            text.skip_to_next_object()
            return JsonRecord(number, start, {}, reason), True
        if end == len(text.buffer) and not text.ended:
            text.more(len(text.buffer) - text.at)  # a number may go on
            continue
        raw = text.buffer[text.at : end]
        text.at = end
        if len(raw) > MAX_LINE_BYTES:
            return JsonRecord(number, raw[:200], {}, TOO_LONG), False
        if is_nested_deeply(raw):
            return JsonRecord(number, raw, {}, TOO_DEEP), False
        if not isinstance(value, dict):
            return JsonRecord(number, raw, {}, "not a JSON object"), False
        return JsonRecord(number, raw, value, ""), False
