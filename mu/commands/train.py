"""`mu train`: a run from a config."""

import shlex
import sys
from pathlib import Path
from typing import Any

from mu.commands.flags import CommandParser

EPILOG = """\
examples:
  mu train --config=experiments/beauty_sasrec.py --workdir=runs/beauty
  mu train --config=experiments/beauty_sasrec.py:loss=bce --workdir=runs/beauty_bce
  mu train --config=experiments/beauty_sasrec.py --workdir=runs/wide --config.model.dim=128

Any key of the config can be set with --config.KEY=VALUE; a misspelt key is refused with the nearest name.
The same command again goes on from the last checkpoint; while one runs, another in the same workdir is refused. SIGTERM
or Ctrl-C saves and leaves; a second one leaves at once.
"""


def main(argv: list[str]) -> int:
    """Parses, resolves the config, trains; 0 when done, 1 when the run failed, 2 when it was called wrongly."""
    parser = CommandParser(
        prog="mu train",
        description="Train a model from a config, evaluate it beside its baselines, keep the best.",
        epilog=EPILOG,
    )
    parser.add_argument("--config", required=True, metavar="FILE[:ARG,...]", help="a Python file with get_config(arg)")
    parser.add_argument("--workdir", required=True, metavar="DIR", help="the run's folder, made if missing")
    parser.add_argument("--print_config", action="store_true", help="print the resolved config and stop")
    arguments, changes = parser.parse_with_overrides(argv)

    from mu.config.base import ConfigError
    from mu.config.overrides import load
    from mu.console import explained
    from mu.interrupts import Interrupts

    try:
        with Interrupts() as interrupts:
            config = load(arguments.config, changes)
            if arguments.print_config:
                print(config.to_json(indent=2))
            else:
                _train(config, arguments.workdir, interrupts)
    except ConfigError as error:
        print(f"mu train: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"mu train: {explained(error)}", file=sys.stderr)
        return 1
    return 0


def _train(config: Any, workdir: str, interrupts: Any) -> None:
    """Trains and evaluates, unless a signal came before; prints the tables of the results, and what to do next."""
    from mu.commands.results import show_tables
    from mu.console import show_logs
    from mu.train import train
    from mu.training.memory import keep_freed_memory

    keep_freed_memory()
    show_logs()
    interrupts.raise_noted()
    train(config, workdir)
    show_tables(Path(workdir) / "evaluation")
    print("\n".join(closing(workdir)))


def closing(workdir: str) -> list[str]:
    """Where the results lie, and commands that go on from them."""
    from mu.evals.results import evaluations_of, load
    from mu.run.saved_inputs import load_inputs

    run, evaluations = shlex.quote(workdir), evaluations_of(workdir)
    chosen = f" --eval={shlex.quote(next(iter(evaluations)))}" if len(evaluations) > 1 else ""
    lines = [f"Results are in {workdir}/evaluation, the weights in {workdir}/checkpoints. Next:"]
    lines.append(f"  mu report {run}{chosen}")
    try:
        inputs = load_inputs(workdir)
    except FileNotFoundError:  # data of a kind of one's own, as training has warned
        inputs = None
    if inputs is not None and inputs.log is not None and len(inputs.log.users):
        lines.append(f"  mu recommend {run} --user={shlex.quote(str(inputs.log.users['user'][0]))}")
    elif inputs is not None and inputs.sample_rate_hz is not None:
        lines.append(f"  mu embed {run} LIBRARY --output=embeddings")
    for folder in list(evaluations.values())[:1]:
        others = [name for name in load(folder).results if name != "model"]
        lines += [f"  mu compare {run}:{shlex.quote(name)} {run}{chosen}" for name in others[:1]]
    return lines
