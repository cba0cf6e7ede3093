"""Tags of audio files: ID3 (MP3, WAV, AIFF) and Vorbis comments (FLAC, Ogg, Opus), under one set of names."""

import io
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

SEPARATOR = "|"


class Names(NamedTuple):
    """Where a tag stands.

    Attributes:
      id3: frame, or frame and description.
      vorbis: comment.
    """

    id3: str
    vorbis: str


TAGS = {
    "artist": Names("TPE1", "artist"),
    "title": Names("TIT2", "title"),
    "album": Names("TALB", "album"),
    "genre": Names("TCON", "genre"),
    "year": Names("TDRC", "date"),
    "isrc": Names("TSRC", "isrc"),
    "recording_mbid": Names("UFID:http://musicbrainz.org", "musicbrainz_trackid"),
    "artist_mbid": Names("TXXX:MusicBrainz Artist Id", "musicbrainz_artistid"),
    "release_mbid": Names("TXXX:MusicBrainz Album Id", "musicbrainz_albumid"),
}


class _Nameless(io.BufferedReader):
    """A file without a name: its extension would mislead mutagen where it is wrong, and stands in its messages."""

    @property
    def name(self) -> str:
        return ""


def read_tags(path: str | os.PathLike[str]) -> tuple[dict[str, str | int], str]:
    """The tags of `TAGS` that a file has, and why they could not be read or ''.

    Several values are separated by '|' (one inside of a value becomes '/'); `year` is a whole number, the first year
    of the date.
    """
    import mutagen

    try:
        with _Nameless(io.FileIO(path)) as stream:
            file = mutagen.File(stream)
        if file is None or file.tags is None:
            return {}, ""
        values_of = _reader(file.tags)
        texts = {tag: _joined(values_of(names)) for tag, names in TAGS.items()}
    except Exception as error:  # tags are other people's bytes, and mutagen lets errors of any kind through
        return {}, f"{type(error).__name__}: {error}".rstrip(": ")
    year = re.search(r"\d{4}", texts.pop("year"))
    return {tag: text for tag, text in texts.items() if text} | ({"year": int(year[0])} if year else {}), ""


def _reader(tags: Any) -> Callable[[Names], Sequence[object]]:
    """The function from the names of a tag to its values in these tags."""
    from mutagen.apev2 import APEv2
    from mutagen.id3 import ID3

    if isinstance(tags, ID3):
        return lambda names: _of_id3(tags, names.id3)
    if isinstance(tags, APEv2):
        return lambda names: ()  # of formats that are not decoded
    return lambda names: tags.get(names.vorbis, ())


def _of_id3(tags: Any, frame: str) -> Sequence[object]:
    found = tags.get(frame)
    if found is None:
        return ()
    if frame.startswith("UFID"):
        return [found.data]
    return found.genres if frame == "TCON" else found.text


def _joined(values: Sequence[object]) -> str:
    texts = [bytes(value).decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]
    plain = (" ".join(text.replace("\0", " ").split()).replace(SEPARATOR, "/") for text in texts)
    return SEPARATOR.join(dict.fromkeys(filter(None, plain)))
