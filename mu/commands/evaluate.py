"""`mu evaluate`: a run's best weights on test again, beside its baselines."""

import sys

from mu.commands.flags import CommandParser, check_flags, comma_separated, whole_numbers
from mu.ranges import Count

EPILOG = """\
examples:
  mu evaluate runs/beauty                    the best checkpoint, beside the baselines of its config
  mu evaluate runs/beauty --part=valid       on the validation part
  mu evaluate runs/esc10/seed0/fold0         a run on audio
  mu evaluate runs/ml --by=gender,age        and in groups of listeners, with the gap of each to all others
  mu evaluate runs/beauty --ks=5,50 --metrics=recall,reciprocal_rank --output=runs/beauty/at_50

A run on a log ranks the whole catalogue for every user; a run on audio predicts the task's targets of every clip. The
table goes to the console; the numbers, and those of every user or clip, go to OUTPUT/NAME for each evaluation (default:
WORKDIR/evaluation, or WORKDIR/evaluation_valid), where `mu compare` reads them.
"""


def main(argv: list[str]) -> int:
    """0 when done, 1 when the run or its data say no, 2 when the call or the config is wrong."""
    parser = CommandParser(
        prog="mu evaluate",
        description="Measure a run's best weights on held-out listeners' plays or clips, with intervals.",
        epilog=EPILOG,
    )
    parser.add_argument("workdir", help="a run of `mu train`")
    parser.add_argument("--part", choices=("valid", "test"), default="test")
    parser.add_argument(
        "--ks", type=whole_numbers, metavar="K,...", help="of rankings: cut-offs, such as 5,10,20 (default: the run's)"
    )
    parser.add_argument(
        "--metrics",
        type=comma_separated,
        metavar="METRIC,...",
        help="of rankings: recall,ndcg,hit_rate,... or module:name (default: the run's)",
    )
    parser.add_argument(
        "--by",
        type=comma_separated,
        default=(),
        metavar="COLUMN,...",
        help="of logs: columns of the listeners; the first metric in groups of these, and all in groups.csv",
    )
    parser.add_argument("--output", help="folder of the results")
    arguments = parser.parse(argv)
    check_flags(parser, arguments, ks=tuple[Count, ...] | None)

    from mu.commands.results import show_groups, show_tables
    from mu.config.base import ConfigError
    from mu.console import Progress, explained, show_logs
    from mu.run.reevaluation import evaluate_again

    if (arguments.ks or arguments.metrics) and not arguments.output:
        parser.error("--ks and --metrics need --output=DIR: the run's own evaluation stays as it is")
    show_logs()
    changes = {name: value for name in ("ks", "metrics") if (value := getattr(arguments, name))}
    try:
        with Progress() as progress:
            _, output = evaluate_again(
                arguments.workdir, arguments.part, arguments.output, changes, arguments.by, progress=progress.update
            )
    except ConfigError as error:
        print(f"mu evaluate: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"mu evaluate: {explained(error)}", file=sys.stderr)
        return 1
    show_tables(output)
    show_groups(output, arguments.by)
    print(f"Written to {output}.")
    return 0
