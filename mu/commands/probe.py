"""`mu probe`: how well embeddings predict labels, by small models on folds that share no group."""

import dataclasses
import sys
from typing import TYPE_CHECKING

from mu.commands.flags import CommandParser, check_flags, comma_separated, whole_numbers
from mu.ranges import Count, Seed

if TYPE_CHECKING:
    from mu.embedding.probe import ProbeReport

EPILOG = """\
examples:
  mu probe embeddings/esc10 --library=data/esc10 --classes=label --folds=fold
  mu probe embeddings/fsdd --library=data/fsdd --classes=digit --folds=speaker --group=speaker --shots=1,2,4,8,16
  mu probe embeddings/music --library=data/music --tags=tags --folds=10 --group=artist --head=mlp --seeds=0,1,2
  mu probe embeddings/own --library=data/own --classes=label --folds=5 --seen=leave_out    of a run on half of them
  mu probe embeddings/emotify --library=data/emotify --numbers=joy,calm --folds=10 --output=results/emotify
  mu probe runs/encoder --suite=music --data=FOLDER     one table for any encoder: `mu probe --suite=music --help`

Every clip is tested by a probe that learnt from no clip of its group: --folds is a column that names the clips that are
tested together, or a number of folds that groups are dealt to by a hash (`mu.data.clips.folds:by_hash`). The linear
probe chooses its penalty, and the MLP its weight decay, within the training folds, groups kept together there too.
ROC-AUC, average precision and correlation put the clips of all folds in one order, though each fold's probe is
calibrated on its own: they may be lower than within a fold.

Where the encoder has learnt labels from some of these clips, or from other clips of the same group, it is flattered:
such clips are refused. --seen=leave_out probes the others alone, --seen=keep all of them, which every table then says.
The embeddings know the recordings of the run, and of those that it started from, by their content.

--shots learns from so many examples of each class instead, drawn --trials times, and tests on a fold that they are not
from. OUTPUT gets evaluation.json and units.npz in a folder for each seed, and probe.json.
"""


def main(argv: list[str]) -> int:
    """0 when done, 1 after an error that has been printed, 2 when it was called wrongly; 130 when interrupted."""
    if any(word == "--suite" or word.startswith("--suite=") for word in argv):
        from mu.commands.probe_suite import main as suite

        return suite(argv)
    parser = CommandParser(
        prog="mu probe",
        description="Trains and tests probes on frozen embeddings, with intervals.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="a folder of `mu embed`")
    add("--library", required=True, metavar="DIR", help="the folder of `mu import-audio` that has the labels")
    add("--classes", type=comma_separated, default=(), metavar="COLUMN,...", help="columns of classes")
    add("--tags", type=comma_separated, default=(), metavar="COLUMN,...", help="columns of lists of tags")
    add("--numbers", type=comma_separated, default=(), metavar="COLUMN,...", help="columns of numbers")
    add("--folds", required=True, metavar="COLUMN|N", help="a column, or how many are dealt (at least 3)")
    add("--group", metavar="COLUMN", help="artist, speaker, ... (default: the import's, else each recording)")
    add(
        "--seen",
        choices=("refuse", "leave_out", "keep"),
        default="refuse",
        help="clips that the encoder has learnt from (default: refuse)",
    )
    add("--head", choices=("linear", "mlp"), default="linear", help="the probe (default: linear)")
    add("--seeds", type=whole_numbers, default=(0,), metavar="S,...", help="of the MLP; the first also draws examples")
    add("--shots", type=whole_numbers, default=(), metavar="K,...", help="few-shot accuracy from K examples a class")
    add("--trials", type=int, default=20, metavar="N", help="draws of them (default: 20)")
    add("--bootstrap_samples", type=int, default=1000, metavar="N", help="of the intervals (default: 1000)")
    add("--output", metavar="DIR", help="folder of the results")
    arguments = parser.parse(argv)
    if not (arguments.classes or arguments.tags or arguments.numbers):
        parser.error("name what is predicted: --classes, --tags or --numbers")
    if arguments.shots and (arguments.head != "linear" or not arguments.classes):
        parser.error("--shots draws examples of --classes for the linear probe")
    if arguments.head == "linear" and len(arguments.seeds) > 1:
        parser.error("--seeds: the linear probe has one optimum; one seed is enough")
    check_flags(
        parser,
        arguments,
        trials=Count,
        bootstrap_samples=Count,
        shots=tuple[Count, ...],
        seeds=tuple[Seed, ...],
    )
    from mu.console import Progress, explained, show_logs
    from mu.data.embeddings import encoder_title, load
    from mu.embedding.probe import ProbeOptions, probe, save_report

    show_logs()

    try:
        flags = vars(arguments)
        options = ProbeOptions(**{field.name: flags[field.name] for field in dataclasses.fields(ProbeOptions)})
        embeddings = load(arguments.embeddings)
        with Progress() as progress:
            report = probe(
                embeddings, arguments.library, options, lambda done, total: progress.update("probing", done, total)
            )
        about = embeddings.card["encoder"]
        encoder = {name: about[name] for name in ("hash", "run", "step", "commit", "licence") if name in about}
        if arguments.output:
            card = {"embeddings": arguments.embeddings, "encoder": encoder, "library": arguments.library}
            save_report(arguments.output, report, card)
    except (ValueError, OSError) as error:
        print(f"mu probe: {explained(error)}", file=sys.stderr)
        return 1
    _show(report, f"{arguments.embeddings} ({encoder_title(about)})")
    if report.without:
        print(f"{report.without:,} clips are left out: they have a fault in {arguments.embeddings}/faults.jsonl")
    if arguments.output:
        print(f"Written to {arguments.output}.")
    return 0


def _show(report: "ProbeReport", embeddings: str) -> None:
    """Prints the tables."""
    from mu.console import terminal_width
    from mu.evals.few_units import interval_text
    from mu.evals.table import ResultTable
    from mu.evals.text_tables import text_table

    options, width = report.options, terminal_width()
    print(f"{options.head} probe of {embeddings}; {report.split}")
    if len(report.results) == 1:
        table = ResultTable({options.head: report.results[0]}, samples=options.bootstrap_samples)
        print(table.text(width))
    else:
        values = [result.values() for result in report.results]
        lines = [["", "mean over seeds", *(f"seed {seed}" for seed in options.seeds)]]
        for name, value, low, high in report.estimates:
            seeds = (f"{one[name]:.3f}" for one in values)
            lines.append([name, f"{value:.3f} {interval_text(low, high, '.3f')}", *seeds])
        print(text_table(lines, width=width))
        print(f"Brackets: 95 % bootstrap interval of the mean over seeds, {report.results[0].resampled} drawn again.")
        if report.note:
            print(f"Note: {report.note}.")
    print("Clips of all folds are measured together; their probes' scores are calibrated fold by fold.")
    for name, curve in report.few_shot.items():
        lines = [["examples a class", f"{name}/accuracy"]]
        for row in curve:
            lines.append([f"{row['shots']}", f"{row['accuracy']:.3f} {interval_text(row['low'], row['high'], '.3f')}"])
        print(
            f"\n{text_table(lines, width=width)}\nLinear probes, the mean over {options.trials} draws of examples; "
            f"brackets: 95 % bootstrap interval over {report.results[0].resampled}."
        )
