"""`mu duplicates`: recordings of an embedded library that sound the same."""

import math
import sys

from mu.commands.flags import CommandParser

EPILOG = """\
examples:
  mu duplicates embeddings/music                                  at most 1 of 10,000 pairs of different recordings
  mu duplicates embeddings/music --truth=work --false_merge_rate=1e-5
  mu duplicates embeddings/music --threshold=0.97 --output=pairs.csv

All pairs are found whose cosine is at least the threshold. Unless it is given, the threshold is the lowest at which the
share of pairs of different recordings that reach it is --false_merge_rate. Without --truth every pair is counted as
different, real duplicates too, which makes the threshold higher than it need be.
"""
SHOWN = 20


def main(argv: list[str]) -> int:
    """0 when done, 1 after an error that has been printed, 2 when it was called wrongly."""
    parser = CommandParser(
        prog="mu duplicates", description="The recordings of a library that sound the same, in pairs.", epilog=EPILOG
    )
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="a folder of `mu embed`")
    add("--false_merge_rate", type=float, metavar="R", help="of pairs of different recordings (default: 1e-4)")
    add("--threshold", type=float, metavar="COSINE", help="instead: the lowest cosine of a pair")
    add("--truth", metavar="COLUMN", help="of the library: equal for recordings that belong together")
    add("--library", metavar="DIR", help="of the embeddings, if it has moved since: holds --truth")
    add("--output", metavar="FILE", help="CSV of all pairs")
    arguments = parser.parse(argv)
    if arguments.threshold is not None and arguments.false_merge_rate is not None:
        parser.error("--threshold says where a pair begins, and --false_merge_rate chooses that: give one of them")
    if arguments.threshold is not None and not -1 <= arguments.threshold <= 1:
        parser.error(f"--threshold={arguments.threshold}: a cosine lies between -1 and 1")
    rate = 1e-4 if arguments.false_merge_rate is None else arguments.false_merge_rate
    if not 0 < rate < 1:
        parser.error(f"--false_merge_rate={rate:g}: it must lie between 0 and 1")
    if arguments.library is not None and arguments.truth is None:
        parser.error("--library says where the column of --truth is; give both")
    import polars as pl

    from mu.console import explained, show_logs, terminal_width
    from mu.embedding.directions import Directions
    from mu.embedding.duplicates import groups_of, pair_recall, pairs_above, threshold_at
    from mu.embedding.similar import first_clips
    from mu.embedding.table import load
    from mu.embedding.works import works_of
    from mu.evals.few_units import interval_text
    from mu.evals.text_tables import text_table
    from mu.files import write_whole

    show_logs()
    try:
        embeddings = load(arguments.embeddings)
        directions = Directions.of(embeddings.vectors)(embeddings.vectors)
        works = None
        if arguments.truth is not None:
            works = works_of(embeddings, arguments.embeddings, arguments.truth, arguments.library)
        threshold = arguments.threshold
        if threshold is None:
            threshold = threshold_at(directions, rate, works)
        pairs = pairs_above(directions, threshold)
        clips = first_clips(embeddings)["clip"]
        groups = groups_of(pairs, len(directions))
        table = pl.DataFrame(
            {
                "cosine": pairs.cosines.round(6),
                "clip": clips.gather(pairs.first),
                "other": clips.gather(pairs.second),
                "group": clips.gather(groups[pairs.first]),
            }
        )
        if arguments.output is not None:
            write_whole(arguments.output, table.write_csv())
    except (ValueError, OSError) as error:
        print(f"mu duplicates: {explained(error)}", file=sys.stderr)
        return 1
    shared = len(embeddings.table) - len(embeddings)
    n_groups = len(set(groups[pairs.first].tolist()))
    print(
        f"{len(pairs):,} pairs in {n_groups:,} groups, of {len(embeddings):,} recordings, with a cosine of at least "
        f"{threshold:.4f}" + ("" if arguments.threshold is not None else f" (false merges: {rate:g} of pairs)")
    )
    if shared:
        print(f"{shared:,} more are equal to another byte by byte; embeddings.parquet says which.")
    if works is not None:
        found = pair_recall(pairs, works)
        precision = "" if math.isnan(found.precision) else f"; {found.precision:.1%} of the pairs found belong together"
        if found.pairs:
            print(
                f"recall {found.value:.3f} {interval_text(found.low, found.high, '.3f')} of {found.pairs:,} pairs of "
                f"{found.works:,} works{precision}"
            )
        else:
            print(f"No two recordings have the same {arguments.truth}: there is nothing to recall.")
    if len(table):
        rows = [[f"{cosine:.4f}", one, other] for cosine, one, other, _ in table.head(SHOWN).iter_rows()]
        print(text_table([["cosine", "recording", "sounds like"], *rows], width=terminal_width()))
    if len(table) > SHOWN:
        print(f"and {len(table) - SHOWN:,} more" + ("; --output=FILE writes all" if arguments.output is None else ""))
    if arguments.output is not None:
        print(f"Written to {arguments.output}.")
    return 0
