"""Draws docs/world_sound.png: three tracks of the simulated world, waveforms and log-mels.

python docs/scripts/world_sound.py
"""

import io
from pathlib import Path

import matplotlib
import numpy as np

from mu.audio.mel import log_mel
from mu.world.names import KEYS
from mu.world.score import GUITAR, PAD, PIANO, VOICES
from mu.world.sound import RATE_HZ, SAMPLES, attributes
from mu.world.world import simulate

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

FLOOR_DB = 70.0  # below the loudest


def main() -> None:
    world = simulate("tiny", seed=0)
    catalogue, shares = world.catalogue, world.catalogue.shares
    # The calmest of those with a pad, the most danceable with an electric piano, the liveliest waltz of a guitar.
    waltz = np.where(catalogue.metre == 3, shares[:, 0], 0.0)
    wanted = ((PAD, 1 - shares[:, 0]), (PIANO, shares[:, 3]), (GUITAR, waltz))
    tracks = np.array([np.argmax(np.where(catalogue.chords == voice, share, -1.0)) for voice, share in wanted])
    audio = world.sound(tracks)
    figure, axes = plt.subplots(
        2, 3, figsize=(12, 4.6), sharey="row", sharex=True, height_ratios=(1, 2.4), constrained_layout=True
    )
    for (above, below), x, track in zip(axes.T, audio, tracks.tolist(), strict=True):
        about = attributes(catalogue, track)
        key = f"{KEYS[about.key]} {'major' if about.major else 'minor'}"
        above.set_title(
            f"{catalogue.titles[track]}: {VOICES[about.chords]}, {VOICES[about.lead]}\n"
            f"{about.tempo_bpm:.0f} BPM, {about.metre}/4, {key}\n"
            f"energy {about.energy:.2f}, brightness {about.brightness:.2f}, danceability {about.danceability:.2f}",
            fontsize=9,
        )
        above.plot(np.arange(SAMPLES) / RATE_HZ, x, color="#3b4cc0", linewidth=0.4)
        above.grid(alpha=0.3)
        mels = np.asarray(log_mel(x, RATE_HZ, n_fft=1024, hop_samples=160, n_mels=96))
        below.imshow(
            mels.T, origin="lower", aspect="auto", cmap="magma", vmin=mels.max() - FLOOR_DB, vmax=mels.max(),
            extent=(0, SAMPLES / RATE_HZ, 0, mels.shape[1]),
        )  # fmt: skip
        below.set_xlabel("s", fontsize=9)
        above.tick_params(labelsize=8)
        below.tick_params(labelsize=8)
    axes[0, 0].set_ylabel("amplitude", fontsize=9)
    axes[1, 0].set_ylabel("mel", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100, facecolor="white")
    buffer.seek(0)
    # 64 colours are enough for a picture of this size, and a fraction of the bytes.
    picture = Image.open(buffer).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    picture.save(Path(__file__).parents[1] / "world_sound.png", optimize=True)


if __name__ == "__main__":
    main()
