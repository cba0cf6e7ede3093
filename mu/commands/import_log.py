"""`mu import`: turns files of plays into a folder of arrays, tables and a card."""

import os
import sys
import time
from typing import Any

from mu.commands.flags import CommandParser, add_flags, take_options

EXAMPLES = """
examples:
  mu import plays.csv --output=data/mine
  mu import my_spotify_data.zip --output=data/me               (Spotify's export as it comes, or unpacked; taste.html)
  mu import my_spotify_data.zip --min_play_s=30 --event_columns=platform,shuffle --output=data/me
  mu import scrobbles.csv --user_id=rob --output=data/rob                             (Last.fm)
  mu import listenbrainz-listens-dump.tar.zst --output=data/listenbrainz              (or a user's export, .zip)
  mu import mpd/data/ --output=data/mpd                                               (Million Playlist Dataset)
  mu import *.m3u8 --output=data/playlists                                            (each playlist is a user)
  mu import plays.csv --finished=finished --event_columns=device --track_table=tracks.csv --catalogue=all \\
      --unknown_tracks=error --output=data/joint                                      (outcomes, new releases)
  mu import user_artists.dat.gz --track_table=artists.dat.gz --output=data/lastfm     (HetRec 2011 Last.fm)
  mu import Beauty.txt.gz --format=lists --output=data/beauty                         (user item item ...)
  mu import --format=lists --train train.txt --valid valid.txt --test test.txt --output=data/gowalla
  mu import ml-100k.inter --k_core=5 --output=data/ml-100k                            (RecBole)
  mu import u.data --format=tsv --columns=user,item,rating,timestamp --output=data/ml (no header)
  mu import ratings.csv --min_rating=4 --output=data/liked                            (ratings as a filter)
  mu import tfds:movielens/100k-ratings --user=user_id --track=movie_id --output=data/movielens

formats (by content or extension, .gz, .bz2, .xz, .zst or not, or by --format; another package's by its path,
--format=package.module:attribute):
  csv      the first line names the columns; quotes as in RFC 4180
  tsv      the same with tabs, quotes are letters (.tsv, .dat)
  semicolons  csv with semicolons (only by --format)
  jsonl    one object a line, or one array of objects (.jsonl, .ndjson, .json)
  parquet  (.parquet, .pq)
  lists    user item item ... separated by white space; their order is the order of plays (only by --format)
  recbole  atomic files; .item and .user beside an .inter file are joined
  tfds     tfds:NAME or tfds:NAME#SPLIT, read as ArrayRecord
  spotify, spotify_account  Spotify's extended history and account data: recognised, in a zip archive or folder too;
           columns track, time, title, artist, album, ms_played, skipped and those of the export; the listener is 'me'
  lastfm   scrobbles as CSV, with or without a header; recognised
  listenbrainz  answers, exports and dumps, in tar archives too; recognised; --track=recording_mbid for MusicBrainz ids
  mpd, m3u, xspf, jspf  slices of the Million Playlist Dataset and playlist files; a playlist is a user; recognised

output: indptr, items, times, weights (and parts, outcomes, columns/*) as .npy, users.parquet, tracks.parquet,
card.json; rejected.csv if rows were skipped; taste.html, the page of a log of one listener.
Open it with mu.data.logs.interactions.load(DIR).
"""


def main(argv: list[str]) -> int:
    """Runs the command.

    Returns:
      0; 1 after an error of the data and 2 after one of the flags, which have been printed; 130 when interrupted.
    """
    from mu.console import Progress, explained, show_logs
    from mu.data.logs.importing.options import LogImportOptions
    from mu.data.options import OptionError
    from mu.interrupts import Interrupts

    parser = _parser()
    add_flags(parser, LogImportOptions)
    flags = vars(parser.parse(argv))
    options = take_options(LogImportOptions, flags)

    from mu.data.logs.importing.run import import_log

    show_logs()
    start = time.monotonic()
    try:
        with Interrupts(), Progress() as progress:
            card = import_log(
                options=LogImportOptions(**options),
                progress=lambda stage, share: progress.update(stage, share, 1.0),
                **flags,
            )
    except (ValueError, OSError) as error:
        print(f"mu import: {explained(error)}", file=sys.stderr)
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        print("mu import: interrupted; nothing was written", file=sys.stderr)
        return 130
    _print_summary(card, flags["output"], time.monotonic() - start)
    if card["users"] == 1 and card["time_unit"] == "ms":
        return _write_taste_page(flags["output"])
    return 0


def _write_taste_page(output: str) -> int:
    """Writes the page of a log of one listener into its folder; returns the exit status."""
    from mu.console import explained
    from mu.data.logs.interactions import load
    from mu.report.taste import write_taste_page

    page = os.path.join(output, "taste.html")
    try:
        write_taste_page(load(output), page)
    except OSError as error:
        print(f"mu import: {explained(error)}", file=sys.stderr)
        return 1
    print(f"a page of this listener's taste: {page}")
    return 0


def _parser() -> CommandParser:
    """The arguments that are no options of the import."""
    parser = CommandParser(
        prog="mu import",
        description="Imports a log of plays: who played what, when.",
        epilog=EXAMPLES,
    )
    parser.add_argument("inputs", nargs="*", metavar="FILE", help="files of the log, in order, or tfds:NAME")
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace an imported log at DIR")
    group = parser.add_argument_group("a log with a split")
    for part in ("train", "valid", "test"):
        group.add_argument(f"--{part}", nargs="+", default=[], metavar="FILE", help=f"files of the {part} part")
    return parser


def _print_summary(card: dict[str, Any], output: str, seconds: float) -> None:
    from mu.data.logs.moments import show_moment

    print(
        f"{card['events']:,} plays of {card['users']:,} users and {card['tracks']:,} tracks "
        f"in {output} ({seconds:.1f} s)"
    )
    column, least = card["columns"]["rating"], card["options"]["min_rating"]
    why = {"min_rating": f" ({column} below {least:g})"} if column else {}
    print(
        f"rows read: {card['rows_in']:,}"
        + "".join(f"; dropped by {rule}{why.get(rule, '')}: {n:,}" for rule, n in card["rows_dropped"].items() if n)
    )
    if card["rejected"]:
        print(f"bad rows are in {output}/rejected.csv")
    if card["time_unit"] == "ms":
        first, last = (show_moment(card[name])[:10] for name in ("first_time", "last_time"))
        print(f"times were read as {card['time_unit_read']} (--time_unit), from {first} to {last}")
    if "outcomes" in card:
        print("outcomes: " + ", ".join(f"{name} {n:,}" for name, n in card["outcomes"].items()))
    for name, values in card.get("event_columns", {}).items():
        print(f"{name}: {len(values):,} values")
    if card["tracks_without_plays"]:
        print(f"tracks without plays: {card['tracks_without_plays']:,}")
    quantiles = card["history_length_quantiles"]
    print(
        f"plays a user: median {quantiles['0.5']:g}, 90 % have up to {quantiles['0.9']:g}, "
        f"most {quantiles['1']:g}; the top 1 % of tracks hold {card['top_1_percent_share']:.1%} of plays"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
