"""A suite on made-up sounds, and encoders of one's own: good ones, and those that a suite must refuse."""

import dataclasses

import numpy as np

from mu.embedding.probe import ProbeOptions
from mu.suite.task import Recordings, Task
from tests.helpers.audio_files import write

RATE_HZ, CLIPS, FOLDS = 4000, 24, 4
KINDS = {"low": 200.0, "middle": 600.0, "high": 1500.0}


def without_noises(table):
    """The clips that have a pitch."""
    return table.filter(table["kind"] != "noise")


SOUNDS = Recordings("sounds", "sounds", "meta.csv", "made up for a test", without_noises)
TASKS = (
    Task("kind", SOUNDS, ProbeOptions(folds="fold", classes=("kind",)), ("kind/accuracy",), "4 folds"),
    Task("hz", SOUNDS, ProbeOptions(folds="fold", numbers=("hz",)), ("numbers/pearson",), "4 folds", first_s=0.2),
)
ONE_CLASS = (dataclasses.replace(TASKS[0], predicts=ProbeOptions(folds="fold", classes=("same",))),)
NO_METRIC = (dataclasses.replace(TASKS[0], metrics=("kind/acuracy",)),)
TWICE = (TASKS[0], TASKS[0])


def make_data(folder):
    """`folder/sounds`: tones of three pitches in noise, one noise, and their table."""
    generator = np.random.default_rng(0)
    lines = ["file,kind,hz,same,fold"]
    for number in range(CLIPS):
        kind = list(KINDS)[number % 3]
        hz = KINDS[kind] * generator.uniform(0.9, 1.1)
        t = np.arange(round(generator.uniform(0.3, 0.6) * RATE_HZ)) / RATE_HZ
        tone = 0.3 * np.sin(2 * np.pi * hz * t) + 0.01 * generator.standard_normal(len(t))
        write(folder / "sounds" / f"{number}.wav", tone.astype(np.float32), RATE_HZ)
        lines.append(f"{number}.wav,{kind},{hz},x,{number // 3 % FOLDS}")
    write(folder / "sounds" / "noise.wav", (0.1 * generator.standard_normal(2000)).astype(np.float32), RATE_HZ)
    lines.append("noise.wav,noise,,x,0")
    (folder / "sounds" / "meta.csv").write_text("\n".join(lines) + "\n")
    return folder


class Bands:
    """Log energy in four bands of a tile."""

    sample_rate_hz, tile_samples, at_once, dim = RATE_HZ, 1000, 8, 4

    def vectors(self, audio, samples):
        power = np.abs(np.fft.rfft(audio)) ** 2
        bands = np.stack([part.sum(axis=1) for part in np.array_split(power, self.dim, axis=1)], axis=1)
        return np.log(bands / samples[:, None] + 1e-9).astype(np.float32)


class Deaf(Bands):
    """The same vector whatever is played."""

    def vectors(self, audio, samples):
        return np.ones((len(audio), self.dim), np.float32)


class NotANumber(Bands):
    """NaN of low tones; the noise that an encoder is tried with is none."""

    def vectors(self, audio, samples):
        vectors = super().vectors(audio, samples)
        vectors[vectors[:, 0] > vectors[:, 1:].max(axis=1) + 2] = np.nan
        return vectors


class OtherWidth(Bands):
    """Another width of some tiles."""

    def vectors(self, audio, samples):
        vectors = super().vectors(audio, samples)
        return vectors if len(audio) < 3 else vectors[:, :2]


class OfAnotherDim(Bands):
    dim = 5

    def vectors(self, audio, samples):
        return np.ones((len(audio), 3), np.float32)


class AlwaysNaN(Bands):
    def vectors(self, audio, samples):
        return np.full((len(audio), self.dim), np.nan, np.float32)


class NoEncoder:
    dim = 3


NUMBER = 3
