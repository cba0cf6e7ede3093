"""The role of each column of a log: by flag, else by the names that logs usually have, which are logged."""

import logging
import re
from collections.abc import Sequence

from mu.data.logs.importing.options import NONE, LogImportOptions
from mu.data.logs.importing.rows import ColumnRoles
from mu.data.logs.importing.text_files import printable
from mu.data.options import OptionError
from mu.names import nearest

MAX_SHOWN, MAX_LENGTH = 50, 100
logger = logging.getLogger(__name__)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# By role, the preferred names first; case and `_`, `-` are ignored.
USUAL = {
    "user": _names("user user_id userid uid user_name username listener listener_id"),
    "track": _names(
        "track track_id trackid track_uri spotify_track_uri song song_id songid item item_id itemid iid recording_mbid "
        "track_mbid musicbrainz_recordingid musicbrainz_trackid isrc msid recording_msid artist artist_id artistid "
        "artist_mbid movie_id movieid product_id business_id"
    ),
    "time": _names("time timestamp ts unix_time listened_at played_at datetime date time_stamp"),
    "weight": _names("weight plays play_count playcount count listens rating user_rating"),
    "rating": _names("rating user_rating ratings stars score"),
    "play_duration": _names("ms_played msplayed played_ms played_s play_time playtime seconds_played"),
    "title": _names(
        "title track_name trackname track_title song_name song_title name artist_name artistname movie_title item_name"
    ),
}
# Searched for only if a rule needs it, so that a column of this name changes no other import.
USUAL_TRACK_DURATION = _names("duration_s duration_ms duration length_s length_ms length track_length")
SHARED = {"rating", "weight"}
"""Roles that one column may have both."""
# Read only if named, so that imports without these flags do not change.
NAMED = ("track_duration", "finished", "skipped")


def usual_column(usual_names: Sequence[str], names: Sequence[str]) -> str | None:
    """The column of `names` with the first of the usual names that there is; case and `_`, `-` are ignored."""
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(names)}
    for usual in usual_names:
        if usual.replace("_", "") in plain:
            return plain[usual.replace("_", "")]
    return None


def looks_like_data(names: Sequence[str]) -> bool:
    """Whether the names of columns are values of a play instead: one is a number or a moment, which no name is."""
    return any(re.fullmatch(r"-?\d+(\.\d+)?|\d{4}-\d\d-\d\d([ T].*)?", name.strip()) for name in names)


def shown(names: Sequence[str]) -> str:
    """The names for a message, the first fifty of many."""
    more = f", ... ({len(names):,} in all)" if len(names) > MAX_SHOWN else ""
    return ", ".join(printable(name, MAX_LENGTH) for name in names[:MAX_SHOWN]) + more


def require_column(name: str, names: Sequence[str], flag: str, label: str) -> str:
    """`name`, if it is among the columns `names` of the file `label`.

    Raises:
      OptionError: it is not; names the nearest column, and all of them.
    """
    if name not in names:
        raise OptionError(f"--{flag}={name}: {label} has no such column{nearest(name, names)}; it has: {shown(names)}")
    return name


