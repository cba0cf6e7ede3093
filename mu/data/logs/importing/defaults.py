"""Options that need not be given for the files of a service, whose columns are known."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mu.data.logs.importing.columns import USUAL, usual_column
from mu.data.logs.importing.formats import LogSource
from mu.data.logs.importing.options import NONE, LogImportOptions
from mu.data.logs.importing.recognition import SERVICES

LISTENER = "me"
ACCOUNT = ("spotify", "username")
"""A format and its column of the account, which is the same in all plays."""
ATTRIBUTES = ("artist", "album", "isrc", "recording_mbid", "release_mbid", "artist_mbid", "artist_mbids")
USER_ATTRIBUTES = ("playlist",)
OUTCOMES = ("finished", "skipped", "skip_below_s", "skip_below_share")


def with_defaults(options: LogImportOptions, source: LogSource, names: Sequence[str]) -> LogImportOptions:
    """The options, and where one is not given what the service's columns `names` stand for.

    The listener is 'me' in files without a column of users, `skipped` is the outcome, `ms_played` a number of plays;
    `artist`, `album` and ids of MusicBrainz and ISRC are attributes of tracks, the name of a playlist is one of its
    user; no column is a weight.
    """
    if source.format not in SERVICES:
        return options
    changes: dict[str, Any] = {}
    if options.user is None:
        others = [name for name in names if (source.format, name) != ACCOUNT]
        changes["user"] = usual_column(USUAL["user"], others) or NONE
        if options.user_id is None and changes["user"] == NONE:
            changes["user_id"] = LISTENER
    if options.time is None and "time" not in names:
        changes["time"] = NONE
    if options.weight is None:
        changes["weight"] = NONE
    if "skipped" in names and not any(getattr(options, name) for name in OUTCOMES):
        changes["skipped"] = "skipped"
    if not options.event_numbers and "ms_played" in names and "ms_played" not in options.event_columns:
        changes["event_numbers"] = ("ms_played",)
    if not options.track_attributes:
        changes["track_attributes"] = tuple(name for name in ATTRIBUTES if name in names)
    if not options.user_attributes:
        changes["user_attributes"] = tuple(name for name in USER_ATTRIBUTES if name in names)
    return dataclasses.replace(options, **changes)
