"""`mu quickstart`: the whole way on a simulated music world, from plays and sound to a page of results."""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  mu quickstart                                   under three minutes on two cores
  mu quickstart --size=tiny --workdir=/tmp/try    the same in small: does everything work here?

The world is simulated, so the truth is known: an oracle says how good a recommender could be. Its log goes the way
of any other: `mu import`, `mu train`, `mu report`, `mu recommend`; its tracks are synthesised when they are heard. The
same command again goes on where it stopped, or shows the results again.
"""

ABOUT_ORACLE = """\
All learnt from what was played before the validation part, and see what was played before the test. The oracle knows
each listener's taste at each moment, and shows new tracks without a boost."""


def main(argv: list[str]) -> int:
    """0 when done, 1 when something on the way failed, 2 when the workdir cannot be used or the call is wrong."""
    parser = argparse.ArgumentParser(
        prog="mu quickstart",
        description="Simulate a music world, train one model of its sound and listeners, evaluate it, write a page.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--workdir", default="quickstart", metavar="DIR", help="where all goes (default: quickstart)")
    parser.add_argument("--seed", type=int, default=0, help="of the world and of the training (default: 0)")
    parser.add_argument(
        "--size", choices=("tiny", "small"), default="small", help="of the world (default: small; tiny: a smoke test)"
    )
    arguments = parser.parse_args(argv)
    folder = Path(arguments.workdir)
    started = time.perf_counter()

    from mu.config.base import ConfigError
    from mu.console import show_logs

    show_logs()
    try:
        simulated(folder / "world", arguments.size, arguments.seed)
        imported(folder / "world", folder / "log")
    except (ValueError, OSError) as error:
        print(f"mu quickstart: {error}", file=sys.stderr)
        return 2
    try:
        trained(folder, arguments.size, arguments.seed)
        reported(folder)
    except (ConfigError, RuntimeError, ValueError, OSError) as error:
        print(f"mu quickstart: {error}", file=sys.stderr)
        return 1
    print(closing(folder, arguments, time.perf_counter() - started))
    return 0


def simulated(folder: Path, size: str, seed: int) -> Any:
    """The `mu.world.World` in `folder`, simulated and written there where there is none.

    Raises:
      ValueError: the folder holds a world of another size or seed.
    """
    from mu.world.settings import SIZES
    from mu.world.tables import write
    from mu.world.world import load, simulate

    if (folder / "world.json").is_file():
        world = load(folder)
        if (world.settings, world.seed) != (SIZES[size], seed):
            found = next((name for name in SIZES if SIZES[name] == world.settings), "another size")
            raise ValueError(
                f"{folder} holds a world of --size={found} --seed={world.seed}; say so, or choose another --workdir"
            )
    else:
        world = simulate(size, seed)
        write(world, folder)
    settings = world.settings
    print(
        f"1. A music world in {folder}: {settings.listeners:,} listeners played {settings.tracks:,} tracks"
        f" {len(world.plays):,} times in a year.",
        flush=True,
    )
    return world


def imported(world: Path, output: Path) -> None:
    """Imports the world's log as `mu import` does, with how plays ended, and tracks that nobody has played yet."""
    import json

    from mu.data.logs.importing.options import LogImportOptions
    from mu.data.logs.importing.run import import_log

    if (output / "card.json").is_file():
        card = json.loads((output / "card.json").read_text())
    else:
        options = LogImportOptions(
            user="user",
            track="track",
            time="time",
            title="title",
            finished="finished",
            event_columns=("context",),
            track_table=str(world / "tracks.csv"),
            user_table=str(world / "listeners.csv"),
            catalogue="all",
        )
        card = import_log([str(world / "plays.csv")], output, options)
    print(
        f"2. Its log, imported to {output}: {card['rows_in']:,} plays; half of the listeners have"
        f" {card['history_length_quantiles']['0.5']:.0f} or more.",
        flush=True,
    )


def trained(folder: Path, size: str, seed: int) -> None:
    """Trains and evaluates `folder/run`, or goes on with it, or shows its results again."""
    from mu.commands import quickstart_config
    from mu.config.resolve import resolve
    from mu.evals.results import evaluations_of, tables

    run = folder / "run"
    if evaluations_of(run):
        print(f"3. The run in {run} is complete; its results again:", flush=True)
        print(tables(run), end="")
        print(ABOUT_ORACLE)
        return
    from mu.train import train

    resolved = quickstart_config.get_config(f"size={size},seed={seed}")
    resolved.data.path = resolved.baselines.oracle.log = str(folder / "log")
    resolved.data.world = resolved.baselines.oracle.world = str(folder / "world")
    resolved = resolve(resolved)
    shutil.copyfile(quickstart_config.__file__, folder / "config.py")
    print(
        f"3. Training audio encoder and user model together, {resolved.total_steps:,} steps; the first compiles.",
        flush=True,
    )
    train(resolved, run)
    print(tables(run), end="")
    print(ABOUT_ORACLE)


def reported(folder: Path) -> None:
    """Writes `folder/report.html`, where there is none."""
    from mu.api import write_report

    page = folder / "report.html"
    if page.is_file():
        return
    print("4. Writing the page.", flush=True)
    problems = write_report(folder / "run", page)
    for problem in problems:
        print(f"mu quickstart: {problem}", file=sys.stderr)


def closing(folder: Path, arguments: argparse.Namespace, seconds: float) -> str:
    """Where everything lies and what to try next."""
    from mu.console import duration

    config = f"{folder / 'config.py'}:folder={folder},size={arguments.size},seed={arguments.seed}"
    return f"""
Done in {duration(seconds)}. Open {folder}/report.html: results, one listener's page with sound, a new track.
  {folder}/world      plays.csv, tracks.csv, listeners.csv, and world.json: the truth
  {folder}/log        the imported log: arrays, tables, card.json
  {folder}/run        config.json, metrics.jsonl, checkpoints/, evaluation/
  {folder}/config.py  the run's config: change it, or start your own from it
Try next:
  mu recommend {folder}/run --user=listener-00007
  mu train --config={config},parts=id --workdir={folder}/id
  mu import --help        your own log: CSV, Parquet, JSON lines, ..."""