def choose_roles(names: Sequence[str], label: str, options: LogImportOptions, has_track_table: bool) -> ColumnRoles:
    """The roles of the columns `names` of the file `label`.

    Options name columns; 'none' means no column, None means a column with a usual name, except for the roles `NAMED`.

    Args:
      has_track_table: whether there is a table of tracks, which may have the title and the duration instead.

    Raises:
      OptionError: a named column is missing, or there is none for user, track or a duration that a rule needs.
    """
    flags = {role: getattr(options, role) for role in (*USUAL, *NAMED)}
    if has_track_table and options.title not in names:
        flags["title"] = NONE
    if has_track_table and options.track_duration not in names:
        flags["track_duration"] = None
    rules = [rule for rule in ("min_play_s", "skip_below_s", "skip_below_share") if getattr(options, rule)]
    unread = [role for role, read in (("play_duration", rules), ("rating", options.min_rating is not None)) if not read]
    chosen = _choose(names, label, flags, unread)
    if options.user_id is not None:
        chosen["user"] = _name_for_listener(names, label, options.user_id, chosen["user"])
    for role, way_out in (("user", ", or --user_id=ID where all plays are of one listener"), ("track", "")):
        if chosen[role] is None:
            if looks_like_data(names):
                raise OptionError(
                    f"{label}: its first line looks like a play, not like names of columns ({shown(names)}); add "
                    f"--columns=user,track,... with {len(names)} names"
                )
            raise OptionError(
                f"{label}: which column is the {role}? Add --{role}=NAME{way_out}; it has: {shown(names)}"
            )
    if rules and chosen["play_duration"] is None:
        raise OptionError(f"--{rules[0]} needs the time played: add --play_duration=NAME; {label} has: {shown(names)}")
    if options.min_weight and chosen["weight"] is None:
        raise OptionError(f"--min_weight needs weights: add --weight=NAME; {label} has: {shown(names)}")
    if options.min_rating is not None and chosen["rating"] is None:
        raise OptionError(f"--min_rating needs ratings: add --rating=NAME; {label} has: {shown(names)}")
    if chosen["time"] is None:
        logger.info("%s: no column of times; plays keep the order of the input", label)
    events = tuple(require_column(name, names, "event_columns", label) for name in options.event_columns)
    numbers = tuple(require_column(name, names, "event_numbers", label) for name in options.event_numbers)
    of_track = {require_column(name, names, "track_attributes", label): name for name in options.track_attributes}
    of_log = [name for name in options.track_features if name in names or not has_track_table]
    of_track |= {require_column(name, names, "track_features", label): name for name in of_log}
    of_user = {require_column(name, names, "user_attributes", label): name for name in options.user_attributes}
    title = chosen.pop("title")
    if title:
        of_track[title] = "title"
    if clash := (set(of_track.values()) & {"track"}) | (set(of_user.values()) & {"user"}):
        raise OptionError(f"the attribute {clash.pop()!r} would hide the column of ids; rename it in the file")
    user, track = str(chosen.pop("user")), str(chosen.pop("track"))
    chosen["listener"] = options.user_id
    return ColumnRoles(
        user,
        track,
        **chosen,
        event_columns=events,
        event_numbers=numbers,
        track_attributes=of_track,
        user_attributes=of_user,
    )


def _name_for_listener(names: Sequence[str], label: str, user_id: str, column: str | None) -> str:
    """A name that no column has, for the ids of the only listener of the log.

    Raises:
      OptionError: the log has a `column` of users.
    """
    if column is not None:
        raise OptionError(
            f"--user_id={user_id} is for a log of one listener without a column of users, but {label} has {column!r}: "
            "leave out --user_id, or add --user=none"
        )
    return next(name for name in ("user", *(f"user_{place}" for place in range(len(names)))) if name not in names)


def _choose(
    names: Sequence[str], label: str, flags: dict[str, str | None], unread: Sequence[str]
) -> dict[str, str | None]:
    """The column of each role, None for none, and for the roles `unread` where no flag names one."""
    chosen: dict[str, str | None] = {}
    guessed: dict[str, str] = {}
    for role, flag in flags.items():
        if flag == NONE:
            chosen[role] = None
        elif flag is not None:
            chosen[role] = require_column(flag, names, role, label)
        elif role in NAMED or role in unread:
            chosen[role] = None
        else:
            taken = {chosen[other] for other in chosen if {role, other} != SHARED}
            free = [name for name in names if (name not in flags.values() or role == "rating") and name not in taken]
            column = chosen[role] = usual_column(USUAL[role], free)
            if column:
                guessed[role] = column
    if any(column != role for role, column in guessed.items()):
        words = ", ".join(f"{role}={printable(column, MAX_LENGTH)}" for role, column in guessed.items())
        logger.info("%s: %s (guessed from the header; --ROLE=NAME chooses, --ROLE=none for none)", label, words)
    return chosen
