"""MP3 files: which bytes are frames of sound, and how many there are.

Most encoders write a first frame ("Xing" or "Info") with the number of frames; libsndfile believes it. Without one it
goes by the size of the file and of its first frame: a stream of variable bit rate that begins loud is cut off long
before its end, one that begins softly seems longer than it is. Of files put together by `cat` it decodes the first,
and it gives up at tags in the middle. Here the frames are counted (0.3 us each, 40 a second of sound).
"""

import dataclasses

from mu.audio.layout import Bytes, Layout, Link, Piece, bytes_behind, end_of_id3, end_of_tags

# By MPEG version: kbit/s by index 1 to 14, Hz by index, bytes a kbit/s-second and samples of a Layer III frame.
_MPEG_1 = ((32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320), (44100, 48000, 32000), 144_000, 1152)
_MPEG_2 = ((8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160), (22050, 24000, 16000), 72_000, 576)
_MPEG_2_5 = (_MPEG_2[0], (11025, 12000, 8000), 72_000, 576)
_VERSIONS = {0b11: _MPEG_1, 0b10: _MPEG_2, 0b00: _MPEG_2_5}
_LAYER_3 = 0b01
# Of the 32 bits of a frame's header these are the same all through a stream: sync, version, layer, sampling rate; and
# whether it is mono, which is one value of two bits.
_CONSTANT_BITS = 0xFFFE0C00
_MONO = 3
_SURE = 4  # frames in a row: what only looks like a frame is not followed by others
_MARKS = (b"Xing", b"Info")
_SLACK_FRAMES = 2  # encoders disagree by a frame or two on what the header counts
_LARGEST_OVER_SMALLEST = 32  # of the frames of a stream; 20 in MPEG 2
# Without a tag libsndfile looks for the resource fork of an older format first, in the files that macOS leaves beside
# others on foreign disks (`._NAME`); finding one it refuses the MP3.
_EMPTY_TAG = b"ID3\x04\0\0\0\0\0\x40" + bytes(0x40)
_FAR = 1 << 50  # a byte behind the end of any file


class _Sizes(dict[bytes, int]):
    """Bytes of a frame by the 4 bytes of its header; 0 for what is no header of a kind of stream."""

    def __init__(self, kind: int):
        super().__init__()
        self.kind = kind

    def __missing__(self, head: bytes) -> int:
        self[head] = size = _frame_bytes(head) if _kind(head) == self.kind else 0
        return size


@dataclasses.dataclass
class _Stream:
    """The frames of one stream, as they are met.

    Attributes:
      head: the header of its first frame.
      mark: the first frame, where that says how many follow; or b"".
      start: the first byte.
      runs: ranges of frames without anything between.
      frames: their number.
    """

    head: bytes
    mark: bytes
    start: int
    runs: list[tuple[int, int]]
    frames: int = 0

    @property
    def said(self) -> int:
        """Frames that the first one says follow; 0 where it does not."""
        return _field(self.mark, 0) if _has(self.mark, 0) else 0


def layout(data: Bytes) -> Layout | None:
    """The streams of an MP3 file; None where it is none (of Layer III)."""
    at = _first_frame(data)
    if at is None:
        return None
    streams: list[_Stream] = []
    damage, more = "", 0
    sizes = _Sizes(0)
    while True:
        head = data[at : at + 4]
        mark = _mark(data, at, head)
        if mark or not streams or _kind(head) != sizes.kind:
            streams.append(_Stream(head, mark, at, []))
            sizes = _Sizes(_kind(head))
        n, end, cut = _run(data, at + len(mark), sizes)
        streams[-1].runs.append((at + len(mark), end))
        streams[-1].frames += n
        if cut:
            damage = damage or "the file ends inside an MP3 frame"
            break
        if end < len(data) and _mark(data, end, data[end : end + 4]):
            at = end
            continue
        behind = end_of_tags(data, end)
        following = _find(data, behind, sizes.kind)
        if following is None:  # tags behind the music, or what somebody has put there
            more = bytes_behind(data, behind)
            break
        if following > behind:
            damage = damage or f"{following - behind:,} bytes at byte {behind:,} are no frames of MP3"
        at = following
    streams = [stream for stream in streams if stream.frames]
    if not streams:
        return None
    ends = [stream.start for stream in streams[1:]] + [len(data)]
    missing = [_missing(stream, end) for stream, end in zip(streams, ends, strict=True)]
    incomplete = next(filter(None, missing), damage)
    whole = len(streams) == 1 and len(streams[0].runs) == 1 and streams[0].start >= end_of_id3(data)
    links = [_link(stream, bool(why)) for stream, why in zip(streams, missing, strict=True)]
    links = [dataclasses.replace(link, as_it_is=whole and link.as_it_is) for link in links]
    return Layout(tuple(links), incomplete, more)


def _run(data: Bytes, at: int, sizes: _Sizes) -> tuple[int, int, bool]:
    """Frames that follow one another from `at` on: their number, where they end, whether the file ends inside one."""
    frames, end, mark_at = 0, len(data), 4 + _side_bytes(sizes.kind)
    while size := sizes[data[at : at + 4]]:
        if at + size > end:
            return frames, at, True
        if data[at + mark_at : at + mark_at + 4] in _MARKS and frames:
            break
        frames, at = frames + 1, at + size
    return frames, at, False


