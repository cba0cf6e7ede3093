"""`mu import`: files of plays in, a folder of arrays, tables and a card out."""

import argparse
import sys
import time
from typing import Any

EXAMPLES = """
examples:
  mu import plays.csv --output=data/mine
  mu import 'endsong_0.jsonl' --user=username --track=spotify_track_uri --time=ts --duration=ms_played \\
      --min_play_s=30 --title=master_metadata_track_name --output=data/spotify
  mu import plays.csv --finished=finished --event_columns=device --track_table=tracks.csv --catalogue=all \\
      --unknown_tracks=error --output=data/joint                                      (outcomes, new releases)
  mu import user_artists.dat.gz --track_table=artists.dat.gz --output=data/lastfm     (HetRec 2011 Last.fm)
  mu import Beauty.txt.gz --format=lists --output=data/beauty                         (user item item ...)
  mu import --format=lists --train train.txt --valid valid.txt --test test.txt --output=data/gowalla
  mu import ml-100k.inter --k_core=5 --output=data/ml-100k                            (RecBole)
  mu import u.data --format=tsv --columns=user,item,rating,timestamp --output=data/ml (no header)
  mu import tfds:movielens/100k-ratings --user=user_id --track=movie_id --output=data/movielens

formats (by extension, .gz or not, or by --format):
  csv      first line names the columns; quotes as in RFC 4180
  tsv      the same with tabs, quotes are letters (.tsv, .dat)
  jsonl    one object a line (.jsonl, .ndjson, .json)
  parquet  (.parquet, .pq)
  lists    user item item ... separated by white space; order is the order of plays (only by --format)
  recbole  atomic files; .item and .user beside an .inter file are joined
  tfds     tfds:NAME or tfds:NAME#SPLIT, read as ArrayRecord

output: indptr, items, times, weights (and parts, outcomes, columns/*) as .npy, users.parquet, tracks.parquet,
card.json; rejected.csv where rows were skipped. Open it with mu.data.logs.interactions.load(DIR).
"""


