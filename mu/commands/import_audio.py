"""`mu import-audio`: scans a library of recordings into a table of clips and a ledger of faults."""

import sys
import textwrap
import time
from typing import Any

from mu.commands.flags import CommandParser, add_flags, take_options

EPILOG = """
examples:
  mu import-audio ~/Music --output=data/music                           (labels: the folders in it)
  mu import-audio esc10/meta.csv --output=data/esc10                    (a column `file`, the others are attributes)
  mu import-audio tracks.parquet --file_column=path --root=/music --output=data/tracks
  mu import-audio meta.csv --group=singer --output=data/songs           (clips of one singer stay together)
  mu import-audio ~/Music --output=data/music --store --store_rate_hz=22050
  mu import-audio tfds:speech_commands#train --data_dir=/tfds --output=data/speech
  mu import-audio mirdata:gtzan_genre --data_dir=/gtzan --output=data/gtzan      (pip install 'mu-music[mirdata]')

Sound is WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, AU, CAF. Each file is decoded once. The same command again goes on
where it was interrupted, and later scans only what is new or has changed.

output:
  clips.parquet  a row for each good clip: clip, file, content_hash, duration_s, sample_rate_hz, channels, peak,
                 loudness_lufs (ITU-R BS.1770-4), then the label or the table's columns (those of CSV and TSV as text,
                 as they are written; numbers=COLUMN of a run and --numbers of mu probe read numbers), then the tags
                 that files have: artist, title, album, genre, year, isrc, recording_mbid, artist_mbid, release_mbid
  faults.jsonl   file, fault, reason, and what was done
  card.json      counts, options, versions
  store/         with --store: 16-bit mono PCM in ArrayRecord shards, for mu and for plain TFDS
  scan.jsonl     the journal
"""
_KINDS = 8  # of files that were passed over, in the summary


def main(argv: list[str]) -> int:
    """Runs the command; 0, or 1 after an error that has been printed, or 130 when interrupted."""
    from mu.console import Progress, explained, show_logs
    from mu.data.clips.importing.options import AudioImportOptions
    from mu.data.options import OptionError
    from mu.interrupts import Interrupts

    parser = CommandParser(
        prog="mu import-audio",
        description="Scans a library of sound: what is there, how long, how loud, and what is wrong with it.",
        epilog=_epilog(),
    )
    library = "a folder; a .csv, .tsv or .parquet; tfds:NAME; mirdata:NAME; or what --source takes"
    parser.add_argument("library", metavar="DIR_OR_TABLE", help=library)
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder to make or to bring up to date")
    add_flags(parser, AudioImportOptions)
    flags = vars(parser.parse(argv))

    from mu.data.clips.importing.run import import_audio

    show_logs()
    began = time.monotonic()
    try:
        options = AudioImportOptions(**take_options(AudioImportOptions, flags))
        with Interrupts(), Progress() as progress:
            card = import_audio(flags["library"], flags["output"], options, progress=progress.update)
    except OptionError as error:
        print(f"mu import-audio: {error}", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        print(f"mu import-audio: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mu import-audio: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    _summary(card, flags["output"], time.monotonic() - began)
    return 0


def _epilog() -> str:
    from mu.data.clips.importing.faults import FAULTS

    left_out = ", ".join(name for name, rule in FAULTS.items() if rule.left_out)
    kept = ", ".join(name for name, rule in FAULTS.items() if not rule.left_out)
    lines = [
        textwrap.fill(f"faults, {what}: {names}", 100, subsequent_indent="  ")
        for what, names in (("left out", left_out), ("kept", kept))
    ]
    return "\n".join([EPILOG, *lines, ""])


def _summary(card: dict[str, Any], output: str, seconds: float) -> None:
    from mu.evals.nouns import counted

    clips = f"{card['clips']:,} clips, {card['hours']:,.2f} h, of {card['listed']:,} files of audio"
    print(f"{clips} in {output} ({seconds:.1f} s)")
    if card["group"] is not None:
        together = f"clips with the same {card['group']} belong together ({counted(card['groups'], 'group')})"
        print(f"{together}: --group=COLUMN says otherwise")
    for fault, counts in card["faults"].items():
        print(f"  {fault}: " + ", ".join(f"{n:,} {done}" for done, n in counts.items()))
    if card["faults"]:
        print(f"which and why is in {output}/faults.jsonl")
    if kinds := card["ignored_files"]:
        most = sorted(kinds.items(), key=lambda one: -one[1])
        named = ", ".join(f"{n:,} {kind}" for kind, n in most[:_KINDS]) + (", ..." if len(most) > _KINDS else "")
        print(f"{sum(kinds.values()):,} other files were passed over: {named}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
