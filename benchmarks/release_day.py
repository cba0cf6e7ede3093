"""What a model of sound is worth on the day a track is released, and what it costs: three simulated worlds.

    python benchmarks/release_day.py [--seeds=0,1,2] [--workdir=runs/release_day]

For each seed a world of size small is simulated, imported and split by time as `mu quickstart` does; SASRec (id_only)
and the model of sound and listeners learn from the same plays, and every test play is ranked by both, by the other
baselines and by the oracle. Runs that are complete are not run again. docs/results/release_day.md holds the table, the
claims and whether they are met, with intervals, command, commit, machine and time.
"""

import argparse
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from audience import audience
from expected_recall import expected_recall

from mu.config.resolve import build, resolve
from mu.data.listening.listening import Listening
from mu.evals.intervals import clustered_bootstrap
from mu.evals.protocols.plays import DAY_MS, PlayEvaluator
from mu.evals.results import Evaluation, evaluations_of, load
from mu.inference.policy import NEW_RELEASE_DAYS, Policy
from mu.inference.time_aware import TimeAwareRecommender
from mu.quickstart.config import get_config
from mu.quickstart.steps import import_world, simulate_world
from mu.run.evaluation import build_evaluator, fit_policy
from mu.run.rebuild import rebuild
from mu.run.restore import open_run
from mu.train import train
from mu.training.memory import keep_freed_memory
from mu.training.provenance import processor
from mu_kernels.threads import available_cpus

ROOT = Path(__file__).resolve().parents[1]
METRIC, SAMPLES = "recall@20", 1000
ROWS = (
    "model",
    "model_unboosted",
    "id_only",
    "item_knn",
    "content_of_model",
    "content_of_mfcc",
    "artist_popularity",
    "popularity",
    "random",
    "oracle",
)
INTRODUCTION = """\
# The day of release

Written by `python benchmarks/release_day.py`. {worlds} simulated worlds of size small; recall@20 of test plays by the
age of the track, all plays of all worlds pooled, with 95 % bootstrap intervals over listeners. `model` encodes the
sound of the tracks and ranks those of their first week with a boost that was chosen on validation (`config.policy`,
`max_cost`: .05 of the recall of known tracks there); `model_unboosted` is without, and calibrated by age as it is.
`id_only` is SASRec on the same plays. All have learnt from what was played before the validation part, and see what was
played before the test: who counts plays knows nothing of later tracks. The oracle knows each listener's taste at each
moment, and shows new tracks without a boost.

"""
EXPECTED = """
## Expected by taste

On the day of release few plays are observed, and which track was played is mostly luck. The worlds know each listener's
taste: here every track that was out and not yet played counts by the probability that a listener who chooses by taste
alone would play it at the moment of each test play (`benchmarks/expected_recall.py`; real plays also follow albums,
slates and habits). `oracle_boosted` is the oracle with a boost chosen as the model's was.

"""


AUDIENCE = """
## Audience of new tracks

All listeners at the moments of the test plays, ordered by the share of their plays that the model without a boost gives
a new track: those who would play it by taste stand at {model} (0 is first, .5 chance), by the oracle's order at
{oracle}; those who did play it stand at {played} of the model's order. The model says how unsure it is of a new
track's appeal (`TimeAwareRecommender.cold_start_variance`): the square of (log of expected plays over predicted plays)
over that variance is {z:.2f} in the mean over {tracks} new tracks; 1 is calibrated.
"""


class Estimate(NamedTuple):
    """A mean and its interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Pooled(NamedTuple):
    """Numbers of the plays of all worlds.

    Attributes:
      listeners: int64 [n], of all worlds apart.
      values: name of the recommender -> float64 [n].
      weights: float64 [n], how much each play counts.
    """

    listeners: np.ndarray
    values: dict[str, np.ndarray]
    weights: np.ndarray

    def of(self, **factors: float) -> Estimate:
        """The mean of a sum of recommenders, each times a factor."""
        column = sum(factor * self.values[name] for name, factor in factors.items())
        low, high = clustered_bootstrap(column[:, None], self.listeners, SAMPLES, weights=self.weights)
        return Estimate(float(np.average(column, weights=self.weights)), float(low[0]), float(high[0]))


def run(folder: Path, seed: int, size: str) -> Evaluation:
    """The evaluation of one world's model, made where it is missing."""
    simulate_world(folder / "world", size, seed)
    import_world(folder / "world", folder / "log")
    for parts, name in (("id", "id_only"), ("all", "model")):
        if evaluations_of(folder / name):
            continue
        changed = get_config(f"folder={folder},size={size},seed={seed},parts={parts}")
        if parts == "all":
            changed.baselines.id_only = {
                "name": "mu.run.baseline:EarlierRun",
                "workdir": str(folder / "id_only"),
            }
            changed.baselines.content_of_mfcc = {"name": "mu.baselines.content:ContentNeighbours"}
        train(resolve(changed), folder / name)
    return load(folder / "model")