def main(argv: list[str]) -> int:
    """Runs the command; 0, or 1 after an error that has been printed, or 130 when interrupted."""
    parser = _parser()
    flags = vars(parser.parse_args(argv))
    from mu.console import Interrupts, Progress, say
    from mu.data.logs.importing import Options, import_log

    inputs, output, overwrite = flags.pop("files"), flags.pop("output"), flags.pop("overwrite")
    parts = {part: flags.pop(part) for part in ("train", "valid", "test")}
    for name in ("track_attributes", "user_attributes", "event_columns", "columns"):
        flags[name] = tuple(filter(None, (flags[name] or "").split(",")))
    flags["columns"] = flags["columns"] or None
    began = time.monotonic()
    try:
        with Interrupts(), Progress() as progress:
            card = import_log(
                inputs,
                output,
                Options(**flags),
                **parts,
                overwrite=overwrite,
                say=say,
                progress=lambda stage, share: progress.update(stage, share, 1.0),
            )
    except (ValueError, OSError) as error:
        print(f"mu import: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mu import: interrupted; nothing was written", file=sys.stderr)
        return 130
    _summary(card, output, time.monotonic() - began)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mu import",
        description="Imports a log of plays: who played what, when.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("files", nargs="*", help="files of the log, in order, or tfds:NAME")
    add("--output", required=True, metavar="DIR", help="the folder to make")
    add("--overwrite", action="store_true", help="replace an imported log at DIR")
    add(
        "--format",
        choices=("csv", "tsv", "parquet", "jsonl", "lists", "recbole"),
        help="default: by extension",
    )

    group = parser.add_argument_group("a log that comes split")
    for part in ("train", "valid", "test"):
        group.add_argument(f"--{part}", nargs="+", default=[], metavar="FILE", help=f"files of the {part} part")

    add = parser.add_argument_group("columns (default: a usual name, said aloud; 'none' for none)").add_argument
    add("--user", metavar="NAME")
    add("--track", metavar="NAME")
    add("--time", metavar="NAME", help="without times, plays keep the order of the input")
    add("--weight", metavar="NAME", help="count, rating, ... of a play; 1 without")
    add("--duration", metavar="NAME", help="time played, for --min_play_s, --skip_below_s, --skip_below_share")
    add("--title", metavar="NAME", help="name of the track, in the log or the track table")
    add("--columns", metavar="A,B,...", help="names for the columns of files without a header")
    add(
        "--time_unit",
        choices=("auto", "s", "ms", "iso"),
        default="auto",
        help="unix s, unix ms, ISO 8601 (UTC where no zone is given); auto: by magnitude",
    )
    add(
        "--duration_unit",
        choices=("auto", "s", "ms"),
        default="auto",
        help="auto: ms where the column's name says so, else s",
    )
    add("--encoding", default="utf-8", help="of text files, e.g. latin-1 (default: utf-8)")
    add("--data_dir", metavar="DIR", help="folder of TFDS data sets")

    add = parser.add_argument_group("how plays ended, and where they were played (default: not read)").add_argument
    add(
        "--finished",
        metavar="NAME",
        help="1, true or yes where a play was finished, 0, false or no where it was skipped, empty where nobody knows",
    )
    add("--skipped", metavar="NAME", help="the same the other way round: 1 where it was skipped")
    add(
        "--event_columns",
        metavar="A,B,...",
        help="columns with a category of each play (device, platform, context), kept in the log under their names; up "
        "to 65,536 different values each, empty included",
    )
    add(
        "--skip_below_s",
        type=float,
        default=0.0,
        metavar="S",
        help="where no column tells: a play of fewer than S seconds was skipped (30 is usual), others were finished",
    )
    add(
        "--skip_below_share",
        type=float,
        default=0.0,
        metavar="F",
        help="the same for less than the share F of the track (.5 is usual); both may be given; unknown where the "
        "track's length is",
    )
    add("--length", metavar="NAME", help="length of the track, in the log or the track table, for --skip_below_share")
    add("--length_unit", choices=("auto", "s", "ms"), default="auto", help="as --duration_unit")

    add = parser.add_argument_group("attributes of tracks and users").add_argument
    add("--track_attributes", metavar="A,B,...", help="columns of the log to keep in tracks.parquet")
    add("--user_attributes", metavar="A,B,...", help="columns of the log to keep in users.parquet")
    add(
        "--track_table",
        metavar="FILE",
        help="a file with more columns, joined by the track's id ('none': not RecBole's .item)",
    )
    add("--user_table", metavar="FILE", help="the same for users")
    add("--track_key", metavar="NAME", help="column of the track table that holds the id")
    add("--user_key", metavar="NAME", help="column of the user table that holds the id")
    add(
        "--catalogue",
        choices=("played", "all"),
        default="played",
        help="all: tracks of the track table that nobody played stay too, with ids after those of the others, and so "
        "do tracks whose plays a rule drops: candidates to recommend on their first day",
    )
    add(
        "--unknown_tracks",
        choices=("keep", "skip", "error"),
        default="keep",
        help="plays of tracks that the track table does not know stay, without attributes; or go (after --min_play_s); "
        "or stop the import",
    )

    add = parser.add_argument_group("rules, in the order in which they apply").add_argument
    add(
        "--on_error",
        choices=("stop", "skip"),
        default="stop",
        help="a bad row stops the import, or goes to rejected.csv",
    )
    add("--min_play_s", type=float, default=0.0, metavar="S", help="drop plays shorter than S seconds")
    add(
        "--repeats",
        choices=("keep", "drop"),
        default="keep",
        help="drop: of a user's plays of a track keep the first",
    )
    add(
        "--k_core",
        type=int,
        default=0,
        metavar="K",
        help="drop users and tracks with fewer than K plays, until none is left",
    )
    add("--min_history", type=int, default=0, metavar="N", help="drop users with fewer than N plays")
    return parser


def _summary(card: dict[str, Any], output: str, seconds: float) -> None:
    print(
        f"{card['events']:,} plays of {card['users']:,} users and {card['tracks']:,} tracks "
        f"in {output} ({seconds:.1f} s)"
    )
    print(
        f"rows read: {card['rows_in']:,}"
        + "".join(f"; dropped by {rule}: {n:,}" for rule, n in card["rows_dropped"].items() if n)
    )
    if card["rejected"]:
        print(f"bad rows are in {output}/rejected.csv")
    if card["time_unit"] == "ms":
        print(f"times were read as {card['time_unit_read']}")
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
