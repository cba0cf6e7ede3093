"""`mu world`: simulates a music world and writes its log and tables as files."""

import sys
import time
from typing import Annotated

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import Between, Threads


def _parser() -> CommandParser:
    from mu.world.settings import SIZES

    parser = CommandParser(
        prog="mu world",
        epilog="examples:\n"
        "  mu world --size=small --output=runs/world\n"
        "  mu world --size=tiny --output=runs/world --sound\n"
        "  mu import-audio runs/world/tracks.csv --output=runs/clips       (the stored sound as a table of clips)\n",
        description="Simulate listeners, artists and tracks with a known truth, and write what a listening service\n"
        "would log: the plays, the exposures (slates with propensities), tracks.csv and listeners.csv; beside\n"
        "them world.json, from which mu.world.world.load simulates the same world again.",
    )
    sizes = "; ".join(
        f"{name}: {one.tracks:,} tracks, {one.listeners:,} listeners, {one.plays:,} plays"
        for name, one in SIZES.items()
    )
    parser.add_argument("--size", default="small", choices=tuple(SIZES), help=f"{sizes} (default: small)")
    parser.add_argument("--output", required=True, metavar="DIR", help="a folder that does not exist yet or is empty")
    parser.add_argument("--seed", type=int, default=0, help="0 or more; one seed, one world (default: 0)")
    parser.add_argument("--plays_as", default="csv", choices=("csv", "parquet"), help="format of plays and exposures")
    parser.add_argument("--threads", type=int, default=None, help="default: one for each CPU; changes no number")
    parser.add_argument(
        "--sound",
        action="store_true",
        help="store what every track sounds like, 8 s at 16 kHz, in sound/ (FLAC, about 0.2 MB a track), its path in"
        " the column `file` of tracks.csv; without it sound is rendered when asked for",
    )
    return parser


def main(argv: list[str]) -> int:
    """0 when done, 1 when the files cannot be written or are there already, 2 when the call is wrong."""
    parser = _parser()
    arguments = parser.parse(argv)
    check_flags(parser, arguments, seed=Annotated[int, Between(0, 2**63 - 1)], threads=Threads | None)
    started = time.perf_counter()

    from mu.console import Progress, explained
    from mu.world.tables import check_output, write
    from mu.world.world import simulate

    try:
        check_output(arguments.output)
        world = simulate(arguments.size, arguments.seed, arguments.threads)
        with Progress() as progress:
            paths = write(
                world,
                arguments.output,
                arguments.plays_as,
                sound=arguments.sound,
                threads=arguments.threads,
                stored=lambda done: progress.update("sound", done, len(world.catalogue)),
            )
    except (ValueError, OSError) as error:
        print(f"mu world: {explained(error)}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    settings, plays = world.settings, world.plays
    print(
        f"{len(plays):,} plays of {settings.tracks:,} tracks by {settings.listeners:,} listeners"
        f" in {settings.weeks} weeks, {plays.finished.mean():.0%} finished, {len(world.exposures):,} slates shown;"
        f" {time.perf_counter() - started:.1f} s"
    )
    for path in paths:
        print(f"  {path}")
    return 0
