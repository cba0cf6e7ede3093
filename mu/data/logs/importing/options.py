"""The options of `mu import`: declared here once, checked here."""

import dataclasses
import os
from typing import Any, Literal

from mu.data.logs.importing.formats import FORMATS, load_format
from mu.data.logs.importing.text_files import check_encoding
from mu.data.options import OptionError, check_options, option
from mu.ranges import CountOrZero, NonNegative, Share

NONE = "none"
_FILES = "files"
_COLUMNS = "columns (default: a usual name, which is logged; 'none' for no column)"
_EVENTS = "outcomes and event columns (default: not read)"
_ATTRIBUTES = "attributes of tracks and users"
_RULES = "rules, in the order in which they apply"


@dataclasses.dataclass(frozen=True)
class LogImportOptions:
    """Options of the import of a log; `mu import --help` describes each."""

    format: str | None = option(
        None,
        f"{', '.join(list(FORMATS)[:-1])}, or the path of another, package.module:attribute (default: by extension)",
        group=_FILES,
        metavar="NAME",
    )
    columns: tuple[str, ...] = option(
        (), "names for the columns of files without a header", group=_FILES, metavar="A,B,..."
    )
    encoding: str = option("utf-8", "of text files, e.g. latin-1 (default: utf-8)", group=_FILES)
    data_dir: str | None = option(None, "folder of TFDS data sets", group=_FILES, metavar="DIR")

    user: str | None = option(None, "ids of users", group=_COLUMNS, metavar="NAME")
    user_id: str | None = option(
        None, "the id of the listener of all plays, for logs of one listener without such a column", group=_COLUMNS
    )
    track: str | None = option(None, "ids of tracks", group=_COLUMNS, metavar="NAME")
    time: str | None = option(None, "times; without, plays keep the order of the input", group=_COLUMNS, metavar="NAME")
    weight: str | None = option(None, "count, rating, ... of a play; 1 without", group=_COLUMNS, metavar="NAME")
    rating: str | None = option(
        None, "ratings, for --min_rating; they may be the weights too", group=_COLUMNS, metavar="NAME"
    )
    play_duration: str | None = option(
        None, "time played, for --min_play_s, --skip_below_s, --skip_below_share", group=_COLUMNS, metavar="NAME"
    )
    title: str | None = option(
        None, "title of the track, in the log or the track table", group=_COLUMNS, metavar="NAME"
    )
    time_unit: Literal["auto", "s", "ms", "us", "ns", "iso", "digits", "excel"] = option(
        "auto",
        "unix s, ms, us, ns; ISO 8601 (UTC where no zone is given); digits: YYYYMMDD, with hh, hhmm or hhmmss or not; "
        "excel: days of a spreadsheet; auto: as most times of a file are written, others are bad rows",
        group=_COLUMNS,
    )
    play_duration_unit: Literal["auto", "s", "ms"] = option(
        "auto", "auto: ms if the name of the column says so, else s", group=_COLUMNS
    )

    finished: str | None = option(
        None,
        "1, true or yes where a play was finished, 0, false or no where it was skipped, empty where it is not known",
        group=_EVENTS,
        metavar="NAME",
    )
    skipped: str | None = option(None, "the reverse: 1 where a play was skipped", group=_EVENTS, metavar="NAME")
    event_columns: tuple[str, ...] = option(
        (),
        "columns with a category of each play (device, platform, context), kept in the log under their names; up to "
        "65,536 different values each, empty included",
        group=_EVENTS,
        metavar="A,B,...",
    )
    event_numbers: tuple[str, ...] = option(
        (),
        "columns with a number of each play (ms_played, volume), kept in the log under their names for filters and "
        "audits; no model reads them; an empty field is not known",
        group=_EVENTS,
        metavar="A,B,...",
    )
    skip_below_s: NonNegative = option(
        0.0,
        "without a column of outcomes: a play of fewer than S seconds was skipped (30 is usual), others were finished",
        group=_EVENTS,
        metavar="S",
    )
    skip_below_share: Share = option(
        0.0,
        "the same for less than the share F of the track (.5 is usual); both may be given; the outcome is unknown "
        "where the duration of the track is",
        group=_EVENTS,
        metavar="F",
    )
    track_duration: str | None = option(
        None,
        "duration of the track, in the log or the track table, for --skip_below_share",
        group=_EVENTS,
        metavar="NAME",
    )
    track_duration_unit: Literal["auto", "s", "ms"] = option("auto", "as --play_duration_unit", group=_EVENTS)

    track_attributes: tuple[str, ...] = option(
        (),
        "columns of the log to keep in tracks.parquet, by the first play of each track",
        group=_ATTRIBUTES,
        metavar="A,B,...",
    )
    track_features: tuple[str, ...] = option(
        (),
        "columns with a number of each track (tempo, energy), of the log or the track table, kept as numbers; models "
        "are given them standardised",
        group=_ATTRIBUTES,
        metavar="A,B,...",
    )
    user_attributes: tuple[str, ...] = option(
        (), "columns of the log to keep in users.parquet", group=_ATTRIBUTES, metavar="A,B,..."
    )
    track_table: str | None = option(
        None,
        "a file of any format with more columns, joined by the track's id ('none': not RecBole's .item)",
        group=_ATTRIBUTES,
        metavar="FILE",
    )
    user_table: str | None = option(None, "the same for users", group=_ATTRIBUTES, metavar="FILE")
    track_key: str | None = option(
        None, "column of ids in the track table (default: by name)", group=_ATTRIBUTES, metavar="NAME"
    )
    user_key: str | None = option(
        None, "column of ids in the user table (default: by name)", group=_ATTRIBUTES, metavar="NAME"
    )
    catalogue: Literal["played", "all"] = option(
        "played",
        "all: tracks of the track table without plays stay too, with ids after those of the others, and so do tracks "
        "whose plays a rule drops: candidates to recommend on their first day",
        group=_ATTRIBUTES,
    )
    unknown_tracks: Literal["keep", "skip", "error"] = option(
        "keep",
        "plays of tracks that are not in the track table stay, without attributes; or are dropped (after "
        "--min_play_s); or stop the import",
        group=_ATTRIBUTES,
    )

    on_error: Literal["stop", "skip"] = option(
        "stop", "a bad row stops the import, or is written to rejected.csv", group=_RULES
    )
    min_play_s: NonNegative = option(
        0.0, "drop plays shorter than S seconds; those of unknown duration stay", group=_RULES, metavar="S"
    )
    min_weight: NonNegative = option(
        0.0, "drop plays of a smaller weight (a rating, a play count)", group=_RULES, metavar="W"
    )
    min_rating: float | None = option(
        None, "drop plays of a smaller rating: --min_rating=4 keeps what was liked", group=_RULES, metavar="R"
    )
    repeats: Literal["keep", "drop"] = option("keep", "drop: of a user's plays of a track keep the first", group=_RULES)
    k_core: CountOrZero = option(
        0, "drop users and tracks with fewer than K plays, until none is left", group=_RULES, metavar="K"
    )
    min_history: CountOrZero = option(0, "drop users with fewer than N plays", group=_RULES, metavar="N")

    def __post_init__(self) -> None:
        check_options(self)
        if self.format == "tfds":
            raise OptionError("format is 'tfds'; name the data set as tfds:NAME instead of a file")
        if self.format is not None:
            load_format(self.format)
        if len(set(self.event_columns)) < len(self.event_columns):
            raise OptionError(f"event_columns is {self.event_columns}; it must name each column once")
        if len(set(self.event_numbers)) < len(self.event_numbers) or set(self.event_numbers) & set(self.event_columns):
            raise OptionError(
                f"event_numbers is {self.event_numbers}; it must name each column once, and none of event_columns"
            )
        columns = [name for name in ("finished", "skipped") if getattr(self, name) not in (None, NONE)]
        rules = [name for name in ("skip_below_s", "skip_below_share") if getattr(self, name)]
        if len(columns) > 1 or (columns and rules):
            first, second = (columns + rules)[:2]
            raise OptionError(f"--{first} and --{second} both decide how a play ended; give one of them")
        if self.rating not in (None, NONE) and self.min_rating is None:
            raise OptionError("--rating is for --min_rating, which was not given; ratings as weights are --weight=NAME")
        if self.track_duration and not self.skip_below_share:
            raise OptionError("--track_duration is for --skip_below_share, which was not given")
        if self.user_id == "" or (self.user_id is not None and self.user not in (None, NONE)):
            raise OptionError(
                f"user_id is {self.user_id!r}; it must be the id of the only listener, of a log without --user"
            )
        if self.time == NONE and self.time_unit != "auto":
            raise OptionError("time_unit is the notation of times, but time is 'none'")
        check_encoding(self.encoding)

    def recorded(self) -> dict[str, Any]:
        """The options for the card; files by their names alone, so that a card does not reveal their folders."""
        recorded = dataclasses.asdict(self)
        for name in ("track_table", "user_table"):
            if recorded[name]:
                recorded[name] = os.path.basename(recorded[name])
        del recorded["data_dir"]
        return recorded