class BoostedOracle:
    """The oracle's log-probabilities, and on them what the model has: a boost of tracks in their first days."""

    dot_product = False
    time_aware = True

    def __init__(self, oracle: Any, released_ms: np.ndarray, policy: Policy | None = None):
        self._oracle, self._released_ms, self.policy = oracle, released_ms, policy or Policy()

    def with_policy(self, policy: Policy) -> "BoostedOracle":
        return BoostedOracle(self._oracle, self._released_ms, policy)

    def scores(self, users: np.ndarray, histories: Any, times_ms: np.ndarray) -> np.ndarray:
        age_days = (times_ms[:, None] - self._released_ms) / DAY_MS
        new = (age_days >= 0) & (age_days < NEW_RELEASE_DAYS)
        chance = np.maximum(self._oracle.scores(users, histories, times_ms), 1e-30)
        return (np.log(chance) + self.policy.new_release_boost * new).astype(np.float32)


def expected(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Recommender -> section -> float64 [E, 2] of `expected_recall`, of one world; kept beside its evaluation."""
    place = folder / "model" / "evaluation"
    file = place / f"expected-{measured_hash(folder)}.npz"
    names = ("model", "model_unboosted", "id_only", "item_knn", "popularity", "oracle", "oracle_boosted")
    if not file.is_file():
        run, shown = rebuild(folder / "model").run, shown_to_users(folder)
        baselines = {name: build(spec) for name, spec in run.config.baselines.items()}
        recommenders: dict[str, Any] = {
            "model": shown,
            "model_unboosted": shown.with_policy(shown.policy.without_boost()),
        }
        recommenders |= {name: baselines[name].fit(run.train) for name in names if name in baselines}
        law = recommenders["oracle"]
        assert isinstance(run.data, Listening)
        oracle = BoostedOracle(law, run.data.released_ms)
        recommenders["oracle_boosted"] = oracle.with_policy(fit_policy(run, oracle))
        plays = build_evaluator(run, "plays", "test")
        assert isinstance(plays, PlayEvaluator)
        arrays = {
            f"{name}/{section}": pairs
            for name in names
            for section, pairs in expected_recall(plays, recommenders[name], law).items()
        }
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]
    with np.load(file) as arrays:
        sections = dict.fromkeys(name.partition("/")[2] for name in arrays.files)
        return {name: {section: arrays[f"{name}/{section}"] for section in sections} for name in names}


def measured_hash(folder: Path) -> str:
    """Of the weights of one world's model and of its policy: what is kept is of these."""
    policy = (folder / "model" / "policy.json").read_bytes()
    return hashlib.sha256(load(folder / "model").card["weights_hash"].encode() + policy).hexdigest()[:12]


def shown_to_users(folder: Path) -> TimeAwareRecommender:
    """The model of one world under its policy."""
    recommender = open_run(folder / "model").recommender()
    assert isinstance(recommender, TimeAwareRecommender)
    return recommender


def new_tracks(folder: Path) -> dict[str, np.ndarray]:
    """What is said of each of the n new tracks of one world, without a boost; kept beside its evaluation.

    Returns:
      'model', 'oracle' and 'played' float64 [n, 2]: `audience` by these scores, expected, and of the model as observed;
      'z' float64 [m], of those that could be played: log of the plays expected by taste over those by the model,
      divided by its predicted deviation.
    """
    file = folder / "model" / "evaluation" / f"new-{measured_hash(folder)}.npz"
    if not file.is_file():
        run, shown = rebuild(folder / "model").run, shown_to_users(folder)
        unboosted = shown.with_policy(shown.policy.without_boost())
        law = build(run.config.baselines.oracle).fit(run.train)
        plays = build_evaluator(run, "plays", "test")
        assert isinstance(plays, PlayEvaluator) and isinstance(run.data, Listening)
        ours, oracles = (audience(plays, one, law) for one in (unboosted, BoostedOracle(law, run.data.released_ms)))
        queries = unboosted.queries(plays.events.users, plays.histories.take(plays.events.users))
        deviation = np.sqrt(unboosted.cold_start_variance(queries.mean(axis=0, keepdims=True)))
        possible = ours["predicted"] > 0
        z = np.log(ours["likely"][possible] / ours["predicted"][possible]) / deviation
        arrays = {"model": ours["expected"], "oracle": oracles["expected"], "played": ours["observed"], "z": z}
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]
    with np.load(file) as arrays:
        return dict(arrays)


