"""`mu recommend`: recommends tracks for a user or a history, and users for a new recording."""

import argparse
import sys
from pathlib import Path
from typing import Any

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import Count

EPILOG = """\
examples:
  mu recommend runs/beauty --user=123                       a listener of the log, by the log's own id
  mu recommend runs/beauty --history="track-17,track-4"     any history, oldest first, by id or title
  mu recommend runs/beauty --history="Caravan, Duke Ellington"    one track of several of that title
  mu recommend runs/beauty --user=123 --k=50 --repeats      tracks already played may come again
  mu recommend runs/beauty --user=123 --csv > tracks.csv    the same as a table for other programs; --json likewise
  mu recommend runs/both --user=123 --m3u=tonight.m3u       and a playlist of them, of the files where there is sound
  mu recommend quickstart/run --audio=new.wav               who would like a recording that nobody has played
  mu recommend quickstart/run --audio=new.wav --about="artist=Nova;tags=calm|dark"    and is known so much of
  mu recommend quickstart/run --user=listener-00007 --embeddings=new     which of the recordings that
                                                            `mu embed quickstart/run LIBRARY --output=new` embedded

A title that several tracks have is refused, and they are listed. Upper and lower case and blanks make no difference
where no track is called exactly so. A history needs the run alone; a listener and a recording need the log that the run
was trained on, too. In Python: mu.api.open_run(DIR).recommend(...).
"""


def main(argv: list[str]) -> int:
    """0 when done, 1 when the run, listener or track is not there, 2 when the call or the run's config is wrong."""
    arguments = _parsed(argv)

    from mu.api import open_run
    from mu.commands.recommended import as_csv, as_json, as_text
    from mu.config.base import ConfigError
    from mu.console import explained, show_logs, working

    show_logs()
    try:
        with working("starting"):
            run = open_run(arguments.workdir)
        answer = _answer(run, arguments)
    except (OSError, ValueError) as error:
        print(f"mu recommend: {explained(error)}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    write = as_json if arguments.json else as_csv if arguments.csv else as_text
    print(write(answer))
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
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="JSON instead of text")
    formats.add_argument("--csv", action="store_true", help="CSV instead of text")
    parser.add_argument("--m3u", metavar="FILE", help="write a playlist, too: FILE.m3u, .m3u8, .xspf or .jspf")
    arguments = parser.parse(argv)
    check_flags(parser, arguments, k=Count)
    if arguments.about and arguments.audio is None:
        parser.error("--about says what is known of a recording: give --audio too")
    if arguments.embeddings and arguments.user is None:
        parser.error("--embeddings holds recordings for a listener: give --user too")
    if arguments.m3u and (arguments.audio or arguments.embeddings):
        parser.error("--m3u is a playlist of tracks of the log: give --user or --history alone")
    if arguments.m3u:
        from mu.data.playlists import WRITERS

        if Path(arguments.m3u).suffix.lower() not in WRITERS:
            parser.error(f"--m3u={arguments.m3u}: a playlist is written as {', '.join(WRITERS)}")
    return arguments


def _answer(run: Any, arguments: argparse.Namespace) -> Any:
    """The table that answers the call, and the words around it."""
    from mu.commands.recommended import Answer

    if arguments.audio is not None:
        frame = run.audience(arguments.audio, arguments.k, about=arguments.about)
        return Answer(frame, f"{arguments.audio} would be played most by", AUDIENCE)
    if arguments.embeddings is not None:
        frame = run.recordings(arguments.user, arguments.embeddings, arguments.k)
        return Answer(frame, f"of {arguments.embeddings}, {arguments.user} would like", SCORE)
    who = {"user": arguments.user, "history": arguments.history}
    frame = run.recommend(k=arguments.k, repeats=arguments.repeats, **who)
    if arguments.m3u:
        run.write_playlist(frame, arguments.m3u)
    means = f"{SCORE}; {REASONS}" if "reason_1" in frame.columns else SCORE
    return Answer(frame, "recommended", means, run.history(**who))


SCORE = "score: the higher, the better it suits this listener; scores of two listeners or of two runs do not compare"
REASONS = "why: the two parts of the score that lie most above those of the mean track"
AUDIENCE = "times_mean: the share of their plays that they would give it, over that of the mean listener"
