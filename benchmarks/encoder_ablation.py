"""What the sound of tracks adds to a model of listeners, by how it is encoded, and what that costs.

    python benchmarks/encoder_ablation.py [--seeds=0,1,2] [--workdir=runs/encoder_ablation]

For each seed a world of size small is simulated, imported and split by time as `mu quickstart` does, and its model of
sound and listeners learns from the same plays, for as many steps and with the same draws, without sound and with each
encoder of `ARMS`. Runs that are complete are not run again. docs/results/encoder_ablation.md holds the tables.
"""

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from audience import audience
from expected_recall import expected_recall
from flax import nnx
from release_day import Pooled, markdown, trained_at

from mu import losses
from mu.baselines.content import mfcc_statistics
from mu.config.base import Config
from mu.config.resolve import build, resolve
from mu.data.listening.listening import Listening
from mu.evals.protocols.plays import AGES, PlayEvaluator
from mu.evals.results import evaluations_of
from mu.files import read_json, replacing, write_json
from mu.inference.time_aware import TimeAwareRecommender
from mu.inference.track_content import ContentEncoder
from mu.quickstart.config import get_config
from mu.quickstart.steps import import_world, simulate_world
from mu.run.build import Run, build_run
from mu.run.evaluation import build_evaluator
from mu.run.initialise import initialise
from mu.run.rebuild import rebuild
from mu.run.restore import open_run
from mu.tasks.audio_views import encode_views, flat_crops
from mu.train import train
from mu.training.memory import keep_freed_memory
from mu.training.provenance import processor
from mu.training.state import State, values, weights
from mu.world.dataset import load as load_world
from mu_kernels.threads import available_cpus

ROOT = Path(__file__).resolve().parents[1]
ARMS = {
    "none": "no sound",
    "mfcc": "means and deviations of 20 MFCCs and of their slopes and curvatures, 120 numbers",
    "random": "the encoder of the quickstart with its initial weights, frozen",
    "tags": "the same, trained to tell the tags of released tracks from their sound, then frozen",
    "joint": "the same, trained with the listeners, as in the quickstart",
}
TAG_STEPS, TAG_RATE = 400, 2e-3
"""Twice as many batches of sound as the joint run has: none of the loss is the listeners'."""
SECONDS = "seconds.json"
INTRODUCTION = """\
# Encoders of sound

Written by `python benchmarks/encoder_ablation.py`. {worlds} simulated worlds of size small, the model of the
quickstart, {steps} steps each; recall@20 *expected by taste*, without a boost, as in
[The day of release](release_day.md), with 95 % bootstrap intervals over listeners. All arms know artist, genre and tags
of a track; what they know of its sound is:

{arms}

Frozen numbers are standardised and reach the vector of a track by a learnt linear map (`data.item_numbers`), as the
clip vector of the trained encoder does. `audience` is where those who would play a new track stand among listeners, by
score: 0 is first, .5 chance.

"""
COST = """
## Cost

Seconds: of learning the tags; of training, the mean of a step times the steps, without compiling and evaluating; of
turning the sound of a thousand tracks (8 s each) into numbers, which the others' vectors lack. All else of inference is
the same.

"""


def load(path: str, *, world: str, numbers: str) -> Listening:
    """The log of a world without sound, with numbers of each track from a file as its numeric features.

    Args:
      path: of the log.
      world: its folder.
      numbers: of a .npy file, float [V, F].
    """
    log, vectors = load_world(path, world=world, sound=False), np.load(numbers)
    names = tuple(f"sound_{column}" for column in range(vectors.shape[1]))
    return dataclasses.replace(log, item_numbers=names, numeric_features=vectors.astype(np.float64))


def config_of(folder: Path, seed: int, size: str, arm: str) -> Config:
    """The quickstart's config with the sound of one arm, without baselines."""
    config = get_config(f"folder={folder},size={size},seed={seed}")
    config.baselines = {"oracle": config.baselines.oracle}
    if arm == "joint":
        return resolve(config)
    config.model.audio, config.task.tags, config.batches.clips = None, 0.0, 0
    if arm == "none":
        config.data.sound = False
    else:
        config.data = {
            "name": "encoder_ablation:load",
            "path": config.data.path,
            "world": config.data.world,
            "numbers": str(folder / f"{arm}.npy"),
        }
    return resolve(config)


