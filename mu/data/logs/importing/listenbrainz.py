"""ListenBrainz: answers of its interface, exports of a user, and dumps of all users (JSON lines in tar archives)."""

from collections.abc import Mapping
from typing import Any

from mu.data.logs.importing.jsonl import Json, Row
from mu.data.logs.importing.track_names import named_track

MBIDS = ("recording_mbid", "release_mbid", "artist_mbids")
COLUMNS = (
    *("user", "track", "time", "title", "artist", "album"),
    *MBIDS,
    *("recording_msid", "isrc", "duration_ms", "music_service"),
)


def listen_rows(record: Row) -> list[Row] | str:
    """The listen (its track is 'ARTIST - TITLE', which every listen has), or what else it is.

    MusicBrainz ids are those that ListenBrainz mapped, else those that the player sent.
    """
    metadata = _mapping(record.get("track_metadata"))
    info, mapped = _mapping(metadata.get("additional_info")), _mapping(metadata.get("mbid_mapping"))
    if not metadata.get("track_name"):
        return "without_track"
    time = record.get("listened_at") or record.get("timestamp")
    if time is None:
        return "playing_now"
    duration = info.get("duration")
    row: Row = {
        "user": record.get("user_name"),
        "track": named_track(metadata.get("artist_name"), metadata.get("track_name")),
        "time": time,
        "title": metadata.get("track_name"),
        "artist": metadata.get("artist_name"),
        "album": metadata.get("release_name"),
        "recording_msid": record.get("recording_msid") or info.get("recording_msid"),
        "isrc": info.get("isrc"),
        "duration_ms": info.get("duration_ms") or (f"{duration}000" if str(duration).isdecimal() else None),
        "music_service": info.get("music_service") or info.get("music_service_name"),
    }
    return [row | {name: mapped.get(name) or info.get(name) for name in MBIDS}]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


listenbrainz_format = Json(listen_rows, COLUMNS, array="listens", optional={"user": "user_name"})
