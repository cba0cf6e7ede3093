"""What takes too long for every change, run, and its results written to docs/nightly.md: `make nightly`.

    python docs/scripts/nightly.py [--only=docs,quickstart]

Steps are run one after the other, also after one that failed. With --only the rows of the others stay as they are, with
their own date and commit (docs/nightly.json). Exits with 1 where a step that was run has failed.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mu.console import duration
from mu.files import read_json, write_json, write_whole
from mu.training.provenance import commit, processor, version

ROOT = Path(__file__).resolve().parents[2]
PAGE, ROWS = ROOT / "docs/nightly.md", ROOT / "docs/nightly.json"
FOLDER = ROOT / "build/nightly"
PYTEST = (sys.executable, "-m", "pytest", "-q")
DOCS = "tests/slow/test_docs.py"
# Step -> what it does, its command, its environment beside ours.
STEPS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "docs": ("every command of the documentation that is run at night", (*PYTEST, "-m", "slow", DOCS), {}),
    "slow": ("the other slow tests", (*PYTEST, "-m", "slow", f"--ignore={DOCS}"), {}),
    "jit-off": (
        "the kernels' tests without compiled code",
        (*PYTEST, "-m", "not slow", "tests/kernels"),
        {"NUMBA_DISABLE_JIT": "1"},
    ),
    "references": ("published weights beside what their packages compute", ("make", "test-references"), {}),
    "quickstart": ("`mu quickstart` from nothing", (sys.executable, "-m", "mu", "quickstart"), {}),
}

INTRODUCTION = """\
# Last nightly run

Written by `make nightly` (`docs/scripts/nightly.py`): what takes too long for every change. Blocks of the documentation
whose comment is `nightly` are run page by page, in a shell, as they stand there
([Contributing](../CONTRIBUTING.md#documentation)).

"""


def main() -> int:
    """0 when all that was run passed, 1 when something failed, 2 for an unknown step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(STEPS), help=f"some of {', '.join(STEPS)}")
    names = parser.parse_args().only.split(",")
    if unknown := [name for name in names if name not in STEPS]:
        parser.error(f"no step {', '.join(unknown)}; there is: {', '.join(STEPS)}")
    rows = read_json(ROWS) if ROWS.exists() else {}
    for name in names:
        rows[name] = run(name)
        print(f"{name}: {rows[name]['result']}, {rows[name]['seconds']} s", flush=True)
        write_json(ROWS, rows)
        write_whole(PAGE, page(rows).encode())
    return int(not all(rows[name]["passed"] for name in names))


def run(name: str) -> dict[str, Any]:
    """The row of a step: its result, its parts with their times, and where it ran."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    _, command, settings = STEPS[name]
    report = FOLDER / "report.xml"
    tested = "pytest" in command
    started = time.perf_counter()
    done = subprocess.run(
        [*command, f"--junitxml={report}"] if tested else command,
        cwd=ROOT if tested else FOLDER,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    print(done.stdout, flush=True)
    lines = done.stdout.rstrip().splitlines()
    return {
        "passed": done.returncode == 0,
        "result": lines[-1].strip("= ") if tested and lines else f"exit status {done.returncode}",
        "seconds": round(time.perf_counter() - started),
        "tests": tests(report) if tested and report.exists() else {},
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": f"{os.cpu_count()} cores of {processor()}, {platform.system()}",
        "versions": f"Python {platform.python_version()}, jax {version('jax')}",
    }


def tests(report: Path) -> dict[str, list[Any]]:
    """Test -> [passed, failed or skipped, seconds], of a report of pytest."""
    results = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        result = "passed" if not kinds else "skipped" if kinds == {"skipped"} else "failed"
        file = case.get("classname", "").removeprefix("tests.").replace(".", "/")
        results[f"{file}::{case.get('name')}"] = [result, round(float(case.get("time", 0)), 1)]
    return results


def page(rows: dict[str, Any]) -> str:
    """The text of docs/nightly.md."""
    lines = ["| step | what | result | took | when, at which commit | where |", "|---|---|---|---|---|---|"]
    for name, (what, _, _) in STEPS.items():
        row = rows.get(name)
        if row is None:
            lines.append(f"| {name} | {what} | not run yet | | | |")
            continue
        result = row["result"] if row["passed"] else f"**failed**: {row['result']}"
        when, where = f"{row['date']}, `{row['commit']}`", f"{row['machine']}; {row['versions']}"
        lines.append(f"| {name} | {what} | {result} | {duration(row['seconds'])} | {when} | {where} |")
    failed = [test for row in rows.values() for test, (result, _) in row["tests"].items() if result == "failed"]
    if failed:
        lines += ["", "Failed:", "", *(f"- `{test}`" for test in failed)]
    pages = {test: values for test, values in rows.get("docs", {}).get("tests", {}).items() if "::test_page[" in test}
    if pages:
        lines += ["", "## Pages", "", "| page | result | took |", "|---|---|---|"]
        for test, (result, seconds) in pages.items():
            lines.append(f"| `{test.partition('[')[2].rstrip(']')}` | {result} | {duration(seconds)} |")
    return INTRODUCTION + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