def sound_numbers(folder: Path, seed: int, size: str) -> None:
    """Writes the numbers of the frozen arms, float [V, F], where they are missing, and the seconds that they took."""
    if (folder / SECONDS).is_file():
        return
    run = build_run(config_of(folder, seed, size, "joint"))
    assert isinstance(run.data, Listening) and run.data.sound is not None and run.batches.crop_samples is not None
    sound, encoder = run.data.sound, ContentEncoder(run.model, run.data.sound, run.batches.crop_samples)
    state = initialise(run)
    params, rows = weights(state)
    nothing = np.asarray(rows["content"])
    for track in range(len(nothing)):  # rendered once, so that no arm pays for it
        sound.waveform(track, 0, 1)
    encoder.content(params, nothing, np.arange(len(nothing)) < 1)  # compiled before it is timed

    def timed(make: Callable[[], Any]) -> tuple[Any, float]:
        started = time.perf_counter()
        return make(), time.perf_counter() - started

    mfcc, of_mfcc = timed(lambda: mfcc_statistics(sound))
    initial, of_encoder = timed(lambda: encoder.content(params, nothing))
    (learnt, _), of_tags = timed(lambda: weights(with_tags_learnt(run, state)))
    for arm, vectors in {"mfcc": mfcc, "random": initial, "tags": encoder.content(learnt, nothing)}.items():
        np.save(folder / f"{arm}.npy", vectors)
    seconds = {"mfcc": of_mfcc, "encoder": of_encoder, "tags": of_tags, "tracks": len(nothing)}
    write_json(folder / SECONDS, seconds)


def with_tags_learnt(run: Run, state: State) -> State:
    """`state` with an audio encoder that has learnt to tell the tags of released tracks; no play reaches it."""
    spec = {**run.config.batches, "rows": 1, "clips_every": 1, "clips_of_plays": 0.0}
    batches = build(spec, run.train, sparse=True, seed=run.config.seed)
    optimizer = optax.adam(optax.cosine_decay_schedule(TAG_RATE, TAG_STEPS))
    model, stats = state["params"]["model"], state["stats"]

    @jax.jit
    def step(learnt: Any, stats: Any, slots: Any, batch: Any, key: jax.Array) -> tuple[Any, Any, Any]:
        def loss(learnt: Any) -> tuple[jax.Array, Any]:
            module = nnx.merge(run.model, values({**model, "audio": learnt}, stats))
            audio, samples = flat_crops(batch)
            outputs = encode_views(None, module.audio, audio, samples, spectrogram_key=key, model_key=key)
            after = nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))
            return losses.binary_cross_entropy(outputs["tags"], batch["tags"]).mean(), after

        gradient, stats = jax.grad(loss, has_aux=True)(learnt)
        with jax.numpy_dtype_promotion("standard"):
            updates, slots = optimizer.update(gradient, slots, learnt)
        return optax.apply_updates(learnt, updates), stats, slots

    learnt, key = model["audio"], jax.random.key(run.config.seed)
    slots = optimizer.init(learnt)
    for number in range(TAG_STEPS):
        batch = batches.batch(np.zeros(1, np.int64), number)
        clips = {name: batch[name] for name in ("audio", "samples", "tags")}
        learnt, stats, slots = step(learnt, stats, slots, clips, jax.random.fold_in(key, number))
    return {**state, "params": {**state["params"], "model": {**model, "audio": learnt}}, "stats": stats}


def measured(folder: Path, seed: int, size: str, arm: str) -> dict[str, np.ndarray]:
    """What one arm reaches on one world, without a boost; made where it is missing.

    Returns:
      'users' int64 [E], of the test plays; section -> float64 [E, 2] of `expected_recall`; 'audience' float64 [n, 2],
      'expected' of `audience.audience`.
    """
    place = folder / arm
    if not evaluations_of(place):
        train(config_of(folder, seed, size, arm), place)
    file = place / "expected.npz"
    if not file.is_file():
        run, recommender = rebuild(place).run, open_run(place).recommender()
        assert isinstance(recommender, TimeAwareRecommender)
        unboosted = recommender.with_policy(recommender.policy.without_boost())
        law = build(run.config.baselines.oracle).fit(run.train)
        plays = build_evaluator(run, "plays", "test")
        assert isinstance(plays, PlayEvaluator)
        places = audience(plays, unboosted, law)["expected"]
        recalls = expected_recall(plays, unboosted, law)
        with replacing(file) as whole, open(whole, "wb") as stream:
            np.savez_compressed(stream, users=plays.events.users, audience=places, **recalls)  # pyright: ignore[reportArgumentType]
    with np.load(file) as arrays:
        return dict(arrays)


