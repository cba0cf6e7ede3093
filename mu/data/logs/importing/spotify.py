"""Spotify's exports: the extended streaming history, and the history of a year in the account data.

Both are JSON arrays of one listener. Files that others have made of several exports are known by a key that says whose
a play is (`user_id`), or as JSON lines with a `username`. Columns have names of their own (`track`, `time`, `title`,
`artist`, `album`, `ms_played`, `skipped`) beside those of the export, which flags may name as well. Times are when a
play ended, in UTC.
"""

from mu.data.logs.importing.columns import USUAL
from mu.data.logs.importing.jsonl import Json, Row
from mu.data.logs.importing.track_names import named_track

EXTENDED = (
    "ts",
    "username",
    "platform",
    "ms_played",
    "conn_country",
    "ip_addr",
    "ip_addr_decrypted",
    "user_agent_decrypted",
    "master_metadata_track_name",
    "master_metadata_album_artist_name",
    "master_metadata_album_album_name",
    "spotify_track_uri",
    "episode_name",
    "episode_show_name",
    "spotify_episode_uri",
    "audiobook_title",
    "audiobook_uri",
    "audiobook_chapter_uri",
    "audiobook_chapter_title",
    "reason_start",
    "reason_end",
    "shuffle",
    "skipped",
    "offline",
    "offline_timestamp",
    "incognito_mode",
)
PODCASTS, AUDIOBOOKS, WITHOUT_TRACK = "podcasts", "audiobooks", "without_track"
UNKNOWN = ("", "Unknown Track", "Unknown Artist")


def extended_rows(record: Row) -> list[Row] | str:
    """The play of a track (its id is the URI), or what else it is."""
    track = record.get("spotify_track_uri")
    if not track:
        if record.get("spotify_episode_uri") or record.get("episode_name"):
            return PODCASTS
        return AUDIOBOOKS if record.get("audiobook_uri") or record.get("audiobook_title") else WITHOUT_TRACK
    row = {
        "user": record.get("user", record.get("username")),
        "track": track,
        "time": record.get("ts"),
        "title": record.get("master_metadata_track_name"),
        "artist": record.get("master_metadata_album_artist_name"),
        "album": record.get("master_metadata_album_album_name"),
    }
    return [record | row]


def account_rows(record: Row) -> list[Row] | str:
    """The play of a track (its id is 'ARTIST - TITLE', the export has no other), or what else it is."""
    artist, title = record.get("artistName"), record.get("trackName")
    if not title or title in UNKNOWN or artist in UNKNOWN:
        if record.get("podcastName") or record.get("episodeName"):
            return PODCASTS
        return AUDIOBOOKS if record.get("audiobookName") or record.get("chapterName") else WITHOUT_TRACK
    row = {
        "track": named_track(artist, title),
        "time": record.get("endTime"),
        "title": title,
        "artist": artist,
        "ms_played": record.get("msPlayed"),
    }
    return [record | row]


extended_format = Json(
    extended_rows,
    tuple(dict.fromkeys(["track", "time", "title", "artist", "album", "ms_played", "skipped", *EXTENDED])),
    listener_keys=USUAL["user"],
    account="username",
)
account_format = Json(
    account_rows,
    ("track", "time", "title", "artist", "ms_played", "endTime", "artistName", "trackName", "msPlayed"),
    listener_keys=USUAL["user"],
)
