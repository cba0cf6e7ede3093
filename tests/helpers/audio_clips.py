"""A library of tones in memory, and a run on it so small that it takes seconds; what tests of audio runs share."""

from pathlib import Path

import numpy as np
import polars as pl

from mu.config.base import base
from mu.config.resolve import resolve
from mu.data.clips.clips import Clips, texts_of
from mu.data.clips.targets import ClassTarget, NumberTarget, TagTarget

RATE_HZ = 4000
PITCHES_HZ = {"low": 300.0, "middle": 700.0, "high": 1500.0}


class Tones:
    """A store of waveforms in memory."""

    sample_rate_hz = RATE_HZ

    def __init__(self, waveforms):
        self.waveforms = waveforms

    def waveform(self, row, start_frame=0, n_frames=None):
        end = None if n_frames is None else start_frame + n_frames
        return self.waveforms[row][start_frame:end]


def make_clips(n=48, seed=0, shortest_s=0.3, longest_s=1.2):
    """n clips: a tone of one of three pitches (class), with or without noise (tags), its level in dB (number)."""
    generator = np.random.default_rng(seed)
    waveforms, rows = [], []
    for number in range(n):
        pitch = list(PITCHES_HZ)[number % 3]
        noisy, level_db = bool(number // 3 % 2), float(generator.uniform(-20, -6))
        samples = int(generator.uniform(shortest_s, longest_s) * RATE_HZ)
        tone = np.sin(2 * np.pi * PITCHES_HZ[pitch] * np.arange(samples) / RATE_HZ + generator.uniform(0, 6))
        audio = 10 ** (level_db / 20) * (tone + noisy * 0.3 * generator.standard_normal(samples))
        waveforms.append((np.clip(audio, -1, 1) * 32767).astype(np.int16))
        rows.append(
            {
                "clip": f"clip{number:03d}.wav",
                "file": f"clip{number:03d}.wav",
                "content_hash": f"{number:064d}",
                "duration_s": samples / RATE_HZ,
                "sample_rate_hz": RATE_HZ,
                "pitch": pitch,
                "speaker": f"speaker{number // 3 % 4}",
                "fold": number % 4,
                "tags": "tone|noise" if noisy else "tone",
                "level_db": level_db,
            }
        )
    table = pl.DataFrame(rows)
    names = tuple(PITCHES_HZ)
    tags = np.array([[1.0, float("noise" in row["tags"])] for row in rows], np.float32)
    targets = {
        "pitch": ClassTarget(names, np.array([names.index(row["pitch"]) for row in rows], np.int32)),
        "tags": TagTarget(("tone", "noise"), tags),
        "numbers": NumberTarget(("level_db",), table["level_db"].to_numpy()[:, None].astype(np.float32)),
    }
    return Clips(table, RATE_HZ, targets, Path("."), Tones(waveforms), np.arange(n))


def load_tones(n=48, targets=("pitch",), texts=()):
    """The clips as a config names them: `tests.helpers.audio_clips:load_tones`."""
    clips = make_clips(n)
    return Clips(
        clips.table,
        RATE_HZ,
        {name: clips.targets[name] for name in targets},
        clips.root,
        clips.store,
        clips.store_rows,
        texts=texts_of(clips.table, texts) if texts else None,
    )


def tiny_audio_config(**changes):
    """A resolved config of a tiny encoder on the tones; `changes` are dotted keys with __ for the dots."""
    config = base()
    config.data = {"name": "tests.helpers.audio_clips:load_tones"}
    config.split = {"name": "mu.data.clips.folds:by_hash", "n_folds": 4, "fold": 0, "stratify": "pitch"}
    config.batches = {"name": "mu.data.batches.clips:ClipBatches", "clips_per_batch": 8, "crop_s": 0.5}
    config.model = {"name": "mu.models.audio_encoder:AudioEncoder", "size": "xs", "n_mels": 32, "fmin_hz": 50.0}
    config.task = {"name": "mu.tasks.clip_targets:ClipTargets"}
    config.optimizer = {"name": "mu.training.optim:adamw_cosine", "learning_rate": 3e-3}
    config.evals = {"clips": {"name": "mu.evals.protocols.clips:ClipPrediction", "bootstrap_samples": 50}}
    config.recommender = {"name": "mu.inference.clips:ClipPredictor"}
    config.best.metric = "valid/clips/pitch/accuracy"
    config.baselines = {}
    config.ema_decay = 0.9
    config.update(total_steps=12, evaluate_every_steps=6, checkpoint_every_steps=3, log_every_steps=1)
    for key, value in changes.items():
        *parents, last = key.split("__")
        node = config
        for parent in parents:
            node = node[parent]
        with node.ignore_type():
            node[last] = value
    return resolve(config)
