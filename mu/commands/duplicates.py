"""`mu duplicates`: recordings of an embedded library that sound the same."""

import math
import sys
from pathlib import Path

from mu.commands.flags import CommandParser

EPILOG = """\
examples:
  mu duplicates embeddings/music --works=work --false_merge_rate=1e-5
  mu duplicates embeddings/music --threshold=0.97 --output=pairs.csv

All pairs are found whose cosine is at least the threshold. With --works and without --threshold it is the lowest at
which the share of the pairs of different recordings that reach it is --false_merge_rate.
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
    add("--works", metavar="COLUMN", help="of the library: equal for recordings that belong together")
    add("--library", metavar="DIR", help="of the embeddings, if it has moved since: holds --works")
    add("--output", metavar="FILE", help="CSV of all pairs")
    arguments = parser.parse(argv)
    if arguments.threshold is not None and arguments.false_merge_rate is not None:
        parser.error("--threshold says where a pair begins, and --false_merge_rate chooses that: give one of them")
    if arguments.threshold is not None and not -1 <= arguments.threshold <= 1:
        parser.error(f"--threshold={arguments.threshold}: a cosine lies between -1 and 1")
    rate = 1e-4 if arguments.false_merge_rate is None else arguments.false_merge_rate
    if not 0 < rate < 1:
        parser.error(f"--false_merge_rate={rate:g}: it must lie between 0 and 1")
    if arguments.threshold is None and arguments.works is None:
        parser.error(
            "it takes --threshold=COSINE; or --works=COLUMN, which says what is different, so that false merges can be "
            "counted"
        )
    if arguments.library is not None and arguments.works is None:
        parser.error("--library says where the column of --works is; give both")
    from mu.console import explained, show_logs, terminal_width
    from mu.data.embeddings import load
    from mu.embedding.duplicates import find_duplicates
    from mu.evals.few_units import interval_text
    from mu.evals.text_tables import text_table
    from mu.files import write_whole

    show_logs()
    try:
        duplicates = find_duplicates(
            load(arguments.embeddings),
            arguments.embeddings,
            false_merge_rate=rate,
            threshold=arguments.threshold,
            works=arguments.works,
            library=arguments.library,
        )
        table = duplicates.table
        if arguments.output is not None:
            Path(arguments.output).parent.mkdir(parents=True, exist_ok=True)
            write_whole(arguments.output, table.write_csv())
    except (ValueError, OSError) as error:
        print(f"mu duplicates: {explained(error)}", file=sys.stderr)
        return 1
    chosen = "" if arguments.threshold is not None else f" (false merges: {rate:g} of pairs)"
    print(
        f"{len(table):,} pairs in {duplicates.groups:,} groups, of {duplicates.recordings:,} recordings, with a cosine "
        f"of at least {duplicates.threshold:.4f}{chosen}"
    )
    if duplicates.copies:
        print(f"{duplicates.copies:,} more are equal to another byte by byte; embeddings.parquet says which.")
    if (recall := duplicates.recall) is not None and not recall.pairs:
        print(f"No two recordings have the same {arguments.works}: there is nothing to recall.")
    elif recall is not None:
        right = "" if math.isnan(recall.precision) else f"; {recall.precision:.1%} of the pairs found belong together"
        bounds = interval_text(recall.low, recall.high, ".3f")
        print(f"recall {recall.value:.3f} {bounds} of {recall.pairs:,} pairs of {recall.works:,} works{right}")
    if len(table):
        rows = [[f"{cosine:.4f}", one, other] for cosine, one, other, _ in table.head(SHOWN).iter_rows()]
        print(text_table([["cosine", "recording", "sounds like"], *rows], width=terminal_width()))
    if len(table) > SHOWN:
        print(f"and {len(table) - SHOWN:,} more" + ("; --output=FILE writes all" if arguments.output is None else ""))
    if arguments.output is not None:
        print(f"Written to {arguments.output}.")
    return 0
