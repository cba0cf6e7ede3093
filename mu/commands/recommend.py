"""`mu recommend`: recommends tracks for a user or a history, and users for a new recording."""

import argparse
import sys
from typing import Any

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import Count

EPILOG = """\
examples:
  mu recommend runs/beauty --user=123                       a listener of the log, by the log's own id
  mu recommend runs/beauty --history="track-17,track-4"     any history, oldest first, by id or title
  mu recommend runs/beauty --history="Caravan, Duke Ellington"    one track of several of that title
  mu recommend runs/beauty --user=123 --k=50 --repeats      tracks already played may come again
  mu recommend quickstart/run --audio=new.wav               who would like a recording that nobody has played
  mu recommend quickstart/run --audio=new.wav --about="artist=Nova;tags=calm|dark"    and is known so much of
  mu recommend quickstart/run --user=listener-00007 --embeddings=new     which of the recordings that
                                                            `mu embed quickstart/run LIBRARY --output=new` embedded

A title that several tracks have is refused, and they are listed. Upper and lower case and blanks make no difference
where no track is called exactly so. A history needs the run alone; a listener and a recording need the log that the run
was trained on, too.
"""

SHOWN_HISTORY = 8
NOBODY = -1


def main(argv: list[str]) -> int:
    """0 when done, 1 when the run, listener or track is not there, 2 when the call or the run's config is wrong."""
    arguments = _parsed(argv)

    from mu.config.base import ConfigError
    from mu.console import explained, printable, show_logs
    from mu.run.restore import open_run

    show_logs()
    try:
        run = open_run(arguments.workdir)
        if run.log is None:
            raise ValueError(f"{arguments.workdir} is a run on clips, not on a log of plays")
        if arguments.audio is not None:
            lines = _listeners(run, arguments)
        elif arguments.embeddings is not None:
            lines = _recordings(run, arguments)
        else:
            lines = _tracks(run, arguments)
    except (OSError, ValueError) as error:
        print(f"mu recommend: {explained(error)}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    print(printable("\n".join(lines)))
    return 0


def _parsed(argv: list[str]) -> argparse.Namespace:
    parser = CommandParser(
        prog="mu recommend",
        description="Recommend tracks to a listener, or after a history, or a new recording to listeners.",
        epilog=EPILOG,
    )
    parser.add_argument("workdir", help="a run of `mu train`")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", help="a listener's id in the log")
    tracks = "ids of tracks, titles, 'title, artist' or 'artist - title', oldest first, separated by commas"
    who.add_argument("--history", help=tracks)
    who.add_argument("--audio", metavar="FILE", help="a recording: who would like it?")
    parser.add_argument("--about", default="", help="what is known of the recording: column=value|value;column=value")
    parser.add_argument("--embeddings", metavar="DIR", help="recommend from these recordings, embedded with this run")
    parser.add_argument("--k", type=int, default=10, help="how many (default 10)")
    parser.add_argument("--repeats", action="store_true", help="let tracks of the history come again")
    arguments = parser.parse(argv)
    check_flags(parser, arguments, k=Count)
    if arguments.about and arguments.audio is None:
        parser.error("--about says what is known of a recording: give --audio too")
    if arguments.embeddings and arguments.user is None:
        parser.error("--embeddings holds recordings for a listener: give --user too")
    return arguments


def _tracks(run: Any, arguments: argparse.Namespace) -> list[str]:
    """The end of the history, and the k best tracks after it with their scores."""
    import numpy as np

    from mu.data.features import HistoryFeatures, TrackHistories
    from mu.data.track_names import find_tracks
    from mu.inference.topk import recommend

    log = run.log
    if arguments.user is not None:
        user = log.user(arguments.user)
        history = run.open_log().take(np.array([user]))
    else:
        if isinstance(run.features, HistoryFeatures) and run.features.window is None:
            raise ValueError(f"the model of {arguments.workdir} knows users by their ids alone: give --user=ID")
        user, history = NOBODY, TrackHistories.of(find_tracks(log.tracks, arguments.history))
    moment = {"time_ms": log.now_ms, "allow": log.out_at(log.now_ms)}
    recommender = run.up_to_date().recommender()
    hits = recommend(recommender, np.array([user]), history, arguments.k, repeats=arguments.repeats, **moment)
    titles, count = log.titles(), int(hits.count[0])
    scored = zip(hits.ids[0, :count], hits.scores[0, :count], strict=True)
    return [
        f"After {len(history):,} {'play' if len(history) == 1 else 'plays'}, the last of them",
        *(f"          {titles[item]}" for item in history.items[-SHOWN_HISTORY:]),
        "recommended",
        *(f"  {score:7.2f} {titles[item]}" for item, score in scored),
    ]


def _listeners(run: Any, arguments: argparse.Namespace) -> list[str]:
    """The k listeners who would play a recording most."""
    from mu.embedding.cold_start import described, listeners_of, vector_of_file
    from mu.embedding.encoder import clip_encoder

    run.refuse_without_audio()
    description = described(run.log, arguments.about)
    for column, value, near in description.unknown:
        print(f"mu recommend: no track of the log has {column} {value!r}; near it: {', '.join(near)}", file=sys.stderr)
    content = vector_of_file(clip_encoder(run), arguments.audio)
    data, recommender = run.open_log(), run.up_to_date().recommender()
    listeners = listeners_of(data, recommender, content, description.features, arguments.k)
    names = run.log.users["user"]
    return [
        f"{arguments.audio} would be played most by (x the mean listener)",
        *(f"  {share:7.2f} {names[user]}" for user, share in listeners),
    ]


def _recordings(run: Any, arguments: argparse.Namespace) -> list[str]:
    """The k recordings of an embedded library that suit a listener best."""
    from mu.embedding.cold_start import open_embedded, recordings_for
    from mu.embedding.encoder import hash_of

    run.refuse_without_audio()
    user = run.log.user(arguments.user)
    library = open_embedded(arguments.embeddings, hash_of(run), arguments.workdir)
    data, recommender = run.open_log(), run.up_to_date().recommender()
    return [
        f"of {arguments.embeddings}, {arguments.user} would like",
        *(f"  {score:7.2f} {clip}" for clip, score in recordings_for(data, recommender, user, library, arguments.k)),
    ]
