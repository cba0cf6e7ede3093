"""`mu import-audio`: a library of sound in, a table of clips and a ledger of faults out."""

import argparse
import sys
import time
from typing import Any

EPILOG = """
examples:
  mu import-audio ~/Music --output=data/music                           (labels: the folders in it)
  mu import-audio esc10/meta.csv --output=data/esc10                    (a column `file`, the others are attributes)
  mu import-audio tracks.parquet --file_column=path --root=/music --output=data/tracks
  mu import-audio ~/Music --output=data/music --store --store_rate_hz=22050
  mu import-audio tfds:speech_commands#train --data_dir=/tfds --output=data/speech
  mu import-audio mirdata:gtzan_genre --data_dir=/gtzan --output=data/gtzan      (pip install 'mu-music[mirdata]')

Sound is WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, AU, CAF. Each file is decoded once. The same command again goes on
where it was interrupted, and later scans only what is new or has changed.

output:
  clips.parquet  a row for each good clip: clip, file, content_hash, duration_s, sample_rate_hz, channels, peak,
                 loudness_lufs (ITU-R BS.1770-4), then the label or the table's columns
  faults.jsonl   file, fault, reason, and what was done
  card.json      counts, options, versions
  store/         with --store: 16-bit mono PCM in ArrayRecord shards, for mu and for plain TFDS
  scan.jsonl     the journal

faults, left out:  missing undecodable zero_length truncated not_finite silent duplicate
faults, kept:      clipped dc_offset wrong_extension
"""


def main(argv: list[str]) -> int:
    """Runs the command; 0, or 1 after an error that has been printed, or 130 when interrupted."""
    flags = vars(_parser().parse_args(argv))
    from mu.console import Interrupts, Progress, say
    from mu.data.clips.importing.options import Options
    from mu.data.clips.importing.run import import_audio

    source, output = flags.pop("source"), flags.pop("output")
    for name in ("keep", "drop"):
        flags[name] = tuple(filter(None, flags[name].split(",")))
    began = time.monotonic()
    try:
        with Interrupts(), Progress() as progress:
            card = import_audio(source, output, Options(**flags), say=say, progress=progress.update)
    except (ValueError, OSError) as error:
        print(f"mu import-audio: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mu import-audio: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    _summary(card, output, time.monotonic() - began)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mu import-audio",
        description="Scans a library of sound: what is there, how long, how loud, and what is wrong with it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("source", metavar="DIR_OR_TABLE", help="a folder; a .csv, .tsv or .parquet; tfds:NAME; mirdata:NAME")
    add("--output", required=True, metavar="DIR", help="the folder to make or to bring up to date")
    add("--workers", type=int, metavar="N", help="processes (default: one each processor); changes no result")
    add(
        "--on_error",
        choices=("skip", "stop"),
        default="skip",
        help="stop: end at the first file that would be left out",
    )

    add = parser.add_argument_group("where things are").add_argument
    add("--root", metavar="DIR", help="where the file names of a table start (default: its folder)")
    add("--file_column", metavar="NAME", help="column of the table that names the files (default: file)")
    add("--data_dir", metavar="DIR", help="folder of TFDS or mirdata")
    add("--sample_rate_hz", type=int, metavar="HZ", help="of a TFDS data set that does not say")

    add = parser.add_argument_group("faults").add_argument
    add(
        "--keep",
        default="",
        metavar="FAULT,...",
        help="keep clips in spite of these: truncated, silent, duplicate, ...",
    )
    add("--drop", default="", metavar="FAULT,...", help="leave out clips with these too: clipped, dc_offset, ...")
    add("--silent_dbfs", type=float, default=-80.0, metavar="DB", help="no sample above this: silent (default: -80)")

    add = parser.add_argument_group("a copy for training").add_argument
    add("--store", action="store_true", help="write it (always done for TFDS)")
    add("--store_rate_hz", type=int, default=16_000, metavar="HZ", help="its sampling rate (default: 16000)")
    return parser


def _summary(card: dict[str, Any], output: str, seconds: float) -> None:
    found = f"{card['clips']:,} clips, {card['hours']:,.2f} h, of {card['listed']:,} files of audio"
    print(f"{found} in {output} ({seconds:.1f} s)")
    for fault, counts in card["faults"].items():
        print(f"  {fault}: " + ", ".join(f"{n:,} {done}" for done, n in counts.items()))
    if card["faults"]:
        print(f"which and why is in {output}/faults.jsonl")
    if others := sum(card["ignored_files"].values()):
        print(f"{others:,} other files were passed over")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
