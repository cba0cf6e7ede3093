"""`mu quickstart`: the whole way on a simulated music world, from plays and sound to a page of results."""

import argparse
import sys
import time
from pathlib import Path

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import Seed

EPILOG = """\
examples:
  mu quickstart                                   under three minutes on two cores
  mu quickstart --size=tiny --workdir=/tmp/try    the same in small: does everything work here?

The world is simulated, so the truth is known: an oracle says how good a recommender could be. Its log goes the way
of any other: `mu import`, `mu train`, `mu report`, `mu recommend`; its tracks are synthesised when they are played. The
same command again goes on where it stopped, or shows the results again.
"""

ABOUT_ORACLE = """\
All learnt from what was played before the validation part, and see what was played before the test. The oracle knows
each listener's taste at each moment, and shows new tracks without a boost."""


def main(argv: list[str]) -> int:
    """0 when done, 1 when something on the way failed, 2 when the workdir holds another world or the call is wrong."""
    parser = CommandParser(
        prog="mu quickstart",
        description="Simulate a music world, train one model of its sound and listeners, evaluate it, write a page.",
        epilog=EPILOG,
    )
    parser.add_argument("--workdir", default="quickstart", metavar="DIR", help="where all goes (default: quickstart)")
    parser.add_argument("--seed", type=int, default=0, help="of the world and of the training (default: 0)")
    parser.add_argument(
        "--size", choices=("tiny", "small"), default="small", help="of the world (default: small; tiny: a smoke test)"
    )
    arguments = parser.parse(argv)
    check_flags(parser, arguments, seed=Seed)
    folder = Path(arguments.workdir)
    started = time.perf_counter()

    from mu.commands.results import show_tables
    from mu.config.base import ConfigError
    from mu.console import explained, show_logs
    from mu.quickstart.steps import quickstart

    show_logs()
    try:
        problems = quickstart(folder, arguments.size, arguments.seed, lambda line: print(line, flush=True))
    except ConfigError as error:
        print(f"mu quickstart: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # lines are printed in there, and their reader has gone
        raise
    except (RuntimeError, ValueError, OSError) as error:
        print(f"mu quickstart: {explained(error)}", file=sys.stderr)
        return 1
    for problem in problems:
        print(f"mu quickstart: {problem}", file=sys.stderr)
    print("Results:")
    show_tables(folder / "run")
    print(ABOUT_ORACLE)
    print(closing(folder, arguments, time.perf_counter() - started))
    return 0


def closing(folder: Path, arguments: argparse.Namespace, seconds: float) -> str:
    """Where everything lies and what to try next."""
    from mu.durations import duration

    config = f"{folder / 'config.py'}:folder={folder},size={arguments.size},seed={arguments.seed}"
    return f"""
Done in {duration(seconds)}. Open {folder}/report.html: a verdict, results, three listeners with sound, a new track.
  {folder}/world      plays.csv, tracks.csv, listeners.csv, and world.json: the truth
  {folder}/log        the imported log: arrays, tables, card.json
  {folder}/run        config.json, metrics.jsonl, checkpoints/, evaluation/
  {folder}/config.py  the run's config: change it, or start your own from it
Try next:
  mu recommend {folder}/run --user=listener-00007
  mu train --config={config},parts=id --workdir={folder}/id
  mu import --help        your own log: CSV, Parquet, JSON lines, ..."""
