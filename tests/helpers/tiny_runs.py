"""A log and a config so small that a whole run takes seconds; what tests of runs share."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint.experimental.v1 as ocp

import mu.train
from mu.config.base import base
from mu.config.resolve import resolve
from mu.data.batches.histories import HistoryBatches
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import Interactions
from mu.training.sharding import make_mesh

N_USERS, N_TRACKS = 48, 40


def train(config, workdir, **options):
    """`mu.train.train` on one device, whatever number the tests pretend to: such runs compile faster."""
    return mu.train.train(config, workdir, mesh=one_device(), **options)


def one_device():
    """The mesh of the first device."""
    return make_mesh(data=1, model=1, devices=jax.devices()[:1])


def make_log(n_users=N_USERS, n_tracks=N_TRACKS, longest=20, seed=0):
    """Histories of 0 to `longest` plays, in memory; every track is played."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, longest + 1, n_users)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    items = generator.integers(0, n_tracks, indptr[-1]).astype(np.int32)
    items[:n_tracks] = np.arange(n_tracks)
    times = np.arange(indptr[-1], dtype=np.int64)
    return Interactions(indptr, items, times, np.ones(len(items), np.float32), n_tracks, card={"time_unit": "ms"})


def write_log(folder, n_users=N_USERS):
    """Imports a log of `n_users` listeners (u0, u1, ...) and N_TRACKS tracks (t0, ...) into `folder`; returns its path.

    A listener goes round the catalogue in steps of one, with noise: there is something to learn.
    """
    generator = np.random.default_rng(0)
    lines = ["user,track,time,title,artist"]
    for user in range(n_users):
        start = user * 7
        for play in range(6 + user % 15):
            track = (start + play + int(generator.random() < 0.2)) % N_TRACKS
            moment = 1_500_000_000 + user * 1000 + play
            title = '"Song 3, reprised"' if track == 3 else f"Song {track}"
            lines.append(f"u{user},t{track},{moment},{title},Artist {track % 5}")
    source = Path(folder) / "plays.csv"
    source.write_text("\n".join(lines) + "\n")
    import_log([str(source)], Path(folder) / "log", LogImportOptions(track_attributes=("artist",)))
    return Path(folder) / "log"


def tiny_config(log, **changes):
    """A resolved config of a SASRec with 8 numbers a row; `changes` are dotted keys with __ for the dots."""
    config = base()
    config.data.path = str(log)
    config.batches.update(window=8, rows=8, negatives=4, threads=1)
    config.model.update(dim=8, layers=1, heads=2, window=8, dropout=0.0)
    config.update(total_steps=12, evaluate_every_steps=6, checkpoint_every_steps=3, log_every_steps=1)
    config.evals.ranking.bootstrap_samples = 20
    config.baselines = {}
    for key, value in changes.items():
        *parents, last = key.split("__")
        node = config
        for parent in parents:
            node = node[parent]
        with node.ignore_type():
            node[last] = value
    return resolve(config)


TIMES = ("step_ms", "examples_per_s", "data_wait_share", "left_s")


def logged(workdir):
    """The lines of metrics.jsonl, without what a clock measured."""
    lines = (Path(workdir) / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in TIMES} for line in lines]


def weights_of(workdir, step=None):
    """The arrays of the latest checkpoint, or that of `step`, as a flat dict."""
    with ocp.training.Checkpointer(Path(workdir).absolute() / "checkpoints") as checkpointer, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it finds the shardings itself
        tree = checkpointer.load(step)
    return {jax.tree_util.keystr(path): np.asarray(array) for path, array in jax.tree.leaves_with_path(tree)}


def assert_same_run(first, second):
    """Bit for bit: every logged number and every array of the last checkpoint."""
    assert logged(first) == logged(second)
    one, other = weights_of(first), weights_of(second)
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


class Breaking:
    """A writer that calls `what` once the run has logged step `at`: a way to stop a run at a step of one's choice."""

    at: int = -1
    what: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, folder, step):
        del folder, step

    def write(self, step, values):
        if step == type(self).at and "loss" in values:
            type(self).what()

    def close(self):
        pass


class Poisoned(HistoryBatches):
    """Batches whose loss is no number from batch 8, the ninth, on."""

    def batch(self, examples, step):
        batch = super().batch(examples, step)
        if step >= 8:
            batch["weights"][0, 0] = np.nan
        return batch


def explodes(at):
    """A learning rate that is past all numbers from update number `at` on."""
    return lambda step: jnp.where(step < at, 1e-3, jnp.inf)
