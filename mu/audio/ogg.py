"""Ogg files: pages, and the streams that follow one another in a file ("chained"), of which libsndfile reads the first.

Internet radio and `cat` chain streams. A stream begins with a page that says so; several such pages in a row begin
streams that lie side by side (of which libsndfile takes the one it knows).
"""

from mu.audio.layout import Bytes, Layout, Link, bytes_behind

_MAGIC = b"OggS"
_HEAD_BYTES = 27
_BEGINS_A_STREAM = 2


def layout(data: Bytes) -> Layout | None:
    """The streams of an Ogg file; None where it is none."""
    if data[:4] != _MAGIC:
        return None
    at, end, starts, after_start, incomplete, behind = 0, len(data), [], False, "", 0
    last_sound = 0  # the last page in which samples end
    while at < end:
        head = data[at : at + _HEAD_BYTES]
        if head[:4] != _MAGIC[: end - at]:
            following = data.find(_MAGIC + b"\0", at)
            if following < 0:  # a tag, or whatever somebody has put behind the sound
                behind = bytes_behind(data, at)
                break
            incomplete = f"{following - at:,} bytes at byte {at:,} are no Ogg page"
            at = following
            continue
        table = data[at + _HEAD_BYTES : at + _HEAD_BYTES + head[26]] if len(head) == _HEAD_BYTES else b""
        size = _HEAD_BYTES + len(table) + sum(table)
        if len(head) < _HEAD_BYTES or len(table) < head[26] or at + size > end:
            incomplete = "the file ends inside an Ogg page"
            break
        is_start = bool(head[5] & _BEGINS_A_STREAM)
        if is_start and not after_start:
            starts.append(at)
        after_start = is_start
        if int.from_bytes(head[6:14], "little", signed=True) > 0:
            last_sound = at
        at += size
    if len(starts) > 1 and last_sound < starts[-1]:  # a stream of which there is no more than its header
        at = starts.pop()
    elif len(starts) < 2:
        return Layout(incomplete=incomplete, bytes_behind=behind)
    ends = [*starts[1:], at]
    return Layout(tuple(Link(((a, b),)) for a, b in zip(starts, ends, strict=True)), incomplete, behind)
