"""`mu sweep`: trials over a space of parameters, the best of them on validation, and its test once."""

import argparse
import contextlib
import logging
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mu.commands.flags import CommandParser, check_flags

EPILOG = """\
examples:
  mu sweep --config=experiments/beauty_sasrec.py --workdir=sweeps/beauty --trials=32 \\
     --over="optimizer.learning_rate=log(1e-4,1e-2);model.dim=64|128"
  mu sweep --config=experiments/beauty_sasrec.py --workdir=sweeps/beauty              go on, with the same trials
  mu sweep --config=experiments/beauty_sasrec.py --workdir=sweeps/beauty --trials=64  more of them
  mu sweep --config=experiments/beauty_sasrec.py --workdir=sweeps/beauty --finish     measure the winner on test, once
  mu sweep --log=data/plays --baseline=mu.baselines.item_knn:ItemKNN --workdir=sweeps/item_knn \\
     --over="neighbours=50|100|200;history_decay=uniform(0.3,1)"

--over names keys of the config, or options of the baseline, separated by ';', and what each may be:
  a|b|c               one of these
  log(low,high)       a number whose logarithm is uniform
  uniform(low,high)   a number
  int(low,high)       a whole number
Without it, models and baselines of mu have a space of their own (mu.sweep.default_spaces), which is printed.
Values are held against the same ranges as --config.KEY=VALUE, which sets a key for all trials.

Trials learn from the training part and are measured on the validation part; the test part is measured by --finish
alone: of the winner's best weights (with config.refit after it has learnt once more from all but the test), or of the
winning baseline fitted on training and validation. A trial is a run of its own in WORKDIR/trials/0007.

The table is in order of value; '=' marks trials whose 95 % paired interval to the best holds 0. The best of many trials
looks better than it is: the optimism is how much, by the bootstrap. All numbers are in WORKDIR/sweep.json.
"""


def main(argv: list[str]) -> int:
    """0 when all is done, 1 when no trial succeeds or the data say no, 2 when it was called wrongly."""
    parser = _parser()
    arguments, changes = parser.parse_with_overrides(argv)

    from mu.config.base import ConfigError
    from mu.console import Progress, explained, show_logs
    from mu.ranges import Count, CountOrZero, Seed
    from mu.sweep.run import sweep, sweep_trial
    from mu.train import train
    from mu.training.memory import keep_freed_memory

    check_flags(parser, arguments, trials=Count | None, seed=Seed | None, trial=CountOrZero | None)
    keep_freed_memory()
    show_logs()
    try:
        settings = _settings(parser, arguments, changes)
        with Progress(may_end_sooner=arguments.halving) as progress:

            def quiet(*run: Any, **options: Any) -> Any:
                with _warnings_alone() if options.get("part") == "valid" else contextlib.nullcontext():
                    return train(*run, **options)

            if arguments.trial is not None:
                sweep_trial(settings, arguments.workdir, arguments.trial, train)
                return 0
            sweep(
                settings,
                arguments.workdir,
                count=arguments.trials,
                train=quiet,
                finish=arguments.finish,
                parallel=arguments.parallel,
                argv=[sys.executable, "-m", "mu", "sweep", *argv],
                progress=progress.update,
            )
    except ConfigError as error:
        print(f"mu sweep: {error}", file=sys.stderr)
        return 2
    except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
        print(f"mu sweep: {explained(error)}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SystemExit):
        if arguments.trial is None and (Path(arguments.workdir) / "sweep.json").is_file():
            print(f"Stopped; go on with: {_go_on(arguments)}", file=sys.stderr)
        raise
    show(Path(arguments.workdir))
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="mu sweep",
        description="Search over options of a config or a baseline; choose on validation, test the winner once.",
        epilog=EPILOG,
    )
    what = parser.add_argument_group("what is tried")
    what.add_argument("--config", metavar="FILE[:ARG,...]", help="a config; each trial trains its model")
    what.add_argument("--log", metavar="LOG", help="the folder of a log, for --baseline")
    what.add_argument("--baseline", metavar="PACKAGE.MODULE:CLASS", help="fitted and measured in place of a model")
    what.add_argument(
        "--over",
        metavar="SPACE",
        help='such as "model.dim=64|128;optimizer.learning_rate=log(1e-4,1e-2)" (default: mu has some of its own)',
    )
    how = parser.add_argument_group("how")
    how.add_argument("--workdir", required=True, metavar="DIR", help="the sweep's folder; one that it holds goes on")
    how.add_argument("--trials", type=int, help="how many in all (default: 32; of a grid every combination)")
    how.add_argument("--sampler", choices=("grid", "random", "tpe"), help="(default: tpe)")
    how.add_argument("--seed", type=int, help="of the sampler (default: 0)")
    how.add_argument("--metric", help="larger is better, such as ranking/ndcg@10 (default: config.best.metric)")
    how.add_argument("--halving", action="store_true", help="stop trials that are behind at evaluation 1, 3, 9, ...")
    how.add_argument(
        "--parallel",
        type=_count_or_auto,
        metavar="N|auto",
        help="trials at once, each in a process; auto: as many as the memory holds (default: 1)",
    )
    how.add_argument(
        "--trial", type=int, metavar="N", help="run this one that another process has begun: of --parallel"
    )
    how.add_argument("--finish", action="store_true", help="measure the winner on test; no trials after that")
    return parser


