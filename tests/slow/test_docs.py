"""The whole of each page of the documentation, run in a shell as a reader does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.doc_commands import ROOT, pages
from tests.helpers.processes import environment

pytestmark = pytest.mark.slow
PAGES = {page: parts for page, parts in pages().items() if any(block.kind == "nightly" for block in parts)}


@pytest.mark.parametrize("page", PAGES)
def test_page(page, tmp_path, request):
    """Every block but those that say why not; files of MU_DATA that a block names lie in the folder."""
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    scripts = Path(sys.executable).parent
    env = environment() | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    for block in PAGES[page]:
        where = f"{page}:{block.line}"
        if block.kind == "file":
            (tmp_path / block.detail).write_text(block.code)
            continue
        if block.kind == "not run":
            continue
        if block.kind == "nightly":
            for name in block.detail.split():
                shutil.copy(request.getfixturevalue("data_dir") / name, tmp_path)
        program = [sys.executable, "-"] if block.language == "python" else ["bash", "-euo", "pipefail", "-s"]
        done = subprocess.run(program, input=block.code, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{where}\n{block.code}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
