"""`mu similar`: recordings of an embedded library that sound most like one."""

import json
import os
import sys
from pathlib import Path

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import Count

EPILOG = """\
examples:
  mu embed mfcc data/music --output=embeddings/music
  mu similar embeddings/music "jazz/blue.flac"                   a recording of the library, by its name
  mu similar embeddings/music new.wav --page=like_new.html       any file, and a page with players

EMBEDDINGS were made by `mu embed` with any encoder. The numbers of a vector are centred and scaled over the library
before the cosine is taken. A file that is not of the library is embedded first, by the same encoder, which must still
be where the embeddings' card says.
"""
PAGE_RATE_HZ = 22_050


def main(argv: list[str]) -> int:
    """0 when done, 1 after an error that has been printed, 2 when it was called wrongly."""
    parser = CommandParser(
        prog="mu similar", description="The recordings of a library that sound most like one.", epilog=EPILOG
    )
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="a folder of `mu embed`")
    add("recording", metavar="RECORDING", help="a clip of the library, or a file")
    add("--k", type=int, default=10, metavar="K", help="how many (default: 10)")
    add("--page", metavar="FILE", help="an HTML page with players")
    add("--library", metavar="DIR", help="of the embeddings, if it has moved since: the page plays its recordings")
    add("--root", metavar="DIR", help="where the library's files lie, if they have moved since")
    add("--json", action="store_true", help="one JSON object a line")
    arguments = parser.parse(argv)
    check_flags(parser, arguments, k=Count)
    for name in ("library", "root"):
        if getattr(arguments, name) is not None and arguments.page is None:
            parser.error(f"--{name} says where the page finds the sound; it goes with --page=FILE")
    if arguments.page is not None and Path(arguments.page).is_dir():
        parser.error(f"--page={arguments.page} is a folder: give a file, such as {arguments.page}/similar.html")
    from mu.console import explained, show_logs, terminal_width
    from mu.data.embeddings import encoder_title, load
    from mu.embedding.opening import open_encoder
    from mu.embedding.similar import query_of_file, row_of, similar
    from mu.evals.text_tables import text_table

    show_logs()
    try:
        embeddings = load(arguments.embeddings)
        known = arguments.recording in set(embeddings.table["clip"])
        file = None if known or not os.path.isfile(arguments.recording) else arguments.recording
        if file is None:
            query = row_of(embeddings, arguments.recording)
        else:
            query = query_of_file(file, open_encoder(embeddings.card["encoder"]["run"]), embeddings)
        matches = similar(embeddings, query, arguments.k)
        lost = []
        if arguments.page is not None:
            from mu.data.clips.clips import load as load_clips
            from mu.report.similar import write_similar_page

            library = arguments.library or Path(arguments.embeddings) / embeddings.card["library_from_here"]
            clips = load_clips(library, sample_rate_hz=PAGE_RATE_HZ, root=arguments.root)
            pairs = [(match.clip, match.cosine) for match in matches]
            title = encoder_title(embeddings.card["encoder"])
            lost = write_similar_page(arguments.page, arguments.recording, pairs, clips, title, file)
    except (ValueError, OSError) as error:
        print(f"mu similar: {explained(error)}", file=sys.stderr)
        return 1
    for line in lost:
        print(f"mu similar: {line}", file=sys.stderr)
    if arguments.json:
        for rank, match in enumerate(matches, 1):
            cosine = round(match.cosine, 6)
            print(json.dumps({"rank": rank, "clip": match.clip, "cosine": cosine, "duration_s": match.duration_s}))
        return 0
    rows = [
        [f"{rank}", match.clip, f"{match.cosine:.3f}", f"{match.duration_s:.1f}"]
        for rank, match in enumerate(matches, 1)
    ]
    print(text_table([["rank", "recording", "cosine", "seconds"], *rows], width=terminal_width()))
    if arguments.page is not None:
        print(f"Written to {arguments.page}.")
    return 0