def _settings(parser: CommandParser, arguments: argparse.Namespace, changes: Mapping[str, str]) -> Any:
    """The settings of the call: what it leaves out is as in the sweep that the folder holds."""
    from mu.sweep.folder import SweepSettings, is_sweep, settings_in

    words: dict[str, Any] = {
        name: getattr(arguments, name) for name in ("log", "baseline", "over", "sampler", "metric", "seed")
    }
    if arguments.config is not None:  # it is read again when the sweep goes on, maybe from another folder
        file, colon, arg = arguments.config.partition(":")
        words["config"] = f"{os.path.abspath(file)}{colon}{arg}"
    if arguments.log is not None:
        words["log"] = os.path.abspath(arguments.log)
    words = {name: value for name, value in words.items() if value is not None}
    if changes:
        words["changes"] = dict(changes)
    if arguments.halving:
        words["halving"] = True
    if is_sweep(Path(arguments.workdir)):
        return settings_in(Path(arguments.workdir), words)
    if not {"config", "baseline", "over"} & words.keys():
        parser.error(f"{arguments.workdir} holds no sweep to go on with: give --config, or --log with --baseline")
    if arguments.over is None:
        words["over"] = _default_space(words)
        print(f"--over={shlex.quote(words['over'])}", file=sys.stderr)
    return SweepSettings(**words)


def _default_space(words: Mapping[str, Any]) -> str:
    """The default space of the baseline, or of the model of the config."""
    from mu.config.overrides import load
    from mu.sweep.default_spaces import space_of_baseline, space_of_config

    if baseline := words.get("baseline"):
        return space_of_baseline(baseline)
    return space_of_config(load(words["config"], words.get("changes", {})))


def _count_or_auto(text: str) -> int | str:
    """The value of --parallel."""
    if text == "auto":
        return text
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}; it takes a whole number from 1, or auto")
    return int(text)


def _go_on(arguments: argparse.Namespace) -> str:
    """The command that goes on: with the config, and what this call asked for; the rest is in the folder."""
    words = [f"--{name}={value}" for name in ("config", "parallel") if (value := getattr(arguments, name)) is not None]
    finish = ["--finish"] if arguments.finish else []
    return shlex.join(["mu", "sweep", f"--workdir={arguments.workdir}", *words, *finish])


@contextlib.contextmanager
def _warnings_alone() -> Iterator[None]:
    """What a trial's run says in lines of its own is left out, but for warnings: the sweep says how it ended."""
    logger = logging.getLogger("mu")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def show(folder: Path) -> None:
    """Prints the table of the trials, the winner, its test, and where the page lies."""
    from mu.api import write_report
    from mu.commands.results import show_tables
    from mu.console import terminal_width
    from mu.evals.text_tables import text_table
    from mu.report.sweep_words import read_sweep, table_rows, winner_lines

    document = read_sweep(folder)
    print(text_table(table_rows(document), width=terminal_width()) + "\n")
    print("\n".join(winner_lines(document)))
    if finished := document.get("finished"):
        place = folder / finished["folder"]
        print(f"\nTest of trial {finished['trial']}, in {place}:")
        show_tables(place / "evaluation")
    elif document["summary"]:
        print("The test part is untouched: the same command with --finish measures the winner on it, once.")
    write_report(folder, folder / "report.html")
    print(f"A plot by each parameter is in {folder / 'report.html'}, all numbers are in {folder / 'sweep.json'}.")