def of_new_tracks(worlds: list[dict[str, np.ndarray]]) -> str:
    """Where those who play a new track stand, and whether the posterior of its appeal is calibrated; in words."""
    places = {}
    for name in ("model", "oracle", "played"):
        pairs = np.concatenate([world[name] for world in worlds])
        low, high = clustered_bootstrap(
            (pairs[:, :1] / np.maximum(pairs[:, 1:], 1e-12)), np.arange(len(pairs)), SAMPLES, weights=pairs[:, 1]
        )
        places[name] = Estimate(float(pairs[:, 0].sum() / pairs[:, 1].sum()), float(low[0]), float(high[0]))
    z = np.concatenate([world["z"] for world in worlds])
    return AUDIENCE.format(**places, z=float((z**2).mean()), tracks=len(z))


def clusters_of(evaluation: Evaluation) -> np.ndarray:
    """int64 [E]: the listener of each play."""
    clusters = evaluation.results["model"].clusters
    assert clusters is not None
    return clusters


def pooled_plays(evaluations: list[Evaluation], section: str) -> Pooled:
    """What was observed of one section in all worlds that have such plays."""
    column = f"{section}/{METRIC}"
    parts: list[dict[str, np.ndarray]] = []
    listeners = []
    for world, evaluation in enumerate(evaluations):
        model = evaluation.results["model"]
        if column in model.columns:
            plays = np.isfinite(model.columns[column])
            parts.append({name: evaluation.results[name].columns[column][plays] for name in ROWS})
            listeners.append(world * 10**9 + clusters_of(evaluation)[plays])
    values = {name: np.concatenate([part[name] for part in parts]) for name in ROWS}
    return Pooled(np.concatenate(listeners), values, np.ones(len(values["model"])))


def pooled_law(evaluations: list[Evaluation], worlds: list[dict], section: str) -> Pooled:
    """What the law expects of one section in all worlds."""
    listeners = [world * 10**9 + clusters_of(evaluation) for world, evaluation in enumerate(evaluations)]
    pairs = {name: np.concatenate([world[name][section] for world in worlds]) for name in worlds[0]}
    there = pairs["oracle"][:, 1]
    counted = there > 0
    values = {name: pair[counted, 0] / pair[counted, 1] for name, pair in pairs.items()}
    return Pooled(np.concatenate(listeners)[counted], values, there[counted])


def claims(day: Pooled, day_expected: Pooled, warm: dict[str, Pooled]) -> list[tuple[str, str, str]]:
    """(what is claimed, what was found, whether it is met) each."""
    popular = pooled_claim(day, "day 0, observed", "model", 5.0, "popularity")
    tested = [popular, pooled_claim(day, "day 0, observed", "model", 0.6, "oracle")]
    tested.append(pooled_claim(day_expected, "day 0, expected", "model", 5.0, "popularity"))
    for ours, other in (("model", "oracle"), ("model", "oracle_boosted"), ("model_unboosted", "oracle")):
        tested.append(pooled_claim(day_expected, "day 0, expected", ours, 0.6, other))
    for name, pooled in warm.items():
        for ours in ("model", "model_unboosted"):
            over = pooled.of(**{ours: 1.0, "id_only": -1.0})
            answer = "met" if over.high >= 0 else "not met"
            tested.append((f"{name}: {ours} no worse than id_only within the interval", f"difference {over}", answer))
    return tested


