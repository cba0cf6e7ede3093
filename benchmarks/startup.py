"""How long until something happens: `import mu`, `import mu_kernels`, `mu --help`, one answer, the first step.

    python benchmarks/startup.py --data=LOG_FOLDER [--config=experiments/beauty_sasrec.py] [--json=FILE]
    python benchmarks/startup.py --run=quickstart/run --user=listener-00007

Every number is of a new Python process, from its start to its end or, of `mu train`, to the line that says its first
step is done. Imports: the median of `--repeats`, beside an empty process. `mu train`: once cold (empty MU_CACHE and
NUMBA_CACHE_DIR), then warm, with the caches it left; the files themselves are in the system's page cache by then, and
Python's bytecode is compiled. Its time is divided by what the process was doing, the trainer's own functions being
timed: the rest is Python between them. JAX itself says what it spent on tracing, lowering, compiling and
reading its cache. The last table shares the time of `import mu.train` among the packages by -X importtime (which slows
imports somewhat): time in a package's own modules, and what it takes imported alone.
"""

import argparse
import collections
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ALONE = ("numpy", "jax", "flax.nnx", "optax", "orbax.checkpoint", "grain", "polars", "numba", "mu_kernels")

# `mu train`, its parts timed; prints a JSON line once the first step is done, and leaves.
TRAIN = """
import json, os, sys, time
marks, jax_s, depth = {}, {}, []
def timed(name, function):
    def wrapped(*args, **kwargs):
        label = name(*args, **kwargs) if callable(name) else name
        depth.append(0.0)
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent = time.perf_counter() - began
            inner = depth.pop()
            marks[label] = marks.get(label, 0.0) + spent - inner  # what was not in another part
            if depth:
                depth[-1] += spent
    return wrapped
def load():
    import mu.commands.train, mu.config.overrides, mu.config.resolve, mu.run.build, mu.run.initialise, mu.train
timed("imports", load)()
import dataclasses
import jax, mu.commands.train, mu.config.overrides, mu.config.resolve, mu.run.build, mu.run.initialise, mu.train
def listen(event, seconds, **_):
    jax_s[event] = jax_s.get(event, 0.0) + seconds
jax.monitoring.register_event_duration_secs_listener(listen)
mu.config.overrides.load = timed("config (imports the modules it names)", mu.config.overrides.load)
mu.run.build.build = timed(lambda spec, **_: "build " + spec["name"].split(":")[-1], mu.config.resolve.build)
mu.run.initialise.init_state = timed("initial state", mu.run.initialise.init_state)
mu.train.build_run = timed("set-up, else", mu.train.build_run)
mu.train.evaluators = timed("evaluators", mu.train.evaluators)
mu.train.provenance = timed("provenance", mu.train.provenance)
mu.train.loader = timed("loader", mu.train.loader)
mu.train.Checkpoints = timed("checkpoints", mu.train.Checkpoints)
mu.train.next = timed("first batch", next)
mu.train.put_batch = timed("batch to device", mu.train.put_batch)
mu.train.check_finite = timed("first step, run", mu.train.check_finite)
build_run = mu.train.build_run
def with_step(*arguments):
    run = build_run(*arguments)
    return dataclasses.replace(run, step=timed("first step, traced and compiled", run.step))
mu.train.build_run = with_step
def info(text):
    if text.startswith("First step"):
        print(json.dumps({"parts": marks, "jax": jax_s}), flush=True)
        os._exit(0)
mu.train.logger.info = info
sys.exit(mu.commands.train.main(sys.argv[1:]))
"""


def environment(**more: str) -> dict[str, str]:
    """This one, with this checkout importable."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path} | more


def run(arguments: list[str], **more: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """(seconds, what it printed) of a Python process."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment(**more), cwd=ROOT, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{arguments} failed with status {done.returncode}:\n{done.stderr[-4000:]}")
    return took, done


def imports(repeats: int) -> dict[str, float]:
    """Median seconds of a process that imports a thing, and of the import alone."""
    clock = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"
    medians = {"an empty process": statistics.median(run(["-c", ""])[0] for _ in range(repeats))}
    for name in ("mu", "mu_kernels"):
        inside = [float(run(["-c", clock.format(name)])[1].stdout) for _ in range(repeats)]
        medians[f"import {name}"] = statistics.median(inside)
    medians["mu --help, whole process"] = statistics.median(run(["-m", "mu", "--help"])[0] for _ in range(repeats))
    return medians


# Opens a run and asks it once; prints the seconds since the process began, by its clock and by its processor.
ANSWER = """
import os, sys, time
import mu.api
mu.api.open_run(sys.argv[1]).recommend(sys.argv[2], 10)
ticks = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])
since_boot = float(open("/proc/uptime").read().split()[0])
print(since_boot - ticks / os.sysconf("SC_CLK_TCK"), time.process_time())
"""


