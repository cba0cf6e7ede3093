"""`mu export-tfds`: writes a log as a TFDS data set."""

import shlex
import sys

from mu.commands.flags import CommandParser

EPILOG = """\
examples:
  mu export-tfds data/plays --output=data/tfds                    the data set `plays`: data/tfds/plays/1.0.0
  mu export-tfds data/plays --output=data/tfds --name=my_log

Any program reads it, with or without TensorFlow:
  tfds.load('plays', data_dir='data/tfds')                        or tfds.data_source(...)
  tfds.builder_from_directory('data/tfds/plays/1.0.0')
A record is a play, with the attributes of its track and user. `mu import tfds:plays` with the flags that are printed
gives the equal log (users, tracks, plays, vocabularies, hash) where no rule such as --k_core dropped plays. Else users,
tracks and values of event columns may be numbered otherwise, and those without plays are in no record; a warning says
so.
"""


def main(argv: list[str]) -> int:
    """0 when the data set is written, 1 when the log says no, 2 when the call is wrong, 130 when interrupted."""
    parser = CommandParser(
        prog="mu export-tfds", description="Write a log as a data set that plain TFDS reads.", epilog=EPILOG
    )
    parser.add_argument("log", metavar="LOG", help="a folder that `mu import` wrote")
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder of data sets, TFDS's data_dir")
    parser.add_argument("--name", default="plays", help="of the data set (default: plays)")
    parser.add_argument("--overwrite", action="store_true", help="replace the data set of this name")
    arguments = parser.parse(argv)

    from mu.console import Progress, explained, show_logs
    from mu.data.logs.exporting.tfds_writer import export_tfds
    from mu.data.logs.interactions import load
    from mu.interrupts import Interrupts

    show_logs()
    try:
        with Interrupts(), Progress() as progress:
            exported = export_tfds(
                load(arguments.log),
                arguments.output,
                arguments.name,
                overwrite=arguments.overwrite,
                progress=lambda share: progress.update("writing", share, 1.0),
            )
    except (OSError, ValueError) as error:
        print(f"mu export-tfds: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mu export-tfds: interrupted; nothing was written", file=sys.stderr)
        return 130
    counts = ", ".join(f"{split} {n:,}" for split, n in exported.splits.items())
    print(f"Written to {exported.folder}: {counts} plays.")
    inputs = [f"tfds:{arguments.name}"]
    if list(exported.splits) != ["train"]:
        inputs = [word for split in exported.splits for word in (f"--{split}", f"tfds:{arguments.name}#{split}")]
    print("Back again: " + shlex.join(["mu", "import", *inputs, *exported.import_flags, "--output=DIR"]))
    return 0
