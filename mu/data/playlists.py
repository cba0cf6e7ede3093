"""Playlists as files: M3U (M3U8), XSPF and JSPF, read and written; the extension says which."""

import dataclasses
import json
import os
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from mu.files import replacing

XSPF = "http://xspf.org/ns/0/"
OWN_ID = "urn:mu:"
"""Before an id that is no URI, where one is due; readers take it off."""
# Between the duration and the comma some have attributes, NAME="VALUE".
_EXTINF = re.compile(r'#EXTINF:\s*(-?\d+(?:\.\d+)?)(?:\s*[^\s",=]+="[^"]*")*[^,]*,(.*)', re.IGNORECASE)
# Not those of str.splitlines: names hold U+0085 and U+2028.
_LINE_END = re.compile(r"\r\n|\r|\n")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:\S")


@dataclasses.dataclass(frozen=True)
class PlaylistTrack:
    """A track of a playlist; '' for what is not known.

    Attributes:
      location: path or address of its audio.
      identifier: its id, such as a URI.
      title: of the track.
      artist: of the track.
      album: of the track.
      duration_ms: of the track; None where it is not known.
    """

    location: str = ""
    identifier: str = ""
    title: str = ""
    artist: str = ""
    album: str = ""
    duration_ms: int | None = None


def ranked_tracks(table: pl.DataFrame, rows: Sequence[int]) -> list[PlaylistTrack]:
    """Rows of a table of tracks (column `track`; title, artist and album where there are) as a playlist, in order."""

    def text(row: int, column: str) -> str:
        value = table[column][row] if column in table.columns else None
        return "" if value is None else str(value)

    return [
        PlaylistTrack("", text(row, "track"), text(row, "title"), text(row, "artist"), text(row, "album"))
        for row in map(int, rows)
    ]


def write_playlist(path: str | os.PathLike[str], tracks: Sequence[PlaylistTrack], title: str = "") -> None:
    """Writes a playlist; the file appears whole or not at all.

    Args:
      path: .m3u, .m3u8, .xspf or .jspf.
      tracks: in order.
      title: of the playlist.

    Raises:
      ValueError: another extension.
    """
    extension = Path(path).suffix.lower()
    if extension not in WRITERS:
        raise ValueError(f"{os.fspath(path)}: a playlist is written as {', '.join(WRITERS)}")
    content = WRITERS[extension](tracks, title)
    with replacing(path) as partial:
        partial.write_text(content, encoding="utf-8", newline="\n")


def parse_playlist(text: str, format: str) -> list[PlaylistTrack]:
    """The tracks of a playlist, in order.

    Args:
      text: of the file.
      format: 'm3u', 'xspf' or 'jspf'.

    Raises:
      ValueError: it is no such playlist.
    """
    return PARSERS[format](text)


def _m3u(tracks: Sequence[PlaylistTrack], title: str) -> str:
    lines = ["#EXTM3U"]
    if title:
        lines.append(f"#PLAYLIST:{_one_line(title)}")
    for track in tracks:
        seconds = -1 if track.duration_ms is None else round(track.duration_ms / 1000)
        names = " - ".join(filter(None, (track.artist, track.title)))
        lines.append(f"#EXTINF:{seconds},{_one_line(names)}")
        if track.album:
            lines.append(f"#EXTALB:{_one_line(track.album)}")
        place = _one_line(track.location or track.identifier or names)
        lines.append(f"./{place}" if place.startswith("#") else place)
    return "\n".join(lines) + "\n"


def _parse_m3u(text: str) -> list[PlaylistTrack]:
    tracks, known = [], PlaylistTrack()
    for line in _LINE_END.split(text.removeprefix("\ufeff")):
        line = line.strip()
        if match := _EXTINF.match(line):
            seconds = float(match[1])
            artist, dash, title = match[2].partition(" - ")
            names = (artist.strip(), title.strip()) if dash else ("", artist.strip())
            duration_ms = round(seconds * 1000) if seconds >= 0 else None
            known = dataclasses.replace(known, artist=names[0], title=names[1], duration_ms=duration_ms)
        elif line.upper().startswith("#EXTALB:"):
            known = dataclasses.replace(known, album=line.partition(":")[2].strip())
        elif line.upper().startswith("#EXTART:"):
            known = dataclasses.replace(known, artist=line.partition(":")[2].strip())
        elif line and not line.startswith("#"):
            tracks.append(dataclasses.replace(known, location=line[2:] if line.startswith("./#") else line))
            known = PlaylistTrack()
    return tracks


