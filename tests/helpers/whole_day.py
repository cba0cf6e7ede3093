"""A log from its import to a recommendation, an encoder, and features of sound; prints every number as JSON.

Run as a script in an environment of its own: `python -m tests.helpers.whole_day FOLDER [PART ...]`.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import augment, chroma, cqt, descriptors, hpss, mel, pcen, pitch, rhythm, spectral, vocoder
from mu.cli import main
from tests.helpers.audio_clips import tiny_audio_config
from tests.helpers.tiny_runs import train

RATE_HZ = 8000
CONFIG = """
from mu.config.base import base


def get_config(arg=None):
    config = base()
    config.data.path = "log"
    config.batches.update(window=8, rows=8, negatives=4, threads=1)
    config.model.update(dim=8, layers=1, heads=2, window=8)
    config.update(total_steps=6, evaluate_every_steps=3, checkpoint_every_steps=3, log_every_steps=1)
    config.evals.ranking.bootstrap_samples = 20
    return config
"""


def command(*words):
    """What a command prints; it must succeed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = main([*words])
    if status:  # not an assertion: python -O takes those away
        raise SystemExit(f"{words} ended with {status}")
    return out.getvalue()


def plays():
    """{'train': losses, 'evaluate': means, 'recommend': lines} of a tiny run, by the commands."""
    lines = [
        f"u{user},t{(7 * user + play) % 40},{1_500_000_000 + 1000 * user + play}"
        for user in range(48)
        for play in range(6 + user % 15)
    ]
    Path("plays.csv").write_text("\n".join(["user,track,time", *lines]) + "\n")
    Path("tiny.py").write_text(CONFIG)
    command("import", "plays.csv", "--output=log")
    command("train", "--config=tiny.py", "--workdir=run")
    command("evaluate", "run", "--output=again")
    logged = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    return {
        "train": [values["loss"] for values in logged if "loss" in values],
        "evaluate": [values["valid/ranking/ndcg@10"] for values in logged if "valid/ranking/ndcg@10" in values],
        "recommend": command("recommend", "run", "--user=u3", "--k=5").split(),
    }


def clips():
    """Losses of an audio encoder."""
    train(tiny_audio_config(total_steps=4, evaluate_every_steps=2, model__n_mels=16, batches__crop_s=0.2), "clips")
    logged = [json.loads(line) for line in Path("clips/metrics.jsonl").read_text().splitlines()]
    return [values["loss"] for values in logged if "loss" in values]


def sounds():
    """float32 [3, N]: clicks on a tone, noise, silence."""
    time = np.arange(2 * RATE_HZ) / RATE_HZ
    clicks = np.where(time % 0.5 < 0.01, 0.5, 0.0) + 0.2 * np.sin(2 * np.pi * 440 * time)
    noise = np.random.default_rng(0).normal(0, 0.1, len(time))
    return np.stack([clicks, noise, np.zeros_like(time)]).astype(np.float32)


def features():
    """{feature: its mean over each sound}."""
    x = jnp.asarray(sounds())
    magnitude = spectral.magnitude(spectral.stft(x, n_fft=512))
    envelope = rhythm.onset_strength(x, RATE_HZ)
    values = {
        "log_mel": mel.log_mel(x, RATE_HZ),
        "mfcc": mel.mfcc(x, RATE_HZ),
        "pcen": pcen.pcen(mel.mel_spectrogram(x, RATE_HZ), RATE_HZ),
        "chroma": chroma.chroma_stft(x, RATE_HZ),
        "cqt": jnp.abs(cqt.cqt(x, RATE_HZ, n_bins=36)),
        "centroid": descriptors.centroid(magnitude, RATE_HZ),
        "bandwidth": descriptors.bandwidth(magnitude, RATE_HZ),
        "rolloff": descriptors.rolloff(magnitude, RATE_HZ),
        "flatness": descriptors.flatness(magnitude),
        "rms": descriptors.rms(x),
        "zero_crossings": descriptors.zero_crossing_rate(x),
        "onsets": envelope,
        "tempo": rhythm.tempo(envelope, RATE_HZ)[..., None],
        "tuning": pitch.estimate_tuning(x, RATE_HZ)[..., None],
        "harmonic": hpss.harmonic_percussive(magnitude)[0],
        "stretched": vocoder.time_stretch(x, 1.25),
        "noisy": augment.add_noise(jax.random.key(0), x),
    }
    return {name: np.asarray(value, np.float64).reshape(3, -1).mean(axis=1).tolist() for name, value in values.items()}


PARTS = {"plays": plays, "clips": clips, "features": features}

if __name__ == "__main__":
    folder, *parts = sys.argv[1:]
    Path(folder).mkdir(exist_ok=True)
    with contextlib.chdir(folder), np.errstate(all="raise" if "STRICT_NUMPY" in os.environ else "warn", under="ignore"):
        print(json.dumps({part: PARTS[part]() for part in parts or PARTS}))