def pooled(worlds: list[dict[str, dict[str, np.ndarray]]], section: str) -> Pooled:
    """What the law expects of one section of all worlds, by arm."""
    first = [world["none"] for world in worlds]
    listeners = np.concatenate([number * 10**9 + world["users"] for number, world in enumerate(first)])
    pairs = {arm: np.concatenate([world[arm][section] for world in worlds]) for arm in ARMS}
    counted = pairs["none"][:, 1] > 0
    recalls = {arm: pair[counted, 0] / pair[counted, 1] for arm, pair in pairs.items()}
    return Pooled(listeners[counted], recalls, pairs["none"][counted, 1])


def pooled_audience(worlds: list[dict[str, dict[str, np.ndarray]]]) -> Pooled:
    """Where those who would play each new track of all worlds stand, by arm; every track is a unit of its own."""
    pairs = {arm: np.concatenate([world[arm]["audience"] for world in worlds]) for arm in ARMS}
    places = {arm: pair[:, 0] / np.maximum(pair[:, 1], 1e-12) for arm, pair in pairs.items()}
    return Pooled(np.arange(len(places["none"])), places, pairs["none"][:, 1])


def step_seconds(run: Path) -> float:
    """Mean seconds of a step of a run, without those that compile."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return float(np.mean([line["step_ms"] for line in lines if "step_ms" in line])) / 1000


def costs(folders: list[Path], steps: int) -> list[list[str]]:
    """Seconds of each arm, means over the worlds: of learning the tags, of training, of a thousand more tracks."""
    sound = [read_json(folder / SECONDS) for folder in folders]
    rows = []
    for arm in ARMS:
        encoder = {"none": None, "mfcc": "mfcc"}.get(arm, "encoder")
        thousand = 0.0 if encoder is None else np.mean([1000 * one[encoder] / one["tracks"] for one in sound])
        tags = np.mean([one["tags"] for one in sound]) if arm == "tags" else 0.0
        training = steps * np.mean([step_seconds(folder / arm) for folder in folders])
        rows.append([arm, f"{tags:.0f}", f"{training:.0f}", f"{thousand:.1f}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--workdir", type=Path, default=Path("runs/encoder_ablation"), help="holds worlds and runs")
    parser.add_argument("--size", choices=("tiny", "small"), default="small", help="tiny: does it work? writes nothing")
    arguments = parser.parse_args()
    seeds, started = [int(seed) for seed in arguments.seeds.split(",")], time.perf_counter()
    keep_freed_memory()
    folders = [arguments.workdir.absolute() / f"seed{seed}" for seed in seeds]
    worlds = []
    for folder, seed in zip(folders, seeds, strict=True):
        simulate_world(folder / "world", arguments.size, seed)
        import_world(folder / "world", folder / "log")
        sound_numbers(folder, seed, arguments.size)
        worlds.append({arm: measured(folder, seed, arguments.size, arm) for arm in ARMS})
    sections = {name: pooled(worlds, name) for name in ("known", *AGES)}
    sections["audience"] = pooled_audience(worlds)
    steps = config_of(folders[0], seeds[0], arguments.size, "joint").total_steps
    head = ["recall@20", *sections]
    text = INTRODUCTION.format(
        worlds=len(seeds), steps=steps, arms="\n".join(f"- `{arm}`: {what}" for arm, what in ARMS.items())
    )
    text += markdown(head, [[arm, *(str(one.of(**{arm: 1.0})) for one in sections.values())] for arm in ARMS])
    text += "\n## Against no sound\n\nDifferences from `none` on the same plays.\n\n"
    differences = [
        [arm, *(str(one.of(**{arm: 1.0, "none": -1.0})) for one in sections.values())] for arm in ARMS if arm != "none"
    ]
    text += markdown(head, differences)
    text += COST + markdown(["seconds", "learning tags", "training", "a thousand tracks"], costs(folders, steps))
    commits = trained_at([folder / arm for folder in folders for arm in ARMS])
    minutes = (time.perf_counter() - started) / 60
    text += (
        f"\nSeeds {arguments.seeds}; trained at commit {commits}; {available_cpus()} of {os.cpu_count()} cores of "
        f"{processor()}; {minutes:.0f} min, without runs that were there already.\n"
    )
    print(text)
    if arguments.size == "small":
        (ROOT / "docs" / "results" / "encoder_ablation.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
