"""Which column of the files plays which role: by flag, else by the names that logs use, said aloud."""

import re
from collections.abc import Callable, Sequence

from mu.data.logs.importing.rows import Roles
from mu.names import nearest

USUAL = {
    "user": ("user", "user_id", "userid", "uid", "user_name", "username", "listener", "listener_id"),
    "track": (
        *("track", "track_id", "trackid", "track_uri", "spotify_track_uri", "song", "song_id", "songid"),
        *(
            "item",
            "item_id",
            "itemid",
            "iid",
            "artist",
            "artist_id",
            "artistid",
            "movie_id",
            "movieid",
            "msid",
        ),
        *("recording_msid", "recording_mbid", "product_id", "business_id"),
    ),
    "time": (
        "time",
        "timestamp",
        "ts",
        "unix_time",
        "listened_at",
        "played_at",
        "datetime",
        "date",
        "time_stamp",
    ),
    "weight": ("weight", "plays", "play_count", "playcount", "count", "listens", "rating", "user_rating"),
    "duration": ("ms_played", "msplayed", "played_ms", "played_s", "play_time", "playtime", "seconds_played"),
    "title": (
        *(
            "title",
            "track_name",
            "trackname",
            "track_title",
            "song_name",
            "song_title",
            "name",
            "artist_name",
        ),
        *("artistname", "movie_title", "item_name"),
    ),
}
# Looked for where a rule asks for it; that a log has one changes nothing.
USUAL_LENGTH = ("duration_s", "duration_ms", "duration", "length_s", "length_ms", "length", "track_length")
# Columns that are read where they are named alone: an import without them stays what it is.
NAMED = ("length", "finished", "skipped")
NONE = "none"


def usual_column(usual_names: Sequence[str], names: Sequence[str]) -> str | None:
    """The column of `names` that has the earliest of the usual names, case and `_`, `-` aside."""
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(names)}
    for usual in usual_names:
        if usual.replace("_", "") in plain:
            return plain[usual.replace("_", "")]
    return None


def must_have(name: str, names: Sequence[str], flag: str, where: str) -> str:
    """`name`, if it is among `names`.

    Raises:
      ValueError: it is not; names the nearest, and all there are.
    """
    if name not in names:
        raise ValueError(
            f"--{flag}={name}: {where} has no such column{nearest(name, names)}; it has: {', '.join(names)}"
        )
    return name


def choose_roles(
    names: Sequence[str],
    where: str,
    flags: dict[str, str | None],
    track_attributes: Sequence[str],
    user_attributes: Sequence[str],
    event_columns: Sequence[str],
    needs_duration: str | None,
    say: Callable[[str], None],
) -> Roles:
    """The roles of the columns `names` of the file `where`.

    Args:
      flags: 'user', 'track', 'time', 'weight', 'duration', 'title', or of `NAMED` -> a column; 'none' for no
        column; None to look for a usual name, but for those of `NAMED`.
      needs_duration: the option that asks for time played; otherwise it is not read.

    Raises:
      ValueError: a named column is not there, or there is none for user or track.
    """
    chosen: dict[str, str | None] = {}
    for role in (*USUAL, *NAMED):
        flag = flags.get(role)
        if flag == NONE:
            chosen[role] = None
        elif flag is not None:
            chosen[role] = must_have(flag, names, role, where)
        elif role in NAMED or (role == "duration" and not needs_duration):
            chosen[role] = None
        else:
            free = [name for name in names if name not in flags.values() and name not in chosen.values()]
            chosen[role] = usual_column(USUAL[role], free)
            if chosen[role] and chosen[role] != role:
                say(
                    f"{where}: column {chosen[role]!r} is taken for the {role} "
                    f"(--{role}=NAME to choose" + (")" if role in ("user", "track") else f", --{role}=none for none)")
                )
    for role in ("user", "track"):
        if chosen[role] is None:
            raise ValueError(f"{where}: which column is the {role}? Say --{role}=NAME; it has: {', '.join(names)}")
    if needs_duration and chosen["duration"] is None:
        raise ValueError(
            f"--{needs_duration} needs the time played: say --duration=NAME; {where} has: {', '.join(names)}"
        )
    if chosen["time"] is None:
        say(f"{where}: no column of times; plays keep the order of the input")
    of_track = {must_have(name, names, "track_attributes", where): name for name in track_attributes}
    of_user = {must_have(name, names, "user_attributes", where): name for name in user_attributes}
    events = tuple(must_have(name, names, "event_columns", where) for name in event_columns)
    title = chosen.pop("title")
    if title:
        of_track[title] = "title"
    if clash := (set(of_track.values()) & {"track"}) | (set(of_user.values()) & {"user"}):
        raise ValueError(f"the attribute {clash.pop()!r} would hide the column of ids; rename it in the file")
    user, track = str(chosen.pop("user")), str(chosen.pop("track"))
    return Roles(user, track, **chosen, event_columns=events, track_attributes=of_track, user_attributes=of_user)
