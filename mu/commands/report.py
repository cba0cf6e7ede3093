"""`mu report`: one page of a run, to read, to look at and to listen to."""

import sys
from pathlib import Path

from mu.commands.flags import CommandParser

EPILOG = """\
examples:
  mu report runs/lastfm2k                        a run on a log: runs/lastfm2k/report.html
  mu report quickstart/run                       a run on plays and the sound of their tracks
  mu report runs/esc10/seed0/fold0               a run on audio
  mu report runs/esc10/seed0 --output=esc10.html all folds of a seed, as `mu crossvalidate` pooled them

The page is one file that opens from disk and fetches nothing: a verdict on the model beside its baselines, three
numbers with intervals, and a table of all recommenders. Of a log it shows three listeners (a typical one, the best and
the worst served) with what they played, what is recommended to them and what ItemKNN would have shown; of releases and
sound a new track and its audience; of clips the confusions, the hardest of them with spectrogram and player, and
nearest neighbours. Details are folded below: all metrics, training, groups, a map, config, versions, the command.
What can no longer be read is named in it and on stderr, and the rest of the page is made.
"""


def main(argv: list[str]) -> int:
    """0 when the page is written, 1 when there is nothing to write it of, 2 when call or config are wrong."""
    parser = CommandParser(
        prog="mu report",
        description="Write one HTML page of a run: a verdict, listeners or clips, results and their sound.",
        epilog=EPILOG,
    )
    parser.add_argument("run", metavar="RUN", help="a run of `mu train`, or a seed's folder of `mu crossvalidate`")
    parser.add_argument("--eval", metavar="NAME", help="which evaluation, of a run that has several")
    parser.add_argument("--output", metavar="FILE", help="the page (default: RUN/report.html)")
    arguments = parser.parse(argv)

    output = Path(arguments.output or Path(arguments.run) / "report.html")
    from mu.api import write_report
    from mu.config.base import ConfigError
    from mu.console import explained, show_logs

    show_logs()

    try:
        problems = write_report(arguments.run, output, arguments.eval)
    except (OSError, ValueError) as error:
        print(f"mu report: {explained(error)}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    for problem in problems:
        print(f"mu report: {problem}", file=sys.stderr)
    print(f"Written to {output} ({output.stat().st_size / 1e6:.1f} MB).")
    return 0
