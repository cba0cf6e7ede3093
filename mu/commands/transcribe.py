"""`mu transcribe`: the notes of recordings, as a table, MIDI and JAMS."""

import argparse
import sys
from pathlib import Path
from typing import Any

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import PartialShare

EPILOG = """\
examples:
  pip install --no-deps basic-pitch                          only its files are read: nothing else is needed
  mu import-weights basic-pitch pretrained/basic_pitch       once
  mu transcribe song.wav --weights=pretrained/basic_pitch    its notes as a table
  mu transcribe *.flac --weights=pretrained/basic_pitch --output=notes      song.mid and song.jams of each
  mu transcribe song.wav --weights=pretrained/basic_pitch --json

Basic Pitch (Bittner et al. 2022) hears any pitched instruments and voices, several notes at once, and does not tell
whose they are; drums give notes, too. An amplitude is the mean probability of a note's pitch while it sounds, and its
velocity in MIDI is 127 times that. Fewer notes: --onset_threshold=0.6; shorter ones: --note_threshold=0.4.

A file with a fault is named on standard error, and the others are transcribed all the same.
"""
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def main(argv: list[str]) -> int:
    """0 when done, 1 when a file or the weights say no, 2 when the call is wrong, 130 when interrupted."""
    arguments = _parsed(argv)
    from mu.console import explained, show_logs, working
    from mu.interrupts import Interrupts

    show_logs()
    try:
        with Interrupts():
            _refuse_existing(arguments)
            with working("starting"):
                transcriber = _transcriber(arguments.weights)
            return _all(transcriber, arguments)
    except (OSError, ValueError) as error:
        print(f"mu transcribe: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mu transcribe: interrupted; what is written is whole", file=sys.stderr)
        return 130


def _parsed(argv: list[str]) -> argparse.Namespace:
    parser = CommandParser(
        prog="mu transcribe",
        description="The notes of recordings, by a network that `mu import-weights basic-pitch` has imported.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="a recording: WAV, FLAC, MP3, Ogg, ...")
    add("--weights", metavar="DIR", required=True, help="the folder that `mu import-weights basic-pitch` wrote")
    add("--output", metavar="DIR", help="the folder to write FILE.mid and FILE.jams to, made if missing")
    add("--overwrite", action="store_true", help="files in --output that are there already are written anew")
    add("--onset_threshold", type=float, default=0.5, metavar="P", help="least probability of an onset (default 0.5)")
    add("--note_threshold", type=float, default=0.3, metavar="P", help="below it a pitch is quiet (default 0.3)")
    add("--json", action="store_true", help="JSON instead of a table")
    arguments = parser.parse(argv)
    check_flags(parser, arguments, onset_threshold=PartialShare, note_threshold=PartialShare)
    if arguments.output is not None:
        stems: dict[str, str] = {}
        for file in arguments.files:
            first = stems.setdefault(Path(file).stem, file)
            if first != file:
                parser.error(f"{first} and {file} would both be {Path(file).stem}.mid: transcribe them to two folders")
    return arguments


def _refuse_existing(arguments: argparse.Namespace) -> None:
    """Before anything is transcribed: a file of that name may be made by hand.

    Raises:
      FileExistsError: an output is there already, and `--overwrite` is not given.
    """
    if arguments.output is None or arguments.overwrite:
        return
    for file in arguments.files:
        for output in _outputs(file, arguments.output):
            if output.exists():
                raise FileExistsError(
                    f"{output} is there already: name another folder with --output, or write it anew with --overwrite"
                )


def _outputs(file: str, folder: str) -> tuple[Path, Path]:
    """The MIDI file and the JAMS file of a recording."""
    stem = Path(file).stem
    return Path(folder) / f"{stem}.mid", Path(folder) / f"{stem}.jams"


def _transcriber(folder: str) -> Any:
    from mu.inference.transcription import Transcriber
    from mu.pretrained.folder import load

    made = load(folder)
    return Transcriber(made.graph, made.params, sample_rate_hz=made.sample_rate_hz, tile_samples=made.tile_samples)


def _all(transcriber: Any, arguments: argparse.Namespace) -> int:
    """Transcribes, writes and prints, a file at a time; JSON, which is one array, at the end. The exit status."""
    from mu.audio.io import AudioError
    from mu.console import Progress, explained
    from mu.files import json_text

    thresholds = {"onset_threshold": arguments.onset_threshold, "note_threshold": arguments.note_threshold}
    # A bar on a terminal takes what is printed meanwhile, and shows it above itself, on standard error.
    out = None if sys.stdout.isatty() else sys.stdout
    documents: list[dict[str, Any]] = []
    faults: list[str] = []
    done = 0
    with Progress() as progress:
        for at, file in enumerate(arguments.files):
            progress.update("transcribing", at, len(arguments.files), "")
            try:
                notes = transcriber.transcribe_file(file, **thresholds)
            except AudioError as error:
                faults.append(explained(error))
                continue
            if arguments.output is not None:
                _write(notes, file, arguments.output)
            if arguments.json:
                documents.append({"file": file, "duration_s": notes.duration_s, "notes": _rows(notes)})
            elif arguments.output is not None:
                names = ", ".join(output.name for output in _outputs(file, arguments.output))
                print(f"{_heading(file, notes)}: {names}", file=out, flush=True)
            else:
                print("\n".join([*([""] if done else []), *_table(file, notes)]), file=out, flush=True)
            done += 1
    if arguments.json:
        print(json_text(documents))
    for fault in faults:
        print(f"mu transcribe: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _write(notes: Any, file: str, folder: str) -> None:
    from mu import __version__
    from mu.files import json_text, write_whole
    from mu.inference.jams import jams_document
    from mu.inference.midi import midi_file

    midi, jams = _outputs(file, folder)
    midi.parent.mkdir(parents=True, exist_ok=True)
    document = jams_document(notes, title=midi.stem, tool=f"Basic Pitch by mu {__version__}")
    write_whole(midi, midi_file(notes))
    write_whole(jams, json_text(document) + "\n")


def _rows(notes: Any) -> list[dict[str, Any]]:
    return [
        {"start_s": start, "end_s": end, "midi_pitch": pitch, "note": note_name(pitch), "amplitude": amplitude}
        for start, end, pitch, amplitude in zip(
            *(values.tolist() for values in (notes.start_s, notes.end_s, notes.midi_pitch, notes.amplitude)),
            strict=True,
        )
    ]


def _heading(file: str, notes: Any) -> str:
    count = f"{len(notes):,} notes" if len(notes) > 1 else "1 note" if len(notes) else "no notes"
    return f"{file}: {count} in {notes.duration_s:.1f} s"


def _table(file: str, notes: Any) -> list[str]:
    lines = [_heading(file, notes)]
    if len(notes):
        lines.append("  start_s    end_s  note  midi_pitch  amplitude")
    lines += [
        f"{row['start_s']:9.3f}{row['end_s']:9.3f}  {row['note']:<4}  {row['midi_pitch']:10d}  {row['amplitude']:9.2f}"
        for row in _rows(notes)
    ]
    return lines


def note_name(midi_pitch: int) -> str:
    """'A4' of 69: the note's name in equal temperament and its octave; C4 is 60."""
    return f"{NAMES[midi_pitch % 12]}{midi_pitch // 12 - 1}"
