"""`mu COMMAND ...`: a table of commands, each in a module that is imported when it is called, and others by path."""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

COMMANDS = {
    "quickstart": (
        "mu.commands.quickstart",
        "simulate a music world, train, evaluate and recommend, in minutes",
    ),
    "import": (
        "mu.commands.import_log",
        "turn listening logs (CSV, Parquet, JSON lines, TFDS, ...) into a log folder",
    ),
    "export-tfds": ("mu.commands.export_tfds", "write a log as a data set that plain TFDS reads"),
    "import-audio": ("mu.commands.import_audio", "scan a library of recordings into a table of clips"),
    "train": ("mu.commands.train", "train a model from a config, or go on training"),
    "evaluate": ("mu.commands.evaluate", "a run's best weights on test again, beside its baselines, with intervals"),
    "ladder": ("mu.commands.ladder", "models that are fitted in seconds on a log: the bar for others"),
    "crossvalidate": ("mu.commands.crossvalidate", "one config over all folds and several seeds, pooled"),
    "sweep": ("mu.commands.sweep", "search over a config's or a baseline's options, chosen on validation"),
    "compare": ("mu.commands.compare", "paired differences between two evaluated runs"),
    "recommend": ("mu.commands.recommend", "tracks for a listener or a history"),
    "import-weights": ("mu.commands.import_weights", "weights that a Python package ships, as a folder for mu embed"),
    "embed": ("mu.commands.embed", "a trained encoder over a library: one vector a recording, by its content hash"),
    "transcribe": ("mu.commands.transcribe", "the notes of recordings, as a table, MIDI and JAMS"),
    "probe": ("mu.commands.probe", "how much linear and small models can tell from frozen embeddings"),
    "search": ("mu.commands.search", "recordings of an embedded library that fit words"),
    "similar": ("mu.commands.similar", "recordings of an embedded library that sound most like one"),
    "duplicates": ("mu.commands.duplicates", "recordings of an embedded library that sound the same"),
    "report": ("mu.commands.report", "one HTML page of a run: verdict, listeners or clips, results, sound"),
    "world": ("mu.commands.world", "write the log of a simulated music world"),
    "world-music": ("mu.commands.world_music", "works in several versions as sound, with beats, chords, melody known"),
}


def usage() -> str:
    """The text of `mu --help`."""
    from mu import __version__

    lines = [
        f"mu {__version__}: music understanding and personalisation in JAX",
        "",
        "usage: mu COMMAND [--help] ...",
        "",
    ]
    lines += [f"  {name:<14} {what}" for name, (_, what) in COMMANDS.items()]
    lines += ["", "COMMAND may also be the path of a function in your own package: my_package.command:main."]
    lines += [
        "Every COMMAND takes --trust=PACKAGE[,...]: packages of yours whose models, metrics, ... a saved run may name.",
    ]
    return "\n".join([*lines, "", "Begin with `mu quickstart`; `mu COMMAND --help` says more."])


def main(argv: list[str] | None = None) -> int:
    """Runs a command; returns its exit status: 0 done, 1 the data or the run say no, 2 a wrong call or config.

    128 + the signal's number after a signal and an orderly end: 130 after Ctrl-C, 143 after SIGTERM. A second signal
    ends the process itself, also where it waits for compiled code; a shell shows that as the same number. 141 where the
    reader of standard output has gone, as that of `mu ... | head` does.

    Args:
      argv: the command and its flags; None for those of this process, which a second signal then ends at once.
    """
    if argv is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            if signal.getsignal(signal.SIGINT) is _interrupt:
                # All is done: what comes while Python leaves ends the process, and raises in no one's clean-up.
                signal.signal(signal.SIGINT, signal.SIG_DFL)
            # Here a closed pipe ends the command without a traceback; a service may have no `sys.stdout`.
            print(end="", flush=True)
            if argv is None:
                import gc

                gc.freeze()  # the process ends: to collect JAX's objects one by one would take half a second
    except BrokenPipeError:
        # Python flushes standard output once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt; the next signal ends the process, also where it waits for compiled code."""
    del number, frame
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_DFL)
    raise KeyboardInterrupt


def _run(arguments: list[str]) -> int:
    """Runs a command; returns its exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from mu import __version__

        print(__version__)
        return 0
    from mu.interrupts import Interrupts

    name, *rest = arguments
    try:
        os.getcwd()
    except OSError:
        print(f"mu {name}: the current folder has been removed, or cannot be read; change to another", file=sys.stderr)
        return 1
    interrupts = Interrupts()
    try:
        with interrupts:
            command = importlib.import_module(COMMANDS[name][0]).main if name in COMMANDS else _command_at(name)
            status = 2 if command is None else command(rest)
    except KeyboardInterrupt:
        print(f"mu {name}: interrupted", file=sys.stderr)
        status = 130
    except OSError as error:
        if name not in COMMANDS or isinstance(error, BrokenPipeError):
            raise  # a command of the user's own shows its traceback
        from mu.console import explained

        print(f"mu {name}: {explained(error)}", file=sys.stderr)
        status = 1
    except MemoryError as error:
        from mu.console import explained

        print(f"mu {name}: {explained(error) or 'there is not enough memory'}", file=sys.stderr)
        status = 1
    except Exception as error:
        from mu.console import explained
        from mu.own_code import traceback_of_own_code

        if name not in COMMANDS or traceback_of_own_code(error) is None:
            raise  # a fault of mu's
        print(f"mu {name}: {explained(error)}", file=sys.stderr)
        status = 1
    return 128 + interrupts.signal if status == 130 and interrupts.signal is not None else status


def _command_at(path: str) -> Callable[[list[str]], int] | None:
    """The function at 'package.module:function'; None, and a message on standard error, where there is none."""
    from mu.names import locate, nearest

    if ":" not in path:
        print(f"mu: there is no command {path!r}{nearest(path, COMMANDS)}\n\n{usage()}", file=sys.stderr)
        return None
    try:
        return locate(path)
    except ValueError as error:
        print(f"mu: {error}", file=sys.stderr)
        return None
