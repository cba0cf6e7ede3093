"""Playlist files as histories: the name of the file is the user, its tracks are the plays, in their order."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import PurePath

import numpy as np
import polars as pl

from mu.data.logs.importing.archives import open_source
from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.fields import WHOLE_LINE
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.text_files import decode, is_invalid
from mu.data.logs.importing.track_names import named_track
from mu.data.playlists import parse_playlist

MAX_BYTES = 1 << 26
COLUMNS = ["user", "track", "title", "artist", "album", "duration_ms", "location", "identifier"]


@dataclasses.dataclass(frozen=True)
class PlaylistFiles:
    """The format of a playlist in each file.

    Attributes:
      kind: 'm3u', 'xspf' or 'jspf'.
    """

    kind: str

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """Always the same columns."""
        return COLUMNS

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """One row a track, whose id is its identifier, else its location, else 'ARTIST - TITLE'; lines count tracks."""
        with open_source(source) as (stream, _):
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"{source.name} is larger than {MAX_BYTES >> 20} MiB; a playlist is not")
        text = decode(data, options.encoding)
        if is_invalid(text):
            raise ValueError(f"{source.name} is not valid {options.encoding}; try --encoding=latin-1")
        try:
            tracks = parse_playlist(text, self.kind)
        except ValueError as error:
            raise ValueError(f"{source.name} is {error}") from None
        user = PurePath(source.name).stem
        rows, lines, bad = [], [], []
        for line, track in enumerate(tracks, 1):
            name = track.identifier or track.location or named_track(track.artist, track.title)
            if not name:
                bad.append(BadRow(source.name, line, WHOLE_LINE, "", "a track without identifier, location and title"))
                continue
            duration = "" if track.duration_ms is None else str(track.duration_ms)
            names = (track.title, track.artist, track.album, duration)
            rows.append((user, name, *names, track.location, track.identifier))
            lines.append(line)
        frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
        yield RowBatch(frame.select(wanted), np.array(lines, np.int64), bad, 1.0)


m3u_format = PlaylistFiles("m3u")
xspf_format = PlaylistFiles("xspf")
jspf_format = PlaylistFiles("jspf")