def _xspf(tracks: Sequence[PlaylistTrack], title: str) -> str:
    ElementTree.register_namespace("", XSPF)
    root = ElementTree.Element(f"{{{XSPF}}}playlist", version="1")

    def add(parent: ElementTree.Element, name: str, value: object) -> None:
        if value not in ("", None):
            ElementTree.SubElement(parent, f"{{{XSPF}}}{name}").text = _xml_text(str(value))

    add(root, "title", title)
    listed = ElementTree.SubElement(root, f"{{{XSPF}}}trackList")
    for track in tracks:
        element = ElementTree.SubElement(listed, f"{{{XSPF}}}track")
        add(element, "location", track.location)
        add(element, "identifier", _as_uri(track.identifier))
        for name, value in (("title", track.title), ("creator", track.artist), ("album", track.album)):
            add(element, name, value)
        add(element, "duration", track.duration_ms)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _parse_xspf(text: str) -> list[PlaylistTrack]:
    try:
        # As text, not bytes: an encoding that the file declares has been applied, and must not be once more.
        root = ElementTree.fromstring(text.removeprefix("\ufeff").strip())
    except ElementTree.ParseError as error:
        raise ValueError(f"no XML: {error}") from None
    tracks = []
    for element in root.iter():
        if element.tag.rpartition("}")[2] == "track":
            values: dict[str, str] = {}
            for part in element:
                values.setdefault(part.tag.rpartition("}")[2], (part.text or "").strip())
            tracks.append(_track_of(values))
    return tracks


def _jspf(tracks: Sequence[PlaylistTrack], title: str) -> str:
    listed = []
    for track in tracks:
        values = {
            "location": [track.location] if track.location else None,
            "identifier": [_as_uri(track.identifier)] if track.identifier else None,
            "title": track.title,
            "creator": track.artist,
            "album": track.album,
            "duration": track.duration_ms,
        }
        listed.append({name: value for name, value in values.items() if value not in ("", None)})
    playlist = ({"title": title} if title else {}) | {"track": listed}
    return json.dumps({"playlist": playlist}, ensure_ascii=False, indent=1) + "\n"


def _parse_jspf(text: str) -> list[PlaylistTrack]:
    try:
        content = json.loads(text.removeprefix("\ufeff"))
        listed = content["playlist"]["track"]
        if not isinstance(listed, list) or not all(isinstance(track, dict) for track in listed):
            raise TypeError("its tracks are no list of objects")
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    except (KeyError, TypeError) as error:
        raise ValueError(f'no playlist {{"playlist": {{"track": [...]}}}}: {error}') from None
    tracks = []
    for values in listed:
        first = {name: value[0] if isinstance(value, list) and value else value for name, value in values.items()}
        tracks.append(_track_of({name: str(value) for name, value in first.items() if value not in (None, [], {})}))
    return tracks


def _track_of(values: dict[str, str]) -> PlaylistTrack:
    """A track from the names that XSPF and JSPF share."""
    identifier, duration = values.get("identifier", ""), values.get("duration", "")
    if identifier.startswith(OWN_ID):
        identifier = urllib.parse.unquote(identifier.removeprefix(OWN_ID))
    duration_ms = round(float(duration)) if re.fullmatch(r"\d+(\.\d+)?", duration) else None
    title, artist, album = (values.get(name, "") for name in ("title", "creator", "album"))
    return PlaylistTrack(values.get("location", ""), identifier, title, artist, album, duration_ms)


def _as_uri(identifier: str) -> str:
    if not identifier or _URI.match(identifier):
        return identifier
    return OWN_ID + urllib.parse.quote(identifier, safe="")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _xml_text(text: str) -> str:
    """Without the control characters that no XML may hold."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", text)


WRITERS: dict[str, Callable[[Sequence[PlaylistTrack], str], str]] = {
    ".m3u": _m3u,
    ".m3u8": _m3u,
    ".xspf": _xspf,
    ".jspf": _jspf,
}
PARSERS = {"m3u": _parse_m3u, "xspf": _parse_xspf, "jspf": _parse_jspf}
