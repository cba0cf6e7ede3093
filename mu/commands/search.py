"""`mu search`: recordings of an embedded library that fit words."""

import json
import sys

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import Count

EPILOG = """\
examples:
  mu search embeddings/music "calm piano" --k=5
  mu search embeddings/music "rain on a roof" --json

EMBEDDINGS were made by `mu embed RUN LIBRARY` with a run of mu.tasks.audio_text:AudioText, which has learnt sound and
words in one space. A word that it has not seen is read by its parts: 'pianos' is near 'piano'.
"""


def main(argv: list[str]) -> int:
    """0 when done, 1 after an error that has been printed, 2 when it was called wrongly."""
    parser = CommandParser(
        prog="mu search", description="The recordings of a library that fit words best.", epilog=EPILOG
    )
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="a folder of `mu embed`")
    add("text", metavar="TEXT", help="what to search for")
    add("--k", type=int, default=10, metavar="K", help="how many (default: 10)")
    add("--json", action="store_true", help="one JSON object a line")
    arguments = parser.parse(argv)
    check_flags(parser, arguments, k=Count)
    from mu.console import explained, show_logs, terminal_width
    from mu.data.embeddings import load
    from mu.embedding.text_search import search
    from mu.evals.text_tables import text_table

    show_logs()
    try:
        matches = search(load(arguments.embeddings), arguments.text, arguments.k)
    except (ValueError, OSError) as error:
        print(f"mu search: {explained(error)}", file=sys.stderr)
        return 1
    if arguments.json:
        for rank, match in enumerate(matches, 1):
            print(
                json.dumps(
                    {"rank": rank, "clip": match.clip, "cosine": round(match.cosine, 6), "duration_s": match.duration_s}
                )
            )
        return 0
    rows = [
        [f"{rank}", match.clip, f"{match.cosine:.3f}", f"{match.duration_s:.1f}"]
        for rank, match in enumerate(matches, 1)
    ]
    print(text_table([["rank", "recording", "cosine", "seconds"], *rows], width=terminal_width()))
    return 0
