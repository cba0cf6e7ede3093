"""Commands and code in the documentation: which there are, and what tests do with each.

Each fenced block of sh or python in a page is preceded by a comment that says so:

    <!-- run -->                    tests/test_docs.py runs it, in a folder of the page, in the order of the page
    <!-- nightly -->                tests/slow/test_docs.py does, with the whole page; it may name files of MU_DATA
    <!-- file: mine.py -->          the block is a file of that name
    <!-- not run: REASON -->        nobody does
"""

import dataclasses
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^(?:<!-- (?P<marker>.*?) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)
# These have a test of their own, and are written by it or by others.
OTHERS = {"docs/extending.md": "tests/test_extending.py"}


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
      page: its file, from the root of the repository.
      line: of its first line of code.
      language: sh or python; 'text' shows what a command prints.
      kind: run, nightly, file or not run; '' without a comment.
      detail: what the comment says after the kind.
      code: its text.
    """

    page: str
    line: int
    language: str
    kind: str
    detail: str
    code: str

    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block."""
        lines = self.code.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page.relative_to(ROOT).as_posix(),
            text.count("\n", 0, match.start("code")) + 1,
            match["language"],
            *(part.strip() for part in (match["marker"] or "").partition(":")[::2]),
            code=match["code"],
        )
        for match in BLOCK.finditer(text)
        if match["language"] != "text"
    ]


def pages() -> dict[str, list[Block]]:
    """Page -> its blocks: the README, those of packages and all of docs/ that have blocks and no test of their own."""
    files = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "kernels/README.md", "mu/world/README.md")]
    files += sorted((ROOT / "docs").rglob("*.md"))
    blocks_of = {file.relative_to(ROOT).as_posix(): blocks(file) for file in files}
    return {page: parts for page, parts in blocks_of.items() if parts and page not in OTHERS}
