"""`mu embed`: an audio encoder over a library; one vector a recording, kept by content hash."""

import argparse
import sys
import time

from mu.commands.flags import CommandParser

EPILOG = """\
examples:
  mu import-audio ~/Music --output=data/music
  mu embed runs/encoder data/music --output=embeddings/music --licence="my own collection, CC BY 4.0"
  mu embed runs/encoder data/music --output=embeddings/music --shard=0/4     and 1/4, 2/4, 3/4, in four processes
  mu embed pretrained/ast data/music --output=embeddings/ast                 published weights
  mu embed pretrained/musicnn data/music --output=embeddings/musicnn         of mu import-weights
  mu embed mfcc data/music --output=embeddings/mfcc                          a baseline: mfcc, mel_mean, random
  mu embed --merge embeddings/music                                          where the last one could not see the others

RUN is a run, or a folder of published weights: that of `mu import-weights`, or config.json, preprocessor_config.json,
model.safetensors, and README.md with their licence (docs/guides/pretrained.md); or the name of a baseline, or
package.module:attribute, which returns an encoder of your own (mu.embedding.baselines:TileEncoder). Recordings are
encoded whole, in tiles of the length that the encoder was trained on. The same file gives the same bytes in any
library, order or shard, on the same kind of machine with the same versions. The same command again goes on where it was
killed, tries faulty files once more, and embeds only what is new.

output:
  embeddings.npy      float32 [n, D], to be memory-mapped; `mu.data.embeddings:load` opens it all
  embeddings.parquet  row, content_hash, clip, duration_s
  faults.jsonl        files that are gone, changed since they were imported, or cannot be decoded
  card.json           the encoder, its hash and licence, the library, its licence, versions
  shards/             what is not finished yet
"""


def main(argv: list[str]) -> int:
    """0 when done, 1 after an error that has been printed, 2 when it was called wrongly, 130 when interrupted."""
    parser = _parser()
    arguments = parser.parse(argv)
    merging = arguments.merge is not None
    if merging != (arguments.run is None) or (merging and arguments.output):
        parser.error("it takes RUN, LIBRARY and --output=DIR; or --merge=DIR alone")
    for name in ("first_s", "root", "licence", "shard", "on_error"):
        if merging and getattr(arguments, name) is not None:
            parser.error(f"--{name} says how to embed, and --merge=DIR alone only puts together what is embedded")
    if not merging and not (arguments.library and arguments.output):
        parser.error("LIBRARY and --output=DIR are needed: what to embed, and where to")
    shard = _shard(arguments.shard or "0/1", parser)
    from mu.config.base import ConfigError
    from mu.console import explained, show_logs
    from mu.interrupts import Interrupts

    show_logs()

    try:
        with Interrupts():
            lines = _merge(arguments.merge) if merging else _embed(arguments, shard)
    except (ValueError, OSError) as error:
        print(f"mu embed: {explained(error)}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        print("mu embed: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    print("\n".join(lines))
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="mu embed",
        description="Embeds a library of recordings with the encoder of a run, or a published one.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help="a run of `mu train` on audio; published weights; a baseline's name")
    add("library", metavar="LIBRARY", nargs="?", help="the folder that `mu import-audio` wrote")
    add("--output", metavar="DIR", help="the folder to make or to bring up to date")
    add("--first_s", type=float, metavar="S", help="only so many seconds of each recording (default: all)")
    add("--root", metavar="DIR", help="where the library's files lie, if they have moved since")
    add("--licence", metavar="TEXT", help="the recordings' terms, for card.json")
    add("--shard", metavar="I/N", help="only the I-th of N shards, from 0")
    add("--merge", metavar="DIR", help="put the embeddings together from finished shards")
    add("--on_error", choices=("skip", "stop"), help="stop: end at the first file with a fault (default: skip)")
    return parser


def _shard(text: str, parser: argparse.ArgumentParser) -> tuple[int, int]:
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        parser.error(f"--shard={text}; it takes I/N such as 0/4, counted from 0 to N - 1")
    return int(number), int(of)


def _merge(folder: str) -> list[str]:
    """Puts the embeddings together; what they are."""
    from mu.embedding.run import merge

    whole = merge(folder)
    return [f"{len(whole):,} embeddings of {whole.card['dim']} numbers in {folder}"]


def _embed(arguments: argparse.Namespace, shard: tuple[int, int]) -> list[str]:
    """Embeds with a progress bar; what was done."""
    from mu.console import Progress
    from mu.embedding.run import embed
    from mu.embedding.shards import shard_of

    began = time.monotonic()
    with Progress() as progress:
        report = embed(
            arguments.run,
            arguments.library,
            arguments.output,
            first_s=arguments.first_s,
            shard=shard,
            root=arguments.root,
            licence=arguments.licence,
            on_error=arguments.on_error or "skip",
            progress=lambda done, total, note: progress.update("embedding", done, total, note),
        )
    seconds = time.monotonic() - began
    known = f", {report.known:,} were there" if report.known else ""
    lines = [f"{report.new:,} recordings embedded ({report.hours:.2f} h){known}, in {seconds:.1f} s"]
    if report.licence is not None:
        name, link = report.licence["name"], report.licence["link"] or report.licence["file"]
        lines.append(f"The encoder's weights are under {name} ({link}), whose terms bind uses of the vectors, too")
    lines += ["  left out: {file}: {fault} ({reason})".format(**fault) for fault in report.faults[:10]]
    if len(report.faults) > 10:
        lines.append(f"  and {len(report.faults) - 10:,} more: see faults.jsonl")
    if not report.missing:
        return [*lines, f"The whole is in {arguments.output}"]
    of = shard[1]
    others = ", ".join(f"{other}/{of}" for other in sorted({shard_of(key, of) for key in report.missing}))
    return [
        *lines,
        f"{len(report.missing):,} recordings belong to shards that are not finished ({others}); the last of them makes "
        "the whole",
    ]
