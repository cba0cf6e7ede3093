"""Takes docs/quickstart_page.png, the picture of the README: the head of the page that `mu quickstart` wrote.

    mu quickstart
    python docs/scripts/quickstart_page.py [quickstart/report.html]

It needs Chromium or Chrome.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from mu.files import write_whole
from tests.helpers.chromium import BROWSER, NAMES

PICTURE = Path(__file__).resolve().parents[1] / "quickstart_page.png"
WIDTH, HEIGHT, COLOURS = 1200, 1150, 128


def main(argv: list[str]) -> int:
    """0 when the picture is taken, 1 without a browser, 2 without a page."""
    page = Path(argv[0] if argv else "quickstart/report.html")
    if not page.is_file():
        print(f"there is no {page}: run `mu quickstart` first, or name its page", file=sys.stderr)
        return 2
    if BROWSER is None:
        print(f"a browser is needed, one of {', '.join(NAMES)}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        flags = ("--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}")
        url = page.resolve().as_uri()
        subprocess.run([BROWSER, *flags, f"--screenshot={shot}", url], check=True, capture_output=True)
        with Image.open(shot) as image:
            image.convert("RGB").quantize(COLOURS).save(shot, optimize=True)
        write_whole(PICTURE, shot.read_bytes())
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
