"""`mu ladder`: counting models, neighbours and closed forms on a log: the bar for training, and what the log needs."""

import sys

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import CountOrZero

EPILOG = """\
examples:
  mu ladder data/plays --output=ladders/plays                every rung with its defaults, on the test part
  mu ladder data/plays --output=ladders/plays --tune=24      and with options chosen on validation, 24 trials a rung
  mu ladder data/plays --output=ladders/dated --config.split.name=mu.data.logs.splits:global_temporal \\
     --config.split.valid_share=0.1 --config.split.test_share=0.1
  mu ladder --config=experiments/lastfm_mf.py --output=ladders/lastfm     the data, split and evaluation of a config
  mu compare ladders/plays:item_knn ladders/plays:pctm                    two rungs, paired

Rungs are the baselines of the config: popularity, first-order Markov chains, ItemKNN, sequential rules, PCTM, and EASE
where it fits. They learn from all but the test part, or from what the --config says (config.refit). The bar is the best
of them by the config's metric (config.best.metric); what cannot be told from it is named beside it.

What the log needs is asked of PCTM, each by a paired difference on the test part: with histories in random order, with
the last play alone, with the tracks' attributes as further evidence; repeats are counted. --no_needs leaves it out.
"""


def main(argv: list[str]) -> int:
    """0 when done, 1 when the data say no, 2 when the call or the config is wrong."""
    parser = CommandParser(
        prog="mu ladder",
        description="Measure models that train in seconds on a log: the bar for others, and what the log needs.",
        epilog=EPILOG,
    )
    parser.add_argument("log", nargs="?", help="the folder of a log; of --config its data")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--config", metavar="FILE[:ARG,...]", help="split, evaluations and rungs")
    parser.add_argument(
        "--tune", type=int, default=0, metavar="TRIALS", help="of each rung, on validation (default: 0)"
    )
    parser.add_argument("--no_needs", action="store_true", help="do not ask what the log needs")
    arguments, changes = parser.parse_with_overrides(argv)
    check_flags(parser, arguments, tune=CountOrZero)
    if arguments.log is None and arguments.config is None:
        parser.error("name the folder of a log, or a --config with its data")

    from mu.commands.results import show_tables
    from mu.config.base import ConfigError
    from mu.console import Progress, explained, show_logs, terminal_width
    from mu.ladder.run import measure_ladder
    from mu.ladder.words import ladder_text

    show_logs()
    try:
        with Progress() as progress:
            ladder = measure_ladder(
                arguments.log,
                arguments.output,
                config=arguments.config,
                changes=changes,
                tune=arguments.tune,
                ask_needs=not arguments.no_needs,
                progress=progress.update,
            )
    except ConfigError as error:
        print(f"mu ladder: {error}", file=sys.stderr)
        return 2
    except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
        print(f"mu ladder: {explained(error)}", file=sys.stderr)
        return 1
    show_tables(ladder.folder)
    print(ladder_text(ladder, terminal_width()))
    print(f"Written to {ladder.folder}.")
    return 0
