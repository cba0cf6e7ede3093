"""Scrobbles of Last.fm as CSV: `artist,album,track,31 Jan 2020 13:45` without a header, or named columns with `uts`."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import polars as pl

from mu.data.logs.importing.delimited import csv_format
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch

DESCRIBED = ("title", "artist", "album", "recording_mbid", "release_mbid", "artist_mbid")
WITHOUT_HEADER = ("artist", "album", "title", "date")
NAMES = {
    "artist": "artist",
    "album": "album",
    "track": "title",
    "title": "title",
    "name": "title",
    "uts": "uts",
    "utctime": "date",
    "date": "date",
    "time": "date",
    "trackmbid": "recording_mbid",
    "albummbid": "release_mbid",
    "artistmbid": "artist_mbid",
}
DATES = ("%d %b %Y %H:%M", "%d %b %Y, %H:%M")


class Layout(NamedTuple):
    """The columns of a file.

    Attributes:
      names: of all columns; empty where the file has a header.
      columns: our name -> the file's.
    """

    names: tuple[str, ...]
    columns: dict[str, str]


class LastFm:
    """The format of scrobbles; a track is 'ARTIST - TITLE'."""

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """`track`, `time`, and what the file says of them."""
        return ["track", "time", *(name for name in DESCRIBED if name in _layout(source, options).columns)]

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The columns `wanted`; what is playing now has no date and is set aside."""
        layout = _layout(source, options)
        options = dataclasses.replace(options, columns=layout.names)
        for batch in csv_format.batches(source, list(layout.columns.values()), options):
            frame = batch.frame.select(pl.col(name).cast(pl.String).alias(own) for own, name in layout.columns.items())
            frame = frame.with_columns(_time(frame), _track())
            playing = (frame["time"].is_null() | (frame["time"] == "")).to_numpy()
            frame = frame.filter(~playing).select(wanted)
            aside = {"playing_now": int(playing.sum())} if playing.any() else {}
            yield RowBatch(frame, batch.lines[~playing], batch.bad, batch.done, aside)


lastfm_format = LastFm()


def _layout(source: LogSource, options: ReadOptions) -> Layout:
    """How the file is laid out: its first line names columns, or is a scrobble."""
    first = csv_format.header(source, options)
    columns: dict[str, str] = {}
    for name in first:
        own = NAMES.get(re.sub(r"[^a-z]", "", name.lower()))
        if own and own not in columns:
            columns[own] = name
    if {"artist", "title"} <= columns.keys() and ({"uts", "date"} & columns.keys()):
        return Layout(options.columns, columns)
    if len(first) != len(WITHOUT_HEADER):
        raise ValueError(
            f"{source.name}: {len(first)} columns; scrobbles without a header have {', '.join(WITHOUT_HEADER)}, others "
            "name artist, track and uts (or a date) in their first line"
        )
    return Layout(WITHOUT_HEADER, dict(zip(WITHOUT_HEADER, WITHOUT_HEADER, strict=True)))


def _time(frame: pl.DataFrame) -> pl.Series:
    """Unix seconds or ISO 8601; a date that cannot be read stays as it is, for the message about it."""
    if "uts" in frame.columns:
        return frame["uts"].alias("time")
    text = frame["date"]
    moments = [text.str.strip_chars().str.to_datetime(format, strict=False, time_unit="ms") for format in DATES]
    written = [moment.dt.strftime("%Y-%m-%dT%H:%M:%S") for moment in moments]
    return pl.select(pl.coalesce([*written, text])).to_series().alias("time")


def _track() -> pl.Expr:
    artist, title = pl.col("artist").fill_null(""), pl.col("title").fill_null("")
    return pl.when((artist != "") & (title != "")).then(artist + " - " + title).otherwise(title).alias("track")
