"""Ids of tracks in services that know them by name alone."""


def named_track(artist: object, title: object) -> str:
    """'ARTIST - TITLE', or the title alone where no artist is known; '' without a title."""
    artist, title = str(artist or "").strip(), str(title or "").strip()
    return f"{artist} - {title}" if artist and title else title
