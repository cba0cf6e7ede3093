"""Runs a notebook and stores it with its outputs, but for sound: `python -m tests.helpers.store_notebook FILE`."""

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

SOUND = re.compile(r"data:audio/[^\"']*")
TIMEOUT_S = 1_800


def run(notebook: nbformat.NotebookNode, folder: Path, env: dict[str, str]) -> None:
    """Runs all cells in a fresh kernel in `folder`; their outputs replace what was there.

    Raises:
      nbclient.exceptions.CellExecutionError: a cell raises.
    """
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=TIMEOUT_S, startup_timeout=300, record_timing=False
    )
    client.execute(cwd=str(folder), env=env)


def without_sound(notebook: nbformat.NotebookNode) -> None:
    """Empties the players in the outputs: seconds of sound are megabytes, and the notebook makes them again."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = SOUND.sub("", output.data["text/html"])


def with_small_pictures(notebook: nbformat.NotebookNode) -> None:
    """Gives pictures 64 colours: a spectrogram takes a third of its bytes then."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as picture:
                    small = io.BytesIO()
                    picture.convert("RGB").quantize(64).save(small, "PNG", optimize=True)
                output.data["image/png"] = base64.b64encode(small.getvalue()).decode()


def main(path: str) -> None:
    """Runs the notebook at a path and writes it back."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        run(notebook, Path(folder), dict(os.environ))
    without_sound(notebook)
    with_small_pictures(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1])
