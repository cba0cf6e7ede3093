"""What the documentation shows: each block of commands or code is run, here or at night, or says why not."""

import runpy
import subprocess
from pathlib import Path

import pytest

from mu.cli import main
from tests.helpers.doc_commands import OTHERS, ROOT, pages

PAGES = pages()
FAST = {page: parts for page, parts in PAGES.items() if any(block.kind == "run" for block in parts)}


@pytest.mark.parametrize("page", PAGES)
def test_each_block_says_who_runs_it(page):
    for block in PAGES[page]:
        where = f"{page}:{block.line}"
        assert block.language in ("sh", "python"), f"{where}: a fenced block is sh, python or text"
        assert block.kind in ("run", "nightly", "file", "not run"), where
        assert block.detail or block.kind in ("run", "nightly"), f"{where}: the comment does not say what or why"


@pytest.mark.parametrize("page, test", OTHERS.items())
def test_other_pages_have_a_test_that_reads_them(page, test):
    assert Path(page).name in (ROOT / test).read_text()


@pytest.mark.parametrize("page", FAST)
def test_runs(page, tmp_path, monkeypatch, capsys):
    """The blocks that run fast, one after the other, as a reader would."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in FAST[page]:
        if block.kind == "file":
            Path(block.detail).write_text(block.code)
        elif block.kind == "run" and block.language == "python":
            exec(compile(block.code, f"{page}:{block.line}", "exec"), names)
        elif block.kind == "run":
            for words in block.commands():
                if words[0] == "mu":
                    assert main(words[1:]) == 0, f"{page}:{block.line}: {words}\n{capsys.readouterr().err}"
                else:
                    subprocess.run(words, check=True, capture_output=True)


def test_the_nightly_page_says_what_failed_and_what_was_not_run():
    page = runpy.run_path(str(ROOT / "docs/scripts/nightly.py"))["page"]
    where = {"date": "2026-01-02 03:04 UTC", "commit": "abc", "machine": "2 cores", "versions": "Python 3.11, jax 0.10"}
    tests = {"docs/faq.md": ["passed", 61], "docs/a.md": ["failed", 2]}
    tests = {f"slow/test_docs::test_page[{name}]": result for name, result in tests.items()}
    text = page({"docs": {"passed": False, "result": "1 failed, 1 passed", "seconds": 63, "tests": tests, **where}})
    assert "**failed**: 1 failed, 1 passed" in text and "- `slow/test_docs::test_page[docs/a.md]`" in text
    assert "| `docs/faq.md` | passed | 1 min 01 s |" in text
    assert text.count("not run yet") == 4
    assert "**failed**" not in page({})
