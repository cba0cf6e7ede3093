"""What a file of plays is, by its name and its first bytes: the one place where formats of services are recognised."""

import re
from pathlib import Path
from typing import NamedTuple

from mu.data.logs.importing.archives import open_source
from mu.data.logs.importing.bad_rows import damage_named
from mu.data.logs.importing.formats import COMPRESSED, EXTENSIONS, LogSource

HEAD_BYTES = 1 << 16
# No service has files of these formats, so their extension is enough.
BY_EXTENSION = ("parquet", "recbole")


class Service(NamedTuple):
    """How files of a service are known.

    Attributes:
      words: what it is called.
      keys: patterns of JSON keys that the first bytes hold, all of them.
      pattern: what the first bytes match instead, of files that are no JSON.
    """

    words: str
    keys: tuple[str, ...] = ()
    pattern: str = ""


_FIELD = r'("([^"]|"")*"|[^",\n]*),'
_DATE = r'"?\d{1,2} [A-Z][a-z]{2} \d{4},? \d{2}:\d{2}"?\r?(\n|$)'
# Named columns; or four fields, the last a date as Last.fm writes it; or both, the names first.
_SCROBBLES = "|".join(
    (r'"?uts"?,"?utc_time"?,', rf"({_FIELD}){{3}}{_DATE}", rf'(?i:"?artist"?,)[^\n]*\n({_FIELD})+{_DATE}')
)
SERVICES = {
    "spotify": Service("Spotify extended streaming history", ("ts", "ms_played", "spotify_track_uri")),
    "spotify_account": Service("Spotify account data", ("endTime", "msPlayed")),
    "listenbrainz": Service("ListenBrainz listens", ("listened_at|timestamp", "track_metadata")),
    "mpd": Service("Million Playlist Dataset", ("playlists", "pid", "track_uri")),
    "jspf": Service("JSPF playlists", pattern=r'\s*\{\s*"playlist"\s*:\s*\{'),
    "xspf": Service("XSPF playlists", pattern=r"\s*(<\?xml[^>]*\?>\s*)?(<!--(?:(?!-->).)*-->\s*)*<playlist\b"),
    "m3u": Service("M3U playlists", pattern=r"#EXTM3U"),
    "lastfm": Service("Last.fm scrobbles", pattern=_SCROBBLES),
}


def recognised(source: LogSource) -> str | None:
    """The format of a service, a key of `SERVICES`, that the file has; None for any other file.

    Raises:
      ValueError: the file is damaged, or no text.
    """
    if extension_format(source.name) in BY_EXTENSION:
        return None
    with damage_named(source.name), open_source(source) as (stream, _):
        head = stream.read(HEAD_BYTES).decode("utf-8", "replace").removeprefix("\ufeff")
    by_extension = extension_format(source.name)
    fitting = (name for name, service in SERVICES.items() if _fits(service, head))
    return next(fitting, by_extension if by_extension in SERVICES else None)


def _fits(service: Service, head: str) -> bool:
    if service.keys:
        return head.lstrip()[:1] in ("[", "{") and all(re.search(rf'"({key})"\s*:', head) for key in service.keys)
    return re.match(service.pattern, head, re.DOTALL) is not None


def extension_format(name: str) -> str | None:
    """The format of a file by its extension (any case, `.gz` and the like are ignored); None for an unknown one."""
    path = Path(name.lower())
    return EXTENSIONS.get(path.with_suffix("").suffix if path.suffix in COMPRESSED else path.suffix)
