"""`mu probe --suite=music ENCODER` and `--suite=world`: one table for any encoder."""

import sys
from pathlib import Path

from mu.commands.flags import CommandParser, check_flags, comma_separated, whole_numbers
from mu.ranges import Count, Seed

SUITES = {"music": "mu.suite.music:TASKS", "world": "mu.suite.world:TASKS"}
EPILOG = """\
examples:
  mu probe --suite=music mfcc --data=FOLDER                              a baseline: mfcc, mel_mean, random, random=1
  mu probe --suite=music runs/encoder --data=FOLDER --seen=leave_out     a run of `mu train` on audio
  mu probe --suite=music pretrained/ast --data=FOLDER --only=emotify,esc10
  mu probe --suite=world mfcc --data=FOLDER                              on what `mu world-music` has written there
  mu probe --suite=music mypackage.encoders:Mine --data=FOLDER           what is called without arguments
  mu probe --suite=mypackage.tasks:TASKS mfcc --data=FOLDER              a suite of your own (mu.suite.task:Task)

ENCODER is what `mu embed` takes. FOLDER holds the data sets, each in its folder; of those that are missing it is said
where they come from. WORKDIR gets the imports in `libraries`, which all encoders share, and a folder for each encoder
with its embeddings, its results and suite.json, the table of the last call. The same command again goes on where it
stopped: a task that is done is not run again.

Every clip is tested by a probe that learnt from no clip of its group. Brackets are 95 % bootstrap intervals over
independent units: recordings, speakers, takes. "worst" is the lowest value among folds.
"""


def main(argv: list[str]) -> int:
    """0 when done, 1 after an error that has been printed, 2 when it was called wrongly, 130 when interrupted."""
    parser = CommandParser(prog="mu probe", description="Probes an encoder on all tasks of a suite.", epilog=EPILOG)
    add = parser.add_argument
    add("encoder", metavar="ENCODER", help="a run, published weights, a baseline's name, or package.module:attribute")
    add("--suite", required=True, metavar="NAME", help=f"{', '.join(SUITES)}; or package.module:attribute")
    add("--data", required=True, type=Path, metavar="FOLDER", help="holds the data sets")
    add("--workdir", type=Path, default=Path("runs/suite"), metavar="DIR", help="(default: runs/suite)")
    add("--output", type=Path, metavar="DIR", help="of this encoder (default: WORKDIR/NAME-HASH)")
    add("--only", type=comma_separated, default=(), metavar="TASK,...", help="these tasks")
    add("--head", choices=("linear", "mlp"), default="linear", help="the probe (default: linear)")
    add("--seeds", type=whole_numbers, default=(0,), metavar="S,...", help="of the MLP")
    add("--bootstrap_samples", type=int, default=1000, metavar="N", help="of the intervals (default: 1000)")
    add(
        "--seen",
        choices=("refuse", "leave_out", "keep"),
        default="refuse",
        help="clips that the encoder has learnt from (default: refuse)",
    )
    arguments = parser.parse(argv)
    if arguments.head == "linear" and len(arguments.seeds) > 1:
        parser.error("--seeds: the linear probe has one optimum; one seed is enough")
    check_flags(parser, arguments, bootstrap_samples=Count, seeds=tuple[Seed, ...])
    from mu.config.base import ConfigError
    from mu.config.resolve import locate
    from mu.console import Progress, explained, show_logs, terminal_width
    from mu.data.embeddings import encoder_title
    from mu.embedding.opening import open_encoder
    from mu.interrupts import Interrupts
    from mu.names import is_path, nearest
    from mu.suite.run import TABLE, SuiteOptions, run_suite, slug
    from mu.suite.table import suite_text
    from mu.suite.task import check_tasks

    show_logs()
    path: str = SUITES.get(arguments.suite) or str(arguments.suite)
    if not is_path(path):
        parser.error(f"--suite={arguments.suite}: there is no such suite{nearest(path, SUITES)}")
    try:
        tasks = check_tasks(locate(path, "--suite"), arguments.suite)
        known = [task.name for task in tasks]
        for name in arguments.only:
            if name not in known:
                parser.error(f"--only={name}: no such task{nearest(name, known)}; there is: {', '.join(known)}")
        tasks = tuple(task for task in tasks if not arguments.only or task.name in arguments.only)
        options = SuiteOptions(arguments.head, arguments.seeds, arguments.bootstrap_samples, arguments.seen)
        with Interrupts(), Progress() as progress:
            opened = open_encoder(arguments.encoder)
            output = arguments.output or arguments.workdir / slug(opened[1])
            rows = run_suite(opened, tasks, arguments.data, arguments.workdir, output, options, progress.update)
    except (ValueError, OSError) as error:
        print(f"mu probe: {explained(error)}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        print("mu probe: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"{options.head} probes of {encoder_title(opened[1])}")
    print(suite_text(rows, terminal_width()))
    for note in dict.fromkeys(f"{row['task']}: {row['note']}" for row in rows if row["note"]):
        print(f"Note on {note}.")
    print(f"Brackets: 95 % bootstrap intervals over what is drawn. Written to {output / TABLE}.")
    return 0
