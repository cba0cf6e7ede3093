"""The whole way on a simulated music world: its log, a run on plays and sound, a page. Each step is made once."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mu.api import write_report
from mu.config.base import Config, ConfigError
from mu.config.resolve import resolve
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.evals.results import evaluations_of
from mu.files import read_json
from mu.locks import writing
from mu.quickstart import config
from mu.train import check_workdir, train
from mu.world.settings import SIZES
from mu.world.tables import write
from mu.world.world import World, load, simulate

MADE = ("world", "log", "run", "config.py", "report.html")
"""What a quickstart makes in its folder."""


def quickstart(folder: Path, size: str, seed: int, announce: Callable[[str], None]) -> list[str]:
    """Makes what is missing of a quickstart; returns what is missing from its page and why.

    The folder holds world/ (the simulated world), log/ (the imported log), run/, config.py (of the run) and
    report.html.

    Args:
      folder: of the quickstart.
      size: of the world, a name in `mu.world.settings.SIZES`.
      seed: of the world and of the training.
      announce: is called with a line for each step.

    Raises:
      ConfigError: the folder holds something else, a world of another size or seed, or a run with another config.
      Locked: another process writes the folder.
    """
    check_workdir(folder / "run")
    with writing(folder):
        check_folder(folder)
        return _quickstart(folder, size, seed, announce)


def check_folder(folder: Path) -> None:
    """Raises ConfigError where a folder holds something else than a quickstart.

    What lies there beside a quickstart's world is the user's own: runs, for example.
    """
    others = sorted(path.name for path in folder.iterdir() if path.name not in MADE and not path.name.startswith("."))
    if others and not (folder / "world" / "world.json").is_file():
        what = "another run" if "config.json" in others else f"{others[0]} and no quickstart"
        raise ConfigError(f"{folder} holds {what}; choose another --workdir")


def _quickstart(folder: Path, size: str, seed: int, announce: Callable[[str], None]) -> list[str]:
    """Makes what is missing, in a folder that nobody else writes."""
    world = simulate_world(folder / "world", size, seed)
    announce(
        f"1. A music world in {folder / 'world'}: {world.settings.listeners:,} listeners played"
        f" {world.settings.tracks:,} tracks {len(world.plays):,} times in a year."
    )
    card = import_world(folder / "world", folder / "log")
    announce(
        f"2. Its log, imported to {folder / 'log'}: {card['rows_in']:,} plays; half of the listeners have"
        f" {card['history_length_quantiles']['0.5']:.0f} or more."
    )
    if evaluations_of(folder / "run"):
        announce(f"3. The run in {folder / 'run'} is complete.")
    else:
        resolved = run_config(folder, size, seed)
        announce(
            f"3. Training audio encoder and user model together, {resolved.total_steps:,} steps; the first compiles."
        )
        shutil.copyfile(config.__file__, folder / "config.py")
        train(resolved, folder / "run")
    if (folder / "report.html").is_file():
        return []
    announce("4. Writing the page.")
    return write_report(folder / "run", folder / "report.html")


def simulate_world(folder: Path, size: str, seed: int) -> World:
    """The world in a folder, simulated and written there where there is none.

    Raises:
      ConfigError: the folder holds a world of another size or seed.
    """
    if not (folder / "world.json").is_file():
        world = simulate(size, seed)
        write(world, folder)
        return world
    world = load(folder)
    if (world.settings, world.seed) != (SIZES[size], seed):
        there = next((name for name in SIZES if SIZES[name] == world.settings), "another size")
        raise ConfigError(
            f"{folder} holds a world of --size={there} --seed={world.seed}; say so, or choose another --workdir"
        )
    return world


def import_world(world: Path, output: Path) -> dict[str, Any]:
    """The card of a world's log, imported with how plays ended and with tracks that nobody has played yet."""
    if (output / "card.json").is_file():
        return read_json(output / "card.json")
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
    return import_log([str(world / "plays.csv")], output, options)


def run_config(folder: Path, size: str, seed: int) -> Config:
    """The resolved config of the run in a folder."""
    return resolve(config.get_config(f"folder={folder},size={size},seed={seed}"))