def pooled_claim(pooled: Pooled, where: str, ours: str, factor: float, other: str) -> tuple[str, str, str]:
    """That one recommender reaches so many times another's recall, and some at all."""
    mine, theirs, over = pooled.of(**{ours: 1.0}), pooled.of(**{other: 1.0}), pooled.of(**{ours: 1.0, other: -factor})
    answer = "not met"
    if over.mean >= 0 and mine.mean > 0:
        answer = "met" if over.low > 0 else "met in the mean, not beyond the interval"
    ratio = f", {mine.mean / theirs.mean:.2f} x" if theirs.mean else ""
    words = f"{mine} beside {theirs}{ratio}; less {factor:g} x that {over}"
    return f"{where}: {ours} at least {factor:g} x {other}", words, answer


def trained_at(folders: list[Path]) -> str:
    """The commits of all runs, most often one."""
    runs = [json.loads((folder / "run.json").read_text(encoding="utf-8")) for folder in folders]
    return " ".join(sorted({(made["commit"] or "unknown")[:12] for made in runs}))


def markdown(head: list[str], lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--workdir", type=Path, default=Path("runs/release_day"), help="holds worlds and runs")
    parser.add_argument("--size", choices=("tiny", "small"), default="small", help="tiny: does it work? writes nothing")
    arguments = parser.parse_args()
    seeds, started = [int(seed) for seed in arguments.seeds.split(",")], time.perf_counter()
    keep_freed_memory()
    folders = [arguments.workdir / f"seed{seed}" for seed in seeds]
    evaluations = [run(folder, seed, arguments.size) for folder, seed in zip(folders, seeds, strict=True)]
    laws = [expected(folder) for folder in folders]
    minutes = (time.perf_counter() - started) / 60

    sections = list(
        dict.fromkeys(name.rpartition("/")[0] for evaluation in evaluations for name in evaluation.rows["model"])
    )
    observed = {name: pooled_plays(evaluations, name) for name in sections}
    by_law = {name: pooled_law(evaluations, laws, name) for name in laws[0]["oracle"]}
    tables = {
        "observed": {name: {row: pooled.of(**{row: 1.0}) for row in ROWS} for name, pooled in observed.items()},
        "expected": {name: {row: pooled.of(**{row: 1.0}) for row in laws[0]} for name, pooled in by_law.items()},
    }
    made = claims(observed["day 0"], by_law["day 0"], {name: observed[name] for name in ("discovery", "repeat")})
    shown = [name for name in sections if not name.startswith(("discovery,", "new: "))]
    counts = {name: len(observed[name].listeners) for name in shown}
    text = INTRODUCTION.format(worlds=len(seeds))
    text += markdown(
        [METRIC, *(f"{name} ({counts[name]:,})" for name in shown)],
        [[row, *(str(tables["observed"][name][row]) for name in shown)] for row in ROWS],
    )
    text += EXPECTED + markdown(
        [METRIC, *by_law], [[row, *(str(tables["expected"][name][row]) for name in by_law)] for row in laws[0]]
    )
    text += of_new_tracks([new_tracks(folder) for folder in folders])
    text += "\n## Claims\n\n" + markdown(["claimed", "found", ""], [list(line) for line in made])
    boosts = ", ".join(f"{evaluation.card['new_release_boost']:g}" for evaluation in evaluations)
    commits = trained_at([folder / name for folder in folders for name in ("id_only", "model")])
    machine = f"{available_cpus()} of {os.cpu_count()} cores of {processor()}"
    text += (
        f"\nSeeds {arguments.seeds}; boosts chosen {boosts}; trained at commit {commits}; {machine}; "
        f"{minutes:.0f} min, without runs that were there already.\n"
    )
    print(text)
    if arguments.size == "small":
        rows = {
            kind: {s: {r: list(e) for r, e in t.items()} for s, t in table.items()} for kind, table in tables.items()
        }
        folder = ROOT / "docs" / "results"
        (folder / "release_day.json").write_text(json.dumps({"seeds": seeds, "claims": made, **rows}, indent=1))
        (folder / "release_day.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
