"""`mu quickstart`: the whole way on a simulated music world, from a log of plays to recommendations."""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  mu quickstart                                   about a minute on two cores
  mu quickstart --size=tiny --workdir=/tmp/try    the same in small: does everything work here?

The world is simulated, so the truth is known: an oracle says how good a recommender could be. Its log goes the way
of any other: `mu import`, `mu train`, `mu evaluate`, `mu recommend`. The same command again shows the results again.
"""

SHOWN_HISTORY = 5
RECOMMENDED = 10
ABOUT_ORACLE = (
    "The oracle knows the law of the world and each listener's taste; like the model it sees first plays only."
)


def main(argv: list[str]) -> int:
    """0 when done, 1 when something on the way failed, 2 when the workdir cannot be used or the call is wrong."""
    parser = argparse.ArgumentParser(
        prog="mu quickstart",
        description="Simulate a music world, import its log, train a user model, evaluate it, recommend.",
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

    from mu.config import ConfigError

    try:
        world = simulated(folder / "world", arguments.size, arguments.seed)
        imported(folder / "world", folder / "log")
    except (ValueError, OSError) as error:
        print(f"mu quickstart: {error}", file=sys.stderr)
        return 2
    try:
        trained(folder, arguments.size, arguments.seed)
        recommendations(folder / "run", world)
    except (ConfigError, RuntimeError, ValueError, OSError) as error:
        print(f"mu quickstart: {error}", file=sys.stderr)
        return 1
    print(closing(folder, arguments.size, time.perf_counter() - started))
    return 0


def simulated(folder: Path, size: str, seed: int) -> Any:
    """The `mu.world.World` in `folder`, simulated and written there where there is none.

    Raises:
      ValueError: the folder holds a world of another size or seed.
    """
    from mu.world import SIZES, load, simulate

    if (folder / "world.json").is_file():
        world = load(folder)
        if (world.settings, world.seed) != (SIZES[size], seed):
            found = next((name for name in SIZES if SIZES[name] == world.settings), "another size")
            raise ValueError(
                f"{folder} holds a world of --size={found} --seed={world.seed}; say so, or choose another --workdir"
            )
    else:
        world = simulate(size, seed)
        world.write(folder)
    settings = world.settings
    print(
        f"1. A music world in {folder}: {settings.listeners:,} listeners played {settings.tracks:,} tracks"
        f" {len(world.plays):,} times in a year.",
        flush=True,
    )
    return world


def imported(world: Path, output: Path) -> None:
    """Imports the world's log as `mu import` does; of a listener's plays of a track the first, so that what comes
    next is something new to them."""
    import json

    from mu.data.importing import Options, import_log

    if (output / "card.json").is_file():
        card = json.loads((output / "card.json").read_text())
    else:
        options = Options(
            user="user",
            track="track",
            time="time",
            title="title",
            track_table=str(world / "tracks.csv"),
            user_table=str(world / "listeners.csv"),
            repeats="drop",
        )
        card = import_log([str(world / "plays.csv")], output, options)
    print(
        f"2. Its log, imported to {output}: {card['rows_in']:,} plays read, {card['rows_dropped']['repeats']:,} repeats"
        f" dropped; half of the listeners have {card['history_length_quantiles']['0.5']:.0f} or more.",
        flush=True,
    )


def trained(folder: Path, size: str, seed: int) -> None:
    """Trains and evaluates `folder/run`, or goes on with it, or shows its results again."""
    from mu import config
    from mu.commands import quickstart_config

    run = folder / "run"
    if (run / "evaluation" / "evaluation.json").is_file():
        from mu.evals.saving import load_evaluation
        from mu.evals.table import format_table

        print(f"3. The run in {run} is complete; its results again:", flush=True)
        print(format_table(load_evaluation(run).results, seed=seed))
        print(ABOUT_ORACLE)
        return
    from mu.train import train

    resolved = quickstart_config.get_config(f"size={size},seed={seed}")
    resolved.data.path = resolved.baselines.oracle.log = str(folder / "log")
    resolved.baselines.oracle.world = str(folder / "world")
    resolved = config.resolve(resolved)
    shutil.copyfile(quickstart_config.__file__, folder / "config.py")
    print(f"3. Training a SASRec user model for {resolved.total_steps:,} steps; the first compiles it.", flush=True)
    train(resolved, run)
    print(ABOUT_ORACLE)


def recommendations(run: Path, world: Any) -> None:
    """Prints what the run recommends to one listener, beside what the world knows about it.

    The listener is the first whose held-out track is among the recommended ones, if there is any.
    """
    import numpy as np

    from mu.commands.recommend import recommend, track_titles
    from mu.evals.saving import load_evaluation
    from mu.setup import restore
    from mu.world import Oracle

    setup, state, _ = restore(run)
    result = load_evaluation(run).results["model"]
    found = result.values[f"hr@{RECOMMENDED}"] > 0
    listener = int(result.users[np.argmax(found)])
    plays = setup.data.take(np.array([listener]))
    played, test = plays.row(0), setup.split.test.row(listener)[0]
    before = plays.where(np.arange(len(played)) < len(played) - 1)
    ids, _ = recommend(setup, state, listener, before.items, RECOMMENDED)
    truth = Oracle(world, setup.data).scores(np.array([listener]), before)[0]
    new = np.setdiff1d(np.arange(setup.data.n_items), before.items)
    titles = track_titles(setup.data.tracks)
    width = max(len(titles[item]) for item in [*ids, *before.items[-SHOWN_HISTORY:]])

    name = setup.data.users["user"][listener]
    print(
        f"\n4. {name} has played {len(before):,} tracks, the last of them"
        + "".join(f"\n     {titles[item]}" for item in before.items[-SHOWN_HISTORY:])
    )
    print(f"   Recommended to {name} next{'':{max(width - len(name) - 17, 1)}}  the truth: likely, place")
    for place, item in enumerate(ids, 1):
        rank = 1 + int((truth[new] > truth[item]).sum())
        mark = "  <- is played next" if item == test else ""
        print(f"{place:4d} {titles[item]:{width}}  {truth[item]:9.2%} {rank:9,} of {len(new):,}{mark}")
    share = found.mean()
    if found.any():
        print(f"   (The first listener whose next track is found: it is for {share:.0%} of them.)")
    else:
        print(f"   (What is played next is found for none: {titles[test]}.)")


def closing(folder: Path, size: str, seconds: float) -> str:
    """Where everything lies and what to try next."""
    from mu.progress import duration

    config = f"{folder / 'config.py'}:folder={folder},size={size}"
    return f"""
Done in {duration(seconds)}. Where everything lies:
  {folder}/world      plays.csv, tracks.csv, listeners.csv, and world.json: the truth
  {folder}/log        the imported log: arrays, tables, card.json
  {folder}/run        config.json, metrics.jsonl, checkpoints/, evaluation/
  {folder}/config.py  the run's config: change it, or start your own from it
Try next:
  mu recommend {folder}/run --user=listener-00007
  mu train --config={config} --workdir={folder}/wide --config.model.dim=128
  mu compare {folder}/run {folder}/wide
  mu import --help        your own log: CSV, Parquet, JSON lines, ..."""