def one_answer(folder: str, user: str, repeats: int) -> dict[str, float]:
    """Medians of seconds of new processes that answer once, after one that fills the caches; needs Linux's /proc."""
    run(["-c", ANSWER, folder, user])
    answers = [[float(word) for word in run(["-c", ANSWER, folder, user])[1].stdout.split()] for _ in range(repeats)]
    commands = [run(["-m", "mu", "recommend", folder, f"--user={user}"])[0] for _ in range(repeats)]
    return {
        "open_run, recommend": statistics.median(wall for wall, _ in answers),
        "the same, processor": statistics.median(processor for _, processor in answers),
        "mu recommend, whole process": statistics.median(commands),
    }


def first_step(config: str, data: str, caches: Path) -> dict[str, Any]:
    """Seconds from the start of the process to its first step, in parts."""
    with tempfile.TemporaryDirectory() as workdir:
        arguments = [f"--config={config}", f"--config.data.path={data}", f"--workdir={workdir}/run"]
        folders = {"MU_CACHE": str(caches / "mu"), "NUMBA_CACHE_DIR": str(caches / "numba")}
        took, done = run(["-c", TRAIN, *arguments], **folders)
    return {"seconds": took, **json.loads(done.stdout.splitlines()[-1])}


def import_shares() -> list[tuple[str, float, float | None]]:
    """(package, its own share of `import mu.train`, alone) in seconds, largest share first."""

    def profile(name: str) -> tuple[dict[str, float], float]:
        _, done = run(["-X", "importtime", "-c", f"import {name}"])
        own: dict[str, float] = collections.defaultdict(float)
        for line in done.stderr.splitlines():
            if match := re.match(r"import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)", line):
                own[match[3].split(".")[0]] += int(match[1]) / 1e6
        return own, sum(own.values())

    shares, _ = profile("mu.train")
    empty = profile("sys")[1]
    alone = {name.split(".")[0]: profile(name)[1] - empty for name in ALONE}
    return [(name, share, alone.get(name)) for name, share in sorted(shares.items(), key=lambda item: -item[1])]


def main() -> None:
    """Prints the tables; with --json=FILE also writes all numbers."""
    parser = argparse.ArgumentParser(description="Time to import, to --help and to the first step.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", metavar="LOG_FOLDER", help="a log made by `mu import`")
    what.add_argument("--run", metavar="DIR", help="a run of `mu train` on a log: how long one answer takes")
    parser.add_argument("--user", help="a listener of its log")
    parser.add_argument("--config", default="experiments/beauty_sasrec.py", metavar="FILE[:ARG,...]")
    parser.add_argument("--repeats", type=int, default=5, help="of imports; the warm start is repeated 3 times at most")
    parser.add_argument("--json", metavar="FILE")
    flags = parser.parse_args()
    if flags.run and not flags.user:
        parser.error("--run needs a listener: --user=ID")
    if flags.run:
        numbers = one_answer(os.path.abspath(flags.run), flags.user, flags.repeats)
        for name, seconds in numbers.items():
            print(f"{name:<28}{seconds:>8.3f} s")
        if flags.json:
            Path(flags.json).write_text(json.dumps(numbers, indent=2))
        return
    data = os.path.abspath(flags.data)

    numbers: dict[str, Any] = {"imports": imports(flags.repeats)}
    for name, seconds in numbers["imports"].items():
        print(f"{name:<28}{seconds:>8.3f} s")

    with tempfile.TemporaryDirectory(prefix="mu-startup-") as caches:
        cold = first_step(flags.config, data, Path(caches))
        starts = [first_step(flags.config, data, Path(caches)) for _ in range(min(3, flags.repeats))]
    warm = sorted(starts, key=lambda start: start["seconds"])[len(starts) // 2]
    numbers |= {"cold": cold, "warm": starts}
    print(f"\nmu train to its first step: cold {cold['seconds']:.1f} s, warm {warm['seconds']:.1f} s, of which")
    for start in (cold, warm):
        start["parts"]["Python itself, and between"] = start["seconds"] - sum(start["parts"].values())
    parts = sorted(set(cold["parts"]) | set(warm["parts"]), key=lambda part: -warm["parts"].get(part, 0.0))
    for part in parts:
        print(f"  {part:<42}{cold['parts'].get(part, 0.0):>8.2f}{warm['parts'].get(part, 0.0):>8.2f}")
    print("as JAX counts it (all programs, the initial state's too):")
    for event in sorted(set(cold["jax"]) | set(warm["jax"])):
        spent = cold["jax"].get(event, 0.0), warm["jax"].get(event, 0.0)
        if max(spent) > 0.01 and "saved" not in event:  # 'saved' is what the cache spared, not time spent
            print(f"  {event.removeprefix('/jax/'):<60}{spent[0]:>8.2f}{spent[1]:>8.2f}")

    numbers["import mu.train"] = import_shares()
    total = sum(share for _, share, _ in numbers["import mu.train"])
    print(f"\nimport mu.train, by package: {total:.2f} s under -X importtime; own share, alone")
    for name, share, alone in numbers["import mu.train"]:
        if share > 0.02 * total or alone is not None:
            print(f"  {name:<42}{share:>8.2f}" + (f"{alone:>8.2f}" if alone is not None else ""))
    if flags.json:
        Path(flags.json).write_text(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    main()
