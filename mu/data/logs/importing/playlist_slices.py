"""The Million Playlist Dataset: files of 1,000 playlists, each of which is a user; its tracks are plays, in order."""

from mu.data.logs.importing.jsonl import Json, Row

COLUMNS = ("user", "track", "title", "artist", "album", "artist_uri", "album_uri", "duration_ms", "pos", "playlist")


def slice_rows(playlist: Row) -> list[Row]:
    """The tracks of a playlist, by `pos`; `user` is its number `pid`, `playlist` its name.

    Raises:
      ValueError: its tracks are no list of objects, each with a whole number `pos`.
    """
    tracks = playlist.get("tracks")
    if not isinstance(tracks, list) or not all(isinstance(track, dict) for track in tracks):
        raise ValueError("its 'tracks' are no list of objects")
    rows: list[Row] = []
    for track in tracks:
        if not str(track.get("pos")).isdecimal():
            raise ValueError(f"a track has pos={track.get('pos')!r}, which is no whole number")
        rows.append(
            {
                "user": playlist.get("pid"),
                "track": track.get("track_uri"),
                "title": track.get("track_name"),
                "artist": track.get("artist_name"),
                "album": track.get("album_name"),
                "artist_uri": track.get("artist_uri"),
                "album_uri": track.get("album_uri"),
                "duration_ms": track.get("duration_ms"),
                "pos": track.get("pos"),
                "playlist": playlist.get("name"),
            }
        )
    return sorted(rows, key=lambda row: int(str(row["pos"])))


slice_format = Json(slice_rows, COLUMNS, array="playlists")
