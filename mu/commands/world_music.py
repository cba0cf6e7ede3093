"""`mu world-music`: works, each in several versions, as sound with everything that is true of it."""

import sys
import time
from typing import Annotated

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import Between, Count, Threads

EPILOG = """\
examples:
  mu world-music --output=data/world_music --works=60 --versions=3 --seed=0
  mu probe --suite=world mfcc --data=data          the suite on it: key, tempo, instruments, ..., versions found again

OUTPUT gets sound/TRACK.flac (mono, 22,050 Hz), annotations/TRACK.jams (beats, onsets, chords, sections, melody, key and
tempo, with their times), tracks.csv (one row a track) and works.json. Versions of a work have its form, harmony and
melody, and keys, tempi, players, styles, rooms and levels of their own. The same command again goes on where it stopped
and gives the same files, at any number of threads.
"""
LONGEST_S = 600


def main(argv: list[str]) -> int:
    """0 when done, 1 when the files cannot be written or are others, 2 when the call is wrong, 130 when interrupted."""
    parser = CommandParser(
        prog="mu world-music",
        description="Composes works and renders versions of them, with beats, chords, sections, melody and key known.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("--output", required=True, metavar="DIR", help="a folder that is empty, missing, or of the same options")
    add("--works", type=int, default=60, metavar="N", help="how many works (default: 60)")
    add("--versions", type=int, default=3, metavar="K", help="of each work (default: 3)")
    add("--seed", type=int, default=0, metavar="S", help="0 or more; one seed, one set of works (default: 0)")
    add("--track_duration", type=float, default=30.0, metavar="S", help="seconds of each track (default: 30)")
    add("--threads", type=int, default=None, metavar="N", help="default: one for each CPU; changes no number")
    arguments = parser.parse(argv)
    check_flags(
        parser,
        arguments,
        works=Annotated[int, Between(1, 9999)],
        versions=Count,
        seed=Annotated[int, Between(0, 2**63 - 1)],
        track_duration=Annotated[float, Between(5, LONGEST_S)],
        threads=Threads | None,
    )
    started = time.perf_counter()
    from mu.console import Progress, explained
    from mu.interrupts import Interrupts
    from mu.world.works.writing import WorksOptions, write_works

    options = WorksOptions(arguments.works, arguments.versions, arguments.seed, arguments.track_duration)
    try:
        with Interrupts(), Progress() as progress:
            table = write_works(
                arguments.output,
                options,
                arguments.threads,
                lambda done, total: progress.update("rendering", done, total),
            )
    except (ValueError, OSError) as error:
        print(f"mu world-music: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mu world-music: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    tracks = options.works * options.versions
    print(
        f"{tracks:,} tracks of {options.track_duration_s:g} s: {options.works:,} works, {options.versions:,} versions"
        f" each; {time.perf_counter() - started:.1f} s"
    )
    print(f"  {table}")
    return 0