def _missing(stream: _Stream, end: int) -> str:
    """How the first frame of a stream shows that later ones are missing; `end`: of the stream and its tags."""
    if stream.said <= stream.frames + _SLACK_FRAMES:
        return ""
    if _has(stream.mark, 1) and stream.start + _field(stream.mark, 1) <= end:
        return ""  # all its bytes are there: it miscounts
    return f"the header says {stream.said:,} frames of MP3, there are {stream.frames:,}"


def _link(stream: _Stream, is_cut: bool) -> Link:
    """The frames of a stream, behind a first one that counts them right if there was one that counts."""
    if stream.said:
        first = _said(stream.mark, stream.frames, is_cut)
        return Link((_EMPTY_TAG, first, *stream.runs), as_it_is=first == stream.mark)
    _, _, _, samples = _VERSIONS[_word(stream.head) >> 19 & 3]
    # Of a file that seems much longer than it is libsndfile guesses too many frames, not too few. What lies far behind
    # the end of the file reads as nothing, but for the last 128 bytes, where libsndfile looks for a tag.
    size = _LARGEST_OVER_SMALLEST * max(sum(end - begin for begin, end in stream.runs), 128)
    pieces: tuple[Piece, ...] = (_EMPTY_TAG, *stream.runs, (_FAR, _FAR + size), bytes(128))
    return Link(pieces, stream.frames * samples, as_it_is=not stream.mark)


def _said(mark: bytes, frames: int, is_cut: bool) -> bytes:
    """The first frame with another number of frames; where the end is missing, so is the silence that it ends with."""
    at = _fields(mark) + 4
    mark = mark[:at] + frames.to_bytes(4, "big") + mark[at + 4 :]
    lame = _fields(mark) + 4 + sum(size for bit, size in enumerate((4, 4, 100, 4)) if _has(mark, bit))
    if is_cut and len(mark) >= lame + 24:  # 12 bits of samples in front, 12 behind
        mark = mark[: lame + 22] + bytes([mark[lame + 22] & 0xF0, 0]) + mark[lame + 24 :]
    return mark


def _mark(data: Bytes, at: int, head: bytes) -> bytes:
    """The frame at `at` where it says how many follow; else b""."""
    if not (size := _frame_bytes(head)):
        return b""
    place = at + 4 + _side_bytes(_kind(head))
    # Behind a checksum, where there is one.
    if any(data[place + skip : place + skip + 4] in _MARKS for skip in (0, 2)):
        return data[at : at + size]
    return b""


def _fields(mark: bytes) -> int:
    """Where the flags of a first frame are; its fields follow."""
    return min(at for name in _MARKS if (at := mark.find(name)) >= 0) + 4


def _has(mark: bytes, field: int) -> bool:
    """Whether a first frame has the number of frames (0), or of bytes (1)."""
    return bool(mark) and bool(mark[_fields(mark) + 3] >> field & 1)


def _field(mark: bytes, field: int) -> int:
    at = _fields(mark) + 4 + 4 * (field if _has(mark, 0) else 0)
    return int.from_bytes(mark[at : at + 4], "big")


def _frame_bytes(head: bytes) -> int:
    """Size of the frame with this header; 0 where it is none."""
    word = _word(head)
    version = _VERSIONS.get(word >> 19 & 3)
    if word >> 21 != 0x7FF or version is None or word >> 17 & 3 != _LAYER_3:
        return 0
    rate, speed = word >> 10 & 3, word >> 12 & 15
    if rate == 3 or speed in (0, 15):
        return 0
    kbits, rates, unit, _ = version
    return kbits[speed - 1] * unit // rates[rate] + (word >> 9 & 1)


def _kind(head: bytes) -> int:
    word = _word(head)
    return word & _CONSTANT_BITS | (word >> 6 & 3 == _MONO)


def _word(head: bytes) -> int:
    return int.from_bytes(head, "big") if len(head) == 4 else 0


def _side_bytes(kind: int) -> int:
    """Bytes between a frame's header and where "Xing" or "Info" would stand."""
    mono = kind & 1
    if kind >> 19 & 3 == 0b11:
        return 17 if mono else 32
    return 9 if mono else 17


def _first_frame(data: Bytes) -> int | None:
    """The first frame of the file. A tag may say that it is longer than it is, even than the file."""
    behind = end_of_id3(data)
    if behind and (behind >= len(data) or not _frames_at(data, behind, _SURE)):
        inside = _find(data, 10, None)
        outside = _find(data, behind, None) if behind < len(data) else None
        return inside if outside is None else min(inside or outside, outside)
    return _find(data, behind, None, 2)


def _find(data: Bytes, start: int, kind: int | None, sure: int = _SURE) -> int | None:
    """The first frame at or behind `start` that others follow, or that ends the file; one of `kind` needs one other."""
    at = data.find(b"\xff", start)
    while at >= 0:
        head = data[at : at + 4]
        if _frame_bytes(head) and _frames_at(data, at, 2 if _kind(head) == kind else sure):
            return at
        at = data.find(b"\xff", at + 1)
    return None


def _frames_at(data: Bytes, at: int, n: int) -> bool:
    """Whether `n` frames of one kind follow one another from `at` on, or fewer, in or behind which the file ends."""
    sizes = _Sizes(_kind(data[at : at + 4]))
    for frame in range(n):
        size = sizes[data[at : at + 4]]
        if not size:
            return False
        if at + size > len(data):
            return frame > 0
        at += size
        if at == len(data) or data[at : at + 3] == b"TAG":
            return True
    return True
