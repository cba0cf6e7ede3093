"""`mu report`: one page of a run, or of several runs beside each other, to read, to look at and to listen to."""

import sys
from pathlib import Path

from mu.commands.flags import CommandParser

EPILOG = """\
examples:
  mu report runs/lastfm2k                        a run on a log: runs/lastfm2k/report.html
  mu report quickstart/run                       a run on plays and the sound of their tracks
  mu report runs/esc10/seed0/fold0               a run on audio
  mu report runs/esc10/seed0 --output=esc10.html all folds of a seed, as `mu crossvalidate` pooled them
  mu report runs/esc10                           the first seed so, and every seed and fold beside it
  mu report sweeps/beauty                        the trials of `mu sweep`, by value and by parameter
  mu report runs/a runs/b runs/c                 runs beside each other: comparison.html in this folder
  mu report runs/a --table=a.tex                 the table alone; also of several runs, and as CSV

The page is one file that opens from disk and fetches nothing: a verdict on the model beside its baselines, three
numbers with intervals, and a table of all recommenders. Of a log it shows three listeners (a typical one, the best and
the worst served) with what they played, what is recommended to them and what ItemKNN would have shown; of dates of
release a new track and its audience; of clips the confusions, the hardest of them with spectrogram and player, and
nearest neighbours; of ratings the tracks beside what listeners said of them. Details are folded below: all metrics,
training, groups, a map, config, versions, the command. What can no longer be read is named in it and on stderr, and
the rest of the page is made.
"""


def main(argv: list[str]) -> int:
    """0 when all is written, 1 when there is nothing to write it of, 2 when call or config are wrong."""
    parser = CommandParser(
        prog="mu report",
        description="Write one HTML page of a run, or of several beside each other, or the table of their results.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="a run of `mu train`, a folder of `mu crossvalidate` or of one of its seeds, or one of `mu sweep`",
    )
    parser.add_argument("--eval", metavar="NAME", help="which evaluation, of runs that have several")
    parser.add_argument(
        "--output", metavar="FILE", help="the page (default: RUN/report.html; comparison.html of several runs)"
    )
    parser.add_argument(
        "--table", metavar="FILE", help="the table, FILE.csv or FILE.tex; without --output no page is written"
    )
    arguments = parser.parse(argv)

    from mu.api import write_comparison, write_report, write_table
    from mu.config.base import ConfigError
    from mu.console import explained, show_logs
    from mu.report.table_files import table_format

    if arguments.table is not None:
        try:
            table_format(arguments.table)
        except ValueError as error:
            parser.error(str(error))
    if arguments.output is not None and Path(arguments.output).is_dir():
        parser.error(f"--output={arguments.output} is a folder: give a file, such as {arguments.output}/report.html")
    show_logs()
    runs, problems, written = arguments.runs, [], []
    try:
        page_is_wanted = arguments.table is None or arguments.output is not None
        if arguments.table is not None:
            if len(runs) == 1 or not page_is_wanted:
                write_table(runs, arguments.table, arguments.eval)
            written.append(Path(arguments.table))
        if page_is_wanted:
            default = Path(runs[0]) / "report.html" if len(runs) == 1 else "comparison.html"
            output = Path(arguments.output or default)
            if len(runs) == 1:
                problems = write_report(runs[0], output, arguments.eval)
            else:
                write_comparison(runs, output, arguments.eval, arguments.table)
            written.append(output)
    except (OSError, ValueError) as error:
        print(f"mu report: {explained(error)}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    for problem in problems:
        print(f"mu report: {problem}", file=sys.stderr)
    for file in written:
        size = file.stat().st_size
        print(f"Written to {file} ({f'{size / 1e6:.1f} MB' if size >= 50_000 else f'{size / 1e3:.1f} kB'}).")
    return 0
